"""Trying a trigger on history, as the page asks for it: ranges, and answers it can draw."""

from collections.abc import Mapping

import msgspec

from thingtank.tank.actions.backtest import Backtest
from thingtank.tank.errors import ValidationFailed
from thingtank.web.workbench.charts import RANGE_LABELS, RANGES_S

RANGE_NAMES = ("1d", "1w", "1m", "1y")
RANGE_CHOICES = [(name, RANGE_LABELS[name]) for name in RANGE_NAMES]
_DIGITS_MAX = 17  # microseconds until the year 5138


class Range(msgspec.Struct, frozen=True):
    """What is asked for, and from where on; microseconds since the epoch, UTC."""

    start_us: int
    end_us: int
    next_us: int


class Answer(msgspec.Struct, frozen=True):
    """One page of a back-test.

    Attributes:
        start_us, end_us, next_us: to ask for the page after it, as they are.
        firings: (at_s, value) oldest first; value None when there was none.
    """

    start_us: int
    end_us: int
    next_us: int
    is_complete: bool
    datapoint_count: int
    firings: list[tuple[float, str | None]]


def range_of(asked: Mapping[str, str], now_us: int) -> Range:
    """The range of a request: by name at first, then as the last page answered.

    Raises:
        ValidationFailed.
    """
    if "next_us" in asked:
        start_us, end_us, next_us = (
            _instant(asked.get(name, ""), name) for name in ("start_us", "end_us", "next_us")
        )
        if not start_us <= next_us <= end_us:
            raise ValidationFailed([("next_us", "must be within the range")])
        return Range(start_us, end_us, next_us)
    name = asked.get("range", RANGE_NAMES[0])
    if name not in RANGE_NAMES:
        raise ValidationFailed([("range", f"must be one of {', '.join(RANGE_NAMES)}")])
    start_us = now_us - RANGES_S[name] * 1_000_000
    return Range(start_us, now_us, start_us)


def answer_of(asked: Range, found: Backtest) -> Answer:
    """What was found, for the page."""
    return Answer(
        asked.start_us,
        asked.end_us,
        found.through_us + 1,
        found.is_complete or found.through_us >= asked.end_us,
        found.datapoint_count,
        [(firing.at_us / 1e6, firing.value) for firing in found.firings],
    )


def _instant(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise ValidationFailed([(name, "must be microseconds since 1970")])
    return int(text)
