"""Group commit: while one batch is being synced, all that arrives gathers in the next.

A commit costs the same for one write as for thirty, and takes the interpreter from the loop for a
moment. So a batch stays open until a turn of the loop has brought nothing more to it: at once when
little comes, and for GATHER_S_MAX at most when the loop is never idle.

Runs in the loop's thread and hands batches to the journal's thread, one at a time. When a batch is
on disk it is published (to the head and the current values), and only then is it acknowledged, so
that whoever was told reads what was written.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeAlias

import structlog

from thingtank.stores.acknowledgement import Acknowledgement
from thingtank.stores.changes import ROW_BYTES, Batch, Change, Extremes
from thingtank.stores.histogram import Histogram
from thingtank.stores.journal import Journal
from thingtank.stores.rows import Deletion
from thingtank.stores.worker import Worker
from thingtank.tank.datapoints import DatapointColumns, DatapointRows
from thingtank.tank.errors import (
    Overloaded,
    StorageFailed,
    Unavailable,
    ValidationFailed,
    reason_of,
)

log = structlog.get_logger()

GATHER_S_MAX = 0.003  # about what a commit takes
WAIT_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

# Only a bug of ours makes it so. Whether the journal brings it back at the next start is open.
_NOT_SHOWN = "what was written could not be shown; look whether it has happened"

# Publishes a committed batch, of a number, which the journal has as these bytes; where that takes a
# while, it answers what is still to be awaited.
Publish: TypeAlias = Callable[[Sequence[Change], int, bytes], Coroutine[Any, Any, None] | None]


class Committer:
    """The one way into the journal.

    Attributes:
        written_bytes: size of all batches committed since the start.
        written_count: datapoints in them.
        refused_count: batches that the disk did not take.
        waits: from the first write of each batch until the batch was on disk.
    """

    def __init__(
        self,
        journal: Journal,
        worker: Worker,
        publish: Publish,
        pending_bytes_max: int,
        room_bytes: Callable[[], int],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._journal = journal
        self._worker = worker
        self._publish = publish
        self._pending_bytes_max = pending_bytes_max
        self._room_bytes = room_bytes
        self._pending = Batch()
        self._committing_bytes = 0
        self._is_busy = False
        self._is_closed = False
        self._is_failing = False
        self._settling: asyncio.Task[None] | None = None
        self._pending_since_s = 0.0
        self.written_bytes = 0
        self.written_count = 0
        self.refused_count = 0
        self.waits = Histogram(WAIT_BOUNDS_S)

    @property
    def is_failing(self) -> bool:
        """Whether the disk did not take the last batch."""
        return self._is_failing

    def append(self, rows: DatapointRows) -> Acknowledgement:
        """Commit datapoints. Raise Overloaded, StorageFailed or ValidationFailed."""
        text = "".join(rows.values)
        if not text.isascii():
            _check_text(text)
        size_bytes = len(text) + len(rows.values) * ROW_BYTES
        self._check_room(size_bytes)
        self._pending.add_rows(rows, size_bytes)
        return self._awaited()

    def change(self, change: Deletion | Extremes) -> Awaitable[None]:
        """Commit a deletion or new extremes. Raise Overloaded or StorageFailed."""
        self._check_room(0)
        self._pending.add(change)
        return self._awaited()

    async def close(self) -> None:
        """Refuse what comes from now on; wait for what came before."""
        self._is_closed = True
        while self._is_busy:
            settled = Acknowledgement(self._loop)
            self._pending.waiting.append(settled)
            with contextlib.suppress(Unavailable):  # who waits for that batch is told
                await settled

    def _check_room(self, size_bytes: int) -> None:
        if self._is_closed:
            raise StorageFailed("the archive is closing")
        waiting_bytes = self._pending.size_bytes + size_bytes
        if waiting_bytes > self._pending_bytes_max:
            raise Overloaded(
                f"{waiting_bytes} bytes wait for the journal; at most {self._pending_bytes_max} may"
            )
        if waiting_bytes + self._committing_bytes > self._room_bytes():
            raise Overloaded("the history store is too far behind the journal", retry_after_s=5)

    def _awaited(self) -> Acknowledgement:
        acknowledgement = Acknowledgement(self._loop)
        if not self._pending.waiting:
            self._pending_since_s = self._loop.time()
        self._pending.waiting.append(acknowledgement)
        if not self._is_busy:
            self._is_busy = True
            self._gather()
        return acknowledgement

    def _gather(self) -> None:
        self._loop.call_soon(self._commit_when_idle, 0, self._loop.time() + GATHER_S_MAX)

    def _commit_when_idle(self, seen_count: int, until_s: float) -> None:
        count = len(self._pending.waiting)
        if count > seen_count and self._loop.time() < until_s:
            self._loop.call_soon(self._commit_when_idle, count, until_s)
        else:
            self._commit_pending()

    def _commit_pending(self) -> None:
        batch, self._pending = self._pending, Batch()
        changes = batch.taken()
        if not changes:
            self._is_busy = False
            batch.resolve()
            return
        self._committing_bytes = batch.size_bytes
        self._worker.submit(
            partial(self._journal.commit, changes),
            partial(self._committed, batch, changes, self._pending_since_s),
        )

    def _committed(
        self,
        batch: Batch,
        changes: Sequence[Change],
        since_s: float,
        result: tuple[int, bytes] | Exception,
    ) -> None:
        self._committing_bytes = 0
        if isinstance(result, Exception):
            self._refuse(batch, result)
            self._go_on()
            return
        if self._is_failing:
            self._is_failing = False
            log.warning("archive_writes_recovered")
        seq, blob = result
        self.written_bytes += len(blob)
        self.written_count += _datapoint_count(changes)
        try:
            to_await = self._publish(changes, seq, blob)
        except Exception:
            log.exception("archive_publish_failed")
            batch.resolve(StorageFailed(_NOT_SHOWN))
            self._go_on()
            return
        self.waits.add(self._loop.time() - since_s)
        if to_await is None:
            batch.resolve()
            self._go_on()
        else:
            self._settling = self._loop.create_task(self._settle(batch, to_await))

    async def _settle(self, batch: Batch, to_await: Coroutine[Any, Any, None]) -> None:
        """Finish publishing; the next batch waits, so that each is published on the one before."""
        error: Exception | None = StorageFailed(_NOT_SHOWN)
        try:
            await to_await
            error = None
        except Exception:
            log.exception("archive_publish_failed")
        finally:
            batch.resolve(error)
            self._go_on()

    def _go_on(self) -> None:
        if self._pending.waiting:
            self._gather()
        else:
            self._is_busy = False

    def _refuse(self, batch: Batch, error: Exception) -> None:
        self.refused_count += 1
        if not self._is_failing:
            self._is_failing = True
            is_expected = isinstance(error, StorageFailed)
            log.error(
                "archive_writes_fail",
                exc_info=None if is_expected else error,
                reason=reason_of(error),
            )
        if not isinstance(error, StorageFailed):
            error = StorageFailed("the journal failed", details=error)
        batch.resolve(error)


def _datapoint_count(changes: Sequence[Change]) -> int:
    return sum(len(each.at_us) for each in changes if isinstance(each, DatapointColumns))


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair: no such text exists
        raise ValidationFailed([("current_value", "is not valid Unicode")]) from error
