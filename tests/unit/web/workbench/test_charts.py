"""What a chart is asked, and how it is summarized to fit its pixels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.datapoints import Bucket, Datapoint
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.history import DAY_S
from thingtank.web.workbench.charts import (
    WIDTH_MAX,
    WIDTH_MIN,
    ChartTerms,
    bounds_us,
    chart_of,
    chart_terms,
    step_us_of,
)

NOW_US = 1_795_000_000_000_000


@given(range_us=st.integers(10_000, 200 * 365 * DAY_S * 1_000_000), width_px=st.integers(0, 10_000))
def test_no_pixel_has_more_than_one_summary_so_two_points(range_us: int, width_px: int) -> None:
    step_us = step_us_of(range_us, width_px)
    width_px = min(max(width_px, WIDTH_MIN), WIDTH_MAX)
    assert range_us / step_us <= width_px
    assert step_us % 1000 == 0


@pytest.mark.parametrize(
    ("asked", "terms"),
    [
        ({}, ChartTerms("1h")),
        ({"range": "1w", "width": "900"}, ChartTerms("1w", width_px=900)),
        ({"range": "all"}, ChartTerms("all")),
        (
            {"start": "1750000000.123456", "end": "1750003600", "range": "1w"},
            ChartTerms("1h", 1_750_000_000_123_456, 1_750_003_600_000_000),
        ),
        ({"start": "-5.5", "end": "0"}, ChartTerms("1h", -5_500_000, 0)),
    ],
)
def test_an_address_says_which_part_of_the_past(asked: dict[str, str], terms: ChartTerms) -> None:
    assert chart_terms(asked) == terms


@pytest.mark.parametrize(
    "asked",
    [
        {"width": "x"},
        {"width": "-5"},
        {"width": "1000000"},
        {"start": "5"},
        {"end": "5"},
        {"start": "1e5", "end": "2e5"},
        {"start": "nan", "end": "5"},
        {"start": "1" * 13, "end": "1" * 14},
        {"start": "٣", "end": "5"},
    ],
)
def test_nonsense_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(ValidationFailed):
        chart_terms(asked)


@pytest.mark.parametrize(
    "terms",
    [
        ChartTerms("2h"),
        ChartTerms(start_us=5_000_000, end_us=5_000_000),
        ChartTerms(start_us=9_000_000, end_us=5_000_000),
    ],
)
def test_a_range_that_is_none_is_refused(terms: ChartTerms) -> None:
    with pytest.raises(ValidationFailed):
        bounds_us(terms, NOW_US)


def test_extremes_are_told_with_their_instants_and_texts_where_they_change() -> None:
    def bucket(start_us: int, *datapoints: tuple[int, str]) -> Bucket:
        return Bucket.of(start_us, [Datapoint(*datapoint) for datapoint in datapoints])

    second = 1_000_000
    buckets = [
        bucket(0, (1 * second, "5"), (2 * second, "9"), (3 * second, "1"), (4 * second, "1")),
        bucket(10 * second, (12 * second, "7")),
        bucket(20 * second, (21 * second, "on"), (22 * second, "off")),
    ]
    chart = chart_of(buckets, 0, 30 * second, 10 * second)
    assert (chart.start_s, chart.end_s, chart.step_s) == (0, 30, 10)
    assert (chart.minimum, chart.minimum_at_s) == ([1, 7], [3, 12])
    assert (chart.maximum, chart.maximum_at_s) == ([9, 7], [2, 12])
    assert (chart.mean, chart.count) == ([4, 7], [4, 1])
    assert chart.at_s == [4, 12]  # the middle, but not after the last; and its own instant
    assert chart.texts == [(21, "on"), (22, "off")]
