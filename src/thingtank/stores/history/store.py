"""The history store: where datapoints stay once the journal hands them over.

One DuckDB file holds all. Every method is blocking and may be called from several threads.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.history.batches import Columns, columns_of, concatenated, sorted_newest
from thingtank.stores.history.buckets import buckets_of
from thingtank.stores.history.database import Database, fetch_one, run
from thingtank.stores.history.hot import delete_ranges, insert_rows, ranges_of
from thingtank.stores.rows import Deletion, Overlay, Rows
from thingtank.tank.datapoints import AT_US_MIN, Bucket, Datapoint
from thingtank.tank.interfaces import Clock

# Of rows of one instant the newest counts; `ranges` are deletions that are not in the file yet.
_ROWS = """
SELECT stream_id, at_us, number, text FROM hot
WHERE stream_id IN (SELECT unnest($streams)) AND at_us >= $start AND at_us < $end
  AND NOT EXISTS (SELECT 1 FROM ranges WHERE ranges.stream_id = hot.stream_id
                  AND hot.at_us >= ranges.start_us AND hot.at_us < ranges.end_us)
QUALIFY row_number() OVER (PARTITION BY stream_id, at_us ORDER BY seq DESC) = 1
"""
_NEWEST_ROWS = """
SELECT * FROM ({rows})
QUALIFY row_number() OVER (PARTITION BY stream_id ORDER BY at_us {order}) <= $limit
"""


class HistoryStore:
    """Implements `stores.history_interface.History`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, folder: Path, settings: ArchiveSettings, clock: Clock) -> "HistoryStore":
        """Open the store of a data folder, made when missing."""
        folder.mkdir(parents=True, exist_ok=True)
        spill_folder = folder / "spill"
        return cls(Database(folder / "hot.duckdb", spill_folder, settings))

    @property
    def through_seq(self) -> int:
        """The journal's batch up to which all changes are durable here."""
        with self._database.snapshot() as connection:
            return int(fetch_one(connection, "SELECT through_seq FROM state")[0])

    def apply(self, changes: Sequence[Rows | Deletion], through_seq: int) -> None:
        """Make changes durable, in order, all or nothing, together with `through_seq`."""
        with self._database.writing() as connection:
            seq = int(fetch_one(connection, "SELECT seq FROM state")[0])
            for change in changes:
                seq += 1
                if isinstance(change, Deletion):
                    delete_ranges(connection, [change])
                else:
                    insert_rows(connection, change, seq)
            run(connection, "UPDATE state SET through_seq = ?, seq = ?", through_seq, seq)

    def read(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        limit: int,
        newest_first: bool,
        overlay: Overlay | None,
    ) -> dict[int, list[Datapoint]]:
        """As `tank.interfaces.Archive.read`, with the overlay laid over what is stored."""
        order = "DESC" if newest_first else "ASC"
        query = _NEWEST_ROWS.format(rows=_ROWS, order=order)
        found = self._rows(query, stream_ids, start_us, end_us, overlay, limit)
        return {
            stream_id: points[-limit:] if newest_first else points[:limit]
            for stream_id, points in found.datapoints().items()
        }

    def read_last_before(
        self, stream_ids: Sequence[int], before_us: int, overlay: Overlay | None
    ) -> dict[int, Datapoint]:
        """As `tank.interfaces.Archive.read_last_before`, with the overlay laid over."""
        found = self.read(stream_ids, AT_US_MIN, before_us, 1, True, overlay)
        return {stream_id: points[0] for stream_id, points in found.items()}

    def read_buckets(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        interval_us: int,
        origin_us: int,
        limit: int,
        overlay: Overlay | None,
    ) -> dict[int, list[Bucket]]:
        """As `tank.interfaces.Archive.read_buckets`, with the overlay laid over."""
        found = self._rows(_ROWS, stream_ids, start_us, end_us, overlay, None)
        buckets = buckets_of(found, interval_us, origin_us)
        return {stream_id: steps[:limit] for stream_id, steps in buckets.items()}

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _rows(
        self,
        query: str,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        overlay: Overlay | None,
        limit: int | None,
    ) -> Columns:
        """Stored rows and those of the overlay, sorted by datastream and time."""
        values = {"streams": list(stream_ids), "start": start_us, "end": end_us}
        if limit is not None:
            values["limit"] = limit
        with self._database.snapshot() as connection:
            connection.register("ranges", ranges_of(overlay.deletions if overlay else []))
            stored = _fetched(connection.execute(query, values))
            connection.unregister("ranges")
        if overlay is None:
            return sorted_newest(stored)
        newer = columns_of(overlay.rows)
        wanted = (
            np.isin(newer.stream_ids, np.asarray(stream_ids, dtype=np.int32))
            & (newer.at_us >= start_us)
            & (newer.at_us < end_us)
        )
        return sorted_newest(concatenated([stored, newer.take(wanted)]))


def _fetched(result: duckdb.DuckDBPyConnection) -> Columns:
    found = result.fetchnumpy()
    masked = np.ma.asarray(found["text"])
    texts: npt.NDArray[np.object_] = np.ma.getdata(masked).astype(np.object_)
    texts[np.ma.getmaskarray(masked)] = None
    return Columns(
        np.ma.getdata(found["stream_id"]).astype(np.int32),
        np.ma.getdata(found["at_us"]).astype(np.int64),
        np.ma.filled(np.ma.asarray(found["number"], dtype=np.float64), np.nan),
        texts if any(text is not None for text in texts) else None,
    )
