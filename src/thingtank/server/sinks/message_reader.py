"""What a runner reads: the journal's batches, or items that were stored one by one for its rule."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from thingtank.stores.instants import Instants
from thingtank.stores.journal_readers import CommittedBatch
from thingtank.stores.sink_store import SinkStore
from thingtank.tank.interfaces import Clock

_READ_AT_ONCE = 500


class StoredItem(NamedTuple):
    """An item that is a batch of its own, as it is stored; see CommittedBatch."""

    seq: int
    blob: bytes
    row_count: int = 1
    stream_ids: frozenset[int] = frozenset()

    @property
    def size_bytes(self) -> int:
        """About what it takes."""
        return len(self.blob)


Batch: TypeAlias = CommittedBatch | StoredItem


class Reader(Protocol):
    """What `stores.journal_readers.JournalReader` is to a runner, and MessageReader too.

    Attributes:
        passed_seq: its place.
        missed_count: what it will never see.
    """

    passed_seq: int
    missed_count: int

    @property
    def published_seq(self) -> int:
        """The number of what was recorded last."""
        ...

    @property
    def is_behind(self) -> bool:
        """Whether there is more than is in memory: `fill` reads it."""
        ...

    @property
    def has_batches(self) -> bool:
        """Whether `take` would return some."""
        ...

    @property
    def through_seq(self) -> int:
        """Up to there all was taken, is in memory, or was missed."""
        ...

    def committed_us(self, seq: int) -> int | None:
        """When it was recorded, or a little before; None if that was before the start."""
        ...

    def take(self, batches_max: int, rows_max: int, bytes_max: int) -> Sequence[Batch]:
        """What comes next, maybe nothing; up to about so much, as batches stay whole."""
        ...

    async def fill(self) -> None:
        """Read what comes next, if nothing is in memory and there is more. Raise sqlite3.Error."""
        ...

    def go_back(self) -> None:
        """See once more all that is behind `passed_seq`."""
        ...

    def passed(self, seq: int) -> None:
        """What is up to `seq` is not needed any more."""
        ...


class MessageReader:
    """Messages of one rule, of devices or topics, as they stand in the sinks' file.

    Lives in the loop's thread.

    Room is reserved for a message when it comes; it gets its number when it is on disk.
    """

    def __init__(
        self,
        rule_name: str,
        store: SinkStore,
        passed_seq: int,
        sizes: Sequence[tuple[int, int]],
        wake: Callable[[], None],
        clock: Clock,
    ) -> None:
        """Go on.

        Args:
            passed_seq: the rule's place.
            sizes: numbers of what waits, in order, each with its bytes, as the file has it.
        """
        self._rule_name = rule_name
        self._store = store
        self._wake = wake
        self._clock = clock
        self._instants = Instants()
        self._queue: deque[StoredItem] = deque()
        self._tail_seq = passed_seq
        self._sizes: deque[int] = deque()  # of each number behind `passed_seq`
        self._waiting_bytes = 0
        self._reserved_count = 0
        self._reserved_bytes = 0
        self._published_seq = passed_seq
        self.passed_seq = passed_seq
        self.missed_count = 0
        for number, size_bytes in sizes:
            while self._published_seq < number - 1:  # an older version left numbers unused
                self._add(0)
            self._add(size_bytes)

    @property
    def published_seq(self) -> int:
        """See Reader; so are the others."""
        return self._published_seq

    @property
    def waiting_count(self) -> int:
        """How many are not passed, with those for which room is reserved."""
        return len(self._sizes) + self._reserved_count

    @property
    def waiting_bytes(self) -> int:
        """What these take."""
        return self._waiting_bytes + self._reserved_bytes

    @property
    def is_behind(self) -> bool:
        return self._tail_seq < self._published_seq

    @property
    def has_batches(self) -> bool:
        return bool(self._queue)

    @property
    def through_seq(self) -> int:
        return self._tail_seq

    def committed_us(self, seq: int) -> int | None:
        return self._instants.given_us(seq)

    def reserve(self, size_bytes: int) -> None:
        """A message is to be written down."""
        self._reserved_count += 1
        self._reserved_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """One for which room was reserved is on disk, or will not be."""
        self._reserved_count -= 1
        self._reserved_bytes -= size_bytes

    def published(self, sizes: Sequence[int]) -> None:
        """Messages of these sizes are on disk, with the numbers that follow `published_seq`."""
        for size_bytes in sizes:
            self._add(size_bytes)
            self._instants.note(self._published_seq, self._clock.now_us())
        self._wake()

    def _add(self, size_bytes: int) -> None:
        self._published_seq += 1
        self._sizes.append(size_bytes)
        self._waiting_bytes += size_bytes

    def take(self, batches_max: int, rows_max: int, bytes_max: int) -> Sequence[StoredItem]:
        taken, count_max = list[StoredItem](), min(batches_max, rows_max)
        while self._queue and len(taken) < count_max and bytes_max > 0:
            taken.append(self._queue.popleft())
            bytes_max -= taken[-1].size_bytes
        return taken

    async def fill(self) -> None:
        if self._queue or not self.is_behind:
            return
        name, tail, through_seq = self._rule_name, self._tail_seq, self._published_seq
        rows = await self._store.run(lambda file: file.waiting(name, tail, _READ_AT_ONCE))
        self._queue.extend(StoredItem(number, item) for number, item in rows)
        # Where nothing follows, the numbers were left unused by an older version.
        self._tail_seq = rows[-1][0] if rows else through_seq

    def go_back(self) -> None:
        self._queue.clear()
        self._tail_seq = self.passed_seq

    def passed(self, seq: int) -> None:
        for _ in range(min(seq - self.passed_seq, len(self._sizes))):
            self._waiting_bytes -= self._sizes.popleft()
        self.passed_seq = max(self.passed_seq, seq)
