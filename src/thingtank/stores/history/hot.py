"""The hot tier: one DuckDB table that takes writes as they come."""

from collections.abc import Sequence

import duckdb
import numpy as np

from thingtank.stores.history.batches import Columns, columns_of, sorted_newest
from thingtank.stores.history.database import run
from thingtank.stores.history.segments import Period
from thingtank.stores.rows import Deletion, Rows
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN


def insert_rows(connection: duckdb.DuckDBPyConnection, rows: Rows, seq: int) -> None:
    """Write rows; of those of one instant the last counts.

    Args:
        seq: larger than that of any row in the table.
    """
    if not len(rows.stream_ids):
        return
    # Sorted, because the table's compression and the pruning of its parts live on it.
    columns = sorted_newest(columns_of(rows))
    if columns.texts is None:
        _insert_numbers(connection, columns, seq)
        return
    has_text = np.array([text is not None for text in columns.texts], dtype=np.bool_)
    _insert_numbers(connection, columns.take(~has_text), seq)
    _insert_texts(connection, columns.take(has_text), seq)


# DuckDB finds the local variable `batch` by its name, for a third less than by `register`; only in
# the frame that calls `execute`.


def _insert_numbers(connection: duckdb.DuckDBPyConnection, columns: Columns, seq: int) -> None:
    # Apart from texts, so that the common case makes no Python object for a row.
    batch = {"s": columns.stream_ids, "a": columns.at_us, "n": columns.numbers}  # noqa: F841 - DuckDB finds it by its name
    connection.execute(
        "INSERT INTO hot (stream_id, at_us, number, seq) SELECT s, a, n, ? FROM batch", [seq]
    ).fetchall()


def _insert_texts(connection: duckdb.DuckDBPyConnection, columns: Columns, seq: int) -> None:
    assert columns.texts is not None, "split off by the caller"
    batch = {  # noqa: F841 - DuckDB finds it by its name
        "s": columns.stream_ids,
        "a": columns.at_us,
        "n": columns.numbers,
        "t": columns.texts,
    }
    connection.execute(
        "INSERT INTO hot SELECT s, a, CASE WHEN isnan(n) THEN NULL ELSE n END, t, ? FROM batch",
        [seq],
    ).fetchall()


def delete_ranges(
    connection: duckdb.DuckDBPyConnection,
    deletions: Sequence[Deletion],
    seq: int,
    compacting: Period | None,
) -> None:
    """Delete what the table holds in any of the ranges, and hide what segments hold.

    Args:
        seq: the change's number; segments that hold it need no tombstone.
        compacting: a period that becomes a segment now, with rows that are deleted here.
    """
    connection.register("ranges", ranges_of(deletions))
    run(
        connection,
        "DELETE FROM hot USING ranges WHERE hot.stream_id = ranges.stream_id"
        " AND hot.at_us >= ranges.start_us AND hot.at_us < ranges.end_us",
    )
    # None: a range that no deletion reaches into.
    start_us, end_us = (
        (compacting.start_us, compacting.end_us) if compacting else (AT_US_MAX + 1, AT_US_MIN)
    )
    run(
        connection,
        "INSERT INTO tombstones SELECT stream_id, start_us, end_us, ? FROM ranges"
        " WHERE (end_us > ? AND start_us < ?) OR EXISTS (SELECT 1 FROM segments"
        " WHERE segments.first_us < ranges.end_us AND segments.last_us >= ranges.start_us"
        " AND ranges.stream_id BETWEEN segments.stream_id_min AND segments.stream_id_max)",
        seq, start_us, end_us,
    )  # fmt: skip
    # One that a later one covers says nothing more.
    run(
        connection,
        "DELETE FROM tombstones USING ranges WHERE tombstones.stream_id = ranges.stream_id"
        " AND tombstones.seq < ? AND tombstones.start_us >= ranges.start_us"
        " AND tombstones.end_us <= ranges.end_us",
        seq,
    )
    connection.unregister("ranges")


def ranges_of(deletions: Sequence[Deletion]) -> dict[str, np.ndarray]:
    """Deletions as columns, one row for each datastream."""
    counts = [len(deletion.stream_ids) for deletion in deletions]
    stream_ids = [stream_id for deletion in deletions for stream_id in deletion.stream_ids]
    starts = np.array([deletion.start_us for deletion in deletions], dtype=np.int64)
    ends = np.array([deletion.end_us for deletion in deletions], dtype=np.int64)
    return {
        "stream_id": np.array(stream_ids, dtype=np.int32),
        "start_us": np.repeat(starts, counts),
        "end_us": np.repeat(ends, counts),
    }
