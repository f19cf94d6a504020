"""Values keep their spelling, whichever way they are added."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.datapoints import Datapoint, DatapointColumns, number_of, text_of

ODD_VALUES = [
    "0000017", "+5", "-0", "0", "5.0", "21.50", "1e3", "1E3", "1e+16", "1e-05", "0.00001", "-0.0",
    ".5", "5.", "", " ", " 5 ", "5\n", "\x1c5", "nan", "NaN", "inf", "-Infinity", "1e999", "1_000",
    "٣", "\uff15", "1,2", ",", "[1", "2]", '"5"', "null", "true", "on", "grün", "0x10", "--5", "1" * 30,
    "999999999999999", "1000000000000000", "9007199254740993", "99999999999999.9", "0.1", "\x00",
]  # fmt: skip

spelled_numbers = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.floats(-1e6, 1e6).map("{:.1f}".format),
    st.floats(-1e6, 1e6).map("{:.3f}".format),
    st.floats(allow_nan=False, allow_infinity=False).map("{:e}".format),
    st.integers(-(10**16), 10**16).map("{:020d}".format),
)
values = st.one_of(spelled_numbers, st.text(max_size=20), st.sampled_from(ODD_VALUES))


def rows_of(texts: list[str]) -> list[tuple[int, Datapoint]]:
    return [(7, Datapoint(at_us, text)) for at_us, text in enumerate(texts)]


@given(st.lists(spelled_numbers, max_size=30) | st.lists(values, max_size=30))
def test_values_added_together_come_back_letter_for_letter(texts: list[str]) -> None:
    columns = DatapointColumns()
    columns.add_many(7, range(len(texts)), texts)
    assert list(columns.rows()) == rows_of(texts)
    for text, number in zip(texts, columns.numbers, strict=True):
        assert number == number_of(text) or (math.isnan(number) and number_of(text) is None)


@given(st.lists(values, max_size=30))
def test_values_added_one_by_one_come_back_letter_for_letter(texts: list[str]) -> None:
    assert list(DatapointColumns.of(rows_of(texts)).rows()) == rows_of(texts)


@pytest.mark.parametrize("text", ODD_VALUES)
def test_odd_value_comes_back_letter_for_letter_among_plain_ones(text: str) -> None:
    columns = DatapointColumns()
    columns.add_many(7, range(3), ["20.5", text, "3"])
    assert list(columns.rows()) == rows_of(["20.5", text, "3"])


def test_plain_numbers_take_no_room_for_texts() -> None:
    columns = DatapointColumns()
    columns.add_many(7, range(4), ["20.5", "3", "-0.25", "0"])
    assert columns.texts == {}
    assert list(columns.numbers) == [20.5, 3.0, -0.25, 0.0]


def test_only_unusual_spellings_are_kept_as_texts() -> None:
    columns = DatapointColumns()
    columns.add_many(7, range(2), ["1", "2"])
    columns.add_many(7, range(4), ["20.5", "21.0", "3.50", "4"])
    assert columns.texts == {3: "21.0", 4: "3.50"}


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-Infinity", "1e999", "1_000", "٣", "", "on", "1,2"]
)
def test_text_that_is_no_decimal_number_has_none(text: str) -> None:
    assert number_of(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("0000017", 17), ("+5", 5), ("1e3", 1000), (" 5 ", 5), (".5", 0.5)]
)
def test_decimal_number_is_read_in_any_spelling(text: str, number: float) -> None:
    assert number_of(text) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [(5.0, "5"), (-0.25, "-0.25"), (1e15, "1000000000000000.0"), (1e-5, "1e-05")],
)
def test_whole_numbers_are_spelled_without_a_point(number: float, text: str) -> None:
    assert text_of(number) == text


def test_extended_columns_hold_the_rows_of_both() -> None:
    first = DatapointColumns.of(rows_of(["1", "on"]))
    first.extend(DatapointColumns.of([(8, Datapoint(5, "+5")), (8, Datapoint(6, "6"))]))
    assert list(first.rows()) == [
        *rows_of(["1", "on"]),
        (8, Datapoint(5, "+5")),
        (8, Datapoint(6, "6")),
    ]


@pytest.mark.parametrize("texts", [["1", "2", "3"], ["1", "on", "3"]])
def test_columns_of_unlike_length_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="2"):
        DatapointColumns().add_many(7, [1, 2], texts)
