"""A question about history, and how it is asked in pages. Pure: no I/O.

The server answers at most 1000 datapoints at once, and bounds the range by the interval: raw values
six hours, five-minute values five days, and so on. A longer question is asked window by window, and
in a window page by page, so that a program sees one run of datapoints.

Source: Xively API v2, historical queries.
"""

from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from thingtank.client.models import Datapoint
from thingtank.client.times import text_of, us_of

Function = Literal["average", "sum", "min", "max"]
FUNCTIONS = ("average", "sum", "min", "max")

PAGE = 1000
WINDOWS_MAX = 10_000
_HOUR_S = 3600
_DAY_S = 86_400
# Interval in seconds → the largest range that one request may span, in seconds.
RANGES_S = {
    0: 6 * _HOUR_S,
    30: 12 * _HOUR_S,
    60: 24 * _HOUR_S,
    300: 5 * _DAY_S,
    900: 14 * _DAY_S,
    1800: 31 * _DAY_S,
    3600: 31 * _DAY_S,
    10_800: 90 * _DAY_S,
    21_600: 180 * _DAY_S,
    43_200: 366 * _DAY_S,
    86_400: 366 * _DAY_S,
}
_SECOND_US = 1_000_000

Pages = Generator[dict[str, str], Sequence[Datapoint], None]


class HistoryQuery(msgspec.Struct, frozen=True):
    """A checked question; times in microseconds since the epoch, both ends included."""

    start_us: int
    end_us: int
    interval_s: int
    function: Function | None
    is_discrete: bool
    find_previous: bool


def history_query(
    start: datetime | None,
    end: datetime | None,
    duration: timedelta | None,
    interval: int | None,
    function: Function | None,
    *,
    is_discrete: bool,
    find_previous: bool,
) -> HistoryQuery:
    """Check a question.

    Args:
        start, end, duration: two of them, or one that runs up to now; none for the last 24 hours.
        interval: seconds between values; 0 for every value; None for the finest that the server
            gives for the range at once. Others are rounded up, as the server does.

    Raises:
        ValueError.
    """
    start_us, end_us = _bounds(start, end, duration)
    if end_us < start_us:
        raise ValueError("end must not be before start")
    range_s = (end_us - start_us) / _SECOND_US
    interval_s = _fitting(range_s) if interval is None else _allowed(interval)
    if function is not None and function not in FUNCTIONS:
        raise ValueError(f"function must be one of {', '.join(FUNCTIONS)}")
    if (function or is_discrete) and not interval_s:
        interval_s = 30  # steps need a width, and this is the finest
    if range_s / RANGES_S[interval_s] > WINDOWS_MAX:
        raise ValueError("the range is too long for this interval; ask for a larger interval")
    return HistoryQuery(start_us, end_us, interval_s, function, is_discrete, find_previous)


def _bounds(
    start: datetime | None, end: datetime | None, duration: timedelta | None
) -> tuple[int, int]:
    if duration is None and start is None:
        duration = timedelta(days=1)
    if duration is not None:
        if start is not None and end is not None:
            raise ValueError("of start, end and duration give two")
        if start is not None:
            return us_of(start), us_of(start + duration)
        end = datetime.now(UTC) if end is None else end
        return us_of(end - duration), us_of(end)
    assert start is not None
    return us_of(start), us_of(datetime.now(UTC) if end is None else end)


def _allowed(interval: int) -> int:
    if interval < 0:
        raise ValueError("interval must not be less than 0")
    return next((allowed for allowed in RANGES_S if allowed >= interval), _DAY_S)


def _fitting(range_s: float) -> int:
    return next((found for found, range_max in RANGES_S.items() if range_s <= range_max), _DAY_S)


def pages(query: HistoryQuery) -> Pages:
    """Yields the parameters of one request after the other; is sent what each was answered."""
    next_us, finds_previous = query.start_us, query.find_previous
    while next_us <= query.end_us:
        window_end_us = _window_end_us(query, next_us)
        found = yield _parameters(query, next_us, window_end_us, finds_previous)
        finds_previous = False
        if len(found) < PAGE:
            next_us = window_end_us + 1
        else:
            next_us = _after(query, us_of(found[-1].at), next_us)


def _window_end_us(query: HistoryQuery, start_us: int) -> int:
    end_us = start_us + RANGES_S[query.interval_s] * _SECOND_US
    step_us = query.interval_s * _SECOND_US
    if step_us:  # whole steps, counted from midnight UTC as the server does, so that none is cut
        end_us = end_us // step_us * step_us - 1
    return min(query.end_us, end_us)


def _after(query: HistoryQuery, last_us: int, asked_us: int) -> int:
    """Where to read on behind a full page; always further than was asked, so that it ends."""
    if query.function or query.is_discrete:  # these stand at the start of their step
        last_us += query.interval_s * _SECOND_US - 1
    return max(last_us, asked_us) + 1


def _parameters(
    query: HistoryQuery, start_us: int, end_us: int, finds_previous: bool
) -> dict[str, str]:
    parameters = {
        "start": text_of(start_us),
        "end": text_of(end_us),
        "interval": str(query.interval_s),
        "limit": str(PAGE),
    }
    if query.function:
        parameters["function"] = query.function
    if query.is_discrete:
        parameters["interval_type"] = "discrete"
    if finds_previous:
        parameters["find_previous"] = "true"
    return parameters
