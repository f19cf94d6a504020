"""Values on disk that wait to be sent: one SQLite file, in the order they were written.

`append` returns when the values are synced to disk. A value leaves the file after the server has
acknowledged it, so a program that is killed sends a few again at its next start; each has its
instant, and a datastream has one value an instant, so that changes nothing.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from thingtank.client.calls import Row
from thingtank.client.errors import BufferFailed, BufferFull
from thingtank.client.times import datetime_of

T = TypeVar("T")
WhenFull = Literal["refuse", "drop_oldest"]

REJECTED_MAX = 10_000  # the oldest are forgotten above it, and counted
_APPLICATION_ID = 0x7474_6275  # "ttbu": so that no other program's database is taken for one
_VERSION = 1
_SCHEMA = """
CREATE TABLE waiting (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, feed_id INTEGER NOT NULL, name TEXT NOT NULL,
    at_us INTEGER NOT NULL, value TEXT NOT NULL) STRICT;
CREATE INDEX waiting_by_feed ON waiting (feed_id, seq);
CREATE TABLE rejected (
    seq INTEGER PRIMARY KEY, feed_id INTEGER NOT NULL, name TEXT NOT NULL,
    at_us INTEGER NOT NULL, value TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE TABLE totals (
    name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
INSERT INTO totals VALUES ('sent', 0), ('dropped', 0), ('last_at_us', 0);
"""


class SpooledRow(msgspec.Struct, frozen=True, gc=False):
    """A value that waits, with its place in the order."""

    seq: int
    feed_id: int
    row: Row


class RejectedValue(msgspec.Struct, frozen=True):
    """A value that the server will not take, kept aside, with the server's reason."""

    feed_id: int
    datastream: str
    at: datetime
    value: str
    reason: str


class Spool:
    """The file. Safe to use from several threads; one process at a time."""

    def __init__(self, path: Path, values_max: int, when_full: WhenFull) -> None:
        """Open the file, or make it.

        Raises:
            BufferFailed: it is no such file, another program has it open, or the disk refuses.
        """
        self._path = path
        self._values_max = values_max
        self._when_full = when_full
        self._lock = threading.Lock()
        self._connection = self._guarded(self._opened)
        self.waiting_count: int = self._number("SELECT count(*) FROM waiting")
        self.rejected_count: int = self._number("SELECT count(*) FROM rejected")
        self.sent_count = self._total("sent")
        self.dropped_count = self._total("dropped")
        self.last_at_us = self._total("last_at_us")

    def _opened(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))  # values may be private
        connection = sqlite3.connect(
            self._path, timeout=1.0, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN EXCLUSIVE")
            self._check_or_make(connection)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_or_make(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0 and application == 0:
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        elif application != _APPLICATION_ID:
            raise BufferFailed(f"{self._path} is a database of something else")
        elif version != _VERSION:
            raise BufferFailed(f"{self._path} was made by another version of this library")

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        with self._lock:
            self._connection.close()

    def append(self, rows: Sequence[tuple[int, Row]]) -> None:
        """Add values behind all others; all of them or none. Returns when they are on disk.

        Args:
            rows: feed and value each.

        Raises:
            BufferFull, BufferFailed.
        """
        with self._lock:
            excess = self.waiting_count + len(rows) - self._values_max
            if excess > 0 and (self._when_full == "refuse" or len(rows) > self._values_max):
                raise BufferFull(
                    f"{self.waiting_count} values are waiting, {self._values_max} may; "
                    f"{len(rows)} more were refused"
                )
            self._guarded(lambda: self._append(rows, max(excess, 0)))

    def _append(self, rows: Sequence[tuple[int, Row]], excess: int) -> None:
        last_at_us = max(self.last_at_us, *(row.at_us for _, row in rows))
        with self._transaction() as connection:
            if excess:
                connection.execute(
                    "DELETE FROM waiting WHERE seq IN"
                    " (SELECT seq FROM waiting ORDER BY seq LIMIT ?)",
                    (excess,),
                )
                self._add("dropped", excess)
            connection.executemany(
                "INSERT INTO waiting (feed_id, name, at_us, value) VALUES (?, ?, ?, ?)",
                [(feed_id, row.name, row.at_us, row.value) for feed_id, row in rows],
            )
            connection.execute(
                "UPDATE totals SET number = ? WHERE name = 'last_at_us'", (last_at_us,)
            )
        self.last_at_us = last_at_us
        self.dropped_count += excess
        self.waiting_count += len(rows) - excess

    def oldest(self, count: int) -> list[SpooledRow]:
        """The oldest value and what waits behind it for the same feed, in order."""
        statement = (
            "SELECT seq, feed_id, name, at_us, value FROM waiting WHERE feed_id ="
            " (SELECT feed_id FROM waiting ORDER BY seq LIMIT 1) ORDER BY seq LIMIT ?"
        )
        with self._lock:
            found = self._guarded(lambda: self._connection.execute(statement, (count,)).fetchall())
        return [
            SpooledRow(seq, feed_id, Row(name, at_us, value))
            for seq, feed_id, name, at_us, value in found
        ]

    def remove_sent(self, rows: Sequence[SpooledRow]) -> None:
        """Forget values that the server has acknowledged."""
        with self._lock:
            self._guarded(lambda: self._remove_sent(rows))

    def _remove_sent(self, rows: Sequence[SpooledRow]) -> None:
        with self._transaction():
            removed = self._delete(rows)
            self._add("sent", len(rows))
        self.sent_count += len(rows)
        self.waiting_count -= removed
        if self.waiting_count == 0:
            self._connection.execute("PRAGMA incremental_vacuum").fetchall()

    def set_aside(self, rows: Sequence[SpooledRow], reason: str) -> list[RejectedValue]:
        """Keep values that the server will not take where they block nothing."""
        with self._lock:
            self._guarded(lambda: self._set_aside(rows, reason))
        return [
            _rejected(row.feed_id, row.row.name, row.row.at_us, row.row.value, reason)
            for row in rows
        ]

    def _set_aside(self, rows: Sequence[SpooledRow], reason: str) -> None:
        with self._transaction() as connection:
            removed = self._delete(rows)
            connection.executemany(
                "INSERT OR REPLACE INTO rejected VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (row.seq, row.feed_id, row.row.name, row.row.at_us, row.row.value, reason)
                    for row in rows
                ],
            )
            forgotten = connection.execute(
                "DELETE FROM rejected WHERE seq IN"
                " (SELECT seq FROM rejected ORDER BY seq DESC LIMIT -1 OFFSET ?)",
                (REJECTED_MAX,),
            ).rowcount
            self._add("dropped", forgotten)
        self.waiting_count -= removed
        self.dropped_count += forgotten
        self.rejected_count += len(rows) - forgotten

    def rejected(self) -> list[RejectedValue]:
        """What was set aside, oldest first."""
        statement = "SELECT feed_id, name, at_us, value, reason FROM rejected ORDER BY seq"
        with self._lock:
            found = self._guarded(lambda: self._connection.execute(statement).fetchall())
        return [_rejected(*columns) for columns in found]

    def requeue_rejected(self) -> int:
        """Let all that was set aside wait again, behind the rest; how many."""
        return self._empty_rejected(
            "INSERT INTO waiting (feed_id, name, at_us, value)"
            " SELECT feed_id, name, at_us, value FROM rejected ORDER BY seq"
        )

    def discard_rejected(self) -> int:
        """Forget all that was set aside; how many."""
        return self._empty_rejected(None)

    def _empty_rejected(self, first: str | None) -> int:
        def empty() -> int:
            with self._transaction() as connection:
                if first is not None:
                    connection.execute(first)
                return connection.execute("DELETE FROM rejected").rowcount

        with self._lock:
            count = self._guarded(empty)
            self.rejected_count = 0
            self.waiting_count += count if first is not None else 0
        return count

    # --- all with the lock held ---

    def _delete(self, rows: Sequence[SpooledRow]) -> int:
        removed = 0
        for row in rows:
            done = self._connection.execute("DELETE FROM waiting WHERE seq = ?", (row.seq,))
            removed += done.rowcount
        return removed

    def _add(self, name: str, count: int) -> None:
        self._connection.execute(
            "UPDATE totals SET number = number + ? WHERE name = ?", (count, name)
        )

    def _number(self, statement: str, *parameters: str) -> int:
        found = self._guarded(lambda: self._connection.execute(statement, parameters).fetchone())
        return int(found[0])

    def _total(self, name: str) -> int:
        return self._number("SELECT number FROM totals WHERE name = ?", name)

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._connection)

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            reason = "another program has it open" if "locked" in str(error) else str(error)
            raise BufferFailed(f"the buffer {self._path} cannot be used: {reason}") from error


class _Transaction:
    """All or nothing, synced at the end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
                return
            except sqlite3.Error:
                self._roll_back()
                raise
        self._roll_back()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _rejected(feed_id: int, name: str, at_us: int, value: str, reason: str) -> RejectedValue:
    return RejectedValue(feed_id, name, datetime_of(at_us), value, reason)
