"""Group commit: while one batch is being written, all that comes gathers in the next.

Used from the loop's thread; a worker's thread writes, one batch at a time. A batch that somebody
waits for is written once a turn of the loop brings nothing more to it, and for GATHER_S_MAX at most
if the loop is never idle; one that nobody waits for may linger.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from thingtank.stores.committer import GATHER_S_MAX
from thingtank.stores.worker import Worker

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Gathers items into batches.

    Attributes:
        waiting_count, waiting_bytes: of what gathers, and of what is being written.
    """

    def __init__(
        self,
        worker: Worker,
        write: Callable[[list[Item]], Result],
        written: Callable[[list[Item], Result | Exception], None],
        *,
        linger_s: float = 0.0,
        linger_items_max: int = 0,
    ) -> None:
        """Nothing is there yet.

        Args:
            write: writes a batch, in the worker's thread.
            written: is told in the loop what came of it.
            linger_s: a batch gathers for so long,
            linger_items_max: or until it has so many items; unless someone waits for it.
        """
        self._loop = asyncio.get_running_loop()
        self._worker = worker
        self._write = write
        self._written = written
        self._linger_s = linger_s
        self._linger_items_max = linger_items_max
        self._items: list[Item] = []
        self._size_bytes = 0  # of these
        self._waiters: list[asyncio.Future[None]] = []  # for these
        self._committing: list[asyncio.Future[None]] | None = None  # who waits for those under way
        self._timer: asyncio.TimerHandle | None = None
        self.waiting_count = 0
        self.waiting_bytes = 0

    def add(self, item: Item, size_bytes: int = 0) -> None:
        """Have an item written with the batch that gathers now."""
        items = self._items
        items.append(item)
        self._size_bytes += size_bytes
        self.waiting_count += 1
        self.waiting_bytes += size_bytes
        if self._committing is None:
            if len(items) == 1:
                self._gather()
            elif self._timer is not None and len(items) >= self._linger_items_max:
                self._commit()

    async def settled(self) -> None:
        """Wait until all that came so far is written, or refused."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        if self._items:
            self._waiters.append(waiter)
            if self._timer is not None:
                self._commit()
        elif self._committing is not None:
            self._committing.append(waiter)
        else:
            return
        await waiter

    def _gather(self) -> None:
        """See to it that what is there is written."""
        if self._linger_s and not self._waiters and len(self._items) < self._linger_items_max:
            self._timer = self._loop.call_later(self._linger_s, self._commit)
        else:
            until_s = self._loop.time() + GATHER_S_MAX
            self._loop.call_soon(self._commit_when_idle, 0, until_s)

    def _commit_when_idle(self, seen_count: int, until_s: float) -> None:
        count = len(self._items)
        if count > seen_count and self._loop.time() < until_s:
            self._loop.call_soon(self._commit_when_idle, count, until_s)
        else:
            self._commit()

    def _commit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        items, self._items = self._items, []
        size_bytes, self._size_bytes = self._size_bytes, 0
        self._committing, self._waiters = self._waiters, []
        self._worker.submit(
            partial(self._write, items), partial(self._committed, items, size_bytes)
        )

    def _committed(self, items: list[Item], size_bytes: int, result: Result | Exception) -> None:
        waiters, self._committing = self._committing, None
        assert waiters is not None
        self.waiting_count -= len(items)
        self.waiting_bytes -= size_bytes
        if self._items:
            self._gather()
        try:
            self._written(items, result)
        finally:
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
