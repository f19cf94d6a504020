"""Schedules of batch jobs and their runs, as pages show them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from thingtank.tank.batch import BatchRun, ScheduleState, ScheduleStatus, Span
from thingtank.web.workbench.outcomes import took

_STATES: dict[ScheduleState, tuple[str, str]] = {
    "waiting": ("Waiting", "good"),
    "due": ("Next in turn", "warn"),
    "running": ("Running", "warn"),
    "failing": ("Failed", "bad"),
    "paused": ("Paused", ""),
}
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


class RunRow(msgspec.Struct, frozen=True):
    """A run as a list shows it.

    Attributes:
        span: what it was for, in words; UTC.
        lines: how many it read and wrote, in words; blank where they are not counted.
        problem, rest: the first line of why it failed, and the last words behind it.
    """

    run: BatchRun
    took: str
    span: str
    lines: str
    problem: str
    rest: str


class ScheduleRow(msgspec.Struct, frozen=True):
    """A schedule as a list shows it.

    Attributes:
        label, tone: of its state.
        every: how often it runs, in words.
        last: its newest run.
        runs: all that are kept, newest first.
        may_run: whether it can be run now: not while it runs or is the next in turn.
    """

    status: ScheduleStatus
    label: str
    tone: str
    every: str
    last: RunRow | None
    runs: Sequence[RunRow]
    may_run: bool


def schedule_row(status: ScheduleStatus) -> ScheduleRow:
    """A row."""
    label, tone = _STATES[status.state]
    runs = [_run_row(run) for run in status.runs]
    last = runs[0] if runs else None
    may_run = status.state not in ("running", "due")
    return ScheduleRow(status, label, tone, every_text(status.every_s), last, runs, may_run)


def _run_row(run: BatchRun) -> RunRow:
    problem, _, rest = run.problem.partition("\n")
    took_text = took(round(run.duration_s * 1e6))
    return RunRow(run, took_text, span_words(run.span), _lines(run), problem, rest)


def _lines(run: BatchRun) -> str:
    read, written = run.input_lines, run.output_lines
    parts = [] if read is None else [f"{_counted(read)} in"]
    parts += [] if written is None else [f"{_counted(written)} out"]
    return ", ".join(parts)


def _counted(count: int) -> str:
    return f"{count:,} line" if count == 1 else f"{count:,} lines"


def every_text(every_s: int) -> str:
    """How often, in the largest unit that fits: `every hour`, `every 90 minutes`."""
    for size_s, unit in _UNITS:
        if every_s % size_s == 0:
            count = every_s // size_s
            return f"every {unit}" if count == 1 else f"every {count} {unit}s"
    raise AssertionError("seconds are whole")


def span_words(span: Span) -> str:
    """A span in UTC: `2026-11-27 10:00 to 11:00 UTC`; the end with its day when that is another."""
    start, end = (datetime.fromtimestamp(us / 1e6, UTC) for us in (span.start_us, span.end_us))
    form = "%H:%M" if start.date() == end.date() else "%Y-%m-%d %H:%M"
    return f"{start:%Y-%m-%d %H:%M} to {end.strftime(form)} UTC"
