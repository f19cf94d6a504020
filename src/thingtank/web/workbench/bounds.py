"""How many long answers, such as live streams and exports, are under way at once, and to whom."""

import contextlib
from collections import Counter
from collections.abc import Iterator

import msgspec

from thingtank.tank.access import Caller
from thingtank.tank.networks import network_of


class VisitLimits(msgspec.Struct, frozen=True):
    """Bounds, each of them at one time.

    Attributes:
        total_max: to anybody.
        strangers_max: to people who are not signed in, so that these leave room for who is.
        per_account_max: to one account, so that one's wall displays leave room for the others.
        per_address_max: to strangers from one address.
    """

    total_max: int
    strangers_max: int
    per_account_max: int
    per_address_max: int


class TooManyVisits(Exception):
    """Another one would be too many.

    Attributes:
        is_own: the account or address has its share already; else all have theirs.
    """

    def __init__(self, is_own: bool) -> None:
        super().__init__("too many at once")
        self.is_own = is_own


class Visits:
    """The answers that are under way. Belongs to the loop's thread."""

    def __init__(self, limits: VisitLimits) -> None:
        self._limits = limits
        self._total_count = 0
        self._strangers_count = 0
        self._counts: Counter[int | str] = Counter()  # by account, or by a stranger's network

    @contextlib.contextmanager
    def one(self, caller: Caller, address: str) -> Iterator[None]:
        """Hold a place while an answer is under way.

        Raises:
            TooManyVisits: there is none.
        """
        limits = self._limits
        account = caller.account
        who: int | str = network_of(address) if account is None else account.account_id
        if self._total_count >= limits.total_max:
            raise TooManyVisits(is_own=False)
        own_max = limits.per_address_max if account is None else limits.per_account_max
        if self._counts[who] >= own_max:
            raise TooManyVisits(is_own=True)
        if account is None and self._strangers_count >= limits.strangers_max:
            raise TooManyVisits(is_own=False)
        self._total_count += 1
        self._strangers_count += account is None
        self._counts[who] += 1
        try:
            yield
        finally:
            self._total_count -= 1
            self._strangers_count -= account is None
            self._counts[who] -= 1
            if not self._counts[who]:
                del self._counts[who]
