"""Draws one graph. Only the drawing process imports this: matplotlib is 40 MB and half a second.

A pure function of its arguments: the same question gives the same picture, byte for byte.
"""

import io
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from thingtank.doors.xively.graphs.layout import lay_out
from thingtank.doors.xively.graphs.question import GraphQuestion
from thingtank.doors.xively.graphs.style import (
    DPI,
    GROUND,
    LABELLED_PX_MIN,
    MUTED,
    POINT_PX,
    size_pt_of,
)
from thingtank.protocols.xively.graph_options import NUMBER_MAX, GraphOptions
from thingtank.tank.datapoints import number_of
from thingtank.tank.history import DAY_S

Column = npt.NDArray[np.float64]

_US_A_DAY = DAY_S * 1_000_000  # matplotlib counts days
CATEGORIES_MAX = 12
EMPTY_TEXT = "no data in this range"


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
    axes.set_xlim(
        question.start_us / _US_A_DAY, _after(question.start_us, question.end_us) / _US_A_DAY
    )
    axes.set_ylim(*_span(question, values, words))
    if len(times):
        _draw_line(axes, question, times, values, is_stepped=bool(words))
    lay_out(figure, axes, question, words)
    if not len(times):
        _draw_notice(axes, options)
    picture = io.BytesIO()
    canvas.print_png(picture, metadata={"Software": None})  # type: ignore[no-untyped-call] # matplotlib has no types here
    return picture.getvalue()


def _after(start_us: int, end_us: int) -> int:
    return end_us if end_us > start_us else start_us + 1_000_000


# --- values ---


def _series(question: GraphQuestion) -> tuple[Column, Column, list[str]]:
    """Times in days, heights, and the words that heights stand for where values are texts."""
    times = np.array(question.times_us, dtype=np.float64) / _US_A_DAY
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
        end = min(axes.get_xlim()[1], max(question.now_us / _US_A_DAY, times[-1]))
        axes.plot(
            [times[-1], end], [values[-1]] * 2,
            color=colour, linewidth=width, alpha=0.45, solid_capstyle="round",
        )  # fmt: skip


def _draw_notice(axes: Axes, options: GraphOptions) -> None:
    if options.width_px >= LABELLED_PX_MIN[0] and options.height_px >= 24:
        size_pt = min(size_pt_of(options) * 1.15, options.width_px / 14)
        axes.text(
            0.5, 0.5, EMPTY_TEXT, transform=axes.transAxes, color=MUTED, size=size_pt,
            ha="center", va="center", bbox={"facecolor": GROUND, "edgecolor": "none"},
        )  # fmt: skip
