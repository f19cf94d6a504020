"""Xively's history queries: from a question's terms to datapoints, as pure calculation.

The terms (`start`, `end`, `duration`, `interval`, …) are resolved to one `HistoryRange`; what the
archive then read is shaped
by the functions below. Nothing here waits or reads a clock.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

import msgspec

from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Bucket, Datapoint, text_of
from thingtank.tank.errors import LimitReached, ValidationFailed

SECOND_US = 1_000_000
HOUR_S = 3600
DAY_S = 86_400

# Xively API v2, historical queries: interval in seconds → the largest range it may be asked over,
# in seconds.
INTERVAL_RANGES_S = {
    0: 6 * HOUR_S,
    30: 12 * HOUR_S,
    60: 24 * HOUR_S,
    300: 5 * DAY_S,
    900: 14 * DAY_S,
    1800: 31 * DAY_S,
    3600: 31 * DAY_S,
    10_800: 90 * DAY_S,
    21_600: 180 * DAY_S,
    43_200: 366 * DAY_S,
    86_400: 366 * DAY_S,
}
LIMIT_DEFAULT = 100

Function = Literal["average", "sum", "min", "max"]


class HistoryTerms(msgspec.Struct, frozen=True):
    """A history question as it was asked; times in microseconds since the epoch, or None.

    Attributes:
        limit: None for LIMIT_DEFAULT.
        page: from 1, of `limit` datapoints each.
        interval_s: None where not given.
        is_discrete: `interval_type=discrete`.
        utc_offset_s: of the `timezone` asked for; steps count from its midnight.
    """

    start_us: int | None = None
    end_us: int | None = None
    duration_s: int | None = None
    limit: int | None = None
    page: int = 1
    interval_s: int | None = None
    is_discrete: bool = False
    function: Function | None = None
    find_previous: bool = False
    utc_offset_s: int = 0


class HistoryRange(msgspec.Struct, frozen=True):
    """What to read: [start_us, end_us) at an interval that Xively allows (0: every datapoint)."""

    start_us: int
    end_us: int
    interval_s: int
    limit: int
    skip: int

    @property
    def interval_us(self) -> int:
        """The interval in microseconds."""
        return self.interval_s * SECOND_US


def resolve_range(
    terms: HistoryTerms, now_us: int, limit_max: int = 1000, is_bounded: bool = True
) -> HistoryRange:
    """Turn the terms of a question into a range, an interval and a limit.

    Args:
        terms: as asked. start+end+duration together is an error.
        now_us: the instant an open end means; a range that ends there includes that instant.
        limit_max: larger limits are clipped.
        is_bounded: refuse ranges larger than the interval's maximum.

    Raises:
        ValidationFailed: the terms contradict each other.
        LimitReached: the range is larger than the interval allows.

    Source: Xively API v2, historical queries, "start", "end", "duration", "interval" and its table
    of ranges.
    """
    asked_s = _allowed_interval(terms.interval_s)
    start_us, end_us = _bounds(terms, now_us, INTERVAL_RANGES_S[asked_s if asked_s else 0])
    if end_us < start_us:
        raise ValidationFailed([("end", "must not be before start")])
    range_s = (end_us - start_us) / SECOND_US
    interval_s = _fitting_interval(range_s) if asked_s is None else asked_s
    if is_bounded and range_s > INTERVAL_RANGES_S[interval_s]:
        remedy = "a shorter range"
        if interval_s != DAY_S:
            remedy = f"a larger interval or {remedy}"
        raise LimitReached(
            f"interval {interval_s} allows a range of at most "
            f"{INTERVAL_RANGES_S[interval_s]} seconds, not {text_of(range_s)}; ask for {remedy}"
        )
    limit = max(1, min(terms.limit or LIMIT_DEFAULT, limit_max))
    return HistoryRange(
        start_us=max(start_us, AT_US_MIN),
        end_us=min(end_us, AT_US_MAX) + 1,  # both ends belong to the range
        interval_s=interval_s,
        limit=limit,
        skip=(max(terms.page, 1) - 1) * limit,
    )


def in_zone(terms: HistoryTerms, zone: tzinfo | None, now_us: int) -> HistoryTerms:
    """The same question, its steps counted from a zone's midnight.

    What counts is the offset that the zone has where the range starts: a place's changes with the
    season.

    Args:
        zone: None for UTC.
        now_us: the instant an open end means.
    """
    if zone is None:
        return terms
    try:
        start_us = resolve_range(terms, now_us, is_bounded=False).start_us
    except ValidationFailed:  # told where the range is read, and the caller's rights are looked at
        return terms
    # A day within what `datetime` can say, so that the zone's own time can be said as well.
    at_us = min(max(start_us, AT_US_MIN + DAY_S * SECOND_US), AT_US_MAX - DAY_S * SECOND_US)
    at = datetime.fromtimestamp(at_us // SECOND_US, UTC).astimezone(zone)
    offset = at.utcoffset() or timedelta()
    return msgspec.structs.replace(terms, utc_offset_s=int(offset.total_seconds()))


def spanned(
    start_us: int | None, end_us: int | None, duration_s: int | None, now_us: int
) -> tuple[int | None, int | None]:
    """Both ends of a range of which one end and a duration are given; a bare duration ends now.

    Raises:
        ValidationFailed: all three are given.
    """
    if duration_s is None:
        return start_us, end_us
    if start_us is None:
        end_us = now_us if end_us is None else end_us
        return end_us - duration_s * SECOND_US, end_us
    if end_us is not None:
        raise ValidationFailed([("duration", "can't be combined with both start and end")])
    return start_us, start_us + duration_s * SECOND_US


def _bounds(terms: HistoryTerms, now_us: int, range_max_s: int) -> tuple[int, int]:
    start_us, end_us = spanned(terms.start_us, terms.end_us, terms.duration_s, now_us)
    if start_us is None:
        end_us = now_us if end_us is None else end_us
        return end_us - range_max_s * SECOND_US, end_us
    if end_us is None:
        end_us = max(start_us, min(now_us, start_us + range_max_s * SECOND_US))
    return start_us, end_us


def _allowed_interval(interval_s: int | None) -> int | None:
    """Round up to the next entry of Xively's table; beyond the last, the last."""
    if interval_s is None:
        return None
    return next((allowed for allowed in INTERVAL_RANGES_S if allowed >= interval_s), DAY_S)


def _fitting_interval(range_s: float) -> int:
    """The smallest interval whose range holds this one; beyond the last, the last."""
    return next(
        (interval_s for interval_s, max_s in INTERVAL_RANGES_S.items() if range_s <= max_s), DAY_S
    )


def midnight_origin_us(utc_offset_s: int) -> int:
    """An instant that steps count from: midnight in a zone of that offset."""
    return -utc_offset_s * SECOND_US


def sampled(buckets: Sequence[Bucket]) -> list[Datapoint]:
    """One stored datapoint a step: the last of each bucket, at its own time. Oldest first."""
    return [bucket.last for bucket in buckets]


def sampled_at_steps(
    buckets: Sequence[Bucket],
    previous: Datapoint | None,
    history_range: HistoryRange,
    origin_us: int,
) -> list[Datapoint]:
    """The value at each fixed step: the last datapoint stored before it.

    Args:
        buckets: of the range, oldest first, by the same interval and origin.
        previous: the newest datapoint before the range, if any.

    Returns:
        At most `limit` datapoints at exact steps within the range, oldest first; none before the
        first value.

    Source: Xively API v2, historical queries, "interval_type=discrete".
    """
    step_us = history_range.interval_us
    values_by_start = {bucket.start_us: bucket.last.value for bucket in buckets}
    value: str | None
    if previous is not None:
        value = previous.value
        start_us = origin_us + (history_range.start_us - origin_us) // step_us * step_us
    elif buckets:  # nothing before: the steps of a thousand silent years need not be counted
        value = None
        start_us = buckets[0].start_us
    else:
        return []
    datapoints: list[Datapoint] = []
    wanted = history_range.skip + history_range.limit
    while start_us < history_range.end_us and len(datapoints) < wanted:
        if value is not None and start_us >= history_range.start_us:
            datapoints.append(Datapoint(start_us, value))
        value = values_by_start.get(start_us, value)
        start_us += step_us
    return datapoints[history_range.skip :]


def calculated(buckets: Sequence[Bucket], function: Function) -> list[Datapoint]:
    """One number a bucket, at its start, oldest first; buckets without numbers are left out.

    Source: Xively API v2, historical queries, "function".
    """
    calculate = _CALCULATIONS[function]
    return [
        Datapoint(bucket.start_us, text_of(calculate(bucket)))
        for bucket in buckets
        if bucket.number_count
    ]


# Only of buckets with numbers; their fields are not None then.
_CALCULATIONS: dict[Function, Callable[[Any], float]] = {
    "average": lambda bucket: bucket.total / bucket.number_count,
    "sum": lambda bucket: bucket.total,
    "min": lambda bucket: bucket.minimum,
    "max": lambda bucket: bucket.maximum,
}
