"""The SQLite file of messages kept for devices; used from one thread at a time."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from thingtank.stores.folders import sync_folder
from thingtank.stores.kept_message_limits import NOTHING, Size
from thingtank.stores.many_rows import execute_rows
from thingtank.stores.recovering_file import RecoveringFile
from thingtank.stores.sqlite_files import FileFormat
from thingtank.tank.errors import StorageFailed
from thingtank.tank.kept_messages import KeptMessage

FILE_NAME = "kept_messages.sqlite3"
EXPIRE_ROWS = 500  # dropped in one transaction, as commits wait for it

_FORM = FileFormat("a file of kept messages", 0x5454_4B4D, 1)  # "TTKM"
_PRAGMAS = (
    ("locking_mode", "EXCLUSIVE"),  # as the journal's
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("wal_autocheckpoint", 2000),  # pages, as the journal's
    ("secure_delete", "OFF"),
    ("journal_size_limit", 64 * 1024 * 1024),
)
_SCHEMA = """
BEGIN;
CREATE TABLE IF NOT EXISTS kept (
    kept_id INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS of_device ON kept (device_id, kept_id);
CREATE INDEX IF NOT EXISTS expiring ON kept (expires_us);
COMMIT;
"""
_TAKE = """
SELECT kept_id, at_us, body FROM kept INDEXED BY of_device
WHERE device_id = ? AND kept_id > ? AND expires_us > ? ORDER BY kept_id LIMIT ?
"""
_TAKE_BACK = """
SELECT kept_id, at_us, body FROM kept INDEXED BY of_device
WHERE device_id = ? AND kept_id > ? AND expires_us > ? AND kept_id < ?
ORDER BY kept_id DESC LIMIT ?
"""
_SIZES = "SELECT device_id, count(*), sum(length(body)) FROM kept GROUP BY device_id"
_REMOVE = """
DELETE FROM kept WHERE kept_id IN (SELECT value FROM json_each(?)) AND device_id = ?
RETURNING device_id, length(body)
"""
_FORGET = """
DELETE FROM kept WHERE device_id = ? AND kept_id <= ? RETURNING device_id, length(body)
"""
_EXPIRE = """
DELETE FROM kept WHERE kept_id IN
    (SELECT kept_id FROM kept INDEXED BY expiring WHERE expires_us <= ? LIMIT ?)
RETURNING device_id, length(body)
"""


class Keep(NamedTuple):
    """A row."""

    kept_id: int
    device_id: int
    at_us: int
    expires_us: int
    body: bytes


class Remove(NamedTuple):
    """That some of a device's messages go."""

    device_id: int
    kept_ids: tuple[int, ...]


class Forget(NamedTuple):
    """That all of a device's messages up to a number go."""

    device_id: int
    through_id: int


class Expire(NamedTuple):
    """That some go, EXPIRE_ROWS at most, whose time has come."""

    now_us: int


Change: TypeAlias = Keep | Remove | Forget | Expire


class Sizes(NamedTuple):
    """What devices have after a commit.

    Attributes:
        sizes: of those that the commit touched, or, if `is_all`, of all that have something.
        has_more_expired: whether more may be there to expire.
    """

    sizes: dict[int, Size]
    is_all: bool
    has_more_expired: bool


class KeptMessageFile(RecoveringFile):
    """Blocking access.

    Attributes:
        sizes: what each device has that has something.
        last_id: the last number ever used, as far as is on disk.
    """

    form, pragmas, schema = _FORM, _PRAGMAS, _SCHEMA
    content = "the file of kept messages"
    is_private = True  # messages are for their devices

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sizes: dict[int, Size] = {}
        self.last_id = 0
        self._is_counted_again = False

    @classmethod
    def open(cls, folder: Path) -> "KeptMessageFile":
        """Open the file of a folder, made when missing; synced into its directory.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else.
        """
        folder.mkdir(parents=True, exist_ok=True)
        file = cls(folder / FILE_NAME)
        connection = file._connected()
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'kept'").fetchone()
        (file.last_id,) = row or (0,)
        file._count(connection)
        sync_folder(folder)
        return file

    def commit(self, changes: Sequence[Change]) -> Sizes:
        """Write what came, in order of number, and sync it; then remove what is to go.

        Raises:
            StorageFailed: no message of it was kept. Whether some are removed, nobody can tell.
        """
        deltas, expired_count = self._trying(partial(_write, changes))
        for device_id, delta in deltas.items():
            self._set(device_id, self.sizes.get(device_id, NOTHING).plus(*delta))
        self.last_id = max(
            (each.kept_id for each in changes if isinstance(each, Keep)), default=self.last_id
        )
        is_all, self._is_counted_again = self._is_counted_again, False
        touched = self.sizes if is_all else deltas
        sizes = {device_id: self.sizes.get(device_id, NOTHING) for device_id in touched}
        return Sizes(sizes, is_all, expired_count >= EXPIRE_ROWS)

    def take(
        self, device_id: int, after_id: int, now_us: int, limit: int, before_id: int | None = None
    ) -> list[KeptMessage]:
        """A device's messages between two numbers that have not expired.

        Returns:
            Oldest first; newest first where there is an upper number.

        Raises:
            StorageFailed.
        """
        among: tuple[int, ...] = (device_id, after_id, now_us)
        try:
            if before_id is None:
                rows = self._connected().execute(_TAKE, (*among, limit))
            else:
                rows = self._connected().execute(_TAKE_BACK, (*among, before_id, limit))
            return [KeptMessage(*row) for row in rows]
        except (sqlite3.Error, OSError) as error:
            raise StorageFailed(f"{self.content} could not be read", details=error) from error

    def _count(self, connection: sqlite3.Connection) -> None:
        self.sizes = {
            device_id: Size(count, size_bytes)
            for device_id, count, size_bytes in connection.execute(_SIZES)
        }

    def _set(self, device_id: int, size: Size) -> None:
        if size.message_count:
            self.sizes[device_id] = size
        else:
            self.sizes.pop(device_id, None)

    def _remove_refused(self, connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM kept WHERE kept_id > ?", (self.last_id,))
        self._count(connection)  # nobody knew whether what was to be removed is there
        self._is_counted_again = True


def _write(
    changes: Sequence[Change], connection: sqlite3.Connection
) -> tuple[dict[int, Size], int]:
    """Returns by how much each device's size changes, and how many messages expired."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        keeps = [each for each in changes if isinstance(each, Keep)]
        execute_rows(connection, "INSERT INTO kept VALUES {}", keeps)
        deltas: dict[int, Size] = {}
        _add(deltas, ((each.device_id, len(each.body)) for each in keeps), 1)
        expired_count = 0
        for change in changes:
            if not isinstance(change, Keep):
                removed = _remove(connection, change)
                _add(deltas, removed, -1)
                if isinstance(change, Expire):
                    expired_count = max(expired_count, len(removed))
    return deltas, expired_count


def _remove(
    connection: sqlite3.Connection, change: Remove | Forget | Expire
) -> list[tuple[int, int]]:
    """Returns device and size of each message that goes."""
    match change:
        case Remove():
            values = (json.dumps(change.kept_ids), change.device_id)
            return connection.execute(_REMOVE, values).fetchall()
        case Forget():
            return connection.execute(_FORGET, change).fetchall()
        case Expire():
            return connection.execute(_EXPIRE, (change.now_us, EXPIRE_ROWS)).fetchall()


def _add(deltas: dict[int, Size], sizes: Iterable[tuple[int, int]], sign: int) -> None:
    for device_id, size_bytes in sizes:
        deltas[device_id] = deltas.get(device_id, NOTHING).plus(sign, sign * size_bytes)
