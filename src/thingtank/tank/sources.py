"""Sources as pages and metrics know them: rules that read other systems' data."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from thingtank.tank.sinks import SinkTrouble

SourceState = Literal["reading", "failing", "stuck"]


class SourceStatus(msgspec.Struct, frozen=True):
    """One rule, now.

    Attributes:
        engine: what kind of place it reads.
        where: that place, for people.
        state: `reading` when all is well, `failing` while it tries again by itself, `stuck` while
            somebody has to mend something.
        shards: of a stream, those that this server reads; others' servers read the rest.
        behind_s: how far it is behind, about.
        record_count: records that were read since the start, some of them twice maybe.
        datapoint_count: datapoints that were written since the start.
        rejected_count: records since the start of which something could not be written.
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
    skipped_count: int
    late_count: int
    failures: Mapping[str, int]
    trouble: SinkTrouble | None


class RejectedRecord(msgspec.Struct, frozen=True):
    """A record of a stream of which something could not be written.

    Attributes:
        record_id: its shard and its number there.
        excerpt: how it begins.
        at_us: when it was rejected.
        number: ascends in the order of rejection.
    """

    record_id: str
    reason: str
    excerpt: str
    at_us: int
    number: int


class SourceBoard(Protocol):
    """The rules of a running instance; for operators. Lives in the loop's thread."""

    def statuses(self) -> Sequence[SourceStatus]:
        """All rules by name."""
        ...

    async def rejected(
        self, name: str, limit: int, before: int | None = None
    ) -> Sequence[RejectedRecord]:
        """The newest rejected records of a rule, newest first. Raise StorageFailed.

        Args:
            before: only those with lower numbers.
        """
        ...
