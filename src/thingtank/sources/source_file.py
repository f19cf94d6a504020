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
from typing import NamedTuple, TypeVar

import msgspec

from thingtank.local.sqlite import open_shared, writing
from thingtank.net.sqlite_copies import write_copy
from thingtank.sources.kinesis.leases import Lease

FILE_NAME = "sources.sqlite3"
EXCERPT_BYTES_MAX = 2000

Result = TypeVar("Result")

_APPLICATION_ID, _VERSION = 0x5454_534F, 1  # "TTSO"
_SCHEMA = """
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
CREATE TABLE IF NOT EXISTS rejected (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    record_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    excerpt BLOB NOT NULL,
    at_us INTEGER NOT NULL,
    UNIQUE (rule, record_id));
CREATE INDEX IF NOT EXISTS rejected_order ON rejected (rule, number)
"""
_REJECT = """
INSERT INTO rejected (rule, record_id, reason, excerpt, at_us) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (rule, record_id) DO UPDATE SET reason = excluded.reason, at_us = excluded.at_us
"""
_NUMBER_END = 2**63 - 1
_TRIM = """
DELETE FROM rejected WHERE rule = ?1 AND number <= (
    SELECT number FROM rejected WHERE rule = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)
"""


class Rejected(NamedTuple):
    """A record of which something could not be written.

    Attributes:
        record_id: the shard and the number that the stream has for it.
        excerpt: its first bytes.
        at_us: when it was rejected last.
        number: its place among those of all rules; 0 before it is kept.
    """

    record_id: str
    reason: str
    excerpt: bytes
    at_us: int
    number: int = 0


class SourceFile:
    """Opened by its first use: an instance without sources has none."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Let go."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def copy_to(self, folder: Path) -> None:
        """Write a copy for a backup, if there is anything."""
        if self._path.exists():
            self.run(lambda connection: write_copy(connection, folder / FILE_NAME))

    def add_rejected(self, rule: str, rejected: Sequence[Rejected], keep_max: int) -> None:
        """Keep rejected records; the oldest ones of the rule go when there are too many."""

        def add(connection: sqlite3.Connection) -> None:
            with writing(connection):
                connection.executemany(_REJECT, [(rule, *each[:4]) for each in rejected])
                connection.execute(_TRIM, (rule, keep_max))

        self.run(add)

    def rejected(self, rule: str, limit: int, before: int | None = None) -> list[Rejected]:
        """The newest rejected records of a rule, newest first; of those before a number."""
        query = (
            "SELECT record_id, reason, excerpt, at_us, number FROM rejected"
            " WHERE rule = ? AND number < ? ORDER BY number DESC LIMIT ?"
        )
        end = _NUMBER_END if before is None else before
        if not self._path.exists():
            return []
        return self.run(
            lambda connection: [
                Rejected._make(row) for row in connection.execute(query, (rule, end, limit))
            ]
        )

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
