"""Rules of sinks, as pages show them."""

import msgspec

from thingtank.tank.sinks import SinkState, SinkStatus

_STATES: dict[SinkState, tuple[str, str]] = {
    "working": ("Working", "good"),
    "waiting": ("Up to date", "good"),
    "failing": ("Trying again", "warn"),
    "stuck": ("Needs you", "bad"),
    "full": ("Full", "bad"),
    "paused": ("Paused", ""),
    "gone": ("Gone", ""),
}
_LATE_S = 60.0


class SinkRow(msgspec.Struct, frozen=True):
    """A rule as a list shows it.

    Attributes:
        label, tone: of its state.
        behind: how far it is behind, in words; blank when it is not.
        missed: what it will never send, in words; blank for nothing.
        is_late: whether that is worth a colour.
        may_hurry: whether there is an attempt to be made sooner.
    """

    status: SinkStatus
    label: str
    tone: str
    behind: str
    missed: str
    is_late: bool
    may_hurry: bool


def sink_row(status: SinkStatus) -> SinkRow:
    """A row."""
    label, tone = _STATES[status.state]
    behind = ""
    if status.behind_count and status.state != "waiting":
        behind = f"{_counted(status, status.behind_count)}, {span_text(status.behind_s)} behind"
    missed = _counted(status, status.missed_count) if status.missed_count else ""
    return SinkRow(
        status,
        label,
        tone,
        behind,
        missed,
        status.behind_s >= _LATE_S and status.state != "paused",
        status.state in ("failing", "stuck"),
    )


def _counted(status: SinkStatus, count: int) -> str:
    """Batches of the journal, or messages."""
    one, many = ("batch", "batches") if status.send == "values" else ("message", "messages")
    return f"{count:,} {one if count == 1 else many}"


def span_text(span_s: float) -> str:
    """A length of time in one unit: `under a second`, `5 s`, `3 min`, `2 h`, `4 days`."""
    if span_s < 1:
        return "under a second"
    for size_s, unit in ((172_800.0, " days"), (7200.0, " h"), (120.0, " min")):
        if span_s >= size_s:
            divisor = {" days": 86_400, " h": 3600, " min": 60}[unit]
            return f"{span_s / divisor:.0f}{unit}"
    return f"{span_s:.0f} s"
