"""Summaries of parts of a datastream that add up to larger ones; calculation only.

Rows are summed as they are read, an hour's roll-up is one of many rows. Both are `Partials`, so
that one function makes buckets of whatever mixture a range is made of.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from thingtank.stores.history.batches import Columns, run_starts
from thingtank.tank.arrays import Float64s, Int64s
from thingtank.tank.datapoints import Bucket

Texts = npt.NDArray[np.object_]
_NEVER_US = np.iinfo(np.int64).max


class Partials(NamedTuple):
    """Summaries of one datastream as columns, in order of `first_us`; no datapoint is in two.

    Attributes:
        first_us, last_us: when the first and last datapoint of each part were.
        counts, number_counts: of all datapoints, and of those that are numbers.
        minimum, maximum, total: of the numbers; NaN, NaN and 0 where there are none.
        first_number, first_text, last_number, last_text: the values at both ends as `Columns`
            holds them.
        minimum_us, maximum_us: when the extremes were, the first time; anything where there are
            none.
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
    minimum_us: Int64s
    maximum_us: Int64s

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> "Partials":
        """Some of them, in the order given."""
        return partials_from([column[rows] for column in self])


def partials_from(columns: Sequence[Any]) -> Partials:
    """Partials of their columns, in order."""
    return Partials(*columns)


def summed(rows: Columns, interval_us: int, origin_us: int) -> Partials:
    """One part for each step that has rows; rows of one datastream, n >= 1, in order of time."""
    starts = _step_starts(rows.at_us, interval_us, origin_us)
    ends = np.append(starts[1:], len(rows.at_us)) - 1
    counts = (ends - starts + 1).astype(np.int64)
    is_number = ~np.isnan(rows.numbers)
    numbers, number_counts = rows.numbers, counts
    if not is_number.all():
        numbers = np.where(is_number, numbers, 0.0)
        number_counts = np.add.reduceat(is_number.astype(np.int64), starts)
    minimum = np.fmin.reduceat(rows.numbers, starts)  # a NaN counts only where all are
    maximum = np.fmax.reduceat(rows.numbers, starts)
    no_texts = np.full(len(starts), None, dtype=np.object_)
    return Partials(
        rows.at_us[starts],
        rows.at_us[ends],
        counts,
        number_counts,
        minimum,
        maximum,
        np.add.reduceat(numbers, starts),
        rows.numbers[starts],
        rows.numbers[ends],
        no_texts if rows.texts is None else rows.texts[starts],
        no_texts if rows.texts is None else rows.texts[ends],
        _first_at(rows.numbers, minimum, counts, rows.at_us),
        _first_at(rows.numbers, maximum, counts, rows.at_us),
    )


def _step_starts(at_us: Int64s, interval_us: int, origin_us: int) -> npt.NDArray[np.intp]:
    """Where the steps begin that times, n >= 1 in order, are in."""
    first, last = ((int(at_us[row]) - origin_us) // interval_us for row in (0, -1))
    if last - first >= len(at_us):  # more steps than rows
        return run_starts((at_us - origin_us) // interval_us)
    # To look each step up is far less work than to divide each row's time.
    edges_us = np.arange(first + 1, last + 1, dtype=np.int64) * interval_us + origin_us
    return np.unique(np.append(np.searchsorted(at_us, edges_us), 0))


def _first_at(
    numbers: Float64s, wanted: Float64s, counts: npt.NDArray[np.integer[Any]], at_us: Int64s
) -> Int64s:
    """When each step's number was first the wanted one; 0 where that is NaN."""
    rows = np.flatnonzero(numbers == np.repeat(wanted, counts))
    steps = np.searchsorted(np.cumsum(counts), rows, side="right")
    found = np.zeros(len(counts), dtype=np.int64)
    if len(rows):
        firsts = run_starts(steps)
        found[steps[firsts]] = at_us[rows[firsts]]
    return found


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
    starts = _step_starts(parts.first_us, interval_us, origin_us)
    lengths = np.diff(np.append(starts, len(parts.first_us)))
    last_us = np.maximum.reduceat(parts.last_us, starts)
    # Parts may reach over the same time, so the one that begins last need not end last.
    ends = _first_rows(parts.last_us, last_us, lengths)
    minimum = np.fmin.reduceat(parts.minimum, starts)  # a NaN counts only where all are
    maximum = np.fmax.reduceat(parts.maximum, starts)
    return Partials(
        parts.first_us[starts],
        last_us,
        np.add.reduceat(parts.counts, starts),
        np.add.reduceat(parts.number_counts, starts),
        minimum,
        maximum,
        np.add.reduceat(parts.total, starts),
        parts.first_number[starts],
        parts.last_number[ends],
        parts.first_text[starts],
        parts.last_text[ends],
        _earliest(parts.minimum, minimum, lengths, parts.minimum_us, starts),
        _earliest(parts.maximum, maximum, lengths, parts.maximum_us, starts),
    )


def _first_rows(
    column: Int64s, wanted: Int64s, lengths: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.intp]:
    """The first row of each step that has the wanted number; each step has one."""
    rows = np.flatnonzero(column == np.repeat(wanted, lengths))
    steps = np.searchsorted(np.cumsum(lengths), rows, side="right")
    return rows[run_starts(steps)]


def _earliest(
    numbers: Float64s,
    wanted: Float64s,
    lengths: npt.NDArray[np.integer[Any]],
    at_us: Int64s,
    starts: npt.NDArray[np.intp],
) -> Int64s:
    """When each step's number was first the wanted one; anything where that is NaN."""
    is_wanted = numbers == np.repeat(wanted, lengths)
    earliest: Int64s = np.minimum.reduceat(np.where(is_wanted, at_us, _NEVER_US), starts)
    return earliest


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
        _or_none(steps.minimum_us, has_number),
        _or_none(steps.maximum_us, has_number),
    )
    return list(map(Bucket, *columns))


def _or_none(column: Float64s | Int64s, are_there: npt.NDArray[np.bool_]) -> list[Any]:
    found: list[Any] = column.tolist()
    for row in np.flatnonzero(~are_there).tolist():
        found[row] = None
    return found


def _kept(numbers: Float64s, texts: Texts) -> list[float | str]:
    kept: list[float | str] = numbers.tolist()
    for row in np.flatnonzero(texts != None).tolist():  # noqa: E711 - element by element
        kept[row] = texts[row]
    return kept
