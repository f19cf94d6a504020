"""The DuckDB file behind the history store: its settings, its tables, who may use it when.

Reads run in snapshots, many at a time, each on a connection of its own. Writes run one after
another on one connection. Nothing is ever loaded from elsewhere: extensions stay as built in.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import structlog

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.tank.errors import StorageFailed

log = structlog.get_logger()

# hot: every write that compaction has not moved yet. Of one instant of a datastream the row with
#   the largest seq counts. number is NULL where the value is not a number; text only where the
#   number's usual spelling does not give the value back. No index: it would cost most of the speed.
# segments: the Parquet files that count, `rollup` being the file of sums that goes with `file`.
#   Periods never overlap. A segment holds all changes up to through_seq.
# tombstones: deletions after a segment was written; they hide its rows where seq > through_seq.
# objects: files of the cold tier that are in a bucket, or on their way there; see
#   bucket_carrier.py.
# state: one row. through_seq is the journal's number, seq counts changes of this store.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS hot (
    stream_id INTEGER NOT NULL, at_us BIGINT NOT NULL, number DOUBLE, text VARCHAR,
    seq BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS segments (
    period VARCHAR NOT NULL, file VARCHAR NOT NULL, rollup VARCHAR NOT NULL,
    start_us BIGINT NOT NULL, end_us BIGINT NOT NULL,
    first_us BIGINT NOT NULL, last_us BIGINT NOT NULL,
    stream_id_min INTEGER NOT NULL, stream_id_max INTEGER NOT NULL,
    row_count BIGINT NOT NULL, size_bytes BIGINT NOT NULL, through_seq BIGINT NOT NULL,
    written_us BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS tombstones (
    stream_id INTEGER NOT NULL, start_us BIGINT NOT NULL, end_us BIGINT NOT NULL,
    seq BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
    file VARCHAR NOT NULL, size_bytes BIGINT NOT NULL, sha256 VARCHAR NOT NULL,
    is_there BOOLEAN NOT NULL, gone_us BIGINT);
CREATE TABLE IF NOT EXISTS state (
    through_seq BIGINT NOT NULL, seq BIGINT NOT NULL);
INSERT INTO state SELECT 0, 0 WHERE NOT EXISTS (FROM state);
"""


class Database:
    """Connections to one DuckDB file, and the lock that lets one writer in at a time."""

    def __init__(self, path: Path, spill_folder: Path, settings: ArchiveSettings) -> None:
        self._path = path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "threads": settings.duckdb_threads,
            "memory_limit": f"{settings.duckdb_memory_bytes_max >> 10}KiB",
            "temp_directory": str(spill_folder),
            "storage_compatibility_version": "latest",  # 10 % smaller; nobody older opens it
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "checkpoint_threshold": "16MB",
        }
        self._write_lock = threading.RLock()
        self._idle_lock = threading.Lock()
        self._idle: list[duckdb.DuckDBPyConnection] = []
        self._root = self._connect()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(str(self._path), config=self._config)
        connection.execute(_SCHEMA).fetchall()
        # A segment's description is read once, not by every query.
        connection.execute("SET GLOBAL parquet_metadata_cache = true").fetchall()
        return connection

    @contextmanager
    def snapshot(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read transaction: all that is read in it is of one instant.

        Raises:
            StorageFailed: the file could not be read, or its connection was lost; whoever comes
                next may find it open again.
        """
        connection: duckdb.DuckDBPyConnection | None = None
        try:
            connection = self._borrow()
            connection.begin()
            yield connection
            connection.commit()
        except BaseException as error:
            if connection is not None:
                connection.close()
            if not isinstance(error, duckdb.Error):
                raise
            log.error("archive_read_failed", reason=str(error))
            self._reopen_if_invalid()
            raise StorageFailed("the archive could not be read", details=error) from error
        with self._idle_lock:
            self._idle.append(connection)

    def _borrow(self) -> duckdb.DuckDBPyConnection:
        with self._idle_lock:
            return self._idle.pop() if self._idle else self._root.cursor()

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A write transaction, alone; nothing of it stays when it raises.

        Raises:
            StorageFailed: the disk did not take it.
        """
        with self._write_lock:
            try:
                self._root.begin()
                yield self._root
                self._root.commit()
            except duckdb.Error as error:
                self._roll_back()
                self._reopen_if_invalid()
                raise StorageFailed("the archive could not be written", details=error) from error
            except BaseException:
                self._roll_back()
                raise

    def checkpoint(self) -> None:
        """Write the database's log into its file, and give space of deleted rows back."""
        with self._write_lock:
            try:
                self._root.execute("CHECKPOINT").fetchall()
            except duckdb.TransactionException:
                return  # readers are busy; the next one does it
            except duckdb.Error as error:
                self._reopen_if_invalid()
                raise StorageFailed("the archive could not be written", details=error) from error

    def _roll_back(self) -> None:
        try:
            self._root.rollback()
        except duckdb.Error:
            return  # no transaction is left to roll back, or the database gave up

    def _reopen_if_invalid(self) -> None:
        """Start afresh after an error that DuckDB does not go on from, such as a full disk.

        Raises:
            StorageFailed: that did not work either; the next who needs it tries again.
        """
        with self._write_lock:
            try:
                self._root.cursor().execute("SELECT 1 FROM state").fetchall()
            except duckdb.Error:
                self.close()
                try:
                    self._root = self._connect()
                except duckdb.Error as error:
                    raise StorageFailed("the archive could not be opened", details=error) from error

    @contextmanager
    def copying(self, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read transaction, as `snapshot`; at its end all of that instant is copied to a file.

        Others read and write meanwhile.

        Raises:
            StorageFailed: it could not be read, or the copy not be written.
        """
        name = self._path.stem.replace('"', '""')
        target = str(path).replace("'", "''")
        connection = self._root.cursor()
        try:
            connection.execute(f"ATTACH '{target}' AS copied").fetchall()
            connection.begin()
            yield connection
            connection.execute(f'COPY FROM DATABASE "{name}" TO copied').fetchall()
            connection.commit()
        except duckdb.Error as error:
            raise StorageFailed("the archive could not be copied", details=error) from error
        finally:
            with suppress(duckdb.Error):
                connection.rollback()  # there is nothing to roll back where all went well
            with suppress(duckdb.Error):  # or it was never attached
                connection.execute("DETACH copied").fetchall()
            connection.close()

    def size_bytes(self) -> int:
        """What the file and its log take on disk."""
        log_path = self._path.with_name(self._path.name + ".wal")
        return sum(path.stat().st_size for path in (self._path, log_path) if path.exists())

    def close(self) -> None:
        """Close all connections that nobody uses, and the file."""
        with self._write_lock, self._idle_lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            self._root.close()


def fetch_one(connection: duckdb.DuckDBPyConnection, sql: str, *values: object) -> tuple[Any, ...]:
    """The one row of a query that always has one."""
    (row,) = connection.execute(sql, values).fetchall()
    return tuple(row)


def run(connection: duckdb.DuckDBPyConnection, sql: str, *values: object) -> None:
    """Carry out a statement to its end; a result left unread would block the connection."""
    connection.execute(sql, values).fetchall()
