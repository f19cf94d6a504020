"""The head: what is in the journal and not yet in the history store, so that reads see it at once.

Two generations. Writes go into the growing one. When the mover comes, it is frozen as it is and a
new one grows; once the frozen one is in the history store it is dropped whole. So a reader finds
each datapoint in the head or behind it, or in both, never in neither; nothing is ever moved within
memory; and the mover's thread reads a frozen generation without a copy.

Deletions are remembered with their place among the rows: they hide the rows before them, and what
is stored.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from thingtank.stores.changes import Change, bytes_of
from thingtank.stores.rows import Deletion, Overlay, Rows
from thingtank.tank.arrays import Int64s
from thingtank.tank.datapoints import DatapointColumns


class Generation:
    """Changes of the datapoints in journal order.

    Attributes:
        through_seq: number of the last batch in it.
        size_bytes: about how much memory it takes.
    """

    def __init__(self) -> None:
        self._columns = DatapointColumns()
        self._deletions: list[tuple[int, Deletion]] = []
        self._deletions_of: dict[int, list[tuple[int, int, int]]] = {}
        self.through_seq = 0
        self.size_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._columns or self._deletions)

    @property
    def row_count(self) -> int:
        """How many datapoints it holds, deleted and overwritten ones too."""
        return len(self._columns)

    def apply(self, changes: Iterable[Change], seq: int) -> None:
        """Add a batch; extremes are not the head's affair."""
        for change in changes:
            if isinstance(change, DatapointColumns):
                self._columns.extend(change)
                self.size_bytes += bytes_of(change)
            elif isinstance(change, Deletion):
                self._add_deletion(change)
        self.through_seq = seq

    def _add_deletion(self, deletion: Deletion) -> None:
        position = len(self._columns)
        self._deletions.append((position, deletion))
        placed = (position, deletion.start_us, deletion.end_us)
        for stream_id in deletion.stream_ids:
            self._deletions_of.setdefault(stream_id, []).append(placed)
        self.size_bytes += 200 * (1 + len(deletion.stream_ids))

    def changes(self) -> list[Rows | Deletion]:
        """All of it in order, for the history store; the rows are views, so it must be frozen."""
        ordered: list[Rows | Deletion] = []
        start = 0
        for position, deletion in self._deletions:
            if position > start:
                ordered.append(self._slice(start, position))
                start = position
            ordered.append(deletion)
        if len(self._columns) > start:
            ordered.append(self._slice(start, len(self._columns)))
        return ordered

    def _slice(self, start: int, end: int) -> Rows:
        texts = self._columns.texts
        if (start, end) != (0, len(self._columns)):
            texts = {row - start: text for row, text in texts.items() if start <= row < end}
        return Rows(
            np.frombuffer(self._columns.stream_ids, np.int32)[start:end],
            np.frombuffer(self._columns.at_us, np.int64)[start:end],
            np.frombuffer(self._columns.numbers, np.float64)[start:end],
            texts,
        )

    def select(self, stream_ids: Sequence[int], start_us: int, end_us: int) -> Rows:
        """Copy the rows of some datastreams in a range, without those deleted later."""
        columns = self._columns
        if not columns:
            return _no_rows()
        found = _rows_of(columns, stream_ids)
        # Copies, since an array that numpy looks into cannot grow.
        own_ids = np.frombuffer(columns.stream_ids, np.int32)[found]
        at_us = np.frombuffer(columns.at_us, np.int64)[found]
        keep = (at_us >= start_us) & (at_us < end_us)
        for stream_id, (position, hidden_start_us, hidden_end_us) in self._hiding(stream_ids):
            hidden = (own_ids == stream_id) & (found < position)
            keep &= ~(hidden & (at_us >= hidden_start_us) & (at_us < hidden_end_us))
        kept = found[keep]
        texts = {}
        if columns.texts:
            wanted = columns.texts.get
            texts = {
                i: text for i, row in enumerate(kept.tolist()) if (text := wanted(row)) is not None
            }
        return Rows(
            own_ids[keep], at_us[keep], np.frombuffer(columns.numbers, np.float64)[kept], texts
        )

    def deletions(self, stream_ids: Sequence[int], start_us: int, end_us: int) -> list[Deletion]:
        """The deletions that touch a range of some datastreams, one datastream each."""
        return [
            Deletion((stream_id,), hidden_start_us, hidden_end_us)
            for stream_id, (_, hidden_start_us, hidden_end_us) in self._hiding(stream_ids)
            if hidden_start_us < end_us and start_us < hidden_end_us
        ]

    def _hiding(self, stream_ids: Sequence[int]) -> Iterator[tuple[int, tuple[int, int, int]]]:
        if self._deletions_of:
            for stream_id in stream_ids:
                for placed in self._deletions_of.get(stream_id, ()):
                    yield stream_id, placed


class Head:
    """Changes that the history store does not have yet. Lives in the loop's thread."""

    def __init__(self, through_seq: int = 0) -> None:
        self._growing = Generation()
        self._frozen: Generation | None = None
        self._moved_seq = through_seq
        self._last_seq = through_seq

    def __bool__(self) -> bool:
        return bool(self._growing) or self._frozen is not None

    @property
    def row_count(self) -> int:
        """How many datapoints it holds, deleted and overwritten ones too."""
        return self._growing.row_count + (self._frozen.row_count if self._frozen else 0)

    @property
    def growing_row_count(self) -> int:
        """How many of them are not on their way to the history store."""
        return self._growing.row_count

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return self._growing.size_bytes + (self._frozen.size_bytes if self._frozen else 0)

    @property
    def last_seq(self) -> int:
        """The newest batch that was applied."""
        return self._last_seq

    @property
    def moved_seq(self) -> int:
        """The batch up to which the history store needs nothing more from the journal."""
        return self._moved_seq if self else self._last_seq

    def apply(self, changes: Iterable[Change], seq: int) -> None:
        """Take over a committed batch."""
        self._growing.apply(changes, seq)
        self._last_seq = seq

    def freeze(self) -> Generation | None:
        """What to move next: the frozen generation if there is one, else what has grown."""
        if self._frozen is None and self._growing:
            self._frozen = self._growing
            self._growing = Generation()
        return self._frozen

    def drop_frozen(self) -> None:
        """The frozen generation is in the history store."""
        if self._frozen is not None:
            self._moved_seq = self._frozen.through_seq
            self._frozen = None

    def overlay(
        self, stream_ids: Sequence[int], start_us: int, end_us: int, *, only_last: bool = False
    ) -> Overlay | None:
        """What a read of the history store must lay over it; None for nothing.

        Args:
            only_last: of each datastream's rows only the newest; all deletions.
        """
        rows = self._growing.select(stream_ids, start_us, end_us)
        deletions = self._growing.deletions(stream_ids, start_us, end_us)
        if self._frozen is not None:
            older = self._frozen.select(stream_ids, start_us, end_us)
            rows = _joined(_without(older, deletions), rows)
            deletions = self._frozen.deletions(stream_ids, start_us, end_us) + deletions
        if not len(rows.stream_ids) and not deletions:
            return None
        return Overlay(_deduplicated(rows, only_last), deletions)


def _rows_of(columns: DatapointColumns, stream_ids: Sequence[int]) -> Int64s:
    own_ids = np.frombuffer(columns.stream_ids, np.int32)
    if len(stream_ids) == 1:
        return np.flatnonzero(own_ids == stream_ids[0])
    return np.flatnonzero(np.isin(own_ids, np.array(stream_ids, np.int32)))


def _no_rows() -> Rows:
    return Rows(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float64), {})


def _without(rows: Rows, deletions: Sequence[Deletion]) -> Rows:
    """`rows` that no deletion hides."""
    hidden = np.zeros(len(rows.stream_ids), np.bool_)
    for deletion in deletions:
        of_streams = np.isin(rows.stream_ids, np.array(deletion.stream_ids, np.int32))
        in_range = (rows.at_us >= deletion.start_us) & (rows.at_us < deletion.end_us)
        hidden |= of_streams & in_range
    return _taken(rows, np.flatnonzero(~hidden)) if hidden.any() else rows


def _joined(older: Rows, newer: Rows) -> Rows:
    if not len(newer.stream_ids):
        return older
    if not len(older.stream_ids):
        return newer
    offset = len(older.stream_ids)
    return Rows(
        np.concatenate((older.stream_ids, newer.stream_ids)),
        np.concatenate((older.at_us, newer.at_us)),
        np.concatenate((older.numbers, newer.numbers)),
        {**older.texts, **{offset + row: text for row, text in newer.texts.items()}},
    )


def _deduplicated(rows: Rows, only_last: bool) -> Rows:
    """The last written row of each instant; ordered by datastream and time."""
    if len(rows.stream_ids) < 2:
        return rows
    # The sort is stable, so of equal instants the last written comes last.
    order = np.lexsort((rows.at_us, rows.stream_ids))
    stream_ids, at_us = rows.stream_ids[order], rows.at_us[order]
    is_last = stream_ids[1:] != stream_ids[:-1]
    if not only_last:
        is_last |= at_us[1:] != at_us[:-1]
    return _taken(rows, order[np.append(is_last, True)])


def _taken(rows: Rows, positions: Int64s) -> Rows:
    texts = {}
    if rows.texts:
        wanted = rows.texts.get
        texts = {
            i: text for i, row in enumerate(positions.tolist()) if (text := wanted(row)) is not None
        }
    return Rows(rows.stream_ids[positions], rows.at_us[positions], rows.numbers[positions], texts)
