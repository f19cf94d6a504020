"""The cold tier's files and their manifest.

A segment is one period's datapoints as Parquet, sorted by datastream and time, with a second file
of hourly roll-ups, which the days of one month share. Only what the manifest names counts; every
other file is a leftover of a crash.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import starmap
from operator import attrgetter
from pathlib import Path

import duckdb
import msgspec

from thingtank.stores.folders import sync_folder
from thingtank.stores.history.database import run

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = (
    "period, file, rollup, start_us, end_us, first_us, last_us, stream_id_min, stream_id_max,"
    " row_count, size_bytes, through_seq, written_us"
)


class Segment(msgspec.Struct, frozen=True):
    """A row of the manifest.

    Attributes:
        period: `day=2026-11-23` or `month=2026-10`, also the folder.
        file, rollup: paths below the cold folder.
        start_us, end_us: the period, end excluded.
        first_us, last_us: of the datapoints in it.
        size_bytes: of `file`.
        through_seq: all changes up to this one are in it.
    """

    period: str
    file: str
    rollup: str
    start_us: int
    end_us: int
    first_us: int
    last_us: int
    stream_id_min: int
    stream_id_max: int
    row_count: int
    size_bytes: int
    through_seq: int
    written_us: int


class Period(msgspec.Struct, frozen=True, order=True):
    """A day or a month, UTC."""

    start_us: int
    end_us: int
    name: str


def day_of(at_us: int) -> Period:
    """The day that an instant is in."""
    start = _EPOCH + timedelta(microseconds=at_us - at_us % DAY_US)
    start_us = _us(start)
    return Period(start_us, start_us + DAY_US, f"day={start:%Y-%m-%d}")


def month_of(at_us: int) -> Period:
    """The month that an instant is in."""
    at = _EPOCH + timedelta(microseconds=at_us - at_us % DAY_US)
    start = at.replace(day=1)
    end_us = _us(start) + DAY_US * _days_in_month(start)
    return Period(_us(start), end_us, f"month={start:%Y-%m}")


def _days_in_month(first: datetime) -> int:
    if first.month == 12:
        return 31
    return (first.replace(month=first.month + 1) - first).days


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def floor_sql(column: str, step_us: int) -> str:
    """SQL for the start of the step that a time is in; `//` would round towards 1970."""
    return f"{column} - (({column} % {step_us}) + {step_us}) % {step_us}"


def read_segments(
    connection: duckdb.DuckDBPyConnection, start_us: int, end_us: int
) -> list[Segment]:
    """Segments whose datapoints reach into a range, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM segments WHERE last_us >= ? AND first_us < ?",  # noqa: S608 - a constant
        [start_us, end_us],
    ).fetchall()
    # Ordered here: DuckDB takes three times as long when it has to.
    return sorted(starmap(Segment, rows), key=attrgetter("start_us"))


def names_in(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """All files that count."""
    rows = connection.execute("SELECT file, rollup FROM segments").fetchall()
    return {name for row in rows for name in row}


def segments_within(connection: duckdb.DuckDBPyConnection, period: Period) -> list[Segment]:
    """Segments of a period or of parts of it."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM segments WHERE start_us >= ? AND end_us <= ?",  # noqa: S608 - a constant
        [period.start_us, period.end_us],
    ).fetchall()
    return [Segment(*row) for row in rows]


def insert_segment(connection: duckdb.DuckDBPyConnection, segment: Segment) -> None:
    """Make a segment count."""
    values = msgspec.structs.astuple(segment)
    marks = ", ".join("?" * len(values))
    run(connection, f"INSERT INTO segments ({_COLUMNS}) VALUES ({marks})", *values)  # noqa: S608 - constants


def share_rollup(
    connection: duckdb.DuckDBPyConnection, segments: Iterable[Segment], rollup: str
) -> None:
    """Have another file count as the roll-ups of segments; it holds all that theirs held."""
    for segment in segments:
        run(connection, "UPDATE segments SET rollup = ? WHERE file = ?", rollup, segment.file)


def drop_segments(connection: duckdb.DuckDBPyConnection, segments: Iterable[Segment]) -> None:
    """Make segments count no more; their files are for who calls."""
    for segment in segments:
        run(connection, "DELETE FROM segments WHERE file = ?", segment.file)


def remove_leftovers(folder: Path, counting: Sequence[Segment]) -> list[Path]:
    """Delete files that the manifest does not name; returns them."""
    named = {name for segment in counting for name in (segment.file, segment.rollup)}
    leftovers = [
        path
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).as_posix() not in named
    ]
    for path in leftovers:
        path.unlink()
    for path in folder.glob("*"):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return leftovers


def make_durable(draft: Path, path: Path) -> int:
    """Give a complete file its name, so that it survives a power cut; returns its size in bytes."""
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        size_bytes = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    draft.chmod(0o600)
    draft.rename(path)
    for folder in (path.parent, path.parent.parent):
        sync_folder(folder)
    return size_bytes
