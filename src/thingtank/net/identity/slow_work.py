"""Work that takes long on purpose, such as hashing passwords: in threads, few at a time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from thingtank.tank.networks import network_of

Result = TypeVar("Result")

AT_ONCE_MAX = 2  # each keeps a processor busy
WAITING_MAX = 100
WAITING_OF_ONE_NETWORK_MAX = 8  # those at work included: nobody keeps all others out


class TooBusy(Exception):
    """WAITING_MAX wait already, or WAITING_OF_ONE_NETWORK_MAX of the client's network."""


class SlowWork:
    """Turns of those who need it."""

    def __init__(self, at_once_max: int = AT_ONCE_MAX, waiting_max: int = WAITING_MAX) -> None:
        """Start with nobody waiting."""
        self._turns = asyncio.Semaphore(at_once_max)
        self._waiting_max = waiting_max
        self._waiting_count = 0
        self._waiting_by_network: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait for a turn.

        Args:
            address: of the client; blank where it has none, as for all others that have none.

        Raises:
            TooBusy.
        """
        if self._waiting_count >= self._waiting_max:
            raise TooBusy(f"{self._waiting_max} wait already; try again later")
        network = network_of(address)
        if self._waiting_by_network[network] >= WAITING_OF_ONE_NETWORK_MAX:
            raise TooBusy(
                f"{WAITING_OF_ONE_NETWORK_MAX} of your network wait already; try again later"
            )
        self._waiting_count += 1
        self._waiting_by_network[network] += 1
        try:
            async with self._turns:
                yield
        finally:
            self._waiting_count -= 1
            self._waiting_by_network[network] -= 1
            if not self._waiting_by_network[network]:
                del self._waiting_by_network[network]

    async def run(self, address: str, work: Callable[[], Result]) -> Result:
        """Work in a thread, in turn.

        Raises:
            TooBusy, and what `work` raises.
        """
        async with self.turn(address):
            return await asyncio.to_thread(work)
