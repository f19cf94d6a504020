"""How the directory writes: in one thread, one write after the other, and carried through.

A write runs in the one writer thread, then changes the snapshot in the loop's thread, then returns.
Writes follow one another, so a `change` sees the newest value. What has begun is carried through,
even when whoever asked gives up: else the database would say one thing and the snapshot another.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from thingtank.tank.errors import StorageFailed
from thingtank.web.catalog.sealing import Sealer
from thingtank.web.catalog.snapshot import Snapshot
from thingtank.web.database.connections import (
    atomic,
    close_connection,
    look_after_connection,
    reason_of,
)

log = structlog.get_logger()

Result = TypeVar("Result")
Given = ParamSpec("Given")
Writing = TypeVar("Writing", bound="DirectoryWork")

_Write: TypeAlias = Callable[Concatenate[Writing, Given], Coroutine[Any, Any, Result]]

_DIGESTS_MAX = 4096  # of secrets presented last: hardly a device writes only once


def carried_through(write: _Write[Writing, Given, Result]) -> _Write[Writing, Given, Result]:
    """Have a write end in database and snapshot alike, though its caller may be cancelled."""

    @wraps(write)
    async def run(self: Writing, /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        task = asyncio.create_task(write(self, *args, **kwargs))
        self._writes.add(task)  # the loop itself would let go of a task that nobody awaits
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    return run


class DirectoryWork:
    """What all parts of the directory share: the snapshot, the threads, and the turn of writes."""

    def __init__(self, secret: bytes) -> None:
        self._sealer = Sealer(secret)
        self._digest = lru_cache(_DIGESTS_MAX)(self._sealer.digest)
        self._snapshot = Snapshot()
        self._writer = ThreadPoolExecutor(1, "directory-writer")
        self._reader = ThreadPoolExecutor(1, "directory-reader")  # reads need not wait for writes
        self._turn = asyncio.Lock()
        self._writes: set[asyncio.Task[Any]] = set()

    def close(self) -> None:
        """End the threads."""
        for executor in (self._reader, self._writer):
            executor.submit(close_connection)
            executor.shutdown()

    async def transact(self, write: Callable[[], Result], then: Callable[[Result], None]) -> Result:
        """Write to several tables at once, and show what came of it, in the turn of all writes.

        It goes on when the caller is cancelled: what is in the database and not in the snapshot
        would be unknown until the next start.

        Args:
            write: runs in the writer thread, as one transaction.
            then: runs in the loop's thread after the transaction holds, and does not wait.
        """

        async def in_turn() -> Result:
            async with self._turn:
                result = await self._write(write)
                then(result)
                return result

        task = asyncio.create_task(in_turn())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def write(self, write: Callable[[], Result]) -> Result:
        """Run a write to other tables of the catalog in the one writer thread, all or nothing.

        Raises:
            StorageFailed, and what `write` raises.
        """
        return await self._write(write)

    async def _write(self, write: Callable[[], Result]) -> Result:
        """Run a write, or a read that follows all writes, as one transaction in their thread."""

        def run() -> Result:
            with atomic():
                return write()

        return await run_in(self._writer, run, "written")


async def run_in(executor: ThreadPoolExecutor, work: Callable[[], Result], what: str) -> Result:
    """Have a thread read or write the catalog's tables.

    Args:
        what: what the directory could not be, should it fail: `read` or `written`.

    Raises:
        StorageFailed, and what `work` raises.
    """
    return await asyncio.get_running_loop().run_in_executor(executor, watched, work, what)


def watched(work: Callable[[], Result], what: str) -> Result:
    """`run_in` for who is in a thread already: work, with what a database raises told in words."""
    event = "directory_write_failed" if what == "written" else "directory_read_failed"
    try:
        look_after_connection()
        return work()
    except (OperationalError, InterfaceError) as error:
        # A full disk, for one, or a server that is away: no bug of ours, so no traceback.
        reason = reason_of(error)
        log.error(event, reason=reason)
        if connection.vendor == "sqlite":  # whose words name no place: "database or disk is full"
            raise StorageFailed(f"the directory could not be {what}: {reason}") from error
        raise StorageFailed(f"the directory could not be {what}", details=reason) from error
    except (DatabaseError, sqlite3.Error) as error:
        log.exception(event)
        raise StorageFailed(f"the directory could not be {what}; try again later") from error
