"""Readers behind the journal: whoever must see each committed batch, in order, and none twice.

A reader has a name and a place: the number of the last batch that it needs no more. Batches come to
it straight from their commit while it keeps up; those that are in memory no more, and those that
were committed before it started, it reads back from the journal. What was committed last is in
memory once for all readers, so that a commit costs the same however many there are. The journal
keeps what a named reader has not passed, across restarts too, up to `bytes_max`: beyond that it is
trimmed all the same, the reader is told how many batches it missed, and writes go on.

A reader that rests costs a commit nothing and holds nothing back.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import structlog

from thingtank.stores.changes import Change, bytes_of
from thingtank.stores.instants import Instants
from thingtank.stores.journal import Journal
from thingtank.stores.numbered_run import NumberedRun
from thingtank.stores.worker import Worker
from thingtank.tank.datapoints import DatapointColumns
from thingtank.tank.interfaces import Clock

log = structlog.get_logger()

RECENT_BYTES_MAX = 16 * 1024 * 1024  # in memory, that somebody has not taken
_BATCH_BYTES = 200  # what a batch takes besides its values, about
_ID_BYTES = 64  # what a number takes in a set
_FILL_BYTES = 1024 * 1024  # read back at once; commits wait meanwhile
_MARKS = 64  # how finely it is known how far behind a reader is


class CommittedBatch(NamedTuple):
    """One batch, as it was committed.

    Attributes:
        seq: its number in the journal.
        changes: not to be changed.
        blob: these as the journal has them.
        committed_us: when, if it comes straight from its commit; None if it was read back: some
            time since the batch before.
        row_count: how many datapoints it has.
        size_bytes: about what it takes.
        stream_ids: the datastreams of these.
    """

    seq: int
    changes: Sequence[Change]
    blob: bytes
    committed_us: int | None
    row_count: int
    size_bytes: int
    stream_ids: frozenset[int]

    @classmethod
    def of(
        cls, seq: int, changes: Sequence[Change], blob: bytes, committed_us: int | None
    ) -> "CommittedBatch":
        """One with what all readers want to know of it, which is counted here once."""
        columns = [change for change in changes if isinstance(change, DatapointColumns)]
        stream_ids = frozenset[int]().union(*(each.stream_ids for each in columns))
        size_bytes = _BATCH_BYTES + len(blob) + sum(map(bytes_of, columns))
        size_bytes += _ID_BYTES * len(stream_ids)
        row_count = sum(map(len, columns))
        return cls(seq, changes, blob, committed_us, row_count, size_bytes, stream_ids)


class JournalReader:
    """One reader. Lives in the loop's thread.

    Attributes:
        passed_seq: its place.
        through_seq: up to there all was taken, was read back into memory, or was missed.
        missed_count: batches it will never see.
        wake: see `JournalReaders.open`.
    """

    def __init__(
        self, readers: "JournalReaders", name: str, place_seq: int, wake: Callable[[], None]
    ) -> None:
        self._readers = readers
        self._read_back: deque[CommittedBatch] = deque()  # before what is recent
        self.name = name
        self.wake = wake
        self.through_seq = place_seq
        self.passed_seq = place_seq
        self.missed_count = 0
        self.is_resting = False

    @property
    def is_behind(self) -> bool:
        """Whether there is more than is in memory: `fill` reads it back."""
        if self.is_resting or self.through_seq >= self._readers.published_seq:
            return False
        return self.through_seq + 1 not in self._readers.recent

    @property
    def published_seq(self) -> int:
        """The batch that was committed and shown last."""
        return self._readers.published_seq

    def committed_us(self, seq: int) -> int | None:
        """When a batch was committed, or a little before; None if that was before the start."""
        return self._readers.instants.given_us(seq)

    @property
    def has_batches(self) -> bool:
        """Whether `take` would return some."""
        return bool(self._read_back) or (
            not self.is_resting and self.through_seq + 1 in self._readers.recent
        )

    def take(
        self, batches_max: int, rows_max: int = sys.maxsize, bytes_max: int = sys.maxsize
    ) -> list[CommittedBatch]:
        """What comes next in memory, maybe nothing; up to about so much, as batches stay whole."""
        taken: list[CommittedBatch] = []
        while len(taken) < batches_max and rows_max > 0 and bytes_max > 0 and self.has_batches:
            batch = self._take_next()
            taken.append(batch)
            rows_max -= batch.row_count
            bytes_max -= batch.size_bytes
        self._readers.drop_taken()
        return taken

    def _take_next(self) -> CommittedBatch:
        if self._read_back:
            return self._read_back.popleft()
        self.through_seq += 1
        return self._readers.recent[self.through_seq]

    async def fill(self) -> None:
        """Read back what comes next, if nothing is in memory and there is more.

        Raises:
            sqlite3.Error: the journal cannot be read; nothing is lost by it.
        """
        if not self._read_back and self.is_behind:
            await self._readers.read_back(self, self.through_seq)

    def add_read_back(
        self,
        batches: Iterable[tuple[int, Sequence[Change], bytes]],
        through_seq: int,
        dropped_seq: int,
    ) -> None:
        """Have what was read back in memory; there is nothing else up to `through_seq`."""
        if self.is_resting:
            return
        if self.through_seq < dropped_seq:
            missed_count = dropped_seq - self.through_seq
            self.missed_count += missed_count
            log.error(
                "journal_reader_missed",
                reader=self.name,
                batch_count=missed_count,
                through_seq=dropped_seq,
            )
            self.through_seq = dropped_seq
        for seq, changes, blob in batches:
            if seq > self.through_seq:
                self._read_back.append(CommittedBatch.of(seq, changes, blob, None))
                self.through_seq = seq
        self.through_seq = max(self.through_seq, through_seq)
        self._readers.drop_taken()

    def go_back(self) -> None:
        """See once more all that is behind its place."""
        self._read_back.clear()
        self.through_seq = self.passed_seq

    def passed(self, seq: int) -> None:
        """Batches up to `seq` are not needed any more."""
        self.passed_seq = max(self.passed_seq, seq)

    def rest(self) -> None:
        """See nothing until `follow`."""
        self.is_resting = True
        self._read_back.clear()
        self._readers.rest_or_follow()

    def follow(self) -> int:
        """See what is committed from now on; returns the place that it begins behind."""
        if self.is_resting:
            self.is_resting = False
            self.through_seq = self._readers.published_seq
            self.passed(self.through_seq)
            self._readers.rest_or_follow()
        return self.through_seq


class JournalReaders:
    """All readers of a journal, and what they keep it from trimming. Lives in the loop's thread.

    Attributes:
        following: readers that want each batch; empty in most moments of most instances.
        recent: what was committed last and some of them have not taken.
        instants: when batches were committed while somebody followed.
    """

    def __init__(
        self,
        journal: Journal,
        worker: Worker,
        bytes_max: int,
        last_seq: Callable[[], int],
        places: Mapping[str, int],
        kept_bytes: int,
        clock: Clock,
    ) -> None:
        """Start.

        Args:
            last_seq: the batch that was published last.
            places: of the readers that the journal knows by name.
            kept_bytes: size of the batches that the journal holds already.
        """
        self._journal = journal
        self._worker = worker
        self._bytes_max = bytes_max
        self._last_seq = last_seq
        self._clock = clock
        self._places = dict(places)  # of those that were not opened since the start
        self._opened: dict[str, JournalReader] = {}
        # Place → bytes written to the journal until then, counted from the start on.
        self._marks: deque[tuple[int, int]] = deque([(journal.dropped_seq, -kept_bytes)])
        self._given_up: set[str] = set()
        self.following: tuple[JournalReader, ...] = ()
        self.recent = NumberedRun[CommittedBatch](RECENT_BYTES_MAX)
        self.instants = Instants()

    @property
    def published_seq(self) -> int:
        """The batch that was published last."""
        return self._last_seq()

    async def open(self, name: str, place_seq: int, wake: Callable[[], None]) -> JournalReader:
        """Let a reader follow from its place on.

        Args:
            name: the same after each restart.
            place_seq: what the reader has recorded itself; 0 if it never did.
            wake: called at each commit while it follows; must be quick, and raise nothing.

        Raises:
            StorageFailed: its name could not be written down.
        """
        assert name not in self._opened, "one reader a name"
        last_seq = self._last_seq()
        known_seq = self._places.get(name)
        is_new = known_seq is None and not place_seq  # what came before is not its affair
        seq = last_seq if is_new else max(place_seq, known_seq or 0)
        if seq > last_seq:
            log.error("journal_reader_is_ahead", reader=name, place=seq, last=last_seq)
            seq = last_seq
        reader = JournalReader(self, name, seq, wake)
        self._opened[name] = reader
        self.rest_or_follow()
        try:
            await self._worker.run(lambda: self._journal.save_places({name: seq}))
        except BaseException:
            del self._opened[name]
            self.rest_or_follow()
            raise
        self._places.pop(name, None)
        return reader

    async def forget(self, is_forgotten: Callable[[str], bool]) -> None:
        """Drop readers for good, by name: the journal keeps nothing for them any more.

        Raises:
            StorageFailed: the next start may know them yet.
        """
        names = [name for name in {*self._opened, *self._places} if is_forgotten(name)]
        for name in names:
            self._places.pop(name, None)
            if (reader := self._opened.pop(name, None)) is not None:
                reader.rest()
        self.rest_or_follow()
        if names:
            await self._worker.run(lambda: self._journal.forget_places(names))

    def offer(self, changes: Sequence[Change], seq: int, blob: bytes) -> None:
        """Have a committed batch for all that follow; see CommittedBatch."""
        now_us = self._clock.now_us()
        batch = CommittedBatch.of(seq, changes, blob, now_us)
        self.instants.note(seq, now_us)
        self.recent.add(seq, batch, batch.size_bytes)
        for reader in self.following:
            reader.wake()  # also one that is not at the end: a batch before may not have come here

    def drop_taken(self) -> None:
        """Let go of what all that follow have taken."""
        self.recent.drop(min([reader.through_seq for reader in self.following], default=0))

    def rest_or_follow(self) -> None:
        """Look anew at who follows."""
        self.following = tuple(reader for reader in self._opened.values() if not reader.is_resting)
        if self.following:
            self.drop_taken()
        else:
            self.recent.clear()

    async def read_back(self, reader: JournalReader, after_seq: int) -> None:
        """Read back for a reader what the journal holds behind a place, some of it at least."""

        def read() -> tuple[list[tuple[int, list[Change], bytes]], int, int]:
            batches = self._journal.batches_after(after_seq, _FILL_BYTES)
            # Where nothing follows, nothing is there up to the newest.
            through_seq = batches[-1][0] if batches else self._journal.last_seq
            return batches, through_seq, self._journal.dropped_seq

        reader.add_read_back(*await self._worker.run(read))

    def droppable_seq(self, through_seq: int, written_bytes: int) -> int:
        """Up to where the journal may be trimmed, when all else allows `through_seq`.

        Args:
            written_bytes: size of all batches committed since the start.
        """
        lowest = through_seq
        for name, place in self._waiting_places().items():
            lag_bytes = 0 if place >= through_seq else written_bytes - self._written_until(place)
            if lag_bytes <= self._bytes_max:
                self._given_up.discard(name)
                lowest = min(lowest, place)
                continue
            lowest = min(lowest, self._oldest_kept(written_bytes, through_seq))
            if name not in self._given_up:
                self._given_up.add(name)
                log.error("journal_reader_is_too_far_behind", reader=name, lag_bytes=lag_bytes)
        self._mark(through_seq, written_bytes)
        while len(self._marks) > 1 and self._marks[1][0] <= lowest:
            self._marks.popleft()
        return lowest

    def _mark(self, seq: int, written_bytes: int) -> None:
        if written_bytes - self._marks[-1][1] >= self._bytes_max // _MARKS:
            self._marks.append((seq, written_bytes))

    def places(self, through_seq: int) -> dict[str, int]:
        """What to write down: each reader's place, those that rest at `through_seq`."""
        resting = {name: through_seq for name, reader in self._opened.items() if reader.is_resting}
        return {**self._waiting_places(), **resting}

    def _waiting_places(self) -> dict[str, int]:
        following = {reader.name: reader.passed_seq for reader in self.following}
        return {**self._places, **following}

    def _oldest_kept(self, written_bytes: int, through_seq: int) -> int:
        """The place from which on the newest `bytes_max` are, about."""
        for seq, until_bytes in self._marks:
            if written_bytes - until_bytes <= self._bytes_max:
                return min(seq, through_seq)
        return through_seq

    def _written_until(self, place: int) -> int:
        until = self._marks[0][1]
        for seq, written_bytes in self._marks:
            if seq > place:
                break
            until = written_bytes
        return until
