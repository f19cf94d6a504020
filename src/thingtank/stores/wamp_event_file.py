"""The SQLite file of WAMP's events: those kept for history, and the retained ones.

Written from one thread at a time. A stream is what one subscription has kept, whose ids change with
each start: it is known by realm, uri and match. An event that belongs to two of them is there
twice, so that each forgets by its own rule. `number` is the order of arrival, over all streams.

Rows are written many in a statement. Each step of a statement gives the interpreter to the loop
and has to wait until the loop gives it back; row by row, a busy loop would let few through.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from thingtank.protocols.wamp.history import HistoryRule
from thingtank.protocols.wamp.publications import Publication
from thingtank.stores.folders import sync_folder
from thingtank.stores.recovering_file import RecoveringFile
from thingtank.stores.sqlite_files import FileFormat
from thingtank.stores.wamp_event_rows import (
    COLUMN_COUNT,
    COLUMN_TYPES,
    COLUMNS,
    Row,
    disk_bytes,
    publication_of,
)

Result = TypeVar("Result")
RetainedKey: TypeAlias = tuple[str, int]
"""Realm and publication id."""

FILE_NAME = "wamp_events.sqlite3"
TRIM_EVENTS = 2_000  # forgotten in one transaction, as commits wait for it

_FORM = FileFormat("a file of WAMP events", 0x5454_5745, 1)  # "TTWE"
_PRAGMAS = (
    ("journal_mode", "WAL"),  # without an exclusive lock: history is read beside the writer
    ("synchronous", "FULL"),
    ("wal_autocheckpoint", 2000),  # pages, as the journal's
    ("secure_delete", "OFF"),
    ("journal_size_limit", 64 * 1024 * 1024),
)
_SCHEMA = f"""
BEGIN;
CREATE TABLE IF NOT EXISTS stream (
    stream_id INTEGER PRIMARY KEY,
    realm TEXT NOT NULL,
    uri TEXT NOT NULL,
    match TEXT NOT NULL,
    events_max INTEGER NOT NULL,
    bytes_max INTEGER NOT NULL,
    keep_s INTEGER NOT NULL,
    UNIQUE (realm, uri, match));
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL,{COLUMN_TYPES},
    size_bytes INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS of_stream
    ON event (stream_id, number, at_us, publication_id, topic, size_bytes);
CREATE TABLE IF NOT EXISTS retained (
    number INTEGER PRIMARY KEY,
    realm TEXT NOT NULL,{COLUMN_TYPES},
    size_bytes INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS of_realm ON retained (realm, publication_id);
COMMIT;
"""
_ROWS_AT_ONCE = (256, 16, 1)
_US_PER_S = 1_000_000

_OF_STREAM = "FROM event INDEXED BY of_stream WHERE stream_id = ?"
_OLDEST = f"SELECT number {_OF_STREAM} ORDER BY number LIMIT ?"
_OLDEST_TIMES = f"SELECT number, at_us {_OF_STREAM} ORDER BY number LIMIT ?"
_OLDEST_EXPIRED = f"SELECT number FROM ({_OLDEST_TIMES}) WHERE at_us < ?"  # noqa: S608 - texts of ours
_OLDEST_SIZES = f"SELECT number, size_bytes {_OF_STREAM} ORDER BY number LIMIT ?"
_RUNNING = "SELECT number, size_bytes, sum(size_bytes) OVER (ORDER BY number) AS sum_bytes FROM"
_OLDEST_BYTES = (
    f"SELECT number FROM ({_RUNNING} ({_OLDEST_SIZES})) WHERE sum_bytes - size_bytes < ?"  # noqa: S608 - texts of ours
)
_ANY_EXPIRED = f"SELECT number {_OF_STREAM} AND at_us < ? LIMIT ?"


@dataclass
class _Size:
    """What a stream has."""

    count: int = 0
    bytes: int = 0


class WampEventFile(RecoveringFile):
    """Blocking access, to write."""

    form, pragmas, schema = _FORM, _PRAGMAS, _SCHEMA
    content = "WAMP's events"
    is_private = True  # messages are for those who may subscribe

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._event_last = 0
        self._retained_last = 0
        self._sizes: dict[int, _Size] = {}
        self._unswept: set[int] = set()

    @classmethod
    def open(cls, folder: Path) -> "WampEventFile":
        """Open the file of a folder, made when missing; synced into its directory.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else.
        """
        folder.mkdir(parents=True, exist_ok=True)
        file = cls(folder / FILE_NAME)
        connection = file._connected()
        file._event_last, file._retained_last = connection.execute(
            "SELECT coalesce((SELECT max(number) FROM event), 0),"
            " coalesce((SELECT max(number) FROM retained), 0)"
        ).fetchone()
        rows = connection.execute(
            "SELECT stream_id, count(*), sum(size_bytes) FROM event GROUP BY stream_id"
        )
        file._sizes = {stream_id: _Size(*size) for stream_id, *size in rows}
        file._unswept = set(file._sizes)
        sync_folder(folder)
        return file

    @property
    def path(self) -> Path:
        """Of the file, for those who read beside."""
        return self._path

    def stream_id(self, realm: str, rule: HistoryRule) -> int:
        """The stream of a subscription, made when missing; its rule from now on.

        Raises:
            StorageFailed.
        """
        (stream_id,) = self._trying(
            lambda connection: connection.execute(
                "INSERT INTO stream (realm, uri, match, events_max, bytes_max, keep_s)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET events_max ="
                " excluded.events_max, bytes_max = excluded.bytes_max, keep_s = excluded.keep_s"
                " RETURNING stream_id",
                (realm, rule.uri, rule.match, rule.events_max, rule.bytes_max, rule.keep_s),
            ).fetchone()
        )
        return int(stream_id)

    def retained(self, realm: str) -> list[Publication]:
        """A realm's retained events, oldest first."""
        rows = self._connected().execute(
            f"SELECT {COLUMNS} FROM retained WHERE realm = ? ORDER BY number",  # noqa: S608 - names of ours
            (realm,),
        )
        return [publication_of(row) for row in rows]

    def commit(
        self,
        events: Sequence[tuple[int, Row]],
        retained: Iterable[tuple[RetainedKey, Row | None]] = (),
    ) -> None:
        """Write what came, in order, and sync it.

        Args:
            events: each with its stream.
            retained: what is retained from now on, or, by None, is not any more.

        Raises:
            StorageFailed: nothing of it was kept.
        """
        retained = list(retained)
        put = [(realm, row) for (realm, _), row in retained if row is not None]
        removed = sorted(key for key, row in retained if row is None)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                _insert(connection, "event", self._event_last, events)
                for realm, keys in groupby(removed, key=lambda key: key[0]):
                    connection.execute(
                        "DELETE FROM retained WHERE realm = ? AND publication_id IN"
                        " (SELECT value FROM json_each(?))",
                        (realm, json.dumps([publication_id for _, publication_id in keys])),
                    )
                _insert(connection, "retained", self._retained_last, put)

        self._trying(write)
        self._event_last += len(events)
        self._retained_last += len(put)
        for stream_id, row in events:
            size = self._size(stream_id)
            size.count += 1
            size.bytes += disk_bytes(row)

    def trim(self, now_us: int) -> bool:
        """Forget what the rules do not keep, some of it.

        Streams that no rule has any more go on forgetting by the rule that they had.

        Returns:
            Whether that is all; if not, trim once more.

        Raises:
            StorageFailed: nothing was forgotten.
        """
        streams = self._trying(
            lambda connection: connection.execute(
                "SELECT stream_id, events_max, bytes_max, keep_s FROM stream"
            ).fetchall()
        )
        left = TRIM_EVENTS
        for stream_id, events_max, bytes_max, keep_s in streams:
            size = self._size(stream_id)
            if size.count > events_max:
                count_max = min(left, size.count - events_max)
                left -= self._forget(stream_id, _OLDEST, (stream_id, count_max))
            if left > 0 and size.bytes > bytes_max:
                values = (stream_id, left, size.bytes - bytes_max)
                left -= self._forget(stream_id, _OLDEST_BYTES, values)
            if left > 0:
                left -= self._forget_expired(stream_id, now_us - keep_s * _US_PER_S, left)
            if left <= 0:
                return False
        return True

    def _forget_expired(self, stream_id: int, oldest_us: int, count_max: int) -> int:
        if stream_id not in self._unswept:
            return self._forget(stream_id, _OLDEST_EXPIRED, (stream_id, count_max, oldest_us))
        # Once after each start all are looked at: the clock may have been wrong in earlier runs.
        count = self._forget(stream_id, _ANY_EXPIRED, (stream_id, oldest_us, count_max))
        if count < count_max:
            self._unswept.discard(stream_id)
        return count

    def _forget(self, stream_id: int, which: str, values: tuple[int, ...]) -> int:
        """Delete some events of a stream; how many."""

        def forget(connection: sqlite3.Connection) -> tuple[int, int]:
            count, size_bytes = connection.execute(
                f"SELECT count(*), sum(size_bytes) FROM event WHERE number IN ({which})",  # noqa: S608 - texts of ours
                values,
            ).fetchone()
            if count:
                connection.execute(f"DELETE FROM event WHERE number IN ({which})", values)  # noqa: S608 - texts of ours
            return count, size_bytes or 0

        count, size_bytes = self._trying(forget)
        size = self._size(stream_id)
        size.count -= count
        size.bytes -= size_bytes
        return count

    def _size(self, stream_id: int) -> "_Size":
        return self._sizes.setdefault(stream_id, _Size())

    def _remove_refused(self, connection: sqlite3.Connection) -> None:
        _remove_after(connection, self._event_last, self._retained_last)


def _remove_after(connection: sqlite3.Connection, event_last: int, retained_last: int) -> None:
    connection.execute("DELETE FROM event WHERE number > ?", (event_last,))
    connection.execute("DELETE FROM retained WHERE number > ?", (retained_last,))


def _insert(
    connection: sqlite3.Connection,
    table: str,
    number_last: int,
    rows: Sequence[tuple[int, Row]] | Sequence[tuple[str, Row]],
) -> None:
    """Insert rows that belong to a stream or realm, numbered upwards."""
    done = 0
    for at_once in _ROWS_AT_ONCE:
        place = ", ".join(["(" + ", ".join("?" * (COLUMN_COUNT + 3)) + ")"] * at_once)
        while len(rows) - done >= at_once:
            values: list[Any] = []
            for belongs_to, row in rows[done : done + at_once]:
                done += 1
                values += (number_last + done, belongs_to, *row, disk_bytes(row))
            connection.execute(f"INSERT INTO {table} VALUES {place}", values)  # noqa: S608 - names of ours
