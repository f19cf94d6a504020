"""Summaries of parts of a datastream that add up to larger ones; calculation only.

A row is its own summary, an hour's roll-up is one of many rows. Both are `Partials`, so that one
function makes buckets of whatever mixture a range is made of.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from thingtank.stores.history.batches import Columns, run_starts
from thingtank.tank.arrays import Float64s, Int64s
from thingtank.tank.datapoints import Bucket

Texts = npt.NDArray[np.object_]


class Partials(NamedTuple):
    """Summaries of one datastream as columns, in order of time, of parts that do not overlap.

    Attributes:
        first_us, last_us: when the first and last datapoint of each part were.
        counts, number_counts: of all datapoints, and of those that are numbers.
        minimum, maximum, total: of the numbers; NaN, NaN and 0 where there are none.
        first_number, first_text, last_number, last_text: the values at both ends as `Columns`
            holds them.
    """

    first_us: Int64s
    last_us: Int64s
    counts: Int64s
    number_counts: Int64s
    minimum: Float64s
    maximum: Float64s
    total: Float64s
    first_number: Float64s
    last_number: Float64s
    first_text: Texts
    last_text: Texts

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> "Partials":
        """Some of them, in the order given."""
        return partials_from([column[rows] for column in self])


def partials_from(columns: Sequence[Any]) -> Partials:
    """Partials of their columns, in order."""
    return Partials(*columns)


def partials_of(rows: Columns) -> Partials:
    """Each row as a part; rows of one datastream, in order of time."""
    is_number = ~np.isnan(rows.numbers)
    texts = np.full(len(rows.at_us), None, dtype=np.object_) if rows.texts is None else rows.texts
    return Partials(
        rows.at_us,
        rows.at_us,
        np.ones(len(rows.at_us), dtype=np.int64),
        is_number.astype(np.int64),
        rows.numbers,
        rows.numbers,
        np.where(is_number, rows.numbers, 0.0),
        rows.numbers,
        rows.numbers,
        texts,
        texts,
    )


def joined(parts: Sequence[Partials]) -> Partials:
    """All of them in order of time; n >= 1."""
    if len(parts) == 1:
        return parts[0]
    together = partials_from([np.concatenate(columns) for columns in zip(*parts, strict=True)])
    return together.take(np.argsort(together.first_us, kind="stable"))


def merged(parts: Partials, interval_us: int, origin_us: int) -> Partials:
    """One part for each step of `interval_us` from `origin_us` that has any."""
    if not len(parts.first_us):
        return parts
    starts = run_starts((parts.first_us - origin_us) // interval_us)
    ends = np.append(starts[1:], len(parts.first_us)) - 1
    return Partials(
        parts.first_us[starts],
        parts.last_us[ends],
        np.add.reduceat(parts.counts, starts),
        np.add.reduceat(parts.number_counts, starts),
        np.fmin.reduceat(parts.minimum, starts),  # a NaN counts only where there is nothing else
        np.fmax.reduceat(parts.maximum, starts),
        np.add.reduceat(parts.total, starts),
        parts.first_number[starts],
        parts.last_number[ends],
        parts.first_text[starts],
        parts.last_text[ends],
    )


def buckets_of(parts: Partials, interval_us: int, origin_us: int, limit: int) -> list[Bucket]:
    """The oldest `limit` buckets; steps without a part are left out."""
    steps = merged(parts, interval_us, origin_us)
    steps = steps.take(np.arange(min(limit, len(steps.first_us))))
    starts_us = (steps.first_us - origin_us) // interval_us * interval_us + origin_us
    has_number = steps.number_counts > 0
    columns = (
        starts_us.tolist(),
        steps.counts.tolist(),
        steps.number_counts.tolist(),
        _or_none(steps.minimum, has_number),
        _or_none(steps.maximum, has_number),
        _or_none(steps.total, has_number),
        steps.first_us.tolist(),
        _kept(steps.first_number, steps.first_text),
        steps.last_us.tolist(),
        _kept(steps.last_number, steps.last_text),
    )
    return list(map(Bucket, *columns))


def _or_none(numbers: Float64s, are_there: npt.NDArray[np.bool_]) -> list[float | None]:
    found: list[float | None] = numbers.tolist()
    for row in np.flatnonzero(~are_there).tolist():
        found[row] = None
    return found


def _kept(numbers: Float64s, texts: Texts) -> list[float | str]:
    kept: list[float | str] = numbers.tolist()
    for row in np.flatnonzero(texts != None).tolist():  # noqa: E711 - element by element
        kept[row] = texts[row]
    return kept
