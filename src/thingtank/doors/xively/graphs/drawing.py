"""Draws one graph. Only the drawing process imports this: matplotlib is 40 MB and half a second.

A pure function of its arguments: the same question gives the same picture, byte for byte.
"""

import io
import logging
import math
import warnings
from collections.abc import Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from thingtank.doors.xively.graphs.question import GraphQuestion
from thingtank.protocols.xively.graph_options import NUMBER_MAX, GraphOptions
from thingtank.protocols.xively.time_zones import parse_zone
from thingtank.tank.datapoints import number_of

Column = npt.NDArray[np.float64]

DPI = 100
POINT_PX = DPI / 72
DAY_US = 86_400_000_000
CATEGORIES_MAX = 12
LABELLED_PX_MIN = (110, 70)  # smaller graphs have room for the line only
TEXT, MUTED, LINE, GRID, GROUND = "#0e1f1e", "#536865", "#c9d6d3", "#e8eeed", "#ffffff"
# The years 2 to 9998: a zone's offset, or a tick beside the range, is in the calendar still.
_EARLIEST_US, _LATEST_US = -62_104_060_800_000_000, 253_370_764_799_000_000
EMPTY_TEXT = "no data in this range"

_FONTS = Path(__file__).parent / "fonts"
for _font in ("Inter-Regular.ttf", "Inter-SemiBold.ttf"):
    font_manager.fontManager.addfont(_FONTS / _font)
# It says which weights a fallback font lacks, for each picture.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
mpl.rcParams.update(
    {
        "font.family": ["Inter", "DejaVu Sans"],  # the second for scripts that Inter lacks here
        "text.parse_math": False,  # `$` in a title is a dollar
        "text.hinting": "none",  # so that letters keep their distances at these sizes
        "axes.unicode_minus": True,
        "agg.path.chunksize": 20_000,
        "path.simplify": True,
    }
)


def render_graph(question: GraphQuestion) -> bytes:
    """A PNG picture of a datastream.

    Args:
        question: datapoints of one datastream, oldest first, and how they shall look. Numbers make
            a line; texts, where there are no numbers, make steps between the few words they are.
    """
    with warnings.catch_warnings():
        # Letters that no font has, and ranges that ticks do not divide well: drawn all the same.
        warnings.simplefilter("ignore")
        return _render(question)


def _render(question: GraphQuestion) -> bytes:
    options = question.options
    figure = Figure(
        figsize=(options.width_px / DPI, options.height_px / DPI), dpi=DPI, facecolor=GROUND
    )
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), facecolor=GROUND)
    for spine in axes.spines.values():
        spine.set_visible(False)
    times, values, words = _series(question)
    axes.set_xlim(question.start_us / DAY_US, _after(question.start_us, question.end_us) / DAY_US)
    axes.set_ylim(*_span(question, values, words))
    if len(times):
        _draw_line(axes, question, times, values, is_stepped=bool(words))
    _lay_out(figure, axes, question, words)
    if not len(times):
        _draw_notice(axes, options)
    picture = io.BytesIO()
    canvas.print_png(picture, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return picture.getvalue()


def _after(start_us: int, end_us: int) -> int:
    return end_us if end_us > start_us else start_us + 1_000_000


# --- values ---


def _series(question: GraphQuestion) -> tuple[Column, Column, list[str]]:
    """Times in days, heights, and the words that heights stand for where values are texts."""
    times = np.array(question.times_us, dtype=np.float64) / DAY_US
    numbers = [number_of(value) for value in question.values]
    is_number = np.array([number is not None for number in numbers], dtype=bool)
    if is_number.any():
        found = np.array([number for number in numbers if number is not None], dtype=np.float64)
        return times[is_number], np.clip(found, -NUMBER_MAX, NUMBER_MAX), []
    words = sorted(set(question.values))
    if len(words) > CATEGORIES_MAX:
        return times[:0], times[:0], []
    place = {word: float(number) for number, word in enumerate(words)}
    return times, np.array([place[value] for value in question.values]), words


def _span(question: GraphQuestion, values: Column, words: Sequence[str]) -> tuple[float, float]:
    """What the vertical axis spans; never nothing."""
    options = question.options
    if words:
        return -0.5, len(words) - 0.5
    if options.minimum is not None and options.maximum is not None:
        return options.minimum, options.maximum
    found = [float(values.min()), float(values.max())] if len(values) else []
    if options.scale == "datastream":
        found += [bound for bound in (question.minimum, question.maximum) if bound is not None]
    if not found:
        return 0.0, 1.0
    low, high = min(found), max(found)
    room = (high - low) * 0.06
    if room <= abs(high) * 1e-9:  # constant, or as good as
        room = abs(high) * 0.05 or 1.0
    return low - room, high + room


def _pieces(times: Column, interval_s: int) -> list[slice]:
    """The runs of datapoints between gaps.

    A gap is clearly longer than what lies between datapoints otherwise, and wide enough to be seen.
    """
    if len(times) < 3:
        return [slice(0, len(times))]
    steps = np.diff(times)
    longest = max(6 * float(np.median(steps)), 3 * interval_s / 86_400, (times[-1] - times[0]) / 50)
    ends = [*(np.flatnonzero(steps > longest) + 1).tolist(), len(times)]
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _draw_line(
    axes: Axes, question: GraphQuestion, times: Column, values: Column, *, is_stepped: bool
) -> None:
    options = question.options
    colour, width = f"#{options.colour}", options.stroke_px / POINT_PX
    style = "steps-post" if is_stepped else "default"
    pieces = [slice(0, len(times))] if is_stepped else _pieces(times, question.interval_s)
    floor = axes.get_ylim()[0]
    for piece in pieces:
        x, y = times[piece], values[piece]
        if len(x) == 1:  # a value with nothing beside it is a dot
            axes.plot(x, y, "o", color=colour, markersize=max(4.0, 2.2 * width), mec=colour)
            continue
        axes.plot(
            x, y, color=colour, linewidth=width, drawstyle=style,
            solid_capstyle="round", solid_joinstyle="round", zorder=3,
        )  # fmt: skip
        if not is_stepped:
            axes.fill_between(x, y, floor, color=colour, alpha=0.09, linewidth=0, zorder=2)
    if is_stepped and len(times) > 1:  # the last word holds until the end of the range
        end = min(axes.get_xlim()[1], max(question.now_us / DAY_US, times[-1]))
        axes.plot(
            [times[-1], end], [values[-1]] * 2,
            color=colour, linewidth=width, alpha=0.45, solid_capstyle="round",
        )  # fmt: skip


# --- what stands around the line ---


def _lay_out(figure: Figure, axes: Axes, question: GraphQuestion, words: Sequence[str]) -> None:
    options = question.options
    has_room = options.width_px >= LABELLED_PX_MIN[0] and options.height_px >= LABELLED_PX_MIN[1]
    with_labels = options.with_labels and has_room
    size_pt = _size_pt(options)
    _set_ticks(axes, question, words)
    axes.tick_params(
        length=0, labelsize=size_pt, labelcolor=MUTED, pad=size_pt * 0.45,
        labelleft=with_labels and bool(question.values), labelbottom=with_labels,
    )  # fmt: skip
    axes.xaxis.offsetText.set_visible(False)  # `_draw_dates` writes it, with the zone
    axes.set_axisbelow(True)
    if options.with_grid:
        axes.grid(True, color=GRID, linewidth=1 / POINT_PX)
    if with_labels:
        axes.spines["bottom"].set(visible=True, color=LINE, linewidth=1 / POINT_PX)
    _place(figure, axes, question, with_labels, has_room)


def _size_pt(options: GraphOptions) -> float:
    """Letters grow a little with the picture."""
    shorter_px = min(options.width_px, options.height_px * 1.5)
    return float(np.clip(7.0 + shorter_px / 300, 7.0, 13.0))


def _place(
    figure: Figure, axes: Axes, question: GraphQuestion, with_labels: bool, has_room: bool
) -> None:
    """Give the line all the room that texts leave."""
    options = question.options
    width_px, height_px = options.width_px, options.height_px
    row_px = _size_pt(options) * POINT_PX * 1.55
    edge_px = max(4.0, min(width_px, height_px) * 0.035) if has_room else 2.0
    left = right = top = bottom = edge_px
    if has_room and (options.title or options.legend or (question.unit and with_labels)):
        top += row_px * 1.25
    if with_labels:
        bottom += row_px * 1.9
        left += _labels_px(figure, axes) + row_px * 0.35
        right += row_px * 0.5
    axes.set_position(
        (
            left / width_px,
            bottom / height_px,
            max(1.0, width_px - left - right) / width_px,
            max(1.0, height_px - top - bottom) / height_px,
        )
    )
    if has_room:
        _draw_heading(figure, question, edge_px, width_px - edge_px, with_labels)
    if with_labels:
        _draw_dates(figure, axes, question, edge_px, width_px - right)


def _labels_px(figure: Figure, axes: Axes) -> float:
    """Width of the widest number at the vertical axis, at most a third of the picture."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined] # Agg's has one
    box = axes.yaxis.get_tightbbox(renderer)
    return 0.0 if box is None else min(float(box.width), figure.bbox.width / 3)


def _draw_heading(
    figure: Figure, question: GraphQuestion, left_px: float, right_px: float, with_labels: bool
) -> None:
    """Title and unit at the left, legend with a swatch of the line at the right."""
    options = question.options
    size_pt = _size_pt(options)
    row_px = size_pt * POINT_PX * 1.55
    baseline_px = options.height_px - max(4.0, left_px) - row_px * 0.75
    legend_px = 0.0
    if options.legend:
        room_px = (right_px - left_px) * (0.45 if options.title else 0.9)
        swatch_px = row_px * 1.1
        text, width_px = _fitting(figure, options.legend, size_pt, room_px - swatch_px, "regular")
        _write(figure, right_px, baseline_px, text, size_pt, MUTED, "right")
        legend_px = width_px + swatch_px + row_px * 0.4
        middle_px = baseline_px + size_pt * POINT_PX * 0.34
        start_px = right_px - width_px - swatch_px
        figure.add_artist(
            mpl.lines.Line2D(
                [start_px / options.width_px, (start_px + row_px * 0.75) / options.width_px],
                [middle_px / options.height_px] * 2,
                color=f"#{options.colour}",
                linewidth=min(options.stroke_px, row_px * 0.4) / POINT_PX,
                solid_capstyle="round",
            )
        )
    room_px = right_px - left_px - legend_px
    if options.title:
        size_title_pt = size_pt * 1.25
        text, width_px = _fitting(figure, options.title, size_title_pt, room_px, "semibold")
        _write(figure, left_px, baseline_px, text, size_title_pt, TEXT, "left", "semibold")
        left_px += width_px + row_px * 0.5
        room_px -= width_px + row_px * 0.5
    if question.unit and with_labels and room_px > row_px:
        text, _ = _fitting(figure, question.unit, size_pt, room_px, "regular")
        _write(figure, left_px, baseline_px, text, size_pt, MUTED, "left")


def _draw_dates(
    figure: Figure, axes: Axes, question: GraphQuestion, left_px: float, right_px: float
) -> None:
    """Below the times: the day or the year they are of, and the zone."""
    options = question.options
    size_pt = _size_pt(options)
    said = [_zone_name(question)]
    if not _leaves_calendar(question):
        formatter = axes.xaxis.get_major_formatter()
        formatter.format_ticks(list(axes.xaxis.get_major_locator()()))
        said = [text for text in (formatter.get_offset(), *said) if text]
    text, _ = _fitting(figure, "  ·  ".join(said), size_pt * 0.92, right_px - left_px, "regular")
    _write(figure, right_px, max(4.0, left_px * 0.75), text, size_pt * 0.92, MUTED, "right")


def _write(
    figure: Figure, x_px: float, y_px: float, text: str, size_pt: float, colour: str,
    align: Any, weight: str = "regular",
) -> None:  # fmt: skip
    options_px = figure.bbox.width, figure.bbox.height
    figure.text(
        x_px / options_px[0], y_px / options_px[1], text,
        size=size_pt, color=colour, ha=align, va="baseline", weight=weight,
    )  # fmt: skip


def _fitting(
    figure: Figure, text: str, size_pt: float, room_px: float, weight: str
) -> tuple[str, float]:
    """As much of a text as there is room for, and its width."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined] # Agg's has one
    probe = figure.text(0, 0, text, size=size_pt, weight=weight)
    try:
        low, high = 0, len(text)  # letters that fit, letters that may not
        while True:
            width_px = float(probe.get_window_extent(renderer).width) if probe.get_text() else 0.0
            if probe.get_text() == text and width_px <= room_px:
                return text, width_px
            if high - low <= 1:
                break
            middle = (low + high) // 2
            probe.set_text(text[:middle].rstrip() + "…")
            if float(probe.get_window_extent(renderer).width) <= room_px:
                low = middle
            else:
                high = middle
        shown = text[:low].rstrip() + "…" if low else ""
        probe.set_text(shown)
        return shown, float(probe.get_window_extent(renderer).width) if shown else 0.0
    finally:
        probe.remove()


def _draw_notice(axes: Axes, options: GraphOptions) -> None:
    if options.width_px >= LABELLED_PX_MIN[0] and options.height_px >= 24:
        size_pt = min(_size_pt(options) * 1.15, options.width_px / 14)
        axes.text(
            0.5, 0.5, EMPTY_TEXT, transform=axes.transAxes, color=MUTED, size=size_pt,
            ha="center", va="center", bbox={"facecolor": GROUND, "edgecolor": "none"},
        )  # fmt: skip


# --- axes ---


def _set_ticks(axes: Axes, question: GraphQuestion, words: Sequence[str]) -> None:
    options = question.options
    size_px = _size_pt(options) * POINT_PX
    if _leaves_calendar(question):
        axes.xaxis.set_major_locator(NullLocator())
    else:
        _set_date_ticks(axes, question, _count(options.width_px, 7 * size_px))
    _set_value_ticks(axes, words, _count(options.height_px, 3.6 * size_px))


def _leaves_calendar(question: GraphQuestion) -> bool:
    """Whether it begins or ends where dates cannot be reckoned with; then no times are shown."""
    return question.start_us < _EARLIEST_US or question.end_us > _LATEST_US


def _set_date_ticks(axes: Axes, question: GraphQuestion, count: int) -> None:
    zone = zone_of(question)
    locator = AutoDateLocator(tz=zone, minticks=2, maxticks=count)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(  # type: ignore[no-untyped-call]
            locator,
            tz=zone,
            formats=["%Y", "%b", "%-d %b", "%H:%M", "%H:%M", "%S.%f"],
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
        return f"{number:.3g}".replace("-", "\u2212")
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    scaled = step * 10.0**decimals
    if abs(scaled - round(scaled)) > 1e-6:  # a step of 2.5 needs one more
        decimals += 1
    if abs(number) >= 1e7 or decimals > 6:
        digits = max(1, math.ceil(math.log10(abs(number) / step) + 1))
        return f"{number:.{min(digits, 9)}g}".replace("e+0", "e").replace("-", "\u2212")
    return f"{number:,.{decimals}f}".replace(",", "\u2009").replace("-", "\u2212")


def zone_of(question: GraphQuestion) -> tzinfo:
    """The zone that times are shown in."""
    return parse_zone(question.options.timezone) or UTC


def _zone_name(question: GraphQuestion) -> str:
    text = question.options.timezone
    zone = zone_of(question)
    if zone is UTC:
        return "UTC"
    return text if any(letter.isalpha() for letter in text) else str(zone)
