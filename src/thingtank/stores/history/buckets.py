"""Datapoints gathered into steps of time; calculation only."""

import numpy as np

from thingtank.stores.history.batches import Columns, run_starts
from thingtank.tank.datapoints import Bucket, Datapoint


def buckets_of(rows: Columns, interval_us: int, origin_us: int) -> dict[int, list[Bucket]]:
    """Summaries by datastream and step, oldest first; empty steps are left out.

    Args:
        rows: sorted by datastream and time, one for each instant.
        interval_us: width of a step; steps count from `origin_us`.
    """
    if not len(rows.stream_ids):
        return {}
    steps = (rows.at_us - origin_us) // interval_us
    starts = run_starts(rows.stream_ids, steps).tolist()
    ends = [*starts[1:], len(steps)]
    found: dict[int, list[Bucket]] = {}
    for start, end in zip(starts, ends, strict=True):
        start_us = int(steps[start]) * interval_us + origin_us
        bucket = _bucket(rows.take(slice(start, end)), start_us)
        found.setdefault(int(rows.stream_ids[start]), []).append(bucket)
    return found


def _bucket(rows: Columns, start_us: int) -> Bucket:
    numbers = rows.numbers[~np.isnan(rows.numbers)]
    first, last = rows.take(slice(0, 1)), rows.take(slice(len(rows.at_us) - 1, None))
    return Bucket(
        start_us=start_us,
        count=len(rows.at_us),
        number_count=len(numbers),
        minimum=float(numbers.min()) if len(numbers) else None,
        maximum=float(numbers.max()) if len(numbers) else None,
        total=float(numbers.sum()) if len(numbers) else None,
        first=Datapoint(int(first.at_us[0]), first.values()[0]),
        last=Datapoint(int(last.at_us[0]), last.values()[0]),
    )
