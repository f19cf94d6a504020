"""Readings as people and programs write them."""

import datetime
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.web.weather.readings import (
    at_of,
    at_us_of,
    parse_number,
    parse_timestamp,
    timestamp_text,
)

UTC = datetime.UTC

TIMES = [
    ("1393926310", datetime.datetime(2014, 3, 4, 9, 45, 10, tzinfo=UTC)),
    ("1393926310.25", datetime.datetime(2014, 3, 4, 9, 45, 10, 250_000, tzinfo=UTC)),
    ("-0.5", datetime.datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)),
    (" 0 ", datetime.datetime(1970, 1, 1, tzinfo=UTC)),
    ("2014-03-04T09:45:10Z", datetime.datetime(2014, 3, 4, 9, 45, 10, tzinfo=UTC)),
    ("2014-03-04T15:15:10+05:30", datetime.datetime(2014, 3, 4, 9, 45, 10, tzinfo=UTC)),
    ("2014-03-04 09:45", datetime.datetime(2014, 3, 4, 9, 45, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "at"), TIMES)
def test_a_time_is_unix_seconds_or_iso_8601(text: str, at: datetime.datetime) -> None:
    assert parse_timestamp(text) == at


@pytest.mark.parametrize(
    "text", ["", "now", "99999999999999", "999999999999", "1e9", "١٢٣", "2014-13-01", "0001-01-01T00:00+01:00"]
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be Unix seconds"):
        parse_timestamp(text)


@given(st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(9000, 1, 1)))  # noqa: DTZ001 - it takes naive ones
def test_a_time_as_text_is_read_as_it_was(naive: datetime.datetime) -> None:
    at = naive.replace(tzinfo=UTC)
    assert parse_timestamp(timestamp_text(at)) == at
    assert at_of(at_us_of(at)) == at


@pytest.mark.parametrize(
    ("text", "number"), [("28", 28.0), (" -3.5 ", -3.5), ("1e2", 100.0), (".5", 0.5), ("+7.", 7.0)]
)
def test_a_number_is_decimal(text: str, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    "text", ["", "x", "nan", "inf", "1_0", "1e999", "0x1", "٣", "1 2", "9" * 50]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        parse_number(text)


def test_a_number_has_its_bounds() -> None:
    assert parse_number("-90", 90) == -90
    with pytest.raises(ValueError, match="must be within -90 and 90"):
        parse_number("90.001", 90)
    assert math.isfinite(parse_number("1e300"))
