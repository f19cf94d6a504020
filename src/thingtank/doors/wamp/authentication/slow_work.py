"""Work that takes long on purpose, such as hashing passwords: in threads, few at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

Result = TypeVar("Result")

AT_ONCE_MAX = 2  # each keeps a processor busy
WAITING_MAX = 100


class TooBusy(Exception):
    """WAITING_MAX wait already."""


class SlowWork:
    """Turns of those who need it."""

    def __init__(self, at_once_max: int = AT_ONCE_MAX, waiting_max: int = WAITING_MAX) -> None:
        """Start with nobody waiting."""
        self._turns = asyncio.Semaphore(at_once_max)
        self._waiting_max = waiting_max
        self._waiting_count = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn.

        Raises:
            TooBusy.
        """
        if self._waiting_count >= self._waiting_max:
            raise TooBusy(f"{self._waiting_max} wait already; try again later")
        self._waiting_count += 1
        try:
            async with self._turns:
                yield
        finally:
            self._waiting_count -= 1

    async def run(self, work: Callable[[], Result]) -> Result:
        """Work in a thread, in turn.

        Raises:
            TooBusy, and what `work` raises.
        """
        async with self.turn():
            return await asyncio.to_thread(work)
