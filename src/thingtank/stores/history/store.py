"""The history store: all datapoints on disk, behind the head.

Numbers and texts are kept as they were written. What is newer lies over what is older: hot rows
over cold ones, the head's overlay over both; `stream_reader.py` does that for one datastream.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import duckdb

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.folders import link_or_copy
from thingtank.stores.history.bucket_files import BucketFiles
from thingtank.stores.history.cold_bucket import ColdBucket
from thingtank.stores.history.cold_files import ColdFiles, FolderFiles
from thingtank.stores.history.compaction import Compactor
from thingtank.stores.history.database import Database, fetch_one
from thingtank.stores.history.hot import delete_ranges, insert_rows
from thingtank.stores.history.partials import Partials, buckets_of, joined, summed
from thingtank.stores.history.segments import HOUR_US, names_in, read_segments
from thingtank.stores.history.stream_reader import StreamReader
from thingtank.stores.history_interface import Compacted, HistoryStats
from thingtank.stores.rows import Deletion, Overlay, Rows
from thingtank.stores.soundness import cold_damage
from thingtank.stores.stored import COLD_FOLDER, HOT_FILE, has_lost_manifest
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Bucket, Datapoint
from thingtank.tank.errors import StorageFailed
from thingtank.tank.interfaces import Clock


class HistoryStore:
    """Implements `stores.history_interface.History`."""

    def __init__(self, database: Database, folder: Path, files: ColdFiles, clock: Clock) -> None:
        self._database = database
        self._folder = folder
        self._copying: duckdb.DuckDBPyConnection | None = None
        self.files = files
        self.compactor = Compactor(database, folder, files, clock)

    @classmethod
    def open(
        cls,
        folder: Path,
        settings: ArchiveSettings,
        clock: Clock,
        bucket: ColdBucket | None = None,
    ) -> "HistoryStore":
        """Open the store of a data folder, made when missing.

        Args:
            bucket: where the cold tier's files go; closed with the store.

        Raises:
            StorageFailed: files are in a bucket, and none is given; or nothing says which files of
                the cold tier count.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if has_lost_manifest(folder):
            raise StorageFailed(
                f"{folder / HOT_FILE} is missing or empty, which says what files of"
                f" {folder / COLD_FOLDER} count; restore it from your backup, or, to begin without"
                f" their datapoints, move {folder / COLD_FOLDER} elsewhere"
            )
        database = Database(folder / HOT_FILE, folder / "spill", settings)
        cold = folder / COLD_FOLDER
        files: ColdFiles
        if bucket is None:
            _require_all_here(database, cold)
            files = FolderFiles(cold)
        else:
            files = BucketFiles(database, cold, bucket, settings, clock)
        store = cls(database, cold, files, clock)
        store.compactor.clean_up()
        return store

    @property
    def through_seq(self) -> int:
        """The journal's batch up to which all changes are durable here."""
        with self._database.snapshot() as connection:
            return int(fetch_one(connection, "SELECT through_seq FROM state")[0])

    def apply(self, changes: Sequence[Rows | Deletion], through_seq: int) -> None:
        """Make changes durable, in order, all or nothing, together with `through_seq`."""
        grouped = _deletions_together(changes)
        with self._database.writing() as connection:
            (last_seq,) = fetch_one(
                connection,
                "UPDATE state SET through_seq = ?, seq = seq + ? RETURNING seq",
                through_seq,
                len(grouped),
            )
            for seq, change in enumerate(grouped, last_seq - len(grouped) + 1):
                if isinstance(change, Rows):
                    insert_rows(connection, change, seq)
                else:
                    delete_ranges(connection, change, seq, self.compactor.running)

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
        found: dict[int, list[Datapoint]] = {}
        with self._database.snapshot() as connection:
            for stream_id in stream_ids:
                reader = StreamReader(connection, self.files, stream_id, overlay)
                rows = reader.read(start_us, end_us, limit, newest_first)
                found |= rows.datapoints()
        return found

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
        *,
        is_as_written: bool = True,
    ) -> dict[int, list[Bucket]]:
        """As `tank.interfaces.Archive.read_buckets`, with the overlay laid over."""
        found: dict[int, list[Bucket]] = {}
        with self._database.snapshot() as connection:
            for stream_id in stream_ids:
                reader = StreamReader(
                    connection, self.files, stream_id, overlay, is_as_written=is_as_written
                )
                parts = _parts(reader, start_us, end_us, interval_us, origin_us)
                if parts:
                    found[stream_id] = buckets_of(joined(parts), interval_us, origin_us, limit)
        return found

    def compact(self, until_us: int, periods_max: int = 1_000_000) -> Compacted:
        """Move whole periods that end by `until_us` to the cold tier, oldest first.

        With the last of them, files go to the bucket, if there is one.
        """
        try:
            compacted = self.compactor.run(until_us, periods_max)
        except StorageFailed:  # perhaps of one period for ever: that must not hold up all files
            self.files.carry()
            raise
        if not compacted.left_count:
            self.files.carry()
        return compacted

    def damage(self) -> list[str]:
        """What is wrong with files of the cold tier."""
        with self._database.snapshot() as connection:
            return cold_damage(connection, self._folder)

    def adopt(self) -> None:
        """Have what is in the bucket belong to this folder from now on. Raise StorageFailed."""
        self.files.adopt()

    def copy_to(self, folder: Path) -> None:
        """Write a copy of all to another folder, as of one instant; others go on meanwhile.

        Files of the cold tier are the same files there, by hard links, where the disk is the same:
        nobody ever writes to them again. Those that are in a bucket are not copied.

        Raises:
            StorageFailed: the database could not be read, or its copy not be written.
            OSError: a file of the cold tier could not be copied.
        """
        try:
            with self._database.copying(folder / HOT_FILE) as self._copying:
                segments = read_segments(self._copying, AT_US_MIN, AT_US_MAX + 1)
                # At once: what compaction replaces goes away after FORGET_S.
                named = {name for each in segments for name in (each.file, each.rollup)}
                wanted = sorted(named - self.files.elsewhere(self._copying))
                with self.files.held(wanted):
                    for name in wanted:
                        link_or_copy(self._folder / name, folder / COLD_FOLDER / name)
        finally:
            self._copying = None

    def interrupt(self) -> None:
        """Break off a compaction under way, from another thread, and begin no more."""
        self.files.interrupt()
        self.compactor.interrupt()

    def interrupt_copy(self) -> None:
        """Break off a copy under way, from another thread."""
        copying = self._copying
        if copying is not None:
            with contextlib.suppress(duckdb.Error):  # it has ended just now
                copying.interrupt()

    def stats(self) -> HistoryStats:
        """What both tiers hold."""
        with self._database.snapshot() as connection:
            hot_rows, hot_first, hot_last = fetch_one(
                connection, "SELECT count(*), min(at_us), max(at_us) FROM hot"
            )
            cold = fetch_one(
                connection,
                "SELECT count(*), coalesce(sum(row_count), 0), coalesce(sum(size_bytes), 0),"
                " min(first_us), max(last_us) FROM segments",
            )
            rollups = connection.execute("SELECT DISTINCT rollup FROM segments").fetchall()
            rollup_bytes = sum(self.files.size_bytes(name) for (name,) in rollups)
            bucket = self.files.stats(connection)
        firsts = [at_us for at_us in (hot_first, cold[3]) if at_us is not None]
        lasts = [at_us for at_us in (hot_last, cold[4]) if at_us is not None]
        return HistoryStats(
            hot_rows=hot_rows,
            hot_bytes=self._database.size_bytes(),
            cold_rows=int(cold[1]),
            cold_bytes=int(cold[2]) + rollup_bytes,
            segment_count=cold[0],
            oldest_us=min(firsts, default=None),
            newest_us=max(lasts, default=None),
            bucket=bucket,
        )

    def close(self) -> None:
        """Let go of files and connections."""
        self.files.close()
        self._database.close()


def _require_all_here(database: Database, folder: Path) -> None:
    """See to it that nothing is only in a bucket that is no longer set. Raise StorageFailed."""
    with database.snapshot() as connection:
        rows = connection.execute("SELECT file FROM objects WHERE is_there").fetchall()
        named = names_in(connection)
    lost = [name for (name,) in rows if name in named and not (folder / name).exists()]
    if lost:
        database.close()
        raise StorageFailed(
            f"{len(lost)} files of its archive are in a bucket only: set `archive.cold` to it"
            f" again, or bring them to {folder} first"
        )


def _deletions_together(changes: Sequence[Rows | Deletion]) -> list[Rows | list[Deletion]]:
    """The changes in order; deletions that follow one another are one change, made in one pass."""
    grouped: list[Rows | list[Deletion]] = []
    for change in changes:
        if isinstance(change, Rows):
            grouped.append(change)
        elif grouped and isinstance(grouped[-1], list):
            grouped[-1].append(change)
        else:
            grouped.append([change])
    return grouped


def _parts(
    reader: StreamReader, start_us: int, end_us: int, interval_us: int, origin_us: int
) -> list[Partials]:
    """Summaries that together say all of a range: roll-ups where they do, else of the rows."""
    parts: list[Partials] = []
    ranges = [(start_us, end_us)]
    inner_us = (-(-start_us // HOUR_US) * HOUR_US, end_us // HOUR_US * HOUR_US)
    if interval_us % HOUR_US == 0 and origin_us % HOUR_US == 0 and inner_us[0] < inner_us[1]:
        rollups, rest = reader.rollups(*inner_us)
        if rollups is not None and len(rollups.first_us):
            parts.append(rollups)
        ranges = [(start_us, inner_us[0]), *rest, (inner_us[1], end_us)]
    for first_us, last_us in ranges:
        for rows in reader.chunks(first_us, last_us):
            parts.append(summed(rows, interval_us, origin_us))
    return parts
