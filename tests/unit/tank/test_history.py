"""Xively's history terms, resolved and shaped. Source of each row: Xively API v2, historical queries."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.datapoints import Bucket, Datapoint
from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.tank.history import (
    INTERVAL_RANGES_S,
    HistoryRange,
    HistoryTerms,
    calculated,
    in_zone,
    midnight_origin_us,
    resolve_range,
    sampled,
    sampled_at_steps,
)

S = 1_000_000
WINTER, SUMMER = (datetime(2013, month, 10, tzinfo=UTC) for month in (1, 7))
HOUR = 3600 * S
NOW = 1_700_000_000 * S

BOUNDS = [
    ("start and end", HistoryTerms(start_us=NOW - HOUR, end_us=NOW), NOW - HOUR, NOW),
    ("start and duration", HistoryTerms(start_us=NOW - HOUR, duration_s=60), NOW - HOUR, NOW - HOUR + 60 * S),
    ("end and duration", HistoryTerms(end_us=NOW - HOUR, duration_s=60), NOW - HOUR - 60 * S, NOW - HOUR),
    ("duration alone, back from now", HistoryTerms(duration_s=60), NOW - 60 * S, NOW),
    ("start alone, to now", HistoryTerms(start_us=NOW - HOUR), NOW - HOUR, NOW),
    ("start alone, at most the largest range", HistoryTerms(start_us=NOW - 9 * HOUR), NOW - 9 * HOUR, NOW - 3 * HOUR),
    ("start alone in the future", HistoryTerms(start_us=NOW + HOUR), NOW + HOUR, NOW + HOUR),
    ("end alone, back by the largest range", HistoryTerms(end_us=NOW), NOW - 6 * HOUR, NOW),
    ("interval alone, back by its largest range", HistoryTerms(interval_s=60), NOW - 24 * HOUR, NOW),
]  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "start_us", "end_us"), [row[1:] for row in BOUNDS], ids=[row[0] for row in BOUNDS]
)
def test_terms_resolve_to_a_range_with_both_ends(
    terms: HistoryTerms, start_us: int, end_us: int
) -> None:
    resolved = resolve_range(terms, NOW)
    assert (resolved.start_us, resolved.end_us - 1) == (start_us, end_us)


@pytest.mark.parametrize(
    ("asked_s", "given_s"),
    [(0, 0), (1, 30), (30, 30), (31, 60), (61, 300), (43_201, 86_400), (90_000, 86_400)],
)
def test_an_interval_is_rounded_up_to_the_table(asked_s: int, given_s: int) -> None:
    terms = HistoryTerms(interval_s=asked_s, duration_s=3600)
    assert resolve_range(terms, NOW).interval_s == given_s


@pytest.mark.parametrize(
    ("hours", "interval_s"),
    [(6, 0), (7, 30), (24, 60), (25, 300), (24 * 31, 1800), (24 * 366, 43_200)],
)
def test_without_an_interval_the_finest_that_fits_is_taken(hours: int, interval_s: int) -> None:
    assert resolve_range(HistoryTerms(duration_s=hours * 3600), NOW).interval_s == interval_s


@pytest.mark.parametrize(("interval_s", "range_s"), INTERVAL_RANGES_S.items())
def test_a_range_may_be_as_large_as_the_interval_allows_and_no_larger(
    interval_s: int, range_s: int
) -> None:
    resolve_range(HistoryTerms(interval_s=interval_s, duration_s=range_s), NOW)
    too_large = HistoryTerms(interval_s=interval_s, duration_s=range_s + 1)
    with pytest.raises(LimitReached, match=f"at most {range_s} seconds") as refusal:
        resolve_range(too_large, NOW)
    # There is none larger than a day's.
    assert ("a larger interval" in str(refusal.value)) == (interval_s != 86_400)
    assert resolve_range(too_large, NOW, is_bounded=False).interval_s == interval_s


def test_contradicting_terms_are_refused() -> None:
    with pytest.raises(ValidationFailed, match="duration"):
        resolve_range(HistoryTerms(start_us=0, end_us=S, duration_s=1), NOW)
    with pytest.raises(ValidationFailed, match="end must not be before start"):
        resolve_range(HistoryTerms(start_us=NOW, end_us=NOW - 1), NOW)


def test_limits_and_pages() -> None:
    assert resolve_range(HistoryTerms(), NOW).limit == 100
    resolved = resolve_range(HistoryTerms(limit=5000, page=3), NOW)
    assert (resolved.limit, resolved.skip) == (1000, 2000)


def bucket(start_s: int, *points: tuple[int, str]) -> Bucket:
    return Bucket.of(start_s * S, [Datapoint(at_s * S, value) for at_s, value in points])


def steps(
    start_s: int, end_s: int, interval_s: int, limit: int = 100, skip: int = 0
) -> HistoryRange:
    return HistoryRange(start_s * S, end_s * S + 1, interval_s, limit, skip)


def test_a_discrete_sample_is_the_last_value_stored_before_the_step() -> None:
    buckets = [bucket(0, (10, "1"), (50, "2")), bucket(120, (130, "3"))]
    found = sampled_at_steps(buckets, None, steps(0, 240, 60), origin_us=0)
    assert [(point.at_us // S, point.value) for point in found] == [
        (60, "2"),
        (120, "2"),
        (180, "3"),
        (240, "3"),
    ]


def test_a_value_from_before_the_range_fills_its_first_steps() -> None:
    found = sampled_at_steps([], Datapoint(5 * S, "9"), steps(100, 240, 60), origin_us=0)
    assert [(point.at_us // S, point.value) for point in found] == [
        (120, "9"),
        (180, "9"),
        (240, "9"),
    ]


def test_steps_before_the_first_value_are_not_counted_one_by_one() -> None:
    year_us = 366 * 86_400 * S
    long_ago = HistoryRange(NOW - 2000 * year_us, NOW, 30, 10, 0)
    assert sampled_at_steps([], None, long_ago, origin_us=0) == []  # 2,000 million steps
    start_us = NOW - NOW % (30 * S) - 300 * S
    bucket = Bucket.of(start_us, [Datapoint(start_us + S, "5")])
    found = sampled_at_steps([bucket], None, long_ago, origin_us=0)
    assert [point.at_us for point in found] == [start_us + n * 30 * S for n in range(1, 11)]


def test_discrete_pages_follow_each_other() -> None:
    previous = Datapoint(0, "1")
    pages = [
        sampled_at_steps([], previous, steps(60, 600, 60, limit=4, skip=skip), origin_us=0)
        for skip in (0, 4, 8)
    ]
    times = [point.at_us // S for page in pages for point in page]
    assert times == list(range(60, 601, 60))


def test_steps_count_from_the_zones_midnight() -> None:
    offset_s = -(3 * 3600 + 1800)
    found = sampled_at_steps(
        [], Datapoint(0, "1"), steps(HOUR // S, 4 * HOUR // S, 3600), midnight_origin_us(offset_s)
    )
    assert [point.at_us // S for point in found] == [5400, 9000, 12_600]


def test_functions_leave_text_out() -> None:
    buckets = [bucket(0, (1, "2"), (2, "4"), (3, "on")), bucket(60, (61, "off"))]
    values = {
        function: [(point.at_us, point.value) for point in calculated(buckets, function)]
        for function in ("average", "sum", "min", "max")
    }
    assert values == {
        "average": [(0, "3")],
        "sum": [(0, "6")],
        "min": [(0, "2")],
        "max": [(0, "4")],
    }


def test_plain_samples_keep_their_own_time() -> None:
    assert sampled([bucket(0, (10, "1"), (50, "2"))]) == [Datapoint(50 * S, "2")]


@given(
    start_s=st.integers(0, 10_000),
    length_s=st.integers(0, 10_000),
    points=st.lists(st.integers(0, 25_000), max_size=30, unique=True).map(sorted),
)
def test_discrete_samples_agree_with_looking_back_from_each_step(
    start_s: int, length_s: int, points: list[int]
) -> None:
    interval_s, end_s = 300, start_s + length_s
    inside = [at_s for at_s in points if start_s <= at_s <= end_s]
    before = [at_s for at_s in points if at_s < start_s]
    by_start: dict[int, list[int]] = {}
    for at_s in inside:
        by_start.setdefault(at_s // interval_s * interval_s, []).append(at_s)
    buckets = [
        bucket(start, *((at_s, str(at_s)) for at_s in group)) for start, group in by_start.items()
    ]
    previous = Datapoint(before[-1] * S, str(before[-1])) if before else None
    found = sampled_at_steps(buckets, previous, steps(start_s, end_s, interval_s, 1000), 0)
    expected = [
        (step_s * S, str(earlier[-1]))
        for step_s in range(-(-start_s // interval_s) * interval_s, end_s + 1, interval_s)
        if (earlier := [at_s for at_s in points if at_s < step_s])
    ]
    assert [(point.at_us, point.value) for point in found] == expected


def micros(at: datetime) -> int:
    return int(at.timestamp()) * S


LONDON = ZoneInfo("Europe/London")
EARLIEST, LATEST = -62_135_596_800 * S, 253_402_300_799 * S
ZONED = [
    ("a start in summer", HistoryTerms(start_us=micros(SUMMER), duration_s=9), LONDON, 3600),
    ("a start in winter", HistoryTerms(start_us=micros(WINTER)), LONDON, 0),
    ("back from an end", HistoryTerms(end_us=micros(SUMMER), duration_s=180 * 86_400), LONDON, 0),
    ("back from now, in winter", HistoryTerms(duration_s=1), LONDON, 0),
    ("six hours of now", HistoryTerms(), timezone(timedelta(hours=5.5)), 19_800),
    ("no zone", HistoryTerms(start_us=micros(SUMMER)), None, 0),
    ("the first instant", HistoryTerms(start_us=EARLIEST), ZoneInfo("Asia/Tokyo"), 33_539),
    ("the last instant", HistoryTerms(start_us=LATEST), ZoneInfo("Asia/Tokyo"), 32_400),
    ("beyond it", HistoryTerms(start_us=LATEST + 50_400 * S), timezone(timedelta(hours=9)), 32_400),
    ("refused later", HistoryTerms(1, 2, duration_s=3), LONDON, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "zone", "offset_s"), [row[1:] for row in ZONED], ids=[row[0] for row in ZONED]
)
def test_steps_count_from_the_midnight_of_where_the_range_starts(
    terms: HistoryTerms, zone: tzinfo | None, offset_s: int
) -> None:
    assert in_zone(terms, zone, NOW).utc_offset_s == offset_s


def test_a_range_too_large_is_told_with_its_fraction() -> None:
    terms = HistoryTerms(start_us=0, end_us=21_600 * S + S // 2, interval_s=0)
    with pytest.raises(LimitReached, match=r"at most 21600 seconds, not 21600\.5; "):
        resolve_range(terms, NOW)
