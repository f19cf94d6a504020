"""Rejected records of a running server: kept, told of, and retried or discarded by a person."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from typing import TypeVar

import msgspec
import structlog

from thingtank.local.sqlite import WrongFile
from thingtank.sources.calls import in_thread
from thingtank.sources.health import Health
from thingtank.sources.kinesis.aggregated import WHOLE_RANGE, take_apart
from thingtank.sources.records import Arrived, TimesTaken
from thingtank.sources.rejected_store import RejectedStore, Room, Size, kept_counts
from thingtank.sources.settings import SourceRule, SourceSettings
from thingtank.sources.source_file import SourceFile
from thingtank.sources.writer import Writer
from thingtank.tank.access import Caller
from thingtank.tank.errors import StorageFailed
from thingtank.tank.sources import (
    DiscardOutcome,
    RejectedReason,
    RejectedRecord,
    RetryOutcome,
    Which,
)
from thingtank.tank.tank import Tank

log = structlog.get_logger()

TELL_EACH_S = 60.0
RETRY_S_MAX = 15.0  # less than a page waits
CHUNK_RECORDS = 500
CHUNK_BYTES = 1024 * 1024

Result = TypeVar("Result")


class _Told(msgspec.Struct):
    """Rejected records that no line of the log has told of, and when the next may."""

    count: int = 0
    next_s: float = 0.0


class RejectedKeeper:
    """Those of all rules. Lives in the loop's thread."""

    def __init__(self, tank: Tank, file: SourceFile, settings: SourceSettings) -> None:
        self._tank = tank
        self._file = file
        self._settings = settings
        self._counts: dict[str, int] = {}
        self._dropped_counts: Counter[str] = Counter()
        self._told: dict[str, _Told] = {}
        self._retrying: dict[str, asyncio.Lock] = {}

    async def load(self) -> None:
        """Count those that are kept from before."""
        try:
            counts = await in_thread(lambda: kept_counts(self._file))
        except (sqlite3.Error, OSError, WrongFile) as error:
            log.warning("source_file_unreadable", reason=str(error))
            return
        self._counts = {**counts, **self._counts}

    def names(self) -> Set[str]:
        """Rules of which some were kept at the start, or since."""
        return self._counts.keys()

    def kept_count(self, name: str) -> int:
        """How many are kept of a rule."""
        return self._counts.get(name, 0)

    def dropped_count(self, name: str) -> int:
        """How many of a rule were dropped for want of room since the start."""
        return self._dropped_counts[name]

    async def keep(self, name: str, refused: Sequence[tuple[Arrived, str]]) -> None:
        """Keep rejected records, so that their shard may be read on.

        Raises:
            sqlite3.Error, OSError, WrongFile.
        """
        now_us = self._tank.clock.now_us()
        self._tell(name, refused)
        store = self._store(name)
        self._note(name, await in_thread(lambda: store.add(refused, now_us)))

    async def newest(self, name: str, limit: int, before: int | None) -> Sequence[RejectedRecord]:
        """See SourceBoard.rejected."""
        return await self._asked(lambda: self._store(name).newest(limit, before))

    async def reasons(self, name: str, limit: int) -> Sequence[RejectedReason]:
        """See SourceBoard."""
        found = await self._asked(lambda: self._store(name).reasons(limit))
        return [RejectedReason(reason, count) for reason, count in found]

    async def discard(self, name: str, which: Which) -> DiscardOutcome:
        """See SourceBoard."""
        outcome, self._counts[name] = await self._asked(lambda: self._store(name).remove(which))
        return outcome

    async def retry(
        self,
        rule: SourceRule,
        of_rule: Health,
        find_caller: Callable[[], Caller | None],
        times_taken: TimesTaken,
        which: Which,
    ) -> RetryOutcome:
        """See SourceBoard; one retry of a rule at a time, for RETRY_S_MAX.

        A record is written first, and then dropped. Who is killed in between tries it once more,
        which writes the same.

        Args:
            of_rule: counts what is written; what fails is told by the outcome.
            find_caller: on whose behalf it is written.
            times_taken: of all that is written for the rule.
        """
        health = Health(rule.name, self._settings.retry_s_max, self._tank.clock)
        writer = Writer(self._tank, rule, find_caller, health, times_taken)
        left = await self._asked(lambda: self._store(rule.name).sizes(which))
        whole = [size for size in left if size.is_whole]
        outcome = RetryOutcome(
            too_long_count=len(left) - len(whole),
            left_count=len(whole),
            missing_numbers=which.missing({size.number for size in left}),
        )
        try:
            async with asyncio.timeout(RETRY_S_MAX):
                async with self._retrying.setdefault(rule.name, asyncio.Lock()):
                    for numbers in _chunks(whole):
                        outcome = await self._retry_some(rule.name, writer, numbers, outcome)
        except TimeoutError:
            trouble = health.trouble
            what = f"it takes longer than {RETRY_S_MAX:.0f} s" if trouble is None else trouble.what
            return msgspec.structs.replace(outcome, trouble=what)
        finally:
            of_rule.wrote(health.datapoint_count)
        return outcome

    async def _retry_some(
        self, name: str, writer: Writer, numbers: Sequence[int], before: RetryOutcome
    ) -> RetryOutcome:
        store = self._store(name)
        found = await self._asked(lambda: store.whole(numbers))
        refused: list[tuple[Arrived, str]] = []
        for part in take_apart([record for _, record in found], WHOLE_RANGE):
            reasons = await writer.write(part.records)
            refused += part.refused
            refused += [(part.records[place], why) for place, why in sorted(reasons.items())]
        number_of = {record.name: number for number, record in found}
        refused_names = {record.name for record, _ in refused}
        written = [number for number, record in found if record.name not in refused_names]
        now_us = self._tank.clock.now_us()
        rejected = [
            # What is none of them is a part of one, which it has the id of.
            (number_of.get(record.name) or number_of[record.record_id], record, reason)
            for record, reason in refused
        ]
        self._note(name, await self._asked(lambda: store.settle(rejected, written, now_us)))
        return msgspec.structs.replace(
            before,
            written_count=before.written_count + len(written),
            refused_count=before.refused_count + len(found) - len(written),
            left_count=before.left_count - len(numbers),
        )

    async def _asked(self, work: Callable[[], Result]) -> Result:
        try:
            return await in_thread(work)
        except (sqlite3.Error, OSError, WrongFile) as error:
            raise StorageFailed("rejected records cannot be read or kept", details=error) from error

    def _note(self, name: str, room: Room) -> None:
        self._counts[name] = room.kept_count
        self._dropped_counts[name] += room.dropped_count

    def _store(self, name: str) -> RejectedStore:
        settings = self._settings
        return RejectedStore(self._file, name, settings.rejected_max, settings.rejected_bytes_max)

    def _tell(self, name: str, refused: Sequence[tuple[Arrived, str]]) -> None:
        """Log rejected records, at most once in TELL_EACH_S for a rule: a stream may be of them."""
        told = self._told.setdefault(name, _Told())
        told.count += len(refused)
        now_s = time.monotonic()
        if now_s >= told.next_s:
            record, reason = refused[0]
            log.warning(
                "source_records_rejected", rule=name, count=told.count,
                record=record.name, reason=reason,
            )  # fmt: skip
            told.count, told.next_s = 0, now_s + TELL_EACH_S


def _chunks(sizes: Sequence[Size]) -> Iterator[list[int]]:
    """Numbers of records that are read into memory at once."""
    chunk: list[int] = []
    chunk_bytes = 0
    for size in sizes:
        if chunk and (len(chunk) >= CHUNK_RECORDS or chunk_bytes + size.byte_count > CHUNK_BYTES):
            yield chunk
            chunk, chunk_bytes = [], 0
        chunk.append(size.number)
        chunk_bytes += size.byte_count
    if chunk:
        yield chunk
