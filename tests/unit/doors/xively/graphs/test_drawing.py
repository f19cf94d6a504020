"""Pictures, looked at by their pixels."""

import io
import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from thingtank.doors.xively.graphs.drawing import render_graph
from thingtank.doors.xively.graphs.question import GraphQuestion
from thingtank.doors.xively.graphs.ticks import number_text
from thingtank.protocols.xively.graph_options import GraphOptions
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN

S = 1_000_000
DAY = 86_400 * S
END = 1_790_000_000 * S
RED = (255, 0, 0)
SHAPES = {"sine": [f"{math.sin(n / 20):.3f}" for n in range(288)]}

Pixels = npt.NDArray[np.uint8]


def question(times: list[int], values: list[str], **terms: Any) -> GraphQuestion:
    looks = {
        name: terms.pop(name) for name in list(terms) if name in GraphOptions.__struct_fields__
    }
    base = GraphQuestion(
        GraphOptions(**{"colour": "ff0000", **looks}), times, values, END - DAY, END, END, 300
    )
    return msgspec.structs.replace(base, **terms)


def even(values: list[str], step: int = 300) -> tuple[list[int], list[str]]:
    """Values at even steps, the last one now."""
    return [END - (len(values) - 1 - number) * step * S for number in range(len(values))], values


def pixels(asked: GraphQuestion) -> Pixels:
    picture = render_graph(asked)
    assert picture.startswith(b"\x89PNG\r\n")
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def is_red(picture: Pixels) -> npt.NDArray[np.bool_]:
    """Where the line is, not its pale area."""
    return (picture[:, :, 0] > 200) & (picture[:, :, 1] < 90) & (picture[:, :, 2] < 90)


def bare(times: list[int], values: list[str], **terms: Any) -> npt.NDArray[np.bool_]:
    """Where the line is in a picture of nothing else."""
    return is_red(pixels(question(times, values, with_labels=False, with_grid=False, **terms)))


@pytest.mark.parametrize(
    ("width_px", "height_px"),
    [(600, 400), (10, 10), (120, 32), (10, 2000), (2000, 10), (1999, 701)],
)
def test_a_picture_has_the_size_that_was_asked_for(width_px: int, height_px: int) -> None:
    picture = pixels(
        question(
            *even(SHAPES["sine"]), width_px=width_px, height_px=height_px, title="T", legend="L"
        )
    )
    assert picture.shape == (height_px, width_px, 3)
    assert is_red(picture).any() or min(width_px, height_px) < 16


def test_the_ground_is_light_and_the_line_has_its_colour() -> None:
    picture = pixels(question(*even(SHAPES["sine"]), colour="0000ff"))
    assert tuple(picture[0, 0]) == (255, 255, 255)
    assert ((picture == (0, 0, 255)).all(axis=2)).sum() > 200


def test_the_line_goes_where_the_values_go() -> None:
    line = bare(*even([str(number) for number in range(288)]))
    heights = [np.flatnonzero(line[:, column]).mean() for column in range(20, 580, 40)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] > 350
    assert heights[-1] < 65


def test_the_same_question_gives_the_same_picture() -> None:
    asked = question(*even(SHAPES["sine"]), title="Roof", legend="sine", unit="°C")
    assert render_graph(asked) == render_graph(asked)


@pytest.mark.parametrize(
    ("looks", "other"),
    [
        ({"title": "Roof"}, {}),
        ({"legend": "sine"}, {}),
        ({"with_grid": False}, {}),
        ({"with_labels": False}, {}),
        ({"stroke_px": 6.0}, {}),
        ({"timezone": "Kathmandu"}, {}),
        ({"unit": "°C"}, {}),
        ({"scale": "datastream", "minimum": None}, {"maximum": 7.0}),
    ],
)
def test_every_look_is_seen(looks: dict[str, Any], other: dict[str, Any]) -> None:
    plain = question(*even(SHAPES["sine"]))
    terms = {name: looks.pop(name) for name in ("unit",) if name in looks}
    changed = msgspec.structs.replace(
        plain, options=msgspec.structs.replace(plain.options, **looks), **terms, **other
    )
    assert (pixels(plain) != pixels(changed)).any()


def test_a_thicker_stroke_covers_more() -> None:
    thin, thick = (bare(*even(SHAPES["sine"]), stroke_px=width).sum() for width in (1.0, 8.0))
    assert thick > 3 * thin


def test_a_gap_is_left_open() -> None:
    times, values = even(["1"] * 288)
    line = bare(times[:100] + times[200:], values[:100] + values[200:])
    assert line[:, 50:200].any(axis=0).all()
    assert not line[:, 230:400].any()
    assert line[:, 440:580].any(axis=0).all()


def test_values_that_come_seldom_are_no_gaps() -> None:
    times, values = even(["1", "2"] * 6, step=7200)
    assert bare(times, values)[:, 90:580].any(axis=0).all()


def test_one_value_is_a_dot() -> None:
    line = bare([END - DAY // 2], ["21.5"])
    rows, columns = np.nonzero(line)
    assert 8 < len(rows) < 120
    assert abs(columns.mean() - 300) < 5


def test_a_constant_is_a_line_in_the_middle() -> None:
    line = bare(*even(["21.5"] * 288))
    rows = np.flatnonzero(line.any(axis=1))
    assert 190 < rows.mean() < 210
    assert len(rows) < 6


def test_a_manual_scale_cuts_what_is_beyond() -> None:
    line = bare(*even(["1"] * 144 + ["100"] * 144), scale="manual", minimum=0.0, maximum=2.0)
    assert line[:, 50:280].any(axis=0).all()
    assert not line[:, 330:580].any()


def test_an_empty_range_says_so() -> None:
    empty, full = pixels(question([], [])), pixels(question(*even(["1"] * 288)))
    assert not is_red(empty).any()
    middle = empty[170:230, 200:400]
    assert (middle < 150).all(axis=2).sum() > 50  # the words
    assert not (full[170:185, 200:400] < 150).all(axis=2).any()


def test_few_words_are_steps_between_them() -> None:
    line = bare(*even((["open"] * 24 + ["closed"] * 24) * 6))
    rows = line[:, 20:500].sum(axis=1)
    assert (rows > 150).sum() in range(2, 9)  # two levels of a stroke each
    assert "open" > "closed"


def test_many_words_are_no_graph() -> None:
    assert not bare(*even([f"word {number}" for number in range(40)])).any()


def test_words_among_numbers_are_left_out() -> None:
    line = bare(*even(["1", "error", "1"] * 96))
    assert len(np.flatnonzero(line.any(axis=1))) < 6


HOSTILE = [
    {"title": "$\\frac{", "legend": "_hidden"},
    {"title": "x" * 255, "legend": "y" * 255},
    {"title": "温度 \U0001f600 \u202e\u0301", "legend": "العربية"},
    {"unit": "$" * 60, "title": "t"},
]


@pytest.mark.parametrize("looks", HOSTILE)
@pytest.mark.parametrize("side_px", [(600, 400), (130, 90)])
def test_no_text_can_break_a_picture(looks: dict[str, Any], side_px: tuple[int, int]) -> None:
    asked = question(*even(SHAPES["sine"]), width_px=side_px[0], height_px=side_px[1], **looks)
    assert is_red(pixels(asked)).any()


@pytest.mark.parametrize(
    ("start_us", "end_us"),
    [
        (AT_US_MIN, AT_US_MIN + DAY),
        (AT_US_MAX - DAY, AT_US_MAX),
        (AT_US_MIN, AT_US_MAX),
        (END, END),
        (END - 5, END),
        (END - 1000, END),
        (END - 20 * S, END),
        (END - 400 * DAY, END),
        (END - 4000 * DAY, END),
    ],
)
@pytest.mark.parametrize("timezone", ["", "-14", "14", "Newfoundland"])
def test_every_range_can_be_drawn(start_us: int, end_us: int, timezone: str) -> None:
    times = [start_us, (start_us + end_us) // 2, end_us]
    asked = question(times, ["1", "2", "3"], start_us=start_us, end_us=end_us, timezone=timezone)
    assert pixels(asked).shape == (400, 600, 3)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.sampled_from(
    ["0", "-0", "1e300", "-1e308", "5e-324", "", "on", "1e999"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBERS, max_size=12), st.booleans())
def test_all_values_can_be_drawn(values: list[str], with_labels: bool) -> None:
    asked = question(*even(values), with_labels=with_labels, width_px=300, height_px=200)
    assert pixels(asked).shape == (200, 300, 3)


@pytest.mark.parametrize(
    ("number", "step", "text"),
    [
        (20.0, 2.0, "20"),
        (21.5, 0.5, "21.5"),
        (2.5, 2.5, "2.5"),
        (1.2, 1.2 - 1.0, "1.2"),
        (0.002, 0.001, "0.002"),
        (-40.0, 20.0, "\u221240"),
        (1e-19, 0.2, "0"),
        (1_200_000.0, 200_000.0, "1\u2009200\u2009000"),
        (2e9, 1e9, "2e9"),
        (1.5e10, 5e9, "1.5e10"),
        (3e-8, 1e-8, "3e\u22128"),
    ],
)
def test_numbers_at_the_axis_have_the_digits_they_need(
    number: float, step: float, text: str
) -> None:
    assert number_text(number, step) == text
