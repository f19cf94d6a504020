"""What a chart shows: one channel over a range, summarized by the archive to fit its pixels."""

from collections.abc import Sequence

import msgspec

from thingtank.tank.access import Caller
from thingtank.tank.actions.datastreams import get_datastream
from thingtank.tank.datapoints import Bucket
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.history import DAY_S, HOUR_S
from thingtank.tank.tank import Tank

RANGES_S = {
    "1h": HOUR_S,
    "6h": 6 * HOUR_S,
    "1d": DAY_S,
    "1w": 7 * DAY_S,
    "1m": 30 * DAY_S,
    "1y": 365 * DAY_S,
}
RANGE_LABELS = {
    "1h": "1 hour",
    "6h": "6 hours",
    "1d": "1 day",
    "1w": "1 week",
    "1m": "1 month",
    "1y": "1 year",
}
WIDTH_MIN, WIDTH_MAX = 50, 4000
TEXTS_MAX = 20

# Whole seconds, minutes and hours: such steps can be answered from the archive's roll-ups.
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)


class Chart(msgspec.Struct, frozen=True):
    """One channel over a range, as columns.

    Attributes:
        start_s, end_s: the range, seconds since the epoch, UTC.
        step_s: width of the summaries.
        at_s: where each summary is drawn; its own instant when it holds one datapoint.
        minimum, maximum, mean: of each summary's numbers, in the order of `at_s`.
        texts: (at_s, value) where values that are no numbers changed, the last TEXTS_MAX of them.
    """

    start_s: float
    end_s: float
    step_s: int
    at_s: list[float]
    minimum: list[float]
    maximum: list[float]
    mean: list[float]
    texts: list[tuple[float, str]]


def step_s_of(range_s: int, width_px: int) -> int:
    """The narrowest usual step that gives each pixel at most one summary (so two points)."""
    exact_s = range_s / width_px
    for step_s in STEPS_S:
        if step_s >= exact_s:
            return step_s
    return -(-range_s // (width_px * DAY_S)) * DAY_S


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
    return end_us - range_s * 1_000_000, end_us


async def read_chart(
    tank: Tank, caller: Caller, device_id: int, name: str, range_name: str, width_px: int
) -> Chart:
    """Read a channel's chart up to now.

    Args:
        range_name: one of RANGES_S.
        width_px: how wide the chart is; clipped to what screens have.

    Raises:
        NoSuchDevice, NoSuchDatastream, NotAllowed, Unauthenticated, ValidationFailed.
    """
    datastream = get_datastream(tank, caller, device_id, name)
    start_us, end_us = range_us(range_name, tank.clock.now_us())
    step_s = step_s_of(RANGES_S[range_name], min(max(width_px, WIDTH_MIN), WIDTH_MAX))
    found = await tank.archive.read_buckets(
        [datastream.stream_id], start_us, end_us, step_s * 1_000_000
    )
    return chart_of(found.get(datastream.stream_id, []), start_us, end_us, step_s)


def chart_of(buckets: Sequence[Bucket], start_us: int, end_us: int, step_s: int) -> Chart:
    """Columns of buckets, n >= 0, oldest first."""
    chart = Chart(start_us / 1e6, end_us / 1e6, step_s, [], [], [], [], [])
    for bucket in buckets:
        if bucket.minimum is None or bucket.maximum is None or bucket.total is None:
            continue
        chart.at_s.append(_drawn_at_us(bucket, start_us, end_us, step_s) / 1e6)
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


def _drawn_at_us(bucket: Bucket, start_us: int, end_us: int, step_s: int) -> int:
    if bucket.count == 1:
        return bucket.first_us
    middle_us = bucket.start_us + step_s * 500_000
    return min(max(middle_us, start_us, bucket.first_us), bucket.last_us, end_us)
