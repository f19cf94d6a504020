"""Moves whole periods from the hot tier to the cold one, and merges days into months.

The one hard part of the store: at each step a crash leaves every datapoint exactly once. The steps:

1. write      the period's rows, hot and cold, to a draft in its folder; to a second the roll-ups
2. name       sync it, give it its name, sync the folder; nobody knows it yet
3. switch     one transaction: the manifest names it, and no longer what it replaces; the hot rows
              that it holds go
4. forget     delete the replaced files, some time later: readers may be in them

Before 3 the file is a leftover, which the next start removes; after 3 the replaced ones are. What
is written or deleted while 1 and 2 run has a larger number than the segment's `through_seq`: such
rows stay hot, and such deletions leave a tombstone.

The days of a month that is not over share a file of roll-ups, which each new day writes anew: a
question about a year would otherwise open one for each of them. Where that would be much work, a
day begins a new file. A file never holds hours of a day that has another one.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import structlog

from thingtank.stores.history.cold_files import ColdFiles
from thingtank.stores.history.database import Database, fetch_one, run
from thingtank.stores.history.segments import (
    DAY_US,
    HOUR_US,
    Period,
    Segment,
    day_of,
    drop_segments,
    floor_sql,
    insert_segment,
    make_durable,
    month_of,
    read_segments,
    remove_leftovers,
    segments_within,
    share_rollup,
)
from thingtank.stores.history_interface import Compacted
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN
from thingtank.tank.errors import StorageFailed
from thingtank.tank.interfaces import Clock

log = structlog.get_logger()

FORGET_S = 120.0  # far longer than reads take; one that is slower still gets an error
MONTH_ROWS_MAX = 100_000_000  # larger months stay days: sorting them would take too long
SHARED_ROLLUP_ROWS_MAX = 5_000_000  # copied for each new day at most; takes some seconds
LATE_SHARE = 20  # a segment is written anew for so few late rows (a 20th) at most once a day

_MERGED = """
SELECT stream_id, at_us, number, text FROM (
    SELECT stream_id, at_us, number, text, -1 AS seq FROM old
    WHERE NOT EXISTS (
        SELECT 1 FROM tombstones WHERE tombstones.stream_id = old.stream_id
        AND old.at_us >= tombstones.start_us AND old.at_us < tombstones.end_us
        AND tombstones.seq > old.through_seq)
    UNION ALL
    SELECT stream_id, at_us, number, text, seq FROM hot
    WHERE at_us >= {start} AND at_us < {end} AND seq <= {seq})
QUALIFY row_number() OVER (PARTITION BY stream_id, at_us ORDER BY seq DESC) = 1
ORDER BY stream_id, at_us
"""
_NO_OLD = """
SELECT NULL::INTEGER AS stream_id, NULL::BIGINT AS at_us, NULL::DOUBLE AS number,
    NULL::VARCHAR AS text, 0::BIGINT AS through_seq WHERE false
"""
_ROLLUP = """
SELECT stream_id, {hour} AS hour_us,
    min(at_us) AS first_us, max(at_us) AS last_us, count(*) AS count,
    count(number) AS number_count, min(number) AS minimum, max(number) AS maximum,
    coalesce(sum(number), 0) AS total,
    arg_min({{'n': number}}, at_us).n AS first_number,
    arg_max({{'n': number}}, at_us).n AS last_number,
    arg_min({{'t': text}}, at_us).t AS first_text, arg_max({{'t': text}}, at_us).t AS last_text,
    arg_min(at_us, {{'n': number, 'a': at_us}}) FILTER (WHERE number IS NOT NULL) AS minimum_us,
    arg_max(at_us, {{'n': number, 'a': -at_us}}) FILTER (WHERE number IS NOT NULL) AS maximum_us
FROM read_parquet('{file}') GROUP BY ALL
"""
_COPY = (
    "COPY ({query}) TO '{file}' (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd,"
    " ROW_GROUP_SIZE {rows})"
)
_SEGMENT_GROUP_ROWS = 65_536
_ROLLUP_GROUP_ROWS = 16_384


class Compactor:
    """Compacts one store; `run` is called by one thread at a time."""

    def __init__(self, database: Database, folder: Path, files: ColdFiles, clock: Clock) -> None:
        self._database = database
        self._folder = folder
        self._files = files
        self._clock = clock
        self._forgotten: list[tuple[float, Path]] = []
        self.running: Period | None = None
        self._failed: set[Period] = set()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._is_stopping = False
        self.step: Callable[[str], None] = lambda _name: None

    def clean_up(self) -> None:
        """Remove what a crash left; at the start, before anybody reads."""
        self._folder.mkdir(0o700, exist_ok=True)
        with self._database.snapshot() as connection:
            counting = read_segments(connection, AT_US_MIN, AT_US_MAX + 1)
        leftovers = remove_leftovers(self._folder, counting)
        if leftovers:
            log.info("archive_leftovers_removed", count=len(leftovers))

    def run(self, until_us: int, periods_max: int) -> Compacted:
        """Compact periods that end by `until_us` and are due, oldest first.

        Raises:
            StorageFailed: a file or the database could not be written. What was done stays.
        """
        self._forget()
        # One that failed comes last, so that it does not hold up the others for ever.
        due = sorted(self._due(until_us), key=lambda period: (period in self._failed, period))
        for period in due[:periods_max]:
            self._failed.add(period)
            self._compact(period)
            self._failed.discard(period)
        if due:
            self._database.checkpoint()
        done_count = min(len(due), periods_max)
        return Compacted(done_count, len(due) - done_count)

    def interrupt(self) -> None:
        """Break off what is under way, from another thread, and begin no more."""
        self._is_stopping = True
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    def _reach(self, step: str) -> None:
        self.step(step)
        if self._is_stopping:
            raise StorageFailed("the compaction was interrupted")

    def _due(self, until_us: int) -> list[Period]:
        """Periods with something to do."""
        with self._database.snapshot() as connection:
            hot_days = connection.execute(
                f"SELECT {floor_sql('at_us', DAY_US)} AS day_us, count(*) FROM hot"  # noqa: S608 - a constant
                " WHERE at_us < ? GROUP BY day_us",
                [until_us],
            ).fetchall()
            segments = read_segments(connection, AT_US_MIN, AT_US_MAX + 1)
            buried = connection.execute("SELECT start_us, end_us, seq FROM tombstones").fetchall()
        counts: dict[Period, int] = {}
        for day_us, count in hot_days:
            period = self._period_of(day_us, until_us, segments)
            counts[period] = counts.get(period, 0) + count
        for segment in segments:
            month = month_of(segment.start_us)
            if segment.period.startswith("day=") and self._is_over(month, until_us):
                wanted = self._period_of(segment.start_us, until_us, segments)
                if wanted == month:
                    counts.setdefault(month, 0)
            if any(s > segment.through_seq and a <= segment.last_us and b > segment.first_us
                   for a, b, s in buried):  # fmt: skip
                counts.setdefault(Period(segment.start_us, segment.end_us, segment.period), 0)
        return [
            period
            for period, late_count in counts.items()
            if period.end_us <= until_us and self._is_worth_it(period, late_count, segments)
        ]

    def _period_of(self, at_us: int, until_us: int, segments: list[Segment]) -> Period:
        """Where an instant belongs: its month when that is over, else its day."""
        for segment in segments:
            if segment.start_us <= at_us < segment.end_us and segment.period.startswith("month="):
                return Period(segment.start_us, segment.end_us, segment.period)
        month = month_of(at_us)
        count = sum(
            segment.row_count
            for segment in segments
            if month.start_us <= segment.start_us < month.end_us
        )
        is_month = self._is_over(month, until_us) and count <= MONTH_ROWS_MAX
        return month if is_month else day_of(at_us)

    def _is_over(self, month: Period, until_us: int) -> bool:
        return month.end_us + DAY_US <= until_us

    def _is_worth_it(self, period: Period, late_count: int, segments: list[Segment]) -> bool:
        """Whether a period is written now: anew for little only once a day."""
        here = [s for s in segments if s.start_us >= period.start_us and s.end_us <= period.end_us]
        if not here or len(here) > 1 or here[0].period != period.name:
            return True
        is_old = self._clock.now_us() - here[0].written_us >= DAY_US
        return is_old or late_count * LATE_SHARE >= here[0].row_count

    def _compact(self, period: Period) -> None:
        with self._database.writing():
            self.running = period  # from now on deletions in it leave tombstones
        try:
            written = self._write_with_siblings(period)
            self.step("named")
            try:
                self._switch(period, written)
                self.step("switched")
            except Exception:
                self._discard([self._folder / name for name in written.files])
                raise
        finally:
            self.running = None
        now_s = time.monotonic()
        gone = {name for old in written.replaced for name in (old.file, old.rollup)}
        gone |= {sibling.rollup for sibling in written.siblings}
        self._forgotten += [(now_s, self._folder / name) for name in gone]

    def _write_with_siblings(self, period: Period) -> "_Written":
        try:
            return self._write(period, SHARED_ROLLUP_ROWS_MAX)
        except StorageFailed:
            if self._is_stopping or period == month_of(period.start_us):
                raise
            # Perhaps it is another day's roll-ups that are lost: that must not hold up this day.
            return self._write(period, 0)

    def _write(self, period: Period, shared_rows_max: int) -> "_Written":
        """All files of the period, complete on disk; none of them when it raises."""
        folder = self._folder / period.name
        # Never a name that was there before: a bucket keeps what it has under one.
        unique = f"{self._clock.now_us()}-{secrets.token_hex(4)}"
        stem = f"{period.name.replace('=', '-')}-{unique}"
        paths = (folder / f"{stem}.parquet", folder / f"{stem}.rollup.parquet")
        drafts = (paths[0].with_suffix(".part"), paths[1].with_suffix(".part"))
        try:
            folder.mkdir(0o700, exist_ok=True)
            return self._write_files(period, shared_rows_max, paths, drafts)
        except Exception as error:
            # Not for the next start to find: on a full disk each try would take more of it.
            _unlink(drafts)
            self._discard(paths)
            if isinstance(error, OSError):
                raise StorageFailed("the archive could not be written", details=error) from error
            raise

    def _write_files(
        self,
        period: Period,
        shared_rows_max: int,
        paths: tuple[Path, Path],
        drafts: tuple[Path, Path],
    ) -> "_Written":
        try:
            with self._database.snapshot() as self._connection:
                seq = int(fetch_one(self._connection, "SELECT seq FROM state")[0])
                replaced = segments_within(self._connection, period)
                siblings = self._siblings(self._connection, period, replaced, shared_rows_max)
                needed = [old.file for old in replaced] + [each.rollup for each in siblings]
                with self._files.held(needed):
                    facts = self._draft(self._connection, period, seq, replaced, siblings, drafts)
        finally:
            self._connection = None
        rollup = paths[1].relative_to(self._folder).as_posix()
        if facts[4] or siblings:
            make_durable(drafts[1], paths[1])
        else:
            _unlink(drafts[1:])
        if not facts[4]:
            _unlink(drafts[:1])
            return _Written(None, rollup, replaced, siblings)
        segment = Segment(
            period=period.name,
            file=paths[0].relative_to(self._folder).as_posix(),
            rollup=rollup,
            start_us=period.start_us,
            end_us=period.end_us,
            first_us=facts[0],
            last_us=facts[1],
            stream_id_min=facts[2],
            stream_id_max=facts[3],
            row_count=facts[4],
            size_bytes=make_durable(drafts[0], paths[0]),
            through_seq=seq,
            written_us=self._clock.now_us(),
        )
        return _Written(segment, rollup, replaced, siblings)

    def _siblings(
        self,
        connection: duckdb.DuckDBPyConnection,
        period: Period,
        replaced: list[Segment],
        shared_rows_max: int,
    ) -> list[Segment]:
        """The other days whose roll-ups are written again, with the period's: all of a file.

        Days that share a file with the period come along in any case, or their file would keep its
        hours; others while that is not too much work.
        """
        month = month_of(period.start_us)
        if period == month:
            return []
        days_of: dict[str, list[Segment]] = {}
        for segment in segments_within(connection, month):
            if not period.start_us <= segment.start_us < period.end_us:
                days_of.setdefault(segment.rollup, []).append(segment)
        own = {segment.rollup for segment in replaced}
        siblings = [day for name in own for day in days_of.pop(name, [])]
        if not shared_rows_max:
            return siblings
        row_counts = {name: self._row_count(connection, name) for name in days_of}
        for name in sorted(row_counts, key=row_counts.__getitem__):
            shared_rows_max -= row_counts[name]
            if shared_rows_max < 0:
                break
            siblings += days_of[name]
        return siblings

    def _row_count(self, connection: duckdb.DuckDBPyConnection, name: str) -> int:
        sql = "SELECT num_rows FROM parquet_file_metadata(?)"
        with self._files.held([name]) as (path,):
            return int(fetch_one(connection, sql, path)[0])

    def _draft(
        self,
        connection: duckdb.DuckDBPyConnection,
        period: Period,
        seq: int,
        replaced: list[Segment],
        siblings: list[Segment],
        drafts: tuple[Path, Path],
    ) -> tuple[Any, ...]:
        """Write rows and roll-up; returns first and last time, lowest and highest id, row count."""
        run(connection, f"CREATE OR REPLACE TEMP VIEW old AS {self._old(replaced)}")
        rows = _MERGED.format(start=period.start_us, end=period.end_us, seq=seq)
        _copy(connection, rows, drafts[0], _SEGMENT_GROUP_ROWS)
        self._reach("rows written")
        rollups = [_ROLLUP.format(hour=floor_sql("at_us", HOUR_US), file=_quoted(drafts[0]))]
        rollups += [
            f"SELECT * FROM read_parquet('{_quoted(self._folder / sibling.rollup)}',"  # noqa: S608 - our own numbers and paths
            f" hive_partitioning = false)"  # or the folder's name would make one more column
            f" WHERE hour_us >= {sibling.start_us} AND hour_us < {sibling.end_us}"
            for sibling in siblings
        ]
        # By name: a file of an earlier release has no times of the extremes.
        rollup = " UNION ALL BY NAME ".join(rollups) + " ORDER BY stream_id, hour_us"
        _copy(connection, rollup, drafts[1], _ROLLUP_GROUP_ROWS)
        self._reach("roll-up written")
        run(connection, "DROP VIEW old")
        return fetch_one(
            connection,
            "SELECT min(at_us), max(at_us), min(stream_id), max(stream_id), count(*)"
            " FROM read_parquet(?)",
            str(drafts[0]),
        )

    def _old(self, replaced: list[Segment]) -> str:
        if not replaced:
            return _NO_OLD
        return " UNION ALL ".join(
            f"SELECT *, {segment.through_seq}::BIGINT AS through_seq"  # noqa: S608 - our own numbers and paths
            f" FROM read_parquet('{_quoted(self._folder / segment.file)}')"
            for segment in replaced
        )

    def _switch(self, period: Period, written: "_Written") -> None:
        segment = written.segment
        with self._database.writing() as connection:
            drop_segments(connection, written.replaced)
            share_rollup(connection, written.siblings, written.rollup)
            if segment is not None:
                insert_segment(connection, segment)
                run(
                    connection,
                    "DELETE FROM hot WHERE at_us >= ? AND at_us < ? AND seq <= ?",
                    period.start_us, period.end_us, segment.through_seq,
                )  # fmt: skip
            run(
                connection,
                "DELETE FROM tombstones WHERE NOT EXISTS (SELECT 1 FROM segments"
                " WHERE segments.through_seq < tombstones.seq"
                " AND segments.first_us < tombstones.end_us"
                " AND segments.last_us >= tombstones.start_us)",
            )

    def _discard(self, paths: Iterable[Path]) -> None:
        """Delete files unless the manifest names them: a commit may hold that looked failed."""
        try:
            with self._database.snapshot() as connection:
                counting = read_segments(connection, AT_US_MIN, AT_US_MAX + 1)
        except StorageFailed:
            return  # nobody knows; the next start removes them
        named = {name for segment in counting for name in (segment.file, segment.rollup)}
        _unlink(path for path in paths if path.relative_to(self._folder).as_posix() not in named)

    def _forget(self) -> None:
        """Delete replaced files that no reader can be in any more."""
        now_s = time.monotonic()
        due = [path for at_s, path in self._forgotten if now_s - at_s >= FORGET_S]
        self._forgotten = [item for item in self._forgotten if now_s - item[0] < FORGET_S]
        _unlink(due)


class _Written(NamedTuple):
    """What one compaction has written, and for whom.

    Attributes:
        segment: None when nothing of the period is left.
        rollup: the period's and its siblings' roll-ups.
        replaced: the segments that it stands for.
        siblings: other days of the month, whose roll-ups are in the same file.
    """

    segment: Segment | None
    rollup: str
    replaced: list[Segment]
    siblings: list[Segment]

    @property
    def files(self) -> list[str]:
        """Paths below the cold folder; the roll-ups' may not be there."""
        return [self.rollup] if self.segment is None else [self.segment.file, self.rollup]


def _copy(connection: duckdb.DuckDBPyConnection, query: str, file: Path, group_rows: int) -> None:
    run(connection, _COPY.format(query=query, file=_quoted(file), rows=group_rows))


def _unlink(paths: Iterable[Path]) -> None:
    """Delete what is there; what the disk does not let go is for the next start."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
