"""How often one key, and one address of strangers, may ask: token buckets, filled steadily.

A bucket is one number, the instant at which it will be full again (the "generic cell rate
algorithm"): constant time a request, and one that would be full needs not be kept.
"""

from collections import OrderedDict
from collections.abc import Hashable

import msgspec

from thingtank.tank.errors import RateExceeded
from thingtank.tank.limits import Limits
from thingtank.tank.networks import network_of

BUCKETS_MAX = 100_000  # of keys and of addresses each, some 20 MB; the least recent are forgotten

_SECOND_NS = 1_000_000_000


class Allowance(msgspec.Struct, frozen=True, gc=False):
    """How much somebody may still ask.

    Attributes:
        burst: requests that may come at once after a rest.
        burst_s: how long such a rest is, at least 1.
        left: requests that may come now.
        full_s: seconds until `left` is `burst` again.
    """

    burst: int
    burst_s: int
    left: int
    full_s: int


class TokenBuckets:
    """One bucket for each name, all alike.

    Args:
        rate: tokens a second.
        burst: tokens in a full bucket, 1 or more.
    """

    def __init__(self, rate: float, burst: int, buckets_max: int = BUCKETS_MAX) -> None:
        self._token_ns = max(int(_SECOND_NS / rate), 1)
        self._full_ns = self._token_ns * burst
        self._buckets_max = buckets_max
        self._full_at_ns: OrderedDict[Hashable, int] = OrderedDict()

    def __len__(self) -> int:
        """How many buckets are remembered."""
        return len(self._full_at_ns)

    def take(self, name: Hashable, now_ns: int) -> int:
        """Take one token.

        Args:
            now_ns: of a clock that never goes back.

        Returns:
            0, or the nanoseconds until there will be one when there is none.
        """
        full_at_ns = max(self._full_at_ns.get(name, 0), now_ns) + self._token_ns
        missing_ns = full_at_ns - now_ns - self._full_ns
        if missing_ns > 0:
            # Asked for in vain, and known all the same: or who asks most would be forgotten first.
            self._full_at_ns.move_to_end(name)
            return missing_ns
        self._full_at_ns[name] = full_at_ns
        self._full_at_ns.move_to_end(name)
        if len(self._full_at_ns) > self._buckets_max:
            self._full_at_ns.popitem(last=False)
        return 0

    def look(self, name: Hashable, now_ns: int) -> Allowance:
        """What a bucket holds; nothing is taken."""
        missing_ns = max(self._full_at_ns.get(name, 0) - now_ns, 0)
        return Allowance(
            burst=self._full_ns // self._token_ns,
            burst_s=max(1, self._full_ns // _SECOND_NS),
            left=max(0, (self._full_ns - missing_ns) // self._token_ns),
            full_s=-(-missing_ns // _SECOND_NS),
        )


class RequestRates:
    """Counts requests to all doors, by key; of who has none that opens anything, by address.

    Requests by session, which only the REST API takes, are counted by account.

    Attributes:
        counts_keys: whether keys have a limit; to ask first is cheaper than a call in vain.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._keys = _buckets(limits.requests_per_key_s, limits.requests_per_key_burst)
        self._addresses = _buckets(limits.requests_per_address_s, limits.requests_per_address_burst)
        self._accounts = _buckets(limits.requests_per_account_s, limits.requests_per_account_burst)
        self.counts_keys = self._keys is not None

    def count_key(self, key_id: int, now_ns: int) -> None:
        """Count one request of a key that is known.

        Args:
            now_ns: of a clock that never goes back.

        Raises:
            RateExceeded: it is one too many.
        """
        if self._keys is not None:
            missing_ns = self._keys.take(key_id, now_ns)
            if missing_ns:
                raise _exceeded("a key", self._limits.requests_per_key_s, missing_ns)

    def count_stranger(self, address: str, now_ns: int) -> None:
        """Count one request without a key, or with one that opens nothing.

        Raises:
            RateExceeded: it is one too many.
        """
        if self._addresses is not None:
            missing_ns = self._addresses.take(network_of(address), now_ns)
            if missing_ns:
                rate = self._limits.requests_per_address_s
                raise _exceeded("an address without a valid key", rate, missing_ns)

    def count_account(self, account_id: int, now_ns: int) -> None:
        """Count one request of somebody who is signed in.

        Raises:
            RateExceeded: it is one too many.
        """
        if self._accounts is not None:
            missing_ns = self._accounts.take(account_id, now_ns)
            if missing_ns:
                rate = self._limits.requests_per_account_s
                raise _exceeded("an account", rate, missing_ns)

    def left_of_key(self, key_id: int, now_ns: int) -> Allowance | None:
        """What a key may still ask; None for as much as it likes."""
        return None if self._keys is None else self._keys.look(key_id, now_ns)

    def left_of_account(self, account_id: int, now_ns: int) -> Allowance | None:
        """What an account may still ask by session; None for as much as it likes."""
        return None if self._accounts is None else self._accounts.look(account_id, now_ns)

    def left_of_stranger(self, address: str, now_ns: int) -> Allowance | None:
        """What an address may still ask without a valid key; None for as much as it likes."""
        if self._addresses is None:
            return None
        return self._addresses.look(network_of(address), now_ns)


def _buckets(rate: float, burst: int) -> TokenBuckets | None:
    return TokenBuckets(rate, burst) if rate else None


def _exceeded(who: str, rate: float, missing_ns: int) -> RateExceeded:
    retry_after_s = -(-missing_ns // _SECOND_NS)  # up: a client that comes too early waits again
    seconds = "second" if retry_after_s == 1 else "seconds"
    return RateExceeded(
        f"{who} may ask {rate:g} times a second; try again in {retry_after_s} {seconds}",
        retry_after_s,
    )
