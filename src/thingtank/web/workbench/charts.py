"""What a chart shows: one channel over a range, summarized by the archive to fit its pixels."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from thingtank.tank.access import Caller
from thingtank.tank.actions.datastreams import get_datastream
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Bucket
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.history import DAY_S, HOUR_S, SECOND_US
from thingtank.tank.tank import Tank

RANGES_S = {
    "1h": HOUR_S,
    "6h": 6 * HOUR_S,
    "1d": DAY_S,
    "1w": 7 * DAY_S,
    "1m": 30 * DAY_S,
    "1y": 365 * DAY_S,
}
ALL = "all"  # from the first value on
RANGE_LABELS = {
    "1h": "1 hour",
    "6h": "6 hours",
    "1d": "1 day",
    "1w": "1 week",
    "1m": "1 month",
    "1y": "1 year",
}
CHART_LABELS = {**RANGE_LABELS, ALL: "everything"}
WIDTH_MIN, WIDTH_MAX = 20, 4000
TEXTS_MAX = 20
RANGE_US_MIN = 10_000  # nobody sees anything in less

# Whole seconds, minutes and hours: such steps can be answered from the archive's roll-ups, and what
# is drawn does not flicker while the range moves on with time.
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
STEPS_US = (
    *(step_ms * 1000 for step_ms in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(step_s * SECOND_US for step_s in STEPS_S),
)
_SECONDS = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)


class Chart(msgspec.Struct, frozen=True):
    """One channel over a range, as columns.

    Attributes:
        start_s, end_s: the range, seconds since the epoch, UTC.
        step_s: width of the summaries.
        at_s: where each summary is drawn; its own instant when it holds one datapoint.
        minimum, maximum, mean: of each summary's numbers, in the order of `at_s`.
        minimum_at_s, maximum_at_s: when the extremes were, each the first time: datapoints as they
            were written.
        count: how many numbers each summary is of.
        texts: (at_s, value) where values that are no numbers changed, the last TEXTS_MAX of them.
    """

    start_s: float
    end_s: float
    step_s: float
    at_s: list[float]
    minimum: list[float]
    maximum: list[float]
    mean: list[float]
    minimum_at_s: list[float]
    maximum_at_s: list[float]
    count: list[int]
    texts: list[tuple[float, str]]


class ChartTerms(msgspec.Struct, frozen=True):
    """Which part of a channel's past a chart shows.

    Attributes:
        range_name: up to now: one of RANGES_S, or ALL.
        start_us, end_us: instead of it, both or neither; end excluded.
        width_px: how wide the chart is; clipped to what screens have.
    """

    range_name: str = "1h"
    start_us: int | None = None
    end_us: int | None = None
    width_px: int = 600


def step_us_of(range_us: int, width_px: int) -> int:
    """The narrowest usual step that gives each pixel at most one summary (so two points).

    Args:
        range_us: microseconds, n > 0.
        width_px: clipped to what screens have.
    """
    width_px = min(max(width_px, WIDTH_MIN), WIDTH_MAX)
    exact_us = range_us / width_px
    for step_us in STEPS_US:
        if step_us >= exact_us:
            return step_us
    day_us = DAY_S * SECOND_US
    return -(-range_us // (width_px * day_us)) * day_us


def range_us(range_name: str, now_us: int) -> tuple[int, int]:
    """A range up to now, end excluded.

    Args:
        range_name: one of RANGES_S.

    Raises:
        ValidationFailed: it is none.
    """
    range_s = RANGES_S.get(range_name)
    if range_s is None:
        raise ValidationFailed([("range", f"must be one of {', '.join(RANGES_S)}")])
    end_us = now_us + 1
    return end_us - range_s * SECOND_US, end_us


def chart_terms(asked: Mapping[str, str]) -> ChartTerms:
    """Terms from an address: `range`, or `start` and `end` in seconds since the epoch; `width`.

    Raises:
        ValidationFailed: a term is nonsense.
    """
    width = asked.get("width", "600")
    if not (width.isascii() and width.isdigit() and len(width) < 6):
        raise ValidationFailed([("width", "must be a whole number of pixels")])
    if "start" not in asked and "end" not in asked:
        return ChartTerms(asked.get("range", "1h"), width_px=int(width))
    return ChartTerms(
        start_us=_instant_us("start", asked), end_us=_instant_us("end", asked), width_px=int(width)
    )


def _instant_us(name: str, asked: Mapping[str, str]) -> int:
    text = asked.get(name, "")
    if not _SECONDS.fullmatch(text):
        raise ValidationFailed([(name, "must be a number of seconds since 1970")])
    return round(Decimal(text) * SECOND_US)


async def read_chart(
    tank: Tank, caller: Caller, device_id: int, name: str, terms: ChartTerms
) -> Chart:
    """Read a part of a channel's past for a chart.

    Raises:
        NoSuchDevice, NoSuchDatastream, NotAllowed, Unauthenticated, ValidationFailed.
    """
    stream_id = get_datastream(tank, caller, device_id, name).stream_id
    start_us, end_us = await _bounds_us(tank, stream_id, terms)
    step_us = step_us_of(end_us - start_us, terms.width_px)
    found = await tank.archive.read_buckets(
        [stream_id], start_us, end_us, step_us, is_as_written=False
    )
    return chart_of(found.get(stream_id, []), start_us, end_us, step_us)


async def _bounds_us(tank: Tank, stream_id: int, terms: ChartTerms) -> tuple[int, int]:
    now_us = tank.clock.now_us()
    if terms.range_name != ALL or terms.start_us is not None:
        return bounds_us(terms, now_us)
    first = (await tank.archive.read([stream_id], AT_US_MIN, now_us + 1, 1)).get(stream_id)
    start_us = first[0].at_us if first else now_us
    return min(start_us, now_us - HOUR_S * SECOND_US), now_us + 1


def bounds_us(terms: ChartTerms, now_us: int) -> tuple[int, int]:
    """What is asked for, end excluded; ALL is not among it.

    Raises:
        ValidationFailed: there is no such range, or nothing in it.
    """
    if terms.start_us is not None and terms.end_us is not None:
        start_us = max(terms.start_us, AT_US_MIN)
        end_us = min(terms.end_us, AT_US_MAX)
        if end_us - start_us < RANGE_US_MIN:
            raise ValidationFailed([("end", "must be after start, by a hundredth of a second")])
        return start_us, end_us
    return range_us(terms.range_name, now_us)


def empty_chart(start_us: int, end_us: int, step_us: int) -> Chart:
    """A chart whose columns are still to be filled."""
    return Chart(start_us / 1e6, end_us / 1e6, step_us / 1e6, [], [], [], [], [], [], [], [])


def chart_of(buckets: Sequence[Bucket], start_us: int, end_us: int, step_us: int) -> Chart:
    """Columns of buckets, n >= 0, oldest first."""
    chart = empty_chart(start_us, end_us, step_us)
    for bucket in buckets:
        if bucket.minimum is None or bucket.maximum is None or bucket.total is None:
            continue
        assert bucket.minimum_us is not None, "as there is a minimum"
        assert bucket.maximum_us is not None, "as there is a maximum"
        chart.at_s.append(_drawn_at_us(bucket, start_us, end_us, step_us) / 1e6)
        chart.minimum_at_s.append(bucket.minimum_us / 1e6)
        chart.maximum_at_s.append(bucket.maximum_us / 1e6)
        chart.count.append(bucket.number_count)
        chart.minimum.append(bucket.minimum)
        chart.maximum.append(bucket.maximum)
        chart.mean.append(bucket.total / bucket.number_count)
    chart.texts.extend(_changes(buckets)[-TEXTS_MAX:])
    return chart


def _changes(buckets: Sequence[Bucket]) -> list[tuple[float, str]]:
    """When texts changed: of equal ones in a row only the first."""
    changes: list[tuple[float, str]] = []
    for bucket in buckets:
        if bucket.number_count == bucket.count:
            continue
        for datapoint in (bucket.first, bucket.last):
            if not changes or changes[-1][1] != datapoint.value:
                changes.append((datapoint.at_us / 1e6, datapoint.value))
    return changes


def _drawn_at_us(bucket: Bucket, start_us: int, end_us: int, step_us: int) -> int:
    if bucket.count == 1:
        return bucket.first_us
    middle_us = bucket.start_us + step_us // 2
    return min(max(middle_us, start_us, bucket.first_us), bucket.last_us, end_us)
