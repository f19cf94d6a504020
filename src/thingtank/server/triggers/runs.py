"""Rows of consecutive commits, taken together: under load, many small commits cost as one large.

A turn's batches are put together as far as that changes nothing, and their rows sorted out by
datastream. Each trigger then walks through those of its own (`tank/trigger_walk.py`).
"""

from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from thingtank.stores.journal_readers import CommittedBatch
from thingtank.stores.rows import Deletion
from thingtank.tank.arrays import Int32s, Int64s
from thingtank.tank.datapoints import Datapoint, DatapointColumns
from thingtank.tank.trigger_walk import Arrivals

ROWS_WALK_MIN = 16  # of one datastream; fewer are quicker one by one
_ROWS_RUN_MAX = 20_000  # unless one commit alone has more


def in_runs(batches: Iterable[CommittedBatch]) -> Iterator[Sequence[CommittedBatch]]:
    """Put batches together that may be taken as one run; others come alone.

    Alone are those with a deletion, those of which it is not known when they were committed, and
    those that would gain nothing. A trigger that meets a fault of ours misses the rest of a run.
    """
    together: list[CommittedBatch] = []
    rows_count = 0
    for batch in batches:
        count = _row_count(batch)
        if count is None or rows_count + count > _ROWS_RUN_MAX:
            yield from _parted(together, rows_count)
            together, rows_count = [], 0
        if count is None:
            yield (batch,)
        else:
            together.append(batch)
            rows_count += count
    yield from _parted(together, rows_count)


def _row_count(batch: CommittedBatch) -> int | None:
    """How many rows a batch has; None if it must be taken alone."""
    if batch.committed_us is None or any(isinstance(i, Deletion) for i in batch.changes):
        return None
    return sum(len(i) for i in batch.changes if isinstance(i, DatapointColumns))


def _parted(
    together: Sequence[CommittedBatch], rows_count: int
) -> Iterator[Sequence[CommittedBatch]]:
    if rows_count >= ROWS_WALK_MIN:
        yield together
    else:
        yield from ((batch,) for batch in together)


class Run:
    """Rows in the order they were written, each with the instant it was committed."""

    def __init__(self) -> None:
        self._columns: list[DatapointColumns] = []
        self._committed_us: list[int | None] = []
        self._seqs: list[int] = []
        self._starts: list[int] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, columns: DatapointColumns, committed_us: int | None, seq: int) -> None:
        """Append rows.

        Args:
            committed_us: None for some time since the rows before.
            seq: of their batch.
        """
        self._starts.append(self._count)
        self._columns.append(columns)
        self._committed_us.append(committed_us)
        self._seqs.append(seq)
        self._count += len(columns)

    def arrival(self, row: int) -> tuple[int, Datapoint, int | None]:
        """Stream_id, datapoint, and when it came."""
        part = self._part_of(row)
        columns, i = self._columns[part], row - self._starts[part]
        datapoint = Datapoint(columns.at_us[i], columns.value(i))
        return columns.stream_ids[i], datapoint, self._committed_us[part]

    def seqs_from(self, rows: Iterable[int]) -> set[int]:
        """The batches that have some of the given rows, or later ones of their datastreams."""
        first_parts: dict[int, int] = {}
        for row in sorted(rows, reverse=True):
            part = self._part_of(row)
            first_parts[self._columns[part].stream_ids[row - self._starts[part]]] = part
        seqs: set[int] = set()
        for stream_id, first in first_parts.items():
            parts = zip(self._columns[first:], self._seqs[first:], strict=True)
            seqs.update(seq for columns, seq in parts if stream_id in columns.stream_ids)
        return seqs

    def _part_of(self, row: int) -> int:
        return bisect_right(self._starts, row) - 1

    def split(
        self, watched: Container[int]
    ) -> tuple[Sequence[int], Iterator[tuple[int, Arrivals]]]:
        """Sort out the rows of the datastreams that are watched.

        Returns:
            The rows to be stepped one by one, in order; and by datastream the arrivals to be walked
            through, which know their rows. Some datastreams have several, in order: where the clock
            was set back, others begin.
        """
        if self._count < ROWS_WALK_MIN or None in self._committed_us:
            ids = (i for columns in self._columns for i in columns.stream_ids)
            return [row for row, i in enumerate(ids) if i in watched], iter(())
        stream_ids = np.concatenate([np.frombuffer(i.stream_ids, np.int32) for i in self._columns])
        found, counts = np.unique(stream_ids, return_counts=True)
        few: list[int] = []
        many: list[int] = []
        for stream_id, count in zip(found.tolist(), counts.tolist(), strict=True):
            if stream_id in watched:
                (many if count >= ROWS_WALK_MIN else few).append(stream_id)
        return _rows_of(stream_ids, few).tolist(), self._arrivals(stream_ids, many)

    def _arrivals(self, stream_ids: Int32s, of: Sequence[int]) -> Iterator[tuple[int, Arrivals]]:
        rows = _rows_of(stream_ids, of)
        if not len(rows):
            return
        rows = rows[np.argsort(stream_ids[rows], kind="stable")]
        ids = stream_ids[rows]
        at_us = np.concatenate([np.frombuffer(i.at_us, np.int64) for i in self._columns])[rows]
        numbers = np.concatenate([np.frombuffer(i.numbers, np.float64) for i in self._columns])[
            rows
        ]
        lengths = [len(columns) for columns in self._columns]
        now_us = np.repeat(np.array(self._committed_us, np.int64), lengths)[rows]
        begins = (ids[1:] != ids[:-1]) | (now_us[1:] < now_us[:-1])
        starts = np.flatnonzero(np.concatenate(([True], begins)))
        texts = self._texts()
        for start, end in pairwise([*starts.tolist(), len(rows)]):
            i = slice(start, end)
            yield int(ids[start]), Arrivals(rows[i], at_us[i], numbers[i], now_us[i], texts)

    def _texts(self) -> dict[int, str]:
        """Row → text, where the number's usual spelling does not give the value back."""
        parts = zip(self._starts, self._columns, strict=True)
        return {start + i: text for start, part in parts for i, text in part.texts.items()}


def _rows_of(stream_ids: Int32s, of: Sequence[int]) -> Int64s:
    if not of:
        return np.empty(0, np.int64)
    return np.flatnonzero(np.isin(stream_ids, np.array(of, np.int32)))
