"""Where things stand in a graph: the line has all the room that texts leave it."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thingtank.doors.xively.graphs.question import GraphQuestion
from thingtank.doors.xively.graphs.style import (
    GRID,
    LABELLED_PX_MIN,
    LINE,
    MUTED,
    POINT_PX,
    TEXT,
    size_pt_of,
)
from thingtank.doors.xively.graphs.ticks import leaves_calendar, set_ticks, zone_name


def lay_out(figure: Figure, axes: Axes, question: GraphQuestion, words: Sequence[str]) -> None:
    options = question.options
    has_room = options.width_px >= LABELLED_PX_MIN[0] and options.height_px >= LABELLED_PX_MIN[1]
    with_labels = options.with_labels and has_room
    size_pt = size_pt_of(options)
    set_ticks(axes, question, words)
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


def _place(
    figure: Figure, axes: Axes, question: GraphQuestion, with_labels: bool, has_room: bool
) -> None:
    """Give the line all the room that texts leave."""
    options = question.options
    width_px, height_px = options.width_px, options.height_px
    row_px = size_pt_of(options) * POINT_PX * 1.55
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
    size_pt = size_pt_of(options)
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
    size_pt = size_pt_of(options)
    said = [zone_name(question)]
    if not leaves_calendar(question):
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
