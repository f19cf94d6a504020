"""Rules of sinks and sources, and schedules of jobs, that do not work: for the doctor."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from thingtank.tank.batch import ScheduleStatus
from thingtank.tank.sinks import SinkStatus
from thingtank.tank.sources import SourceStatus

_FULL = "It has as many dead letters as it may, and sends nothing until somebody has looked"


class RuleTrouble(msgspec.Struct, frozen=True):
    """One rule, or schedule, that does not work.

    Attributes:
        state: `failing` while it tries again by itself, else `stuck` or `full`.
        what: the last failure, in a sentence; of a schedule what its last run said.
    """

    of: Literal["sinks", "sources", "batch"]
    name: str
    state: str
    what: str


def rule_troubles(
    sinks: Sequence[SinkStatus],
    sources: Sequence[SourceStatus],
    batch: Sequence[ScheduleStatus] = (),
) -> Iterator[RuleTrouble]:
    """Those that there are now."""
    for sink in sinks:
        if sink.state in ("failing", "stuck", "full"):
            what = _FULL if sink.state == "full" or sink.trouble is None else sink.trouble.what
            yield RuleTrouble("sinks", sink.name, sink.state, what)
    for source in sources:
        if source.trouble is not None:
            yield RuleTrouble("sources", source.name, source.state, source.trouble.what)
    for schedule in batch:
        if schedule.runs and schedule.runs[0].problem and schedule.state != "paused":
            first, *_ = schedule.runs[0].problem.splitlines()
            yield RuleTrouble("batch", schedule.name, "failing", first)
