"""Which events each device shows: statements that read its list, and trim it in small steps.

How long a list is, is not counted as events come: a list is looked at when it may have grown by a
tenth, and once after each start when something is added to it. Until then it is longer than it may
be, but its readers do not see that.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from thingtank.tank.device_events import (
    EVENTS_READ_MAX,
    StoredEvent,
    make_event_id,
    number_of_event_id,
)

TRIM_ROWS = 2_000  # dropped in one transaction, as commits wait for it
READ_BYTES_MAX = 4 * 2**20
_TRIM_LISTS = 200  # looked at in one transaction
_GROWTH = 10  # a list may be longer by this part of it
_NUMBER_MIN, _NUMBER_MAX = -1, 2**63 - 1

Place: TypeAlias = tuple[int, int]
"""Where an event stands in its lists: when, and its number."""

_END = (_NUMBER_MAX, _NUMBER_MAX)
_READ = """
SELECT event.number, event.at_us, event.code, event.event_id, event.body
FROM listed CROSS JOIN event ON event.number = listed.number
WHERE listed.device_id = ? AND (listed.at_us, listed.number) < (?, ?)
    AND (listed.at_us, listed.number) > (?, ?) AND listed.at_us >= ?
    AND listed.number > coalesce((SELECT number FROM forgotten WHERE device_id = ?), 0)
ORDER BY listed.at_us DESC, listed.number DESC LIMIT ?
"""
_FIRST_BEYOND = """
SELECT at_us, number FROM listed WHERE device_id = ?
ORDER BY at_us DESC, number DESC LIMIT 1 OFFSET ?
"""
_OLDEST = """
SELECT at_us, number FROM listed WHERE device_id = ? AND (at_us, number) <= (?, ?)
ORDER BY at_us, number LIMIT ?
"""
_UNLIST = "DELETE FROM listed WHERE device_id = ? AND (at_us, number) <= (?, ?)"
_UNLIST_ALL = """
DELETE FROM listed INDEXED BY listed_number WHERE number IN (SELECT value FROM json_each(?))
"""
_UNLIST_SOME = f"{_UNLIST_ALL} AND device_id = ?"
_REMOVE = "DELETE FROM event WHERE number IN (SELECT value FROM json_each(?))"
_REMOVE_UNLISTED = """
DELETE FROM event WHERE number IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM listed WHERE listed.number = event.number)
"""
_FORGOTTEN = """
SELECT at_us, number FROM listed WHERE device_id = ? AND number <= ? LIMIT ?
"""
_EXPIRED = """
SELECT number, (SELECT count(*) FROM listed WHERE listed.number = event.number)
FROM event INDEXED BY event_at WHERE at_us < ? ORDER BY at_us LIMIT ?
"""


class DeviceLists:
    """What is known of the lists beside the file."""

    def __init__(self, events_per_device_max: int) -> None:
        self._events_max = events_per_device_max
        self._growth_max = events_per_device_max // _GROWTH
        self._grown: dict[int, int] = {}  # since they were looked at
        self._due: dict[int, None] = {}  # to be looked at, in this order

    def note(self, added: Mapping[int, int]) -> None:
        """That lists have grown by so much."""
        for device_id, count in added.items():
            grown = self._grown.get(device_id, self._growth_max) + count
            self._grown[device_id] = grown
            if grown >= self._growth_max:
                self._due[device_id] = None

    def read(
        self,
        connection: sqlite3.Connection,
        device_id: int,
        limit: int,
        before: str | None,
        oldest_us: int,
    ) -> list[StoredEvent]:
        """A part of a list, as `DeviceEvents` says."""
        end = _END if before is None else _place(connection, device_id, before)
        if end is None:
            return []
        beyond = self._first_beyond(connection, device_id) or (oldest_us, _NUMBER_MIN)
        limit = max(0, min(limit, EVENTS_READ_MAX))
        values = (device_id, *end, *beyond, oldest_us, device_id, limit)
        found: list[StoredEvent] = []
        left_bytes = READ_BYTES_MAX
        with contextlib.closing(connection.execute(_READ, values)) as rows:
            for number, at_us, code, event_id, body in rows:
                left_bytes -= len(body)
                if found and left_bytes < 0:
                    break
                event_id = event_id or make_event_id(at_us, number)
                found.append(StoredEvent(event_id, at_us, code, body))
        return found

    def trim(self, connection: sqlite3.Connection, oldest_us: int) -> bool:
        """Drop some events; whether there are no more to be dropped."""
        left = TRIM_ROWS
        for trim in (self._trim_forgotten, self._trim_long):
            left = trim(connection, left)
            if left <= 0:
                return False
        return _remove_expired(connection, oldest_us, left)

    def _trim_forgotten(self, connection: sqlite3.Connection, left: int) -> int:
        forgotten = connection.execute(
            "SELECT device_id, number FROM forgotten LIMIT ?", (_TRIM_LISTS,)
        ).fetchall()
        for device_id, number in forgotten:
            places = connection.execute(_FORGOTTEN, (device_id, number, left)).fetchall()
            connection.execute(_UNLIST_SOME, (_numbers(places), device_id))
            _remove_unlisted(connection, places)
            left -= len(places)
            if left <= 0:
                return left
            connection.execute("DELETE FROM forgotten WHERE device_id = ?", (device_id,))
            self._grown.pop(device_id, None)
        return left if len(forgotten) < _TRIM_LISTS else 0

    def _trim_long(self, connection: sqlite3.Connection, left: int) -> int:
        for device_id in list(self._due)[:_TRIM_LISTS]:
            if beyond := self._first_beyond(connection, device_id):
                places = connection.execute(_OLDEST, (device_id, *beyond, left)).fetchall()
                connection.execute(_UNLIST, (device_id, *places[-1]))
                _remove_unlisted(connection, places)
                left -= len(places)
                if left <= 0:
                    return left
            del self._due[device_id]
            self._grown[device_id] = 0
        return 0 if self._due else left

    def _first_beyond(self, connection: sqlite3.Connection, device_id: int) -> Place | None:
        """The newest event that a list is too long for."""
        place: Place | None = connection.execute(
            _FIRST_BEYOND, (device_id, self._events_max)
        ).fetchone()
        return place


def remove_events(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Delete events, from all lists."""
    if numbers:
        text = json.dumps(numbers)
        connection.execute(_UNLIST_ALL, (text,))
        connection.execute(_REMOVE, (text,))


def _remove_unlisted(connection: sqlite3.Connection, places: Iterable[Place]) -> None:
    """Delete those of some events that are in no list any more."""
    connection.execute(_REMOVE_UNLISTED, (_numbers(places),))


def _remove_expired(connection: sqlite3.Connection, oldest_us: int, rows_max: int) -> bool:
    """Delete the oldest of the events that are too old; whether these are all."""
    numbers: list[int] = []
    with contextlib.closing(connection.execute(_EXPIRED, (oldest_us, rows_max))) as rows:
        for number, listed_count in rows:
            numbers.append(number)
            rows_max -= max(1, listed_count)
            if rows_max <= 0:
                break
    remove_events(connection, numbers)
    return rows_max > 0


def _place(connection: sqlite3.Connection, device_id: int, event_id: str) -> Place | None:
    """Where an event stands, if it is in a device's list."""
    row = connection.execute(
        "SELECT at_us, number FROM event WHERE event_id = ?", (event_id,)
    ).fetchone()
    if row is None and (number := number_of_event_id(event_id)) is not None:
        row = connection.execute(
            "SELECT at_us, number FROM event WHERE number = ? AND event_id IS NULL", (number,)
        ).fetchone()
        if row is not None and make_event_id(*row) != event_id:
            return None
    if row is None:
        return None
    listed = "SELECT at_us, number FROM listed WHERE device_id = ? AND at_us = ? AND number = ?"
    place: Place | None = connection.execute(listed, (device_id, *row)).fetchone()
    return place


def _numbers(places: Iterable[Place]) -> str:
    return json.dumps([number for _, number in places])
