"""Questions about history, and that their pages together are the whole, without gap or repetition."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.client.history_query import PAGE, RANGES_S, HistoryQuery, history_query, pages
from thingtank.client.models import Datapoint
from thingtank.client.times import datetime_of, us_of
from thingtank.protocols.xively.times import parse_time
from thingtank.tank.history import INTERVAL_RANGES_S

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def query(*times: datetime | None, **terms: Any) -> HistoryQuery:
    start, end = (*times, None, None)[:2]
    duration, interval = terms.pop("duration", None), terms.pop("interval", None)
    function = terms.pop("function", None)
    return history_query(
        start, end, duration, interval, function,
        is_discrete=terms.pop("is_discrete", False), find_previous=terms.pop("find_previous", False),
    )  # fmt: skip


def test_the_table_of_intervals_is_the_servers() -> None:
    assert RANGES_S == INTERVAL_RANGES_S


@pytest.mark.parametrize(
    ("terms", "interval_s"),
    [
        ({"duration": HOUR}, 0),
        ({"duration": 24 * HOUR}, 60),
        ({"duration": 25 * HOUR}, 300),
        ({"duration": 9999 * 24 * HOUR}, 86_400),
        ({"duration": 24 * HOUR, "interval": 0}, 0),
        ({"duration": 24 * HOUR, "interval": 31}, 60),
        ({"duration": HOUR, "interval": 10**9}, 86_400),
        ({"duration": HOUR, "function": "average"}, 30),
        ({"duration": HOUR, "is_discrete": True}, 30),
        ({}, 60),
    ],
)
def test_the_interval_follows_the_range_or_the_wish(terms: dict[str, Any], interval_s: int) -> None:
    assert query(**terms).interval_s == interval_s


@pytest.mark.parametrize(
    ("times", "terms"),
    [
        ((NOON, NOON), {"duration": HOUR}),
        ((NOON, NOON - HOUR), {}),
        ((NOON,), {"duration": -HOUR}),
        ((NOON.replace(tzinfo=None),), {}),
        ((NOON, NOON + HOUR), {"interval": -1}),
        ((NOON, NOON + HOUR), {"function": "median"}),
        ((datetime(1, 1, 2, tzinfo=UTC), NOON), {"interval": 0}),
    ],
)
def test_terms_that_make_no_sense_are_refused(
    times: Sequence[datetime], terms: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        query(*times, **terms)


def answer(stored: Sequence[int], terms: dict[str, str], interval_s: int) -> list[Datapoint]:
    """What the server answers, by its rules."""
    start_us, end_us = parse_time(terms["start"]), parse_time(terms["end"])
    assert (end_us - start_us) / 1e6 <= RANGES_S[interval_s]
    inside = [at for at in stored if start_us <= at <= end_us]
    if interval_s and "function" in terms:
        inside = sorted({at // (interval_s * 10**6) * interval_s * 10**6 for at in inside})
    elif interval_s:
        inside = sorted({at // (interval_s * 10**6): at for at in inside}.values())
    return [Datapoint(datetime_of(at), str(at)) for at in inside[:PAGE]]


def asked(query: HistoryQuery, stored: Sequence[int]) -> list[int]:
    found: list[int] = []
    asking = pages(query)
    terms = next(asking, None)
    while terms is not None:
        page = answer(stored, terms, query.interval_s)
        found += [us_of(point.at) for point in page]
        try:
            terms = asking.send(page)
        except StopIteration:
            break
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 86_400),
    st.integers(1, 400_000),
    st.sampled_from([0, 30, 60]),
    st.sampled_from([None, "average"]),
    st.integers(0, 2**30),
)
def test_pages_together_are_the_whole(
    offset_s: int, range_s: int, interval: int, function: Any, seed: int
) -> None:
    import random

    chance = random.Random(seed)
    start = NOON + timedelta(seconds=offset_s, microseconds=seed % 10**6)
    end = start + timedelta(seconds=range_s)
    stored = sorted(
        {us_of(start) + chance.randrange(-60, range_s + 60) * 10**6 for _ in range(3500)}
    )
    asked_for = query(start, end, interval=interval, function=function)
    inside = [at for at in stored if us_of(start) <= at <= us_of(end)]
    step_us = asked_for.interval_s * 10**6
    if function:
        inside = sorted({at // step_us * step_us for at in inside})
    elif step_us:
        inside = sorted({at // step_us: at for at in inside}.values())
    assert asked(asked_for, stored) == inside


def test_the_value_before_is_asked_for_once() -> None:
    asking = pages(query(NOON, NOON + 20 * HOUR, interval=0, find_previous=True))
    first, second = next(asking), asking.send([])
    assert "find_previous" in first
    assert "find_previous" not in second
