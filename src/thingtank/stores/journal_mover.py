"""Moves the head into the history store, and trims the journal behind it.

A task of the loop that waits, decides and reports; the work is done in the mover's thread and the
journal's. Nothing is lost if any step fails or the process dies between two: the history store
knows the number of the last batch it has, and the journal keeps what it does not.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial

import structlog

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.current_values import CurrentValues
from thingtank.stores.head import Generation, Head
from thingtank.stores.history_interface import History
from thingtank.stores.journal import Journal
from thingtank.stores.journal_readers import JournalReaders
from thingtank.stores.worker import Worker
from thingtank.tank.errors import StorageFailed, reason_of

log = structlog.get_logger()

_RETRY_S_MAX = 5.0
_SAVE_ROWS = 1000  # a longer transaction would hold up the commits behind it


class Mover:
    """Runs from `start` to `stop`."""

    def __init__(
        self,
        head: Head,
        history: History,
        journal: Journal,
        journal_worker: Worker,
        currents: CurrentValues,
        settings: ArchiveSettings,
        written_bytes: Callable[[], int],
        readers: JournalReaders,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._head = head
        self._history = history
        self._journal = journal
        self._journal_worker = journal_worker
        self._worker = Worker("archive-mover")
        self._currents = currents
        self._settings = settings
        self._written_bytes = written_bytes
        self._readers = readers
        self._changed = asyncio.Event()
        self._urgent = asyncio.Event()
        self._moving = asyncio.Lock()
        self._trimming = asyncio.Lock()
        self._failure: str | None = None
        self._failure_count = 0
        self._is_trim_failing = False
        self._trimmed_at_s = self._loop.time()
        self._trimmed_at_bytes = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def failure(self) -> str | None:
        """Why the last move failed; None when it did not."""
        return self._failure

    def start(self) -> None:
        """Begin moving."""
        self._task = self._loop.create_task(self._run(), name="archive-mover")
        self._changed.set()

    def notice(self) -> None:
        """The head has changed."""
        self._changed.set()
        if self._head.growing_row_count >= self._settings.move_rows:
            self._urgent.set()

    async def flush(self) -> None:
        """Move all that the head holds now.

        Raises:
            StorageFailed: the history store refused it.
        """
        through_seq = self._head.last_seq
        while self._head.moved_seq < through_seq:
            await self._move()
            if self._failure is not None:
                raise StorageFailed("the history store failed", details=self._failure)

    async def stop(self) -> None:
        """Move what can be moved, trim the journal, end the thread."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        # What cannot be moved stays in the journal for the next start; that was logged.
        with contextlib.suppress(StorageFailed):
            await self.flush()
        await self._trim()
        await self._worker.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self._wait_and_move()
            except Exception:
                # Only a bug of ours gets here. Without a mover the head would fill up for good.
                log.exception("archive_mover_broke")
                await asyncio.sleep(_RETRY_S_MAX)

    async def _wait_and_move(self) -> None:
        await _wait(self._changed, self._idle_s())
        self._changed.clear()
        if self._head:
            await self._pause()
            await self._move()
        if self._is_trim_due():
            await self._trim()
        if self._head:  # what came meanwhile, or could not be moved
            self._changed.set()

    def _idle_s(self) -> float | None:
        """How long nothing needs doing as long as nothing changes."""
        is_trimmed = self._journal.trimmed_seq >= self._head.moved_seq
        return None if is_trimmed else self._settings.trim_interval_s

    async def _pause(self) -> None:
        """Let datapoints gather, or an error pass."""
        if self._failure is None:
            await _wait(self._urgent, self._settings.move_interval_s)
        else:
            delay_s = self._settings.move_interval_s * 2 ** min(self._failure_count, 10)
            await asyncio.sleep(min(delay_s, _RETRY_S_MAX))
        self._urgent.clear()

    async def _move(self) -> None:
        async with self._moving:
            generation = self._head.freeze()
            if generation is None:
                return
            try:
                await self._worker.run(partial(self._apply, generation))
            except Exception as error:  # noqa: BLE001 - whatever it was, the journal has it all
                self._failed(error)
            else:
                self._head.drop_frozen()
                self._succeeded()

    def _apply(self, generation: Generation) -> None:
        # It may be there already, although the last attempt looked like a failure.
        if self._history.through_seq < generation.through_seq:
            self._history.apply(generation.changes(), generation.through_seq)

    def _failed(self, error: Exception) -> None:
        if self._failure is None:
            log.error("archive_move_fails", exc_info=error)
        self._failure = reason_of(error) or type(error).__name__
        self._failure_count += 1

    def _succeeded(self) -> None:
        if self._failure is not None:
            log.warning("archive_move_recovered")
        self._failure = None
        self._failure_count = 0

    def _is_trim_due(self) -> bool:
        if self._trimming.locked() or self._journal.trimmed_seq >= self._head.moved_seq:
            return False
        waited_s = self._loop.time() - self._trimmed_at_s
        written_bytes = self._written_bytes() - self._trimmed_at_bytes
        return (
            waited_s >= self._settings.trim_interval_s or written_bytes >= self._settings.trim_bytes
        )

    @contextlib.asynccontextmanager
    async def untrimmed(self) -> AsyncIterator[None]:
        """Have the journal keep all it holds until the end of the block."""
        async with self._trimming:
            yield

    async def _trim(self) -> None:
        """Save the current values that changed, then drop from the journal what was moved."""
        async with self._trimming:
            await self._trim_now()

    async def _trim_now(self) -> None:
        # While a deletion looks for the newest datapoint left, the head is ahead of these.
        through_seq = min(self._head.moved_seq, self._currents.through_seq)
        values = self._currents.take_touched()
        saved_count = 0
        try:
            for start in range(0, len(values), _SAVE_ROWS):
                part = values[start : start + _SAVE_ROWS]
                await self._journal_worker.run(partial(self._journal.save, part))
                saved_count += len(part)
            droppable_seq = self._readers.droppable_seq(through_seq, self._written_bytes())
            places = self._readers.places(through_seq)
            trim = partial(self._journal.trim, through_seq, droppable_seq, places)
            while not await self._journal_worker.run(trim):
                pass
        except StorageFailed as error:
            if not self._is_trim_failing:
                log.error("archive_trim_fails", reason=reason_of(error))
            self._is_trim_failing = True
        else:
            self._is_trim_failing = False
        finally:
            self._currents.touch(values[saved_count:])
        self._trimmed_at_s = self._loop.time()
        self._trimmed_at_bytes = self._written_bytes()


async def _wait(event: asyncio.Event, timeout_s: float | None) -> None:
    """Wait for an event, at most so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
