"""Scheduled batch jobs as pages and metrics know them: how they do, what they counted, alerts."""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

ScheduleState = Literal["waiting", "due", "running", "failing", "paused"]


class Span(msgspec.Struct, frozen=True):
    """What a run is for; microseconds since the epoch, UTC; the end is excluded."""

    start_us: int
    end_us: int


class BatchRun(msgspec.Struct, frozen=True):
    """What came of a run.

    Attributes:
        at_us: when it began.
        output: the folder, or place in S3, of its output.
        problem: why it failed; blank when it did not.
        count: the largest count of its output; None when it failed.
        input_lines, output_lines: None where they are not counted, as by a query or on AWS.
    """

    at_us: int
    span: Span
    duration_s: float
    output: str
    problem: str = ""
    count: int | None = None
    input_lines: int | None = None
    output_lines: int | None = None


class BatchResult(msgspec.Struct, frozen=True):
    """The output of the newest run that succeeded.

    Attributes:
        top: keys with the largest counts, largest first.
        head: its first lines, where it has no counts; each shortened.
    """

    at_us: int
    span: Span
    output: str
    top: Sequence[tuple[str, int]] = []
    head: Sequence[str] = []


class BatchAlert(msgspec.Struct, frozen=True):
    """A run counted more than the limit.

    Attributes:
        at_us: when the alert was sent on its way.
        until_us: the end of the span that was counted.
        count, above: the count and the limit, as the trigger that alerted knew them.
    """

    at_us: int
    until_us: int
    count: str
    above: str


class ScheduleStatus(msgspec.Struct, frozen=True):
    """One schedule, now.

    Attributes:
        what: its job, for people; no values of variables.
        inputs: as they were given, with {start} and the like.
        output: the folder, or place in S3, in which each run makes its own.
        state: `waiting` for its time, `due` while another job runs, `running`, `failing` when its
            newest run failed, `paused` when somebody has paused it.
        due_us: when it runs next; None while it is paused.
        begun_us: when the run under way began; None when it does not run.
        feed_id, channel: where the largest count is written; None for nowhere.
        trigger_id: of the trigger that alerts; None for none, or when it is deleted.
        above: the limit that it alerts beyond; blank without an alert.
        is_enabled: whether the trigger watches.
        runs: newest first.
        alerts: newest first.
        run_count, failed_count, alert_count: since the start.
    """

    name: str
    what: str
    inputs: Sequence[str]
    output: str
    every_s: int
    state: ScheduleState
    due_us: int | None
    begun_us: int | None
    feed_id: int | None
    channel: str
    trigger_id: int | None
    above: str
    is_enabled: bool
    runs: Sequence[BatchRun]
    result: BatchResult | None
    alerts: Sequence[BatchAlert]
    run_count: int
    failed_count: int
    alert_count: int


class SequenceCount(msgspec.Struct, frozen=True):
    """A schedule of the shipped sequence count to be made: over a feed's past, again and again.

    Attributes:
        channel: which of the feed is counted in.
        above: the limit beyond which `url` and `email` are told; None for no alert.
    """

    name: str
    sequence: str
    feed_id: int
    channel: str
    every_s: int
    above: int | None = None
    url: str = ""
    email: str = ""


class BatchBoard(Protocol):
    """The schedules of a running instance; for operators. Lives in the loop's thread."""

    def statuses(self) -> Sequence[ScheduleStatus]:
        """All schedules by name. Raise StorageFailed."""
        ...

    def status(self, name: str) -> ScheduleStatus | None:
        """One schedule. Raise StorageFailed."""
        ...

    async def add(self, count: SequenceCount) -> None:
        """Make a schedule, which runs at once for the newest span.

        Raises:
            NoSuchDevice, ValidationFailed, LimitReached, StorageFailed.
        """
        ...

    def run(self, name: str) -> None:
        """Have it run now, for the newest span that is over. Raise NotFound, StorageFailed."""
        ...

    def pause(self, name: str, is_paused: bool) -> None:
        """Pause a schedule or let it go on. Raise NotFound, StorageFailed."""
        ...

    async def delete(self, name: str) -> None:
        """Remove it and its trigger; what it has written stays. Raise NotFound, StorageFailed."""
        ...
