"""The SQLite file of sources in the data folder: leases of streams, and rejected records.

The directory's database is not used for it: that may be another machine's, and a checkpoint is
written with each batch that was read.

Blocking; each call is a transaction of its own, on disk when it returns, and waits for the one
before it.
"""

import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from thingtank.local.sqlite import open_shared, writing
from thingtank.net.sqlite_copies import write_copy
from thingtank.sources.kinesis.leases import Lease

FILE_NAME = "sources.sqlite3"

Result = TypeVar("Result")

_APPLICATION_ID, _VERSION = 0x5454_534F, 1  # "TTSO"
# `rejected` is of former versions: it had the beginnings of records, and not whose they were.
_SCHEMA = """
DROP TABLE IF EXISTS rejected;
CREATE TABLE IF NOT EXISTS start (
    rule TEXT NOT NULL,
    stream TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    PRIMARY KEY (rule, stream)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lease (
    rule TEXT NOT NULL,
    stream TEXT NOT NULL,
    shard TEXT NOT NULL,
    owner TEXT NOT NULL,
    counter INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    parents TEXT NOT NULL,
    PRIMARY KEY (rule, stream, shard)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rejected_record (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    name TEXT NOT NULL,
    record_id TEXT NOT NULL,
    sub_number INTEGER,
    offset_us INTEGER NOT NULL,
    key TEXT NOT NULL,
    arrived_us INTEGER NOT NULL,
    data BLOB NOT NULL,
    byte_count INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    UNIQUE (rule, name));
CREATE INDEX IF NOT EXISTS rejected_order ON rejected_record (rule, number)
"""


class SourceFile:
    """Opened by its first use: an instance without sources has none."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was ever kept."""
        return self._path.exists()

    def close(self) -> None:
        """Let go."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def copy_to(self, folder: Path) -> None:
        """Write a copy for a backup, if there is anything."""
        if self.exists:
            self.run(lambda connection: write_copy(connection, folder / FILE_NAME))

    def leases(self, rule: str, stream: str) -> "FileLeases":
        """The leases of a rule."""
        return FileLeases(self, rule, stream)

    def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Have something done with the file, opened or made for it.

        Raises:
            sqlite3.Error, OSError, WrongFile.
        """
        with self._lock:
            if self._connection is None:
                self._connection = open_shared(self._path, _APPLICATION_ID, _VERSION, _SCHEMA)
                self._path.chmod(0o600)  # rejected records are values
            return work(self._connection)


class FileLeases:
    """Implements `LeaseTable`."""

    def __init__(self, file: SourceFile, rule: str, stream: str) -> None:
        self._file = file
        self._key = (rule, stream)

    def ensure(self, parents: Mapping[str, Sequence[str]], start: str) -> None:
        """See LeaseTable; so are the others."""

        def make(connection: sqlite3.Connection) -> None:
            with writing(connection):
                connection.execute(
                    "INSERT OR IGNORE INTO start VALUES (?, ?, ?)", (*self._key, start)
                )
                rows = [
                    (shard, msgspec.json.encode(list(olds)).decode(), *self._key)
                    for shard, olds in parents.items()
                ]
                connection.executemany(
                    "INSERT OR IGNORE INTO lease SELECT rule, stream, ?, '', 0, checkpoint, ?"
                    " FROM start WHERE rule = ? AND stream = ?",
                    rows,
                )

        self._file.run(make)

    def all(self) -> list[Lease]:
        query = (
            "SELECT shard, owner, counter, checkpoint, parents FROM lease"
            " WHERE rule = ? AND stream = ? ORDER BY shard"
        )
        return self._file.run(
            lambda connection: [_lease(row) for row in connection.execute(query, self._key)]
        )

    def change(self, lease: Lease, *, owner: str, checkpoint: str | None = None) -> Lease | None:
        changed = msgspec.structs.replace(
            lease,
            owner=owner,
            counter=lease.counter + 1,
            checkpoint=lease.checkpoint if checkpoint is None else checkpoint,
        )
        statement = (
            "UPDATE lease SET owner = ?, counter = ?, checkpoint = ?"
            " WHERE rule = ? AND stream = ? AND shard = ? AND counter = ? AND owner = ?"
        )
        values = (
            owner, changed.counter, changed.checkpoint,
            *self._key, lease.shard, lease.counter, lease.owner,
        )  # fmt: skip
        count = self._file.run(lambda connection: connection.execute(statement, values).rowcount)
        return changed if count else None

    def forget(self, shards: Collection[str]) -> None:
        def forget(connection: sqlite3.Connection) -> None:
            with writing(connection):
                connection.executemany(
                    "DELETE FROM lease WHERE rule = ? AND stream = ? AND shard = ?",
                    [(*self._key, shard) for shard in shards],
                )

        self._file.run(forget)


def _lease(row: tuple[str, str, int, str, str]) -> Lease:
    shard, owner, counter, checkpoint, parents = row
    return Lease(shard, owner, counter, checkpoint, tuple(msgspec.json.decode(parents)))
