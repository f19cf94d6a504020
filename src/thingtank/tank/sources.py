"""Sources as pages and metrics know them: rules that read other systems' data."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from thingtank.tank.sinks import SinkTrouble

SourceState = Literal["reading", "failing", "stuck", "gone"]


class SourceStatus(msgspec.Struct, frozen=True):
    """One rule, now.

    Attributes:
        engine: what kind of place it reads.
        where: that place, for people.
        state: `reading` when all is well, `failing` while it tries again by itself, `stuck` while
            somebody has to mend something, `gone` when it is no rule any more and rejected records
            of it are kept.
        shards: of a stream, those that this server reads; others' servers read the rest.
        behind_s: how far it is behind, about.
        record_count: records that were read since the start, some of them twice maybe.
        datapoint_count: datapoints that were written since the start.
        rejected_count: records since the start of which something could not be written.
        kept_count: rejected records that are kept to be looked at and tried again.
        dropped_count: rejected records since the start that were dropped for want of room.
        skipped_count: records within aggregated ones since the start that belong to another shard.
        late_count: messages since the start that were shown to others before they were deleted.
        failures: failed calls since the start, by kind.
        trouble: the last failure; None when all went well since.
    """

    name: str
    engine: str
    where: str
    state: SourceState
    shards: Sequence[str]
    behind_s: float
    record_count: int
    datapoint_count: int
    rejected_count: int
    kept_count: int
    dropped_count: int
    skipped_count: int
    late_count: int
    failures: Mapping[str, int]
    trouble: SinkTrouble | None


class RejectedRecord(msgspec.Struct, frozen=True):
    """A record of a stream of which something could not be written.

    Attributes:
        record_id: its shard and its number there, and its place in that where it was put together
            with others.
        excerpt: how it begins.
        byte_count: how long it is.
        is_whole: whether all of it is kept; only then it can be tried again.
        at_us: when it was rejected last.
        number: ascends in the order of rejection.
    """

    record_id: str
    reason: str
    excerpt: str
    byte_count: int
    is_whole: bool
    at_us: int
    number: int


class RejectedReason(msgspec.Struct, frozen=True):
    """Why records were rejected, and how many that are kept."""

    reason: str
    count: int


class Which(msgspec.Struct, frozen=True):
    """Which rejected records of a rule: of these numbers and this reason; None for any."""

    numbers: Sequence[int] | None = None
    reason: str | None = None

    def missing(self, found: Collection[int]) -> tuple[int, ...]:
        """The numbers that are not among those that were found, once each."""
        return tuple(number for number in dict.fromkeys(self.numbers or ()) if number not in found)


ALL = Which()


class RetryOutcome(msgspec.Struct, frozen=True):
    """What became of rejected records that were retried.

    Attributes:
        written_count: those that are written now, and not kept any more.
        refused_count: those that were refused once more, and have the newer reason.
        too_long_count: those that are not kept whole.
        left_count: those that there was no time for.
        trouble: what took so long; blank for nothing.
        missing_numbers: numbers that were asked for, and are no kept record's of the rule.
    """

    written_count: int = 0
    refused_count: int = 0
    too_long_count: int = 0
    left_count: int = 0
    trouble: str = ""
    missing_numbers: Sequence[int] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there were none to be tried."""
        counts = (self.written_count, self.refused_count, self.too_long_count, self.left_count)
        return not any(counts)


class DiscardOutcome(msgspec.Struct, frozen=True):
    """What became of rejected records that were to be discarded.

    Attributes:
        discarded_count: those that were.
        missing_numbers: numbers that were asked for, and are no kept record's of the rule.
    """

    discarded_count: int = 0
    missing_numbers: Sequence[int] = ()


class SourceBoard(Protocol):
    """The rules of a running instance; for operators. Lives in the loop's thread."""

    def statuses(self) -> Sequence[SourceStatus]:
        """All rules by name."""
        ...

    def status(self, name: str) -> SourceStatus | None:
        """One rule."""
        ...

    async def rejected(
        self, name: str, limit: int, before: int | None = None
    ) -> Sequence[RejectedRecord]:
        """The newest rejected records of a rule, newest first. Raise StorageFailed.

        Args:
            before: only those with lower numbers.
        """
        ...

    async def reasons(self, name: str, limit: int) -> Sequence[RejectedReason]:
        """Why the rejected records of a rule were, the most frequent first. Raise StorageFailed."""
        ...

    async def retry(self, name: str, which: Which) -> RetryOutcome:
        """Have rejected records written now; those that can be are not kept any more.

        Values have the times that they would have had, so nothing is there twice.

        Raises:
            NotFound, StorageFailed.
            NotAllowed: it is no rule any more, and nobody knows whose the values would be.
        """
        ...

    async def discard(self, name: str, which: Which) -> DiscardOutcome:
        """Discard rejected records. Raise NotFound, StorageFailed."""
        ...
