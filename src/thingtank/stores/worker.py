"""A thread that does one piece of work after another and reports to the event loop.

What an executor does, at a quarter of its cost a piece: the journal's thread takes thousands of
pieces a second.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

from thingtank.stores.processor_slices import ask_for_short_slices

Result = TypeVar("Result")


class Worker:
    """Belongs to the loop that was running when it was made; used from the loop's thread only."""

    def __init__(self, name: str, *, is_awaited: bool = False) -> None:
        """Begin the thread.

        Args:
            is_awaited: clients wait for what it does, so it does not wait for threads at length.
        """
        self._is_awaited = is_awaited
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # A daemon, so that a loop that died without `stop` does not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(
        self, work: Callable[[], Result], report: Callable[[Result | Exception], None]
    ) -> None:
        """Have `work` done in the thread, then `report` its result or error in the loop."""

        def piece() -> None:
            result: Result | Exception
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - the loop's side raises or logs it
                result = error
            if not self._loop.is_closed():  # nobody is left to be told
                self._loop.call_soon_threadsafe(report, result)

        self._queue.put(piece)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Have `work` done in the thread; return what it returns, raise what it raises."""
        future: asyncio.Future[Result] = self._loop.create_future()

        def report(result: Result | Exception) -> None:
            if future.cancelled():
                return
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

        self.submit(work, report)
        return await future

    async def stop(self) -> None:
        """End the thread after the work it already has."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def leave(self) -> None:
        """End the thread after the work it already has; nobody waits for that."""
        self._queue.put(None)

    def _work(self) -> None:
        if self._is_awaited:
            ask_for_short_slices()
        while (piece := self._queue.get()) is not None:
            piece()
