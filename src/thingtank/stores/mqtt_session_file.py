"""The SQLite file of MQTT's sessions and retained messages.

Used from one thread at a time.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from thingtank.protocols.mqtt.keeping import (
    DeliveryState,
    Found,
    FoundSession,
    KeptDelivery,
    KeptSession,
)
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.stores.folders import sync_folder
from thingtank.stores.many_rows import execute_rows
from thingtank.stores.mqtt_changes import MqttChanges
from thingtank.stores.mqtt_rows import (
    decoded_identifiers,
    decoded_message,
    session_of,
    subscription_of,
)
from thingtank.stores.mqtt_session_index import Last, MqttSessionIndex, Plan
from thingtank.stores.recovering_file import RecoveringFile
from thingtank.stores.sqlite_files import FileFormat, FileMismatch

Result = TypeVar("Result")

FILE_NAME = "mqtt.sqlite3"

_FORM = FileFormat("a file of MQTT sessions", 0x5454_4D51, 1)  # "TTMQ"
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
CREATE TABLE IF NOT EXISTS session (
    session_id INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL UNIQUE,
    principal TEXT NOT NULL,
    version INTEGER NOT NULL,
    expiry_interval_s INTEGER NOT NULL,
    is_connected INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    will BLOB);
CREATE TABLE IF NOT EXISTS subscription (
    session_id INTEGER NOT NULL,
    topic_filter TEXT NOT NULL,
    qos INTEGER NOT NULL,
    no_local INTEGER NOT NULL,
    retain_as_published INTEGER NOT NULL,
    retain_handling INTEGER NOT NULL,
    identifier INTEGER NOT NULL,
    PRIMARY KEY (session_id, topic_filter)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (message_id INTEGER PRIMARY KEY, message BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (
    delivery_id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    qos INTEGER NOT NULL,
    is_retain INTEGER NOT NULL,
    identifiers BLOB,
    packet_id INTEGER NOT NULL,
    state INTEGER NOT NULL,
    message_id INTEGER,
    message BLOB);
CREATE TABLE IF NOT EXISTS received (
    received_id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL,
    packet_id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS retained (topic TEXT PRIMARY KEY, message BLOB NOT NULL);
COMMIT;
"""
_OF_IDS = "IN (SELECT value FROM json_each(?))"
_SET_STATES = (
    "UPDATE delivery SET packet_id = json_extract(value, '$[1]'),"
    " state = json_extract(value, '$[2]')"
    " FROM json_each(?) WHERE delivery_id = json_extract(value, '$[0]')"
)


class MqttSessionFile(RecoveringFile):
    """Blocking access."""

    form, pragmas, schema = _FORM, _PRAGMAS, _SCHEMA
    content = "MQTT's sessions"
    is_private = True  # messages are for those who may subscribe

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._index = MqttSessionIndex()

    @classmethod
    def open(cls, folder: Path) -> "MqttSessionFile":
        """Open the file of a folder, made when missing; synced into its directory.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else, or damaged.
        """
        folder.mkdir(parents=True, exist_ok=True)
        file = cls(folder / FILE_NAME)
        try:
            with file._sound():
                file._index = _load_index(file._connected())
        except BaseException:
            file.close()
            raise
        sync_folder(folder)
        return file

    def found(self) -> Found:
        """All that is in the file.

        Raises:
            sqlite3.Error: it cannot be read.
            FileMismatch: it is damaged.
        """
        with self._sound():
            return _read(self._connected())

    def commit(self, changes: MqttChanges) -> None:
        """Write a batch and sync it.

        Raises:
            StorageFailed: nothing of it was kept.
        """
        plan = self._index.plan(changes)
        if plan.is_empty:
            return

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                _remove(connection, plan)
                _add(connection, plan)

        self._trying(write)
        self._index.apply(plan)

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
            if isinstance(error, FileMismatch):
                raise
            raise FileMismatch(f"{self._path} is damaged: {error!r}") from error

    def _remove_refused(self, connection: sqlite3.Connection) -> None:
        # What it did to older rows is done again; rows that were new may not come again.
        _remove_after(connection, self._index.last)


def _remove(connection: sqlite3.Connection, plan: Plan) -> None:
    for table, column, ids in (
        ("session", "session_id", plan.dropped_sessions),
        ("subscription", "session_id", plan.dropped_sessions),
        ("message", "message_id", plan.dropped_messages),
        ("delivery", "delivery_id", plan.dropped_deliveries),
        ("received", "received_id", plan.dropped_received),
    ):
        if ids:
            connection.execute(f"DELETE FROM {table} WHERE {column} {_OF_IDS}", (json.dumps(ids),))  # noqa: S608 - names of ours
    execute_rows(
        connection,
        "DELETE FROM subscription WHERE {}",
        plan.dropped_subscriptions,
        # For `(session_id, topic_filter) IN (VALUES …)` SQLite goes through the whole table.
        row="(session_id = ? AND topic_filter = ?)",
        between=" OR ",
    )
    execute_rows(
        connection, "DELETE FROM retained WHERE topic IN (VALUES {})", plan.dropped_retained
    )


def _add(connection: sqlite3.Connection, plan: Plan) -> None:
    execute_rows(connection, "REPLACE INTO session VALUES {}", plan.sessions)
    execute_rows(connection, "REPLACE INTO subscription VALUES {}", plan.subscriptions)
    execute_rows(connection, "INSERT INTO message VALUES {}", plan.messages)
    execute_rows(connection, "INSERT INTO delivery VALUES {}", plan.deliveries)
    execute_rows(connection, "INSERT INTO received VALUES {}", plan.received)
    execute_rows(
        connection,
        "INSERT INTO retained VALUES {} ON CONFLICT DO UPDATE SET message = excluded.message",
        plan.retained,
    )
    if plan.states:
        connection.execute(_SET_STATES, (json.dumps(plan.states),))


def _remove_after(connection: sqlite3.Connection, last: Last) -> None:
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        for table, column, value in (
            ("session", "session_id", last.session_id),
            ("subscription", "session_id", last.session_id),
            ("message", "message_id", last.message_id),
            ("delivery", "delivery_id", last.delivery_id),
            ("received", "received_id", last.received_id),
        ):
            connection.execute(f"DELETE FROM {table} WHERE {column} > ?", (value,))  # noqa: S608 - names of ours


def _load_index(connection: sqlite3.Connection) -> MqttSessionIndex:
    (values,) = connection.execute(
        "SELECT (SELECT max(session_id) FROM session), (SELECT max(message_id) FROM message),"
        " (SELECT max(delivery_id) FROM delivery), (SELECT max(received_id) FROM received)"
    )
    return MqttSessionIndex.load(
        Last(*(value or 0 for value in values)),
        connection.execute("SELECT session_id, client_id FROM session"),
        connection.execute("SELECT delivery_id, session_id, number, message_id FROM delivery"),
        connection.execute("SELECT received_id, session_id, packet_id FROM received"),
    )


def _read(connection: sqlite3.Connection) -> Found:
    sessions: dict[int, _Found] = {}
    for row in connection.execute("SELECT * FROM session ORDER BY session_id"):
        sessions[row[0]] = _Found(session_of(row))
    for row in connection.execute("SELECT * FROM subscription"):
        sessions[row[0]].subscriptions.append(subscription_of(row))
    messages = {
        message_id: decoded_message(data)
        for message_id, data in connection.execute("SELECT * FROM message")
    }
    for row in connection.execute("SELECT * FROM delivery ORDER BY delivery_id"):
        sessions[row[1]].deliveries.append(_delivery_of(row, messages))
    rows = connection.execute("SELECT session_id, packet_id FROM received ORDER BY received_id")
    for session_id, packet_id in rows:
        sessions[session_id].received.append(packet_id)
    retained = {
        topic: decoded_message(data)
        for topic, data in connection.execute("SELECT * FROM retained ORDER BY topic")
    }
    return Found([each.found() for each in sessions.values()], retained)


class _Found:
    """A session as it is read."""

    def __init__(self, session: KeptSession) -> None:
        self.session = session
        self.subscriptions: list[Subscription] = []
        self.deliveries: list[KeptDelivery] = []
        self.received: list[int] = []

    def found(self) -> FoundSession:
        return FoundSession(self.session, self.subscriptions, self.deliveries, self.received)


def _delivery_of(row: tuple[Any, ...], messages: dict[int, Message]) -> KeptDelivery:
    _, _, number, qos, is_retain, identifiers, packet_id, state, message_id, message = row
    return KeptDelivery(
        number,
        messages[message_id] if message is None else decoded_message(message),
        qos,
        bool(is_retain),
        decoded_identifiers(identifiers),
        packet_id,
        DeliveryState(state),
    )
