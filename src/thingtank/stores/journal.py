"""The journal: one SQLite file in which every write is on disk before it is acknowledged.

Used from one thread at a time. One committed batch is one row, numbered upwards for ever; rows are
trimmed once the history store has them, and dropped once the named readers have passed them too;
what is trimmed and not dropped is there for those readers only. The same file keeps the current
values, saved a little ahead of what is trimmed. That is harmless: applying the journal's changes
again to current values that already contain some of them ends in the same state, because newest
time wins and of equal times the later write wins.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from thingtank.stores.changes import Change, decode_changes, encode_changes
from thingtank.stores.folders import sync_folder
from thingtank.stores.recovering_file import RecoveringFile
from thingtank.stores.sqlite_files import FileFormat

FILE_NAME = "journal.sqlite3"
_FORM = FileFormat("a journal", 0x5454_4A4C, 1)  # "TTJL"
_BATCH_BYTES = 200  # what a batch takes in memory besides its columns
_DROP_BATCHES = 20_000  # in one transaction, as commits wait for it
_PRAGMAS = (
    ("page_size", 8192),  # most commits a second, small and large ones, of 4, 8, 16 and 32 KB
    # The tank's lock says that nobody else writes here; so SQLite need not ask at each commit.
    ("locking_mode", "EXCLUSIVE"),
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("wal_autocheckpoint", 2000),  # pages; checkpoints sync twice, so fewer than SQLite's 1000
    ("secure_delete", "OFF"),  # Debian has it on, which writes all that is trimmed once more
    ("journal_size_limit", 64 * 1024 * 1024),
)

_SCHEMA = """
BEGIN;
CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, changes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS current_value (
    stream_id INTEGER PRIMARY KEY, at_us INTEGER, value TEXT, minimum REAL, maximum REAL);
CREATE TABLE IF NOT EXISTS trimmed (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL);
INSERT OR IGNORE INTO trimmed VALUES (1, 0);
CREATE TABLE IF NOT EXISTS reader (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
COMMIT;
"""


class SavedValue(NamedTuple):
    """One datastream's row in `current_value`; all None to remove it."""

    stream_id: int
    at_us: int | None
    value: str | None
    minimum: float | None
    maximum: float | None


class Journal(RecoveringFile):
    """Blocking access to the journal file."""

    form, pragmas, schema = _FORM, _PRAGMAS, _SCHEMA
    content = "the journal"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FILE_NAME)
        self._last_seq = 0
        self.trimmed_seq = 0
        self.dropped_seq = 0

    @classmethod
    def open(cls, folder: Path) -> "Journal":
        """Open the journal of a folder, made when missing; synced into its directory.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else.
        """
        folder.mkdir(parents=True, exist_ok=True)
        journal = cls(folder)
        connection = journal._connected()
        first, last, trimmed = connection.execute(
            "SELECT (SELECT min(seq) FROM journal), (SELECT max(seq) FROM journal),"
            " (SELECT seq FROM trimmed)"
        ).fetchone()
        journal.trimmed_seq = trimmed
        journal.dropped_seq = trimmed if first is None else min(first - 1, trimmed)
        journal._last_seq = max(last or 0, trimmed)
        sync_folder(folder)
        sync_folder(folder.parent)
        return journal

    @property
    def last_seq(self) -> int:
        """The number of the newest batch ever committed."""
        return self._last_seq

    @property
    def size_bytes(self) -> int:
        """What the file and its log take on disk."""
        log_path = self._path.with_name(self._path.name + "-wal")
        return sum(path.stat().st_size for path in (self._path, log_path) if path.exists())

    def skip_to(self, seq: int) -> None:
        """Number new batches after `seq`, which the history store has seen."""
        self._last_seq = max(self._last_seq, seq)

    def commit(self, changes: Sequence[Change]) -> tuple[int, bytes]:
        """Write a batch and sync it.

        Returns:
            Its number, and its changes as they were encoded.

        Raises:
            StorageFailed: nothing of the batch was kept.
        """
        blob = encode_changes(changes)
        seq = self._last_seq + 1
        self._trying(
            lambda connection: connection.execute("INSERT INTO journal VALUES (?, ?)", (seq, blob))
        )
        self._last_seq = seq
        return seq, blob

    def batches(self) -> Iterator[tuple[int, list[Change]]]:
        """All batches that were not trimmed, oldest first, with their numbers."""
        query = "SELECT seq, changes FROM journal WHERE seq > ? ORDER BY seq"
        for seq, blob in self._connected().execute(query, (self.trimmed_seq,)):
            yield seq, decode_changes(blob)

    def batches_after(self, seq: int, bytes_max: int) -> list[tuple[int, list[Change], bytes]]:
        """The oldest batches behind a number, until they take so much; at least one if there is.

        Each is as it was given, and as it was encoded. Those that were trimmed and not dropped are
        among them.
        """
        query = "SELECT seq, changes FROM journal WHERE seq > ? ORDER BY seq"
        found: list[tuple[int, list[Change], bytes]] = []
        with contextlib.closing(self._connected().execute(query, (seq,))) as rows:
            for number, blob in rows:
                found.append((number, decode_changes(blob), blob))
                bytes_max -= len(blob) + _BATCH_BYTES
                if bytes_max <= 0:
                    break
        return found

    def kept_bytes(self) -> int:
        """The size of all batches that were not dropped."""
        query = "SELECT coalesce(sum(length(changes)), 0) FROM journal"
        (size_bytes,) = self._connected().execute(query).fetchone()
        return int(size_bytes)

    def places(self) -> dict[str, int]:
        """The readers' places by name, as saved last."""
        return dict(self._connected().execute("SELECT name, seq FROM reader"))

    def save_places(self, places: Mapping[str, int]) -> None:
        """Save places of readers.

        Raises:
            StorageFailed: nothing was saved.
        """
        self._trying(partial(_save_places, places))

    def forget_places(self, names: Sequence[str]) -> None:
        """Drop readers.

        Raises:
            StorageFailed: nothing was dropped.
        """
        self._trying(partial(_forget_places, names))

    def current_values(self) -> Iterator[SavedValue]:
        """The current values as saved last."""
        rows = self._connected().execute("SELECT * FROM current_value ORDER BY stream_id")
        return map(SavedValue._make, rows)

    def save(self, values: Sequence[SavedValue]) -> None:
        """Save current values; they may be ahead of what is trimmed, never behind.

        Raises:
            StorageFailed: nothing was saved.
        """
        self._trying(partial(_save, values))

    def trim(
        self,
        through_seq: int,
        droppable_seq: int | None = None,
        places: Mapping[str, int] | None = None,
    ) -> bool:
        """Let go of the batches up to a number: the history store and the saved values have them.

        Args:
            droppable_seq: up to where no reader needs them; None for all of it.
            places: the readers' places, to be saved.

        Returns:
            Whether all that may be dropped is; if not, trim once more.

        Raises:
            StorageFailed: nothing was trimmed.
        """
        until_seq = through_seq if droppable_seq is None else min(droppable_seq, through_seq)
        until_seq = max(until_seq, self.dropped_seq)
        drop_seq = min(until_seq, self.dropped_seq + _DROP_BATCHES)
        self._trying(partial(_trim, through_seq, drop_seq, places or {}))
        self.trimmed_seq = max(self.trimmed_seq, through_seq)
        self.dropped_seq = drop_seq
        return drop_seq >= until_seq

    def _remove_refused(self, connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM journal WHERE seq > ?", (self._last_seq,))


def _save(values: Iterable[SavedValue], connection: sqlite3.Connection) -> None:
    gone = [(value.stream_id,) for value in values if value[1:] == (None, None, None, None)]
    kept = [value for value in values if value[1:] != (None, None, None, None)]
    with _transaction(connection):
        connection.executemany("INSERT OR REPLACE INTO current_value VALUES (?, ?, ?, ?, ?)", kept)
        connection.executemany("DELETE FROM current_value WHERE stream_id = ?", gone)


def _trim(
    through_seq: int, drop_seq: int, places: Mapping[str, int], connection: sqlite3.Connection
) -> None:
    with _transaction(connection):
        connection.execute("DELETE FROM journal WHERE seq <= ?", (drop_seq,))
        connection.execute("UPDATE trimmed SET seq = max(seq, ?)", (through_seq,))
        _put_places(places, connection)


def _save_places(places: Mapping[str, int], connection: sqlite3.Connection) -> None:
    with _transaction(connection):
        _put_places(places, connection)


def _forget_places(names: Sequence[str], connection: sqlite3.Connection) -> None:
    with _transaction(connection):
        rows = [(name,) for name in names]
        connection.executemany("DELETE FROM reader WHERE name = ?", rows)


def _put_places(places: Mapping[str, int], connection: sqlite3.Connection) -> None:
    connection.executemany("INSERT OR REPLACE INTO reader VALUES (?, ?)", list(places.items()))


def _transaction(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Begin; the connection as context manager commits, or rolls back."""
    connection.execute("BEGIN IMMEDIATE")
    return connection
