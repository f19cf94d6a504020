"""The SQLite file of devices' events; used from one thread at a time.

An event stands once, however many devices list it, and goes with the last list it is in. `number`
is the order of arrival; the ids of events that came without one are made of it. In the lists, and
in that order only, events stand by time.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from thingtank.stores.device_event_lists import DeviceLists, remove_events
from thingtank.stores.folders import sync_folder
from thingtank.stores.many_rows import execute_rows
from thingtank.stores.recovering_file import RecoveringFile
from thingtank.stores.sqlite_files import FileFormat
from thingtank.tank.device_events import LoggedEvent, StoredEvent
from thingtank.tank.errors import StorageFailed

FILE_NAME = "device_events.sqlite3"

_FORM = FileFormat("a log of device events", 0x5454_4445, 1)  # "TTDE"
_PRAGMAS = (
    ("locking_mode", "EXCLUSIVE"),  # as the journal's
    ("journal_mode", "WAL"),
    ("synchronous", "NORMAL"),  # a log acknowledges nothing
    ("wal_autocheckpoint", 8000),  # pages; lists of many devices touch many
    ("cache_size", -16_384),  # KB; a trimmed list's events stand all over the file
    ("secure_delete", "OFF"),
    ("journal_size_limit", 64 * 1024 * 1024),
)
_SCHEMA = """
BEGIN;
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    code INTEGER NOT NULL,
    event_id TEXT,
    body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS event_at ON event (at_us);
CREATE UNIQUE INDEX IF NOT EXISTS event_named ON event (event_id) WHERE event_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS listed (
    device_id INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (device_id, at_us, number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS listed_number ON listed (number);
CREATE TABLE IF NOT EXISTS forgotten (device_id INTEGER PRIMARY KEY, number INTEGER NOT NULL);
COMMIT;
"""
_NAMED = "SELECT event_id, number FROM event WHERE event_id IN (SELECT value FROM json_each(?))"


class Forget(NamedTuple):
    """That a device's list is dropped, as it is at this point."""

    device_id: int


Item: TypeAlias = LoggedEvent | Forget


class _Plan:
    """What a batch does to the file."""

    def __init__(self, number_last: int, named: dict[str, int]) -> None:
        self._first = number_last
        self._named = named
        self.number_last = number_last
        self.events: dict[int, LoggedEvent] = {}
        self.replaced: list[int] = []
        self.forgotten: dict[int, int] = {}

    def take(self, item: Item) -> None:
        if isinstance(item, Forget):
            self.forgotten[item.device_id] = self.number_last
            return
        if item.event_id:
            if (earlier := self._named.get(item.event_id)) is not None:
                if not item.replaces:
                    return
                self._drop(earlier)
            self._named[item.event_id] = self.number_last + 1
        self.number_last += 1
        self.events[self.number_last] = item

    def _drop(self, number: int) -> None:
        if number > self._first:
            del self.events[number]
        else:
            self.replaced.append(number)

    def listed(self) -> list[tuple[int, int, int]]:
        """The rows of `listed`, in the order of the table, which touches each page once."""
        return sorted(
            (device_id, event.at_us, number)
            for number, event in self.events.items()
            for device_id in set(event.device_ids)
        )

    def rows(self) -> list[tuple[int, int, int, str | None, bytes]]:
        """The rows of `event`."""
        return [
            (number, event.at_us, event.code, event.event_id or None, event.body)
            for number, event in self.events.items()
        ]


class DeviceEventFile(RecoveringFile):
    """Blocking access."""

    form, pragmas, schema = _FORM, _PRAGMAS, _SCHEMA
    content = "the log of device events"
    is_private = True  # messages are for those who may see them

    def __init__(self, path: Path, events_per_device_max: int) -> None:
        super().__init__(path)
        self._lists = DeviceLists(events_per_device_max)
        self._number_last = 0

    @classmethod
    def open(cls, folder: Path, events_per_device_max: int) -> "DeviceEventFile":
        """Open the file of a folder, made when missing; synced into its directory.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else.
        """
        folder.mkdir(parents=True, exist_ok=True)
        file = cls(folder / FILE_NAME, events_per_device_max)
        row = file._connected().execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'")
        (file._number_last,) = row.fetchone() or (0,)
        sync_folder(folder)
        return file

    def commit(self, items: Sequence[Item]) -> None:
        """Write what came, in order.

        Raises:
            StorageFailed: nothing of it was written, as far as anybody can tell.
        """
        listed = self._trying(partial(self._write, items))
        self._lists.note(Counter(device_id for device_id, _, _ in listed))

    def _write(
        self, items: Sequence[Item], connection: sqlite3.Connection
    ) -> Sequence[tuple[int, int, int]]:
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            plan = _Plan(self._number_last, _named(connection, items))
            for item in items:
                plan.take(item)
            # Numbers of a batch that failed are not used again: what nobody knows whether it is in
            # the file must not stand in lists of later events.
            self._number_last = plan.number_last
            listed = plan.listed()
            remove_events(connection, plan.replaced)
            execute_rows(connection, "INSERT INTO event VALUES {}", plan.rows())
            execute_rows(connection, "INSERT INTO listed VALUES {}", listed)
            execute_rows(
                connection, "REPLACE INTO forgotten VALUES {}", list(plan.forgotten.items())
            )
        return listed

    def read(
        self, device_id: int, limit: int, before: str | None, oldest_us: int
    ) -> list[StoredEvent]:
        """As `DeviceEvents` says.

        Args:
            oldest_us: events from before are as good as gone.

        Raises:
            StorageFailed.
        """
        try:
            return self._lists.read(self._connected(), device_id, limit, before, oldest_us)
        except (sqlite3.Error, OSError) as error:
            raise StorageFailed(f"{self.content} could not be read", details=error) from error

    def trim(self, oldest_us: int) -> bool:
        """Drop some of what is forgotten, too old, or too much for one device.

        Returns:
            Whether that is all; if not, trim once more.

        Raises:
            StorageFailed: nothing was dropped.
        """
        return self._trying(partial(self._trim, oldest_us))

    def _trim(self, oldest_us: int, connection: sqlite3.Connection) -> bool:
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            return self._lists.trim(connection, oldest_us)

    def _remove_refused(self, connection: sqlite3.Connection) -> None:
        # An event that was counted as lost and stands there yet harms nobody; its number is used.
        pass


def _named(connection: sqlite3.Connection, items: Iterable[Item]) -> dict[str, int]:
    """Which of the ids that a batch gives are taken, with their events' numbers."""
    ids = {item.event_id for item in items if isinstance(item, LoggedEvent) and item.event_id}
    return dict(connection.execute(_NAMED, (json.dumps(list(ids)),))) if ids else {}
