"""The archive of one machine: journal, head and current values in front of the history store."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog
from msgspec import UNSET, UnsetType

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.changes import Change, Extremes
from thingtank.stores.committer import Committer
from thingtank.stores.current_values import CurrentValues
from thingtank.stores.fall_back import FallBack
from thingtank.stores.head import Head
from thingtank.stores.histogram import Histogram
from thingtank.stores.history.cold_bucket import ColdBucket
from thingtank.stores.history.store import HistoryStore
from thingtank.stores.history_interface import Compacted, History, HistoryStats
from thingtank.stores.journal import Journal
from thingtank.stores.journal_mover import Mover
from thingtank.stores.journal_readers import JournalReader, JournalReaders
from thingtank.stores.recovery import recover
from thingtank.stores.rows import Deletion
from thingtank.stores.worker import Worker
from thingtank.tank.datapoints import (
    AT_US_MAX,
    AT_US_MIN,
    Bucket,
    CurrentValue,
    Datapoint,
    DatapointRows,
)
from thingtank.tank.errors import StorageFailed
from thingtank.tank.interfaces import Clock, Pending
from thingtank.tank.tank import SystemClock

log = structlog.get_logger()

Result = TypeVar("Result")


class ArchiveStats(HistoryStats, frozen=True, kw_only=True):
    """How much is stored, with what is on its way."""

    journal_bytes: int
    head_bytes: int


class ArchiveWrites(msgspec.Struct, frozen=True):
    """What was written since the start, and how far the history store is behind it.

    Attributes:
        is_failing: whether the disk does not take what is written.
        refused_batch_count: that the disk did not take.
        datapoint_count, bytes: on disk.
        behind_batch_count: batches that the history store has still to take,
        behind_bytes: and what they take in memory.
        waits: from a batch's first write until it was on disk.
    """

    is_failing: bool
    refused_batch_count: int
    datapoint_count: int
    bytes: int
    behind_batch_count: int
    behind_bytes: int
    journal_bytes: int
    waits: Histogram


class EmbeddedArchive:
    """Implements `tank.interfaces.Archive`. Lives in the loop's thread; open it with `open`."""

    def __init__(
        self,
        settings: ArchiveSettings,
        journal: Journal,
        journal_worker: Worker,
        history: History,
        head: Head,
        currents: CurrentValues,
        clock: Clock,
        journal_readers: JournalReaders,
    ) -> None:
        self._history = history
        self._clock = clock
        self._settings = settings
        self._compactor = Worker("archive-compactor")
        self._compacting: asyncio.Task[None] | None = None
        self._journal = journal
        self._journal_worker = journal_worker
        self._head = head
        self._currents = currents
        self._journal_readers = journal_readers
        self.current_at_us = currents.at_us  # itself, as every value that is written asks for it
        self._fall_back = FallBack(currents, lambda ids: self._read_last_before(ids, AT_US_MAX + 1))
        self._readers = ThreadPoolExecutor(settings.reader_threads, "archive-reader")
        self._committer = Committer(
            journal,
            journal_worker,
            self._publish,
            settings.pending_bytes_max,
            lambda: settings.head_bytes_max - head.size_bytes,
        )
        self._mover = Mover(
            head,
            history,
            journal,
            journal_worker,
            currents,
            settings,
            lambda: self._committer.written_bytes,
            journal_readers,
        )

    @classmethod
    async def open(
        cls,
        folder: Path,
        settings: ArchiveSettings,
        clock: Clock,
        bucket: ColdBucket | None = None,
    ) -> "EmbeddedArchive":
        """Open the archive of a data folder, made when missing; all that was acknowledged is there.

        Args:
            bucket: of the cold tier; closed with the archive.

        Raises:
            OSError, sqlite3.Error, FileMismatch, StorageFailed: the folder cannot be used.
        """
        history = await asyncio.to_thread(HistoryStore.open, folder, settings, clock, bucket)
        try:
            return await cls.join(folder, settings, history, clock)
        except BaseException:
            history.close()
            raise

    @classmethod
    async def join(
        cls, folder: Path, settings: ArchiveSettings, history: History, clock: Clock | None = None
    ) -> "EmbeddedArchive":
        """Open the journal of a data folder in front of a history store, which is closed with it.

        Raises:
            OSError, sqlite3.Error, FileMismatch: the folder cannot be used.
        """
        worker = Worker("archive-journal", is_awaited=True)
        try:
            journal = await worker.run(partial(Journal.open, folder))
            head, currents = await worker.run(partial(recover, journal, history))
            places = await worker.run(journal.places)
            kept_bytes = await worker.run(journal.kept_bytes) if places else 0
        except BaseException:
            await worker.stop()
            raise
        clock = clock or SystemClock()
        readers = JournalReaders(
            journal,
            worker,
            settings.reader_bytes_max,
            lambda: head.last_seq,
            places,
            kept_bytes,
            clock,
        )
        archive = cls(settings, journal, worker, history, head, currents, clock, readers)
        archive._mover.start()
        archive._compacting = asyncio.create_task(archive._keep_compacting())
        return archive

    def keeping_journal(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Have the journal keep all it holds until the end of the block; writes go on."""
        return self._mover.untrimmed()

    async def copy_to(self, folder: Path) -> None:
        """Write history and journal to another folder, so that together they are all there is.

        Within `keeping_journal`: what the journal has when it is copied, and the history had not
        when that was, is in the journal's copy. Writes wait while the journal is copied.

        Raises:
            StorageFailed, sqlite3.Error, OSError: a copy could not be written.
        """
        try:
            await self._reading(partial(self._history.copy_to, folder))
        except asyncio.CancelledError:  # nobody waits for it any more, and closing would
            self._history.interrupt_copy()
            raise
        await self._journal_worker.run(partial(self._journal.copy_to, folder))

    async def close(self) -> None:
        """Refuse new writes, finish those under way, move all to the history store, let go."""
        await self._committer.close()
        await self._fall_back.stop()
        if self._compacting is not None:
            self._compacting.cancel()
            await asyncio.gather(self._compacting, return_exceptions=True)
        self._history.interrupt()  # a month may take minutes; the next start does it again
        await self._compactor.stop()
        await self._mover.stop()
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._history.close)
        await self._journal_worker.run(self._journal.close)
        await self._journal_worker.stop()

    async def flush(self) -> None:
        """Have all that was acknowledged in the history store. Raise StorageFailed."""
        await self._mover.flush()

    async def read_journal(
        self, name: str, place_seq: int, wake: Callable[[], None]
    ) -> JournalReader:
        """Let a named reader see each committed batch from its place on, in order.

        Args:
            name: the same after each restart: the journal keeps what this name has not passed.
            place_seq: what the reader has recorded itself; 0 if it never did.
            wake: called when there is something to take; must be quick.

        Raises:
            StorageFailed: its name could not be written down.
        """
        return await self._journal_readers.open(name, place_seq, wake)

    async def forget_readers(self, is_forgotten: Callable[[str], bool]) -> None:
        """Drop readers of the journal for good, by name; nothing is kept for them any more.

        Raises:
            StorageFailed: the next start may know them yet.
        """
        await self._journal_readers.forget(is_forgotten)

    @property
    def is_failing(self) -> bool:
        """Whether the history store takes or finds no datapoints now; the log says why."""
        return self._mover.failure is not None or bool(self._fall_back.unknown)

    async def compact(self, periods_max: int = 1) -> Compacted:
        """Move whole days that are old enough to the cold tier, and merge days into months.

        Raises:
            StorageFailed: what was done before stays.
        """
        until_us = self._clock.now_us() - self._settings.hot_s * 1_000_000
        return await self._compactor.run(partial(self._history.compact, until_us, periods_max))

    async def adopt(self) -> None:
        """Have what is in the cold tier's bucket belong to this folder from now on.

        Raises:
            StorageFailed: there is no bucket, or it cannot be reached.
        """
        await self._compactor.run(self._history.adopt)

    async def damage(self) -> list[str]:
        """What is wrong with its files at a quick look, a sentence each. Raise StorageFailed."""
        return await self._reading(self._history.damage)

    def writes(self) -> ArchiveWrites:
        """What was written since the start; from memory."""
        committer, head = self._committer, self._head
        return ArchiveWrites(
            is_failing=committer.is_failing,
            refused_batch_count=committer.refused_count,
            datapoint_count=committer.written_count,
            bytes=committer.written_bytes,
            behind_batch_count=max(0, head.last_seq - head.moved_seq),
            behind_bytes=head.size_bytes,
            journal_bytes=self._journal.size_bytes,
            waits=committer.waits,
        )

    async def stats(self, *, moves: bool = True) -> ArchiveStats:
        """How much is stored where.

        Args:
            moves: have all moved first that can be.

        Raises:
            StorageFailed: the history store cannot be read.
        """
        if moves:
            with contextlib.suppress(StorageFailed):  # who asks wants to see just that
                await self.flush()
        history = await self._reading(self._history.stats)
        return ArchiveStats(
            **msgspec.structs.asdict(history),
            journal_bytes=self._journal.size_bytes,
            head_bytes=self._head.size_bytes,
        )

    async def _keep_compacting(self) -> None:
        while True:
            await asyncio.sleep(self._settings.compact_interval_s)
            try:
                while (await self.compact()).left_count:
                    pass
            except Exception:
                # A full disk, or a bug of ours: the hot tier keeps what it has.
                log.exception("archive_compaction_failed")

    def append(self, rows: DatapointRows) -> Pending:
        """Write datapoints, all or nothing; done when synced to disk."""
        return self._committer.append(rows)

    def delete(self, stream_ids: Sequence[int], start_us: int, end_us: int) -> Awaitable[None]:
        """Delete the datapoints of a range; done when synced to disk."""
        return self._committer.change(Deletion(tuple(stream_ids), start_us, end_us))

    def set_extremes(
        self,
        stream_id: int,
        minimum: float | UnsetType | None,
        maximum: float | UnsetType | None,
    ) -> Awaitable[None]:
        """Replace a datastream's minimum and maximum; done when synced to disk."""
        return self._committer.change(
            Extremes(
                stream_id,
                None if minimum is UNSET else minimum,
                None if maximum is UNSET else maximum,
                leaves_minimum=minimum is UNSET,
                leaves_maximum=maximum is UNSET,
            )
        )

    def current(self, stream_id: int) -> CurrentValue | None:
        """The current value, from memory."""
        current = self._currents.get(stream_id)
        if current is not None and stream_id in self._fall_back.unknown:
            return CurrentValue(None, None, current.minimum, current.maximum)
        return current

    def stored_streams(self) -> Iterator[Sequence[int]]:
        """The datastreams that something is stored of, a part at a time."""
        return self._currents.stream_ids()

    async def read(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        limit: int,
        newest_first: bool = False,
    ) -> dict[int, list[Datapoint]]:
        """The oldest (or newest) `limit` datapoints of each datastream in a range, oldest first."""
        stream_ids = self._with_any_since(stream_ids, start_us)
        if not stream_ids:
            return {}
        if newest_first:  # the store looks from the end on, so that it must not be far off
            newest_us = (self._currents.at_us(stream_id) for stream_id in stream_ids)
            end_us = min(end_us, max(at_us for at_us in newest_us if at_us is not None) + 1)
        overlay = self._head.overlay(stream_ids, start_us, end_us)
        return await self._reading(
            partial(self._history.read, stream_ids, start_us, end_us, limit, newest_first, overlay)
        )

    async def read_last_before(
        self, stream_ids: Sequence[int], before_us: int
    ) -> dict[int, Datapoint]:
        """Each datastream's newest datapoint before an instant; those with none are left out."""
        found: dict[int, Datapoint] = {}
        unknown: list[int] = []
        for stream_id in stream_ids:
            current = self._currents.get(stream_id)
            if current is None or current.at_us is None or current.value is None:
                continue
            if current.at_us < before_us and stream_id not in self._fall_back.unknown:
                found[stream_id] = Datapoint(current.at_us, current.value)
            else:
                unknown.append(stream_id)
        if unknown:
            found |= await self._read_last_before(unknown, before_us)
        return found

    async def read_buckets(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        interval_us: int,
        origin_us: int = 0,
        limit: int = 10_000,
        *,
        is_as_written: bool = True,
    ) -> dict[int, list[Bucket]]:
        """Summaries of a range in steps of `interval_us` from `origin_us`; no empty ones."""
        stream_ids = self._with_any_since(stream_ids, start_us)
        if not stream_ids:
            return {}
        overlay = self._head.overlay(stream_ids, start_us, end_us)
        return await self._reading(
            partial(
                self._history.read_buckets,
                stream_ids,
                start_us,
                end_us,
                interval_us,
                origin_us,
                limit,
                overlay,
                is_as_written=is_as_written,
            )
        )

    def _with_any_since(self, stream_ids: Sequence[int], start_us: int) -> list[int]:
        """Those whose newest datapoint is not older than `start_us`; the rest has no answer."""
        return [
            stream_id
            for stream_id in stream_ids
            if (at_us := self._currents.at_us(stream_id)) is not None and at_us >= start_us
        ]

    async def _read_last_before(
        self, stream_ids: Collection[int], before_us: int
    ) -> dict[int, Datapoint]:
        ids = list(stream_ids)
        overlay = self._head.overlay(ids, AT_US_MIN, before_us, only_last=True)
        return await self._reading(partial(self._history.read_last_before, ids, before_us, overlay))

    async def _reading(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    def _publish(
        self, changes: Sequence[Change], seq: int, blob: bytes
    ) -> Coroutine[Any, Any, None] | None:
        """Show a committed batch to all readers; what is returned has to be awaited first."""
        self._head.apply(changes, seq)
        self._mover.notice()
        if self._journal_readers.following:
            self._journal_readers.offer(changes, seq, blob)
        return self._fall_back.take_over(changes, seq)
