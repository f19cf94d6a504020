"""A job that runs again and again, each time for the span of time that is over: its schedule."""

import datetime
import re
from collections.abc import Sequence

import msgspec

from thingtank.tank.batch import BatchAlert, BatchResult, BatchRun, Span

EVERY_S_MIN = 60
EVERY_S_MAX = 366 * 86_400
KEEP_COUNT = 48
RUN_S_MAX = 3600
RUNS_KEPT = 20  # of each schedule, with what came of them
ALERTS_KEPT = 20
OLD_PROBLEM_CHARS_MAX = 300  # of a run that is not the newest
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
SETTLE_US = 5_000_000  # after the end of a span: what was measured in it has come by then
RUN_FOLDER = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(-again-\d+)?")


class Schedule(msgspec.Struct, frozen=True):
    """A job that runs again and again.

    Attributes:
        options: of `thingtank batch run`, without inputs and output.
        inputs: with {start}, {end}, {day} and {hour} for what each run's span is.
        output: the folder, or place in S3, in which each run makes one of its own.
        folder: where it was made: from there names of files are meant.
        every_s: the length of a span, and how often it runs. Spans begin at whole multiples of it
            since the epoch, UTC: of an hour on the hour, of a day at midnight.
        keep_count: of how many runs the output is kept.
        run_s_max: how long one may run.
        feed_id: which feed the largest count is written to, None for none; into `channel`.
        trigger_id: of the trigger that was made with it; None for none.
        made_us: when it was made, which tells it from one that had its name before; 0 for one that
            an older version made.
        done_us: the end of the newest span that was run, or was over when it was made.
        begun: for what a run is under way, or was when the server stopped: it may have left
            something at the place of its output.
        last: the newest run. earlier: those before it, newest first, RUNS_KEPT in all.
        result: what the newest run that succeeded wrote.
        alerts: newest first.
        is_paused: whether it runs only when somebody asks. is_asked: somebody has.
    """

    name: str
    options: Sequence[str]
    inputs: Sequence[str]
    output: str
    folder: str
    every_s: int
    done_us: int
    keep_count: int = KEEP_COUNT
    run_s_max: int = RUN_S_MAX
    feed_id: int | None = None
    channel: str = ""
    trigger_id: int | None = None
    last: BatchRun | None = None
    begun: Span | None = None
    earlier: Sequence[BatchRun] = []
    result: BatchResult | None = None
    alerts: Sequence[BatchAlert] = []
    is_paused: bool = False
    is_asked: bool = False
    made_us: int = 0


def newest_span(every_s: int, now_us: int) -> Span:
    """The newest span that is over."""
    every_us = every_s * 1_000_000
    end_us = (now_us - SETTLE_US) // every_us * every_us
    return Span(end_us - every_us, end_us)


def due_us(schedule: Schedule) -> int:
    """When its next run is due. Of runs that were missed, only the newest is made up for."""
    return schedule.done_us + schedule.every_s * 1_000_000 + SETTLE_US


def may_run(schedule: Schedule) -> bool:
    """Whether it runs when it is due."""
    return schedule.is_asked or not schedule.is_paused


def after_run(schedule: Schedule, run: BatchRun, result: BatchResult | None) -> Schedule:
    """A schedule when a run of it has ended; `result` is None where that failed."""
    earlier = list(schedule.earlier)
    if schedule.last is not None:
        problem = schedule.last.problem[:OLD_PROBLEM_CHARS_MAX]
        earlier.insert(0, msgspec.structs.replace(schedule.last, problem=problem))
    return msgspec.structs.replace(
        schedule,
        done_us=run.span.end_us,
        last=run,
        earlier=earlier[: RUNS_KEPT - 1],
        result=result or schedule.result,
        begun=None,
        is_asked=False,
    )


def after_alert(schedule: Schedule, alert: BatchAlert) -> Schedule:
    """A schedule when it has alerted."""
    return msgspec.structs.replace(schedule, alerts=[alert, *schedule.alerts][:ALERTS_KEPT])


def inputs_for(schedule: Schedule, span: Span) -> list[str]:
    """A run's inputs."""
    start = datetime.datetime.fromtimestamp(span.start_us / 1e6, datetime.UTC)
    words = {
        "{start}": _iso(span.start_us),
        "{end}": _iso(span.end_us),
        "{day}": f"{start:%Y-%m-%d}",
        "{hour}": f"{start:%H}",
    }
    found = []
    for text in schedule.inputs:
        for word, value in words.items():
            text = text.replace(word, value)
        found.append(text)
    return found


def run_folder(span: Span, again_us: int | None = None) -> str:
    """The name of a run's output; of one that is made again, with when that is."""
    start = datetime.datetime.fromtimestamp(span.start_us / 1e6, datetime.UTC)
    again = "" if again_us is None else f"-again-{again_us // 1_000_000}"
    return f"{start:%Y-%m-%dT%H-%M-%S}{again}"


def _iso(at_us: int) -> str:
    at = datetime.datetime.fromtimestamp(at_us / 1e6, datetime.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
