"""How often somebody may be wrong about a secret: by address and name, and by address in all.

Both together, as for the sign-in page: a stranger cannot keep anybody out from elsewhere. Nothing
is counted against who presents a key that opens something; keys are too long to be guessed.
"""

from collections import OrderedDict
from collections.abc import Callable

from thingtank.tank.networks import network_of

FAILURES_MAX = 10  # of one name from one address
FAILURES_PER_ADDRESS_MAX = 200
FORGET_US = 15 * 60 * 1_000_000
KEPT_MAX = 20_000  # counters; the least recent are forgotten


class Attempts:
    """Counts wrong secrets."""

    def __init__(
        self,
        now_us: Callable[[], int],
        *,
        failures_max: int = FAILURES_MAX,
        kept_max: int = KEPT_MAX,
    ) -> None:
        """Start with none.

        Args:
            now_us: of a clock that does not jump.
        """
        self._now_us = now_us
        self._failures_max = failures_max
        self._kept_max = kept_max
        self._counts: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        """How many counters are kept."""
        return len(self._counts)

    def is_name_locked(self, address: str, name: str) -> bool:
        """Whether no more secrets of a name are looked at from there."""
        return self._count(network_of(address), name) >= self._failures_max

    def is_address_locked(self, address: str) -> bool:
        """Whether no more secrets of any name are looked at from there."""
        return self._count(network_of(address), "") >= FAILURES_PER_ADDRESS_MAX

    def fail(self, address: str, name: str) -> None:
        """Count a wrong secret."""
        network = network_of(address)
        self._add(network, name)
        self._add(network, "")

    def succeed(self, address: str, name: str) -> None:
        """Forget the wrong secrets of a name."""
        self._counts.pop((network_of(address), name), None)

    def _count(self, network: str, name: str) -> int:
        count, until_us = self._counts.get((network, name), (0, 0))
        return count if self._now_us() < until_us else 0

    def _add(self, network: str, name: str) -> None:
        key = network, name
        self._counts[key] = self._count(*key) + 1, self._now_us() + FORGET_US
        self._counts.move_to_end(key)
        if len(self._counts) > self._kept_max:
            self._counts.popitem(last=False)
