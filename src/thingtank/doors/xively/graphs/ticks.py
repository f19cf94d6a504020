"""What stands at the axes of a graph: times in a zone, numbers, words."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, tzinfo

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from thingtank.doors.xively.graphs.question import GraphQuestion
from thingtank.doors.xively.graphs.style import POINT_PX, size_pt_of
from thingtank.protocols.xively.time_zones import parse_zone

# The years 2 to 9998: a zone's offset, or a tick beside the range, is in the calendar still.
_EARLIEST_US, _LATEST_US = -62_104_060_800_000_000, 253_370_764_799_000_000
_EXPONENT = re.compile(r"e\+?(-?)0*(?=\d)")


def set_ticks(axes: Axes, question: GraphQuestion, words: Sequence[str]) -> None:
    options = question.options
    size_px = size_pt_of(options) * POINT_PX
    if leaves_calendar(question):
        axes.xaxis.set_major_locator(NullLocator())
    else:
        _set_date_ticks(axes, question, _count(options.width_px, 7 * size_px))
    _set_value_ticks(axes, words, _count(options.height_px, 3.6 * size_px))


def leaves_calendar(question: GraphQuestion) -> bool:
    """Whether it begins or ends where dates cannot be reckoned with; then no times are shown."""
    return question.start_us < _EARLIEST_US or question.end_us > _LATEST_US


def _set_date_ticks(axes: Axes, question: GraphQuestion, count: int) -> None:
    zone = zone_of(question)
    locator = AutoDateLocator(tz=zone, minticks=2, maxticks=count)  # type: ignore[no-untyped-call] # matplotlib has no types here
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(  # type: ignore[no-untyped-call] # matplotlib has no types here
            locator,
            tz=zone,
            formats=["%Y", "%b", "%-d %b", "%H:%M", "%H:%M", ":%S.%f"],
            zero_formats=["", "%Y", "%b", "%-d %b", "%H:%M", "%H:%M"],
            offset_formats=["", "%Y", "%B %Y", "%-d %B %Y", "%-d %B %Y", "%-d %B %Y %H:%M"],
        )
    )


def _set_value_ticks(axes: Axes, words: Sequence[str], count: int) -> None:
    if words:
        axes.yaxis.set_major_locator(FixedLocator(list(range(len(words)))))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda place, _: _shortened(words[int(place)]))
        )
        return
    steps = [1, 2, 2.5, 5, 10]
    locator_y = MaxNLocator(nbins=count, steps=steps, min_n_ticks=2)
    axes.yaxis.set_major_locator(locator_y)
    ticks = locator_y.tick_values(*axes.get_ylim())
    step = float(ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: number_text(number, step)))


def _count(length_px: float, each_px: float) -> int:
    return int(np.clip(length_px / each_px, 2, 12))


def _shortened(word: str) -> str:
    return word if len(word) <= 16 else word[:15] + "…"


def number_text(number: float, step: float) -> str:
    """A number at an axis, with as many digits as the step between two of them needs."""
    if abs(number) < step * 1e-6:
        return "0"
    if not math.isfinite(step) or step <= 0:
        return _scientific(f"{number:.3g}")
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    scaled = step * 10.0**decimals
    if abs(scaled - round(scaled)) > 1e-6:  # a step of 2.5 needs one more
        decimals += 1
    if abs(number) >= 1e7 or decimals > 6:
        digits = max(1, math.ceil(math.log10(abs(number) / step) + 1))
        return _scientific(f"{number:.{min(digits, 9)}g}")
    return f"{number:,.{decimals}f}".replace(",", "\u2009").replace("-", "\u2212")


def _scientific(text: str) -> str:
    """`1.5e+07` as `1.5e7`, with true minus signs."""
    return _EXPONENT.sub(r"e\1", text).replace("-", "\u2212")


def zone_of(question: GraphQuestion) -> tzinfo:
    """The zone that times are shown in."""
    return parse_zone(question.options.timezone) or UTC


def zone_name(question: GraphQuestion) -> str:
    text = question.options.timezone
    zone = zone_of(question)
    if zone is UTC:
        return "UTC"
    return text if any(letter.isalpha() for letter in text) else str(zone)
