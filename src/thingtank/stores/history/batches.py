"""Rows in order and without repetition, as columns; calculation only."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from thingtank.stores.rows import Rows
from thingtank.tank.arrays import Float64s, Int32s, Int64s
from thingtank.tank.datapoints import Datapoint, text_of


class Columns(NamedTuple):
    """Datapoints of one or many datastreams as the database gives and takes them.

    Attributes:
        numbers: NaN where the value is not a number.
        texts: strings, or None where the number spells the value; None when all rows are so.
    """

    stream_ids: Int32s
    at_us: Int64s
    numbers: Float64s
    texts: npt.NDArray[np.object_] | None

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> "Columns":
        """Some rows, in the order given."""
        texts = None if self.texts is None else self.texts[rows]
        return Columns(self.stream_ids[rows], self.at_us[rows], self.numbers[rows], texts)

    def values(self) -> list[str]:
        """Every row's text as written."""
        numbers = self.numbers.tolist()
        if self.texts is None:
            return [text_of(number) for number in numbers]
        return [
            text_of(number) if text is None else text
            for number, text in zip(numbers, self.texts.tolist(), strict=True)
        ]

    def datapoints(self) -> dict[int, list[Datapoint]]:
        """By datastream; rows must be sorted by datastream and time."""
        if not len(self.stream_ids):
            return {}
        values = self.values()
        times = self.at_us.tolist()
        starts = run_starts(self.stream_ids).tolist()
        ends = [*starts[1:], len(times)]
        return {
            int(self.stream_ids[start]): list(map(Datapoint, times[start:end], values[start:end]))
            for start, end in zip(starts, ends, strict=True)
        }


def columns_of(rows: Rows) -> Columns:
    """Rows in another dress: texts as a column."""
    texts = None
    if rows.texts:
        texts = np.full(len(rows.stream_ids), None, dtype=np.object_)
        texts[list(rows.texts.keys())] = storable_texts(list(rows.texts.values()))
    return Columns(rows.stream_ids, rows.at_us, rows.numbers, texts)


def sorted_newest(columns: Columns) -> Columns:
    """Sort by datastream and time; of rows of one instant keep the last."""
    if _is_in_order(columns):
        return columns
    order = np.lexsort((columns.at_us, columns.stream_ids))  # stable: later rows stay later
    ordered = columns.take(order)
    differs_from_next = np.empty(len(order), dtype=np.bool_)
    differs_from_next[-1] = True
    np.not_equal(ordered.at_us[1:], ordered.at_us[:-1], out=differs_from_next[:-1])
    differs_from_next[:-1] |= ordered.stream_ids[1:] != ordered.stream_ids[:-1]
    return ordered if differs_from_next.all() else ordered.take(differs_from_next)


def _is_in_order(columns: Columns) -> bool:
    """Whether rows are sorted by datastream and time already, and none stands twice."""
    ids, at_us = columns.stream_ids, columns.at_us
    later = (ids[1:] > ids[:-1]) | ((ids[1:] == ids[:-1]) & (at_us[1:] > at_us[:-1]))
    return bool(later.all())


def concatenated(parts: Sequence[Columns]) -> Columns:
    """Columns one after another; n >= 1."""
    if len(parts) == 1:
        return parts[0]
    texts = None
    if any(part.texts is not None for part in parts):
        blanks = [
            np.full(len(part.at_us), None, dtype=np.object_) if part.texts is None else part.texts
            for part in parts
        ]
        texts = np.concatenate(blanks)
    return Columns(
        np.concatenate([part.stream_ids for part in parts]),
        np.concatenate([part.at_us for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        texts,
    )


def run_starts(*keys: npt.NDArray[np.int32] | npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Where runs of equal keys begin; the keys are columns of one length, n >= 1."""
    is_start = np.zeros(len(keys[0]), dtype=np.bool_)
    is_start[0] = True
    for key in keys:
        is_start[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(is_start)


def storable_texts(texts: list[str]) -> list[str]:
    """Texts as UTF-8 can say them: half surrogate pairs become question marks."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return [text.encode("utf-8", "replace").decode() for text in texts]
    return texts
