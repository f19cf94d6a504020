"""Rules of sources, as pages show them."""

from collections.abc import Sequence

import msgspec

from thingtank.tank.sources import (
    RejectedReason,
    RejectedRecord,
    SourceBoard,
    SourceState,
    SourceStatus,
)
from thingtank.web.workbench.sink_panels import span_text

REJECTED_SHOWN_MAX = 5
REJECTED_PER_PAGE = 25
REASONS_SHOWN_MAX = 10
EXCERPT_CHARS_MAX = 160

_STATES: dict[SourceState, tuple[str, str]] = {
    "reading": ("Reading", "good"),
    "failing": ("Trying again", "warn"),
    "stuck": ("Needs you", "bad"),
    "gone": ("Gone", ""),
}
_BEHIND_S_MIN = 2.0

FIRST_RULE = """\
[aws]
region = "eu-central-1"

[[sources.rules]]
name = "readings"
engine = "kinesis"
stream = "temperature"
feed = 1
"""


class SourceRow(msgspec.Struct, frozen=True):
    """A rule as a list shows it.

    Attributes:
        label, tone: of its state.
        behind: how far it is behind, in words; blank when it is not.
        rejected: the newest records of which something could not be written.
        has_more: whether older ones are kept.
        reasons: why those that are kept were rejected, the most frequent first; where there is more
            than one.
    """

    status: SourceStatus
    label: str
    tone: str
    behind: str
    rejected: Sequence[RejectedRecord]
    has_more: bool
    reasons: Sequence[RejectedReason] = ()


async def source_rows(board: SourceBoard | None) -> list[SourceRow]:
    """All rules; none where there are no sources.

    Raises:
        StorageFailed: rejected records could not be read.
    """
    if board is None:
        return []
    return [
        source_row(status, await board.rejected(status.name, REJECTED_SHOWN_MAX + 1))
        for status in board.statuses()
    ]


def source_row(
    status: SourceStatus, rejected: Sequence[RejectedRecord], limit: int = REJECTED_SHOWN_MAX
) -> SourceRow:
    """A row with up to `limit` of the records; one more says that there are more."""
    label, tone = _STATES[status.state]
    is_behind = status.behind_s >= _BEHIND_S_MIN
    shown = [
        msgspec.structs.replace(each, excerpt=each.excerpt[:EXCERPT_CHARS_MAX])
        for each in rejected[:limit]
    ]
    behind = f"{span_text(status.behind_s)} behind" if is_behind else ""
    return SourceRow(status, label, tone, behind, shown, len(rejected) > limit)


async def source_page(board: SourceBoard, status: SourceStatus, before: int | None) -> SourceRow:
    """One rule with a page of its rejected records.

    Raises:
        StorageFailed: rejected records could not be read.
    """
    found = await board.rejected(status.name, REJECTED_PER_PAGE + 1, before)
    reasons = await board.reasons(status.name, REASONS_SHOWN_MAX)
    row = source_row(status, found, REJECTED_PER_PAGE)
    return msgspec.structs.replace(row, reasons=reasons if len(reasons) > 1 else ())
