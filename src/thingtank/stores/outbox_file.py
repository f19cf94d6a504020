"""The outbox's SQLite file: its tables, and how it is opened, written and mended.

Used from one thread at a time. `due_us` is set only where a delivery may be tried: on the oldest
waiting one of each lane (a trigger's notifications by one channel), and on those that go past the
order (tests, and dead letters that a person has tried again). So looking for what is due costs the
same however much waits behind a dead receiver.

While a receiver is left alone, `put_off_us` keeps the time that a delivery had of its own, for when
the receiver is back sooner. `is_asked` is set until the next attempt on what a person waits for.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from thingtank.net.sqlite_copies import write_copy
from thingtank.stores.folders import sync_folder
from thingtank.stores.sqlite_files import FileFormat, open_file
from thingtank.tank.errors import StorageFailed

Result = TypeVar("Result")

FILE_NAME = "outbox.sqlite3"
_FORM = FileFormat("an outbox", 0x5454_4F42, 1)  # "TTOB"
_PRAGMAS = (
    ("locking_mode", "EXCLUSIVE"),  # the tank's lock says that nobody else writes here
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("secure_delete", "OFF"),
    ("foreign_keys", "ON"),
    ("journal_size_limit", 16 * 1024 * 1024),
)

_SCHEMA = """
BEGIN;
CREATE TABLE IF NOT EXISTS delivery (
    delivery_id INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL,
    trigger_id INTEGER NOT NULL,
    device_id INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    channel TEXT NOT NULL,
    target TEXT NOT NULL,
    host TEXT NOT NULL,
    lane TEXT NOT NULL,
    body BLOB NOT NULL,
    created_us INTEGER NOT NULL,
    queued_us INTEGER NOT NULL,
    is_test INTEGER NOT NULL,
    is_ordered INTEGER NOT NULL,
    state TEXT NOT NULL,
    due_us INTEGER CHECK (due_us IS NULL OR state = 'waiting'),
    done_us INTEGER CHECK ((done_us IS NULL) = (state = 'waiting')),
    tries INTEGER NOT NULL DEFAULT 0,
    attempt_count INTEGER NOT NULL DEFAULT 0,
    status INTEGER,
    error TEXT NOT NULL DEFAULT '',
    is_asked INTEGER NOT NULL DEFAULT 0,
    put_off_us INTEGER);
CREATE TABLE IF NOT EXISTS attempt (
    delivery_id INTEGER NOT NULL REFERENCES delivery ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    status INTEGER,
    answer BLOB NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (delivery_id, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reader (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS trigger_state (trigger_id INTEGER PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS signing_salt (
    salt_id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL,
    salt BLOB NOT NULL,
    retires_us INTEGER);
CREATE INDEX IF NOT EXISTS due ON delivery (due_us, host, account_id, lane)
    WHERE due_us IS NOT NULL;
CREATE INDEX IF NOT EXISTS due_of_host ON delivery (host, account_id) WHERE due_us IS NOT NULL;
CREATE INDEX IF NOT EXISTS lane ON delivery (lane) WHERE state = 'waiting' AND is_ordered = 1;
CREATE INDEX IF NOT EXISTS queued ON delivery (queued_us) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS done ON delivery (done_us) WHERE done_us IS NOT NULL;
CREATE INDEX IF NOT EXISTS of_account ON delivery (account_id);
CREATE INDEX IF NOT EXISTS of_account_state ON delivery (account_id, state);
CREATE INDEX IF NOT EXISTS of_device ON delivery (device_id);
CREATE INDEX IF NOT EXISTS open_of_device ON delivery (device_id, trigger_id, state)
    WHERE state IN ('waiting', 'dead');
CREATE INDEX IF NOT EXISTS of_trigger ON delivery (trigger_id);
CREATE INDEX IF NOT EXISTS salt_of_account ON signing_salt (account_id);
COMMIT;
"""

# What files of the same format may lack: older servers made them, and read them with it as well.
_LATER_COLUMNS = {"is_asked": "INTEGER NOT NULL DEFAULT 0", "put_off_us": "INTEGER"}


class OutboxFile:
    """Blocking access to the file; opened anew after a failure."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    @classmethod
    def open(cls, folder: Path) -> "OutboxFile":
        """Open the outbox of a folder, made when missing; synced into its directory.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else.
        """
        folder.mkdir(parents=True, exist_ok=True)
        file = cls(folder / FILE_NAME)
        file._connected()
        sync_folder(folder)
        return file

    def transact(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do `work` in one transaction, synced when this returns.

        Raises:
            StorageFailed: nothing of it was kept, or, after a failed sync, nobody can tell.
        """
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            with connection:  # commits, or rolls back
                return work(connection)
        except sqlite3.Error as error:
            # A full disk mends itself; after anything else the next attempt starts afresh.
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL:
                self.close()
            raise StorageFailed(f"the outbox could not be used: {error}") from error

    def copy_to(self, folder: Path) -> None:
        """Write what is committed to a file of the same name in another folder.

        Raises:
            sqlite3.Error, OSError: it could not be written.
        """
        write_copy(self._connected(), folder / self._path.name)

    def close(self) -> None:
        """Close the file; it can be opened again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self._path)
        return self._connection


def _connect(path: Path) -> sqlite3.Connection:
    # Targets may hold credentials: nobody else on the machine reads them.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = open_file(path, _FORM, _PRAGMAS, _SCHEMA)
    try:
        _add_later_columns(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _add_later_columns(connection: sqlite3.Connection) -> None:
    rows = connection.execute("SELECT name FROM pragma_table_info('delivery')")
    present = {name for (name,) in rows}
    for name, kind in _LATER_COLUMNS.items():
        if name not in present:
            connection.execute(f"ALTER TABLE delivery ADD COLUMN {name} {kind}")
