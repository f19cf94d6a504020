"""Reads one datastream from both tiers within one snapshot, a bounded number of rows at a time.

Cold rows come from the segments' files, without what tombstones hide; hot rows lie over them, of
one instant the latest written. What the head's overlay says lies over both.
"""

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from thingtank.stores.history.batches import Columns, columns_of, concatenated, sorted_newest
from thingtank.stores.history.cold_files import ColdFiles
from thingtank.stores.history.partials import Partials, partials_from
from thingtank.stores.history.segments import HOUR_US, Segment, floor_sql, read_segments
from thingtank.stores.rows import Overlay
from thingtank.tank.arrays import Int64s
from thingtank.tank.errors import StorageFailed

ROWS_AT_A_TIME = 100_000
ROWS_AT_ONCE_MAX = 1 << 20  # of a range that is summed; about 60 MB with all that is made of them
_SLACK_ROWS = 28  # of the first try, for rows that turn out hidden or repeated
_GROWTH = 8  # of what is asked for, from one try to the next
_SKIPPED_MAX = 32  # hidden ranges that a query is told; it takes longer to read with more
RECENT_US = (3 * HOUR_US, 24 * HOUR_US)

_HOT = """
SELECT at_us, number, text, seq FROM hot
WHERE stream_id = ? AND at_us >= ? AND at_us < ? {skipping}
ORDER BY at_us {order}, seq DESC LIMIT {limit}
"""
_COLD = """
SELECT at_us, number, text FROM read_parquet(?)
WHERE stream_id = ? AND at_us >= ? AND at_us < ? {skipping}
ORDER BY at_us {order} LIMIT {limit}
"""
# In no order: to sort them takes DuckDB longer than to read them, and mostly they are in order.
# Texts apart, for the few that have one: an object for each row takes longer.
_ALL_COLD = """
SELECT {columns} FROM read_parquet(?)
WHERE stream_id = ? AND at_us >= ? AND at_us < ? {skipping} LIMIT {limit}
"""
_ALL_COLD_TEXTS = """
SELECT at_us, text FROM read_parquet(?)
WHERE stream_id = ? AND at_us >= ? AND at_us < ? {skipping} AND {which}
"""
_ALL_HOT = """
SELECT {columns} FROM hot
WHERE stream_id = ? AND at_us >= ? AND at_us < ? {skipping} {which} LIMIT {limit}
"""
# By name: a file of an earlier release has no times of the extremes.
_ROLLUP = "SELECT * FROM read_parquet(?, union_by_name = true) WHERE stream_id = ?"


class StreamReader:
    """One datastream in one snapshot."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        files: ColdFiles,
        stream_id: int,
        overlay: Overlay | None,
        *,
        is_as_written: bool = True,
    ) -> None:
        """Read within a snapshot.

        Args:
            is_as_written: as `tank.interfaces.Archive.read_buckets` has it, for `chunks`.
        """
        self._is_as_written = is_as_written
        self._connection = connection
        self._files = files
        self._stream_id = stream_id
        self._overlay_rows = _rows_of(stream_id, overlay)
        self._overlay_deletions = disjoint(_deletions_of(stream_id, overlay))
        self._tombstones: list[tuple[int, int, int]] | None = None

    def read(self, start_us: int, end_us: int, limit: int, newest_first: bool) -> Columns:
        """The oldest (or newest) `limit` rows of a range, oldest first."""
        found: list[Columns] = []
        missing = wanted = limit
        while missing > 0 and start_us < end_us:
            rows, start_us, end_us = self._some(start_us, end_us, wanted, newest_first)
            # Where most is hidden or repeated, a few large steps get past it, not many small ones.
            wanted = min(wanted * _GROWTH, max(limit, ROWS_AT_A_TIME))
            if len(rows.at_us):
                part = slice(-missing, None) if newest_first else slice(missing)
                found.append(rows.take(part))
                missing -= len(found[-1].at_us)
        if newest_first:
            found.reverse()
        return concatenated(found) if found else _NO_ROWS

    def chunks(self, start_us: int, end_us: int) -> Iterator[Columns]:
        """All rows of a range in parts of at most ROWS_AT_ONCE_MAX rows.

        Each part is in order of time; some may reach over the same time, none has an instant of
        another.
        """
        waiting = [(start_us, end_us)]
        while waiting:
            start_us, end_us = waiting.pop()
            if start_us >= end_us:
                continue
            parts = self._whole(start_us, end_us)
            if parts is None:
                first_us, last_us = self._reach(start_us, end_us)
                middle_us = (first_us + last_us) // 2 + 1
                waiting += [(middle_us, last_us + 1), (first_us, middle_us)]
                continue
            yield from (part for part in parts if len(part.at_us))

    def rollups(self, start_us: int, end_us: int) -> tuple[Partials | None, list[tuple[int, int]]]:
        """Roll-ups of whole hours of a range that say all there is, and the ranges that remain.

        Args:
            start_us, end_us: whole hours.
        """
        segments = read_segments(self._connection, start_us, end_us)
        if not segments:
            return None, [(start_us, end_us)]
        dirty = self._dirty_hours(start_us, end_us, segments)
        # The hours are chosen and ordered here: DuckDB takes twice as long when it has to.
        parts = []
        for files in self._files.parts(list(dict.fromkeys(s.rollup for s in segments))):
            with self._files.held(files) as paths:
                found = self._connection.execute(_ROLLUP, [paths, self._stream_id]).fetchnumpy()
            dirty = np.union1d(dirty, _untimed_hours(found, start_us, end_us))
            parts.append(_rollup_columns(found))
        hours, *every = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.argsort(hours, kind="stable")
        hours = hours[order]
        chosen = order[(hours >= start_us) & (hours < end_us) & ~np.isin(hours, dirty)]
        partials = partials_from([column[chosen] for column in every])
        return partials, _ranges_of_hours(dirty)

    def _dirty_hours(self, start_us: int, end_us: int, segments: list[Segment]) -> Int64s:
        """Hours of the range whose roll-up does not say all: something was written or deleted."""
        hot = self._connection.execute(
            f"SELECT DISTINCT {floor_sql('at_us', HOUR_US)} AS hour_us FROM hot"  # noqa: S608 - a constant
            " WHERE stream_id = ? AND at_us >= ? AND at_us < ?",
            [self._stream_id, start_us, end_us],
        ).fetchnumpy()
        hours = [np.asarray(hot["hour_us"], dtype=np.int64)]
        hours.append(self._overlay_rows.at_us // HOUR_US * HOUR_US)
        deletions = list(self._overlay_deletions)
        through_seq = min(segment.through_seq for segment in segments)
        deletions += [(a, b) for a, b, seq in self._hiding(start_us, end_us) if seq > through_seq]
        for first_us, last_us in deletions:
            first_us, last_us = max(first_us, start_us), min(last_us, end_us)
            if first_us < last_us:
                hours.append(np.arange(first_us // HOUR_US * HOUR_US, last_us, HOUR_US))
        dirty = np.unique(np.concatenate(hours))
        return dirty[(dirty >= start_us) & (dirty < end_us)]

    def _whole(self, start_us: int, end_us: int) -> list[Columns] | None:
        """All rows of a range, as `chunks` gives them; None when they are too many to be held."""
        if end_us - start_us == 1:
            return [self.read(start_us, end_us, 1, False)]
        cold: list[Columns] = []
        left = ROWS_AT_ONCE_MAX
        for files, hidden in self._cold_files(start_us, end_us):
            rows = self._all_cold(files, start_us, end_us, hidden, left)
            if rows is None:
                return None
            left -= len(rows.at_us)
            cold.append(_outside(rows, hidden))
        hot = self._all_hot(start_us, end_us, left)
        if hot is None:
            return None
        hot = [_outside(rows, self._overlay_deletions) for rows in hot]
        newest = _within(self._overlay_rows, start_us, end_us)
        if _follow_each_other([cold, hot, [newest]]) and all(_increases(rows) for rows in cold):
            return [*cold, *hot, newest]
        # The later over the earlier; of one instant, hot rows are already the latest written.
        return [sorted_newest(concatenated([*cold, *hot, newest]))]

    def _all_hot(self, start_us: int, end_us: int, rows_max: int) -> list[Columns] | None:
        """All hot rows of a range, those with a text apart; None when more than `rows_max`."""
        # Each kind is mostly in order by itself: those without a text were written first.
        numbers = self._hot_which("text IS NULL", "at_us, number", start_us, end_us, rows_max)
        if len(numbers.at_us) > rows_max:
            return None
        text = "text" if self._is_as_written else "CASE WHEN number IS NULL THEN text END AS text"
        texts = self._hot_which(
            "text IS NOT NULL", f"at_us, number, {text}", start_us, end_us, rows_max
        )
        if len(numbers.at_us) + len(texts.at_us) > rows_max:
            return None
        if _increases(numbers) and _increases(texts) and _are_apart(numbers, texts):
            return [numbers, texts]
        # Something was written late or again: the order in which it was written says what counts.
        sql = _ALL_HOT.format(
            columns="at_us, number, text, seq",
            which="",
            limit=rows_max,
            skipping=_skipping(self._overlay_deletions),
        )
        asked = [self._stream_id, start_us, end_us]
        found = self._connection.execute(sql, asked).fetchnumpy()
        order = np.argsort(np.asarray(found["seq"]), kind="stable")
        return [sorted_newest(self._columns(found).take(order))]

    def _hot_which(
        self, which: str, columns: str, start_us: int, end_us: int, rows_max: int
    ) -> Columns:
        """Hot rows of a range of one kind, in the order the table has them; one more at most."""
        skipping = _skipping(self._overlay_deletions)
        sql = _ALL_HOT.format(
            columns=columns, which=f"AND {which}", limit=rows_max + 1, skipping=skipping
        )
        asked = [self._stream_id, start_us, end_us]
        return self._columns(self._connection.execute(sql, asked).fetchnumpy())

    def _cold_files(
        self, start_us: int, end_us: int
    ) -> Iterator[tuple[list[str], list[tuple[int, int]]]]:
        """Files that may hold rows of a range, those read together, with what is hidden in them."""
        untouched: list[str] = []
        for segment in read_segments(self._connection, start_us, end_us):
            if not segment.stream_id_min <= self._stream_id <= segment.stream_id_max:
                continue
            if hidden := self._hidden_in(segment):
                yield [segment.file], hidden
            else:
                untouched.append(segment.file)
        if untouched:
            for part in self._files.parts(untouched):
                yield part, []

    def _all_cold(
        self,
        files: list[str],
        start_us: int,
        end_us: int,
        hidden: list[tuple[int, int]],
        rows_max: int,
    ) -> Columns | None:
        """All rows of files in a range, in the files' order; None when more than `rows_max`."""
        with self._files.held(files) as paths:
            return self._all_of(paths, start_us, end_us, hidden, rows_max)

    def _all_of(
        self,
        paths: list[str],
        start_us: int,
        end_us: int,
        hidden: list[tuple[int, int]],
        rows_max: int,
    ) -> Columns | None:
        asked: list[object] = [paths, self._stream_id, start_us, end_us]
        columns = "at_us, number"
        if self._is_as_written:
            columns += ", text IS NOT NULL AS has_text"
        sql = _ALL_COLD.format(columns=columns, skipping=_skipping(hidden), limit=rows_max + 1)
        found = self._connection.execute(sql, asked).fetchnumpy()
        rows = self._columns(found)
        if len(rows.at_us) > rows_max:
            return None
        has_text = (
            np.asarray(found["has_text"], dtype=np.bool_)
            if self._is_as_written
            else np.isnan(rows.numbers)
        )
        if not has_text.any():
            return rows
        which = "text IS NOT NULL" if self._is_as_written else "number IS NULL"
        sql = _ALL_COLD_TEXTS.format(which=which, skipping=_skipping(hidden))
        kept = self._connection.execute(sql, asked).fetchnumpy()
        if not np.array_equal(kept["at_us"], rows.at_us[has_text]):
            raise StorageFailed(
                f"datastream {self._stream_id} could not be read: its files gave the same rows in"
                " another order the second time; ask again"
            )
        texts = np.full(len(rows.at_us), None, dtype=np.object_)
        texts[has_text] = _texts(kept["text"])
        return rows._replace(texts=texts)

    def _reach(self, start_us: int, end_us: int) -> tuple[int, int]:
        """The first and last instant of a range that may have a row; it has stored ones."""
        sql = (
            "SELECT min(at_us), max(at_us) FROM hot"
            " WHERE stream_id = ? AND at_us >= ? AND at_us < ?"
        )
        asked = [self._stream_id, start_us, end_us]
        ends = list(self._connection.execute(sql, asked).fetchall()[0])
        for segment in read_segments(self._connection, start_us, end_us):
            ends += [segment.first_us, segment.last_us]
        ends += self._overlay_rows.at_us[:1].tolist() + self._overlay_rows.at_us[-1:].tolist()
        known = [at_us for at_us in ends if at_us is not None]
        return max(start_us, min(known)), min(end_us - 1, max(known))

    def _some(
        self, start_us: int, end_us: int, wanted: int, newest_first: bool
    ) -> tuple[Columns, int, int]:
        """Rows from one end of a range, complete as far as they go, and the range that remains."""
        limit = wanted + _SLACK_ROWS
        hot, hot_bound = self._hot(start_us, end_us, limit, newest_first)
        if newest_first:
            cold, cold_bound = self._cold(hot_bound, end_us, limit, newest_first)
            bound_us = max(hot_bound, cold_bound)
            complete, rest = (bound_us, end_us), (start_us, bound_us)
        else:
            cold, cold_bound = self._cold(start_us, hot_bound, limit, newest_first)
            bound_us = min(hot_bound, cold_bound)
            complete, rest = (start_us, bound_us), (bound_us, end_us)
        stored = _within(concatenated([cold, hot]), *complete)
        stored = _outside(stored, self._overlay_deletions)
        overlay = _within(self._overlay_rows, *complete)
        return sorted_newest(concatenated([stored, overlay])), *rest

    def _hot(
        self, start_us: int, end_us: int, limit: int, newest_first: bool
    ) -> tuple[Columns, int]:
        """Hot rows in the order they were written, and how far they are complete."""
        if newest_first:
            # Most questions are about the last hours, where few parts of the table reach.
            for width_us in RECENT_US:
                recent_us = end_us - width_us
                if recent_us <= start_us:
                    break
                rows = self._hot_rows(recent_us, end_us, limit, newest_first)
                if len(rows.at_us) >= limit:
                    return rows, _bound(rows.at_us, False, recent_us, end_us, newest_first)
        rows = self._hot_rows(start_us, end_us, limit, newest_first)
        return rows, _bound(rows.at_us, len(rows.at_us) < limit, start_us, end_us, newest_first)

    def _hot_rows(self, start_us: int, end_us: int, limit: int, newest_first: bool) -> Columns:
        order = "DESC" if newest_first else "ASC"
        found = self._connection.execute(
            _HOT.format(order=order, limit=limit, skipping=_skipping(self._overlay_deletions)),
            [self._stream_id, start_us, end_us],
        ).fetchnumpy()
        return self._columns(found).take(np.argsort(np.asarray(found["seq"]), kind="stable"))

    def _cold(
        self, start_us: int, end_us: int, limit: int, newest_first: bool
    ) -> tuple[Columns, int]:
        """Cold rows, and how far they are complete; opens no more segments than it must."""
        segments = read_segments(self._connection, start_us, end_us)
        kept: list[Columns] = []
        count = 0
        bound_us = start_us if newest_first else end_us
        for segment in reversed(segments) if newest_first else segments:
            if not segment.stream_id_min <= self._stream_id <= segment.stream_id_max:
                continue
            hidden = self._hidden_in(segment)
            limit_left = limit - count
            rows = self._of_segment(segment, hidden, start_us, end_us, limit_left, newest_first)
            kept.append(_outside(rows, hidden))
            count += len(rows.at_us)
            if count >= limit:
                bound_us = _bound(rows.at_us, False, start_us, end_us, newest_first)
                break
        return concatenated(kept) if kept else _NO_ROWS, bound_us

    def _hidden_in(self, segment: Segment) -> list[tuple[int, int]]:
        """What of a segment is deleted."""
        buried = [
            (first_us, last_us)
            for first_us, last_us, seq in self._hiding(segment.start_us, segment.end_us)
            if seq > segment.through_seq
        ]
        return disjoint([*buried, *self._overlay_deletions])

    def _of_segment(
        self,
        segment: Segment,
        hidden: list[tuple[int, int]],
        start_us: int,
        end_us: int,
        limit: int,
        newest_first: bool,
    ) -> Columns:
        order = "DESC" if newest_first else "ASC"
        sql = _COLD.format(order=order, limit=limit, skipping=_skipping(hidden))
        with self._files.held([segment.file]) as (path,):
            asked = [path, self._stream_id, start_us, end_us]
            return self._columns(self._connection.execute(sql, asked).fetchnumpy())

    def _hiding(self, start_us: int, end_us: int) -> list[tuple[int, int, int]]:
        """Tombstones of the datastream that reach into a range: (start, end, seq)."""
        if self._tombstones is None:
            self._tombstones = self._connection.execute(
                "SELECT start_us, end_us, seq FROM tombstones WHERE stream_id = ?",
                [self._stream_id],
            ).fetchall()
        return [row for row in self._tombstones if row[1] > start_us and row[0] < end_us]

    def _columns(self, found: dict[str, Any]) -> Columns:
        at_us = np.asarray(found["at_us"], dtype=np.int64)
        texts = _texts(found["text"]) if "text" in found else None
        if texts is not None and not (texts != None).any():  # noqa: E711 - element by element
            texts = None
        stream_ids = np.full(len(at_us), self._stream_id, dtype=np.int32)
        return Columns(stream_ids, at_us, _floats(found["number"]), texts)


_INTEGERS = ("first_us", "last_us", "count", "number_count")
_FLOATS = ("minimum", "maximum", "total", "first_number", "last_number")
_TEXTS = ("first_text", "last_text")
_TIMES = ("minimum_us", "maximum_us")
_NO_ROWS = Columns(
    np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64), None
)


def _bound(at_us: Int64s, is_all: bool, start_us: int, end_us: int, newest_first: bool) -> int:
    """How far a source's answer is complete: to the range's end, or to its own furthest row.

    The rows at that furthest instant may be more than were read, so it is left for the next try;
    unless they are all of one instant, of which the latest written is among them.
    """
    if is_all:
        return start_us if newest_first else end_us
    first, last = int(at_us.min()), int(at_us.max())
    if newest_first:
        return first + 1 if first < last else first
    return last if first < last else last + 1


def _increases(rows: Columns) -> bool:
    """Whether rows are in order of time, and none is of another's instant."""
    return bool((rows.at_us[1:] > rows.at_us[:-1]).all())


def _are_apart(rows: Columns, others: Columns) -> bool:
    """Whether no instant is in both; both are in order."""
    if not len(rows.at_us) or not len(others.at_us):
        return True
    places = np.searchsorted(rows.at_us, others.at_us)
    nearest = rows.at_us[np.minimum(places, len(rows.at_us) - 1)]
    return bool((nearest != others.at_us).all())


def _follow_each_other(groups: list[list[Columns]]) -> bool:
    """Whether all rows of each group, in order of time, are later than those of the ones before."""
    last_us = None
    for group in groups:
        filled = [rows.at_us for rows in group if len(rows.at_us)]
        if not filled:
            continue
        if last_us is not None and min(int(at_us[0]) for at_us in filled) <= last_us:
            return False
        last_us = max(int(at_us[-1]) for at_us in filled)
    return True


def _within(rows: Columns, start_us: int, end_us: int) -> Columns:
    return rows.take((rows.at_us >= start_us) & (rows.at_us < end_us))


def disjoint(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same instants as ranges in order that do not touch each other."""
    found: list[tuple[int, int]] = []
    for start_us, end_us in sorted(ranges):
        if found and start_us <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end_us))
        else:
            found.append((start_us, end_us))
    return found


def _outside(rows: Columns, ranges: list[tuple[int, int]]) -> Columns:
    """Rows that are in none of the ranges, which are disjoint and in order."""
    if not ranges or not len(rows.at_us):
        return rows
    starts, ends = np.array(ranges, dtype=np.int64).T
    nearest = np.searchsorted(starts, rows.at_us, side="right") - 1
    return rows.take((nearest < 0) | (rows.at_us >= ends[nearest]))


def _skipping(ranges: list[tuple[int, int]]) -> str:
    """SQL that leaves the widest of the ranges out, so that what they hide is not read at all."""
    widest = sorted(ranges, key=lambda item: item[0] - item[1])[:_SKIPPED_MAX]
    return " ".join(f"AND NOT (at_us >= {start} AND at_us < {end})" for start, end in widest)


def _rows_of(stream_id: int, overlay: Overlay | None) -> Columns:
    if overlay is None:
        return _NO_ROWS
    rows = columns_of(overlay.rows)
    return sorted_newest(rows.take(rows.stream_ids == stream_id))


def _deletions_of(stream_id: int, overlay: Overlay | None) -> list[tuple[int, int]]:
    if overlay is None:
        return []
    return [
        (deletion.start_us, deletion.end_us)
        for deletion in overlay.deletions
        if stream_id in deletion.stream_ids
    ]


def _ranges_of_hours(hours: Int64s) -> list[tuple[int, int]]:
    """Hours in order as ranges: those in a row are one."""
    if not len(hours):
        return []
    breaks = np.flatnonzero(np.diff(hours) != HOUR_US) + 1
    starts = hours[np.concatenate([[0], breaks])].tolist()
    ends = hours[np.concatenate([breaks - 1, [len(hours) - 1]])].tolist()
    return [(start, end + HOUR_US) for start, end in zip(starts, ends, strict=True)]


def _untimed_hours(found: dict[str, Any], start_us: int, end_us: int) -> Int64s:
    """Hours of the range whose roll-up has extremes and does not say when they were."""
    hours = np.asarray(found["hour_us"], dtype=np.int64)
    untimed = np.asarray(found["number_count"], dtype=np.int64) > 0
    if "minimum_us" in found:
        untimed &= np.ma.getmaskarray(np.ma.asarray(found["minimum_us"]))
    return hours[untimed & (hours >= start_us) & (hours < end_us)]


def _rollup_columns(found: dict[str, Any]) -> list[npt.NDArray[Any]]:
    """The hours of roll-ups, and what they say, as `Partials` has it."""
    hours = np.asarray(found["hour_us"], dtype=np.int64)
    return [
        hours,
        *(np.asarray(found[name], dtype=np.int64) for name in _INTEGERS),
        *(_floats(found[name]) for name in _FLOATS),
        *(_texts(found[name]) for name in _TEXTS),
        *(_times(found.get(name), len(hours)) for name in _TIMES),
    ]


def _times(column: Any, count: int) -> Int64s:
    if column is None:
        return np.zeros(count, dtype=np.int64)
    return np.ma.filled(np.ma.asarray(column), 0).astype(np.int64)


def _floats(column: Any) -> npt.NDArray[np.float64]:
    return np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan)


def _texts(column: Any) -> npt.NDArray[np.object_]:
    masked = np.ma.asarray(column)
    texts: npt.NDArray[np.object_] = np.ma.getdata(masked).astype(np.object_)
    texts[np.ma.getmaskarray(masked)] = None
    return texts
