"""The SQLite file of sinks: how far each rule has come, dead letters, and rules of the workbench.

Used from one thread at a time. A place may be behind what was delivered, never ahead of it: what
was delivered since is delivered once more after a crash. Dead letters are on disk before the place
passes them, and with it what is held: items that wait for another attempt.

`origin` is a part of each item's id. A folder that was restored from a backup gets another, as the
journal's numbers since then are given to other items.
"""

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from thingtank.net.sqlite_copies import write_copy
from thingtank.stores.folders import sync_folder
from thingtank.stores.recovering_file import RecoveringFile
from thingtank.stores.sqlite_files import FileFormat
from thingtank.tank.sinks import ChosenLetters

FILE_NAME = "sinks.sqlite3"
READ_BYTES_MAX = 8 * 1024 * 1024  # of items, about: one may be as large as a packet of MQTT

Row = TypeVar("Row")

_FORM = FileFormat("a file of sinks", 0x5454_534B, 1)  # "TTSK"
_PRAGMAS = (
    ("locking_mode", "EXCLUSIVE"),  # as the journal's
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("secure_delete", "OFF"),
    ("journal_size_limit", 16 * 1024 * 1024),
)
_SCHEMA = """
BEGIN;
CREATE TABLE IF NOT EXISTS origin (origin TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS place (
    rule TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    reached_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS begun (
    rule TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    row INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS send (
    rule TEXT PRIMARY KEY,
    send TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS paused (rule TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rule (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waiting (
    rule TEXT NOT NULL,
    number INTEGER NOT NULL,
    item BLOB NOT NULL,
    PRIMARY KEY (rule, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held (
    rule TEXT NOT NULL,
    place INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    item BLOB NOT NULL,
    PRIMARY KEY (rule, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gone_stream (
    rule TEXT NOT NULL,
    stream_id INTEGER NOT NULL,
    device_id INTEGER NOT NULL,
    uuid TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (rule, stream_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letter (
    letter_id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    item_id TEXT NOT NULL,
    item BLOB NOT NULL,
    reason TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    is_asked INTEGER NOT NULL DEFAULT 0,
    UNIQUE (rule, item_id));
CREATE INDEX IF NOT EXISTS asked ON dead_letter (rule, letter_id) WHERE is_asked = 1;
COMMIT;
"""
# What is refused once more stays the letter that it was, with the newer reason.
_ADD_LETTER = """
INSERT INTO dead_letter (rule, item_id, item, reason, at_us) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (rule, item_id) DO UPDATE SET reason = excluded.reason, at_us = excluded.at_us,
    is_asked = 0
"""
_OF_PROGRESS = (
    "place",
    "begun",
    "send",
    "paused",
    "waiting",
    "held",
    "gone_stream",
)  # tables of what a rule has reached
_OF_NUMBERS = "letter_id IN (SELECT value FROM json_each(?))"
_THERE = f"SELECT letter_id FROM dead_letter WHERE rule = ? AND {_OF_NUMBERS}"  # noqa: S608 - ours
_LETTER = "SELECT letter_id, rule, item, reason, at_us, is_asked FROM dead_letter "


class RulePlace(NamedTuple):
    """How far a rule has come.

    Attributes:
        seq: the journal's batch up to which all is settled or held.
        reached_us: all that was committed until then is settled.
        row: of the batch behind that, so many rows are settled or held as well.
    """

    seq: int
    reached_us: int
    row: int = 0


class HeldItem(NamedTuple):
    """What a rule's place has passed and is not settled.

    Attributes:
        number: stays the same; those of a device ascend.
        seq: of its batch.
        item: the rule's affair.
    """

    number: int
    seq: int
    item: bytes


class HeldChange(NamedTuple):
    """What is to be done to a rule's held items.

    Attributes:
        gone: numbers of those that are settled; None drops all that there are.
        new: to be kept besides.
    """

    gone: Sequence[int] | None
    new: Sequence[HeldItem]


class GoneStream(NamedTuple):
    """A datastream that is no more, of which a rule may have values to send."""

    stream_id: int
    device_id: int
    uuid: str
    name: str


class NewLetter(NamedTuple):
    """A dead letter to be kept. `item` is the rule's affair."""

    item_id: str
    item: bytes
    reason: str
    at_us: int


class WaitingItem(NamedTuple):
    """What waits for a rule and is in no journal. `number` counts up for each rule."""

    rule: str
    number: int
    item: bytes


class StoredLetter(NamedTuple):
    """A dead letter as it is kept.

    Attributes:
        is_asked: whether it is to be sent again.
    """

    letter_id: int
    rule: str
    item: bytes
    reason: str
    at_us: int
    is_asked: bool


class SinkFile(RecoveringFile):
    """Blocking access. All that writes raises StorageFailed when nothing of it was kept."""

    form, pragmas, schema = _FORM, _PRAGMAS, _SCHEMA
    content = "what sinks have to remember"
    is_private = True  # dead letters are values

    origin = ""

    @classmethod
    def open(cls, folder: Path) -> "SinkFile":
        """Open the file of a folder, made when missing; synced into its directory.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else.
        """
        file = cls(folder / FILE_NAME)
        file.origin = _origin(file._connected())
        sync_folder(folder)
        return file

    def copy_to(self, folder: Path) -> None:
        """Write a copy for a backup: what is restored from it gets an origin of its own."""
        path = folder / self._path.name
        write_copy(self._connected(), path)
        with sqlite3.connect(path) as copy:
            copy.execute("DELETE FROM origin")
        copy.close()

    def places(self) -> dict[str, RulePlace]:
        """Each rule's place."""
        query = """
            SELECT place.rule, place.seq, reached_us, coalesce(row, 0) FROM place
            LEFT JOIN begun ON begun.rule = place.rule AND begun.seq = place.seq + 1
        """
        rows = self._connected().execute(query)
        return {rule: RulePlace(*place) for rule, *place in rows}

    def save_place(self, rule: str, place: RulePlace, held: HeldChange | None = None) -> None:
        """Write down a place, and what it passes; what waited for the rule up to there goes."""

        def save(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                values = (rule, place.seq, place.reached_us)
                connection.execute("INSERT OR REPLACE INTO place VALUES (?, ?, ?)", values)
                connection.execute("DELETE FROM begun WHERE rule = ?", (rule,))
                if place.row:
                    values = (rule, place.seq + 1, place.row)
                    connection.execute("INSERT INTO begun VALUES (?, ?, ?)", values)
                passed = "DELETE FROM waiting WHERE rule = ? AND number <= ?"
                connection.execute(passed, (rule, place.seq))
                if held is not None:
                    if held.gone is None:
                        connection.execute("DELETE FROM held WHERE rule = ?", (rule,))
                    connection.executemany(
                        "DELETE FROM held WHERE rule = ? AND place = ?",
                        ((rule, number) for number in held.gone or ()),
                    )
                    connection.executemany(
                        "INSERT INTO held VALUES (?, ?, ?, ?)",
                        ((rule, *each) for each in held.new),
                    )

        self._trying(save)

    def held(self, rule: str) -> list[HeldItem]:
        """What a rule's place has passed and is not settled, in order."""
        query = "SELECT place, seq, item FROM held WHERE rule = ? ORDER BY place"
        return list(map(HeldItem._make, self._connected().execute(query, (rule,))))

    def gone_streams(self, rule: str) -> list[GoneStream]:
        """Whose the values of datastreams that are no more were."""
        query = "SELECT stream_id, device_id, uuid, name FROM gone_stream WHERE rule = ?"
        return list(map(GoneStream._make, self._connected().execute(query, (rule,))))

    def save_gone_streams(self, gone: Mapping[str, Sequence[GoneStream]]) -> None:
        """Write down all of them, for each of some rules."""

        def save(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                for rule, streams in gone.items():
                    connection.execute("DELETE FROM gone_stream WHERE rule = ?", (rule,))
                    connection.executemany(
                        "INSERT INTO gone_stream VALUES (?, ?, ?, ?, ?)",
                        ((rule, *each) for each in streams),
                    )

        self._trying(save)

    def add_waiting(self, items: Sequence[WaitingItem]) -> None:
        """Keep items until the places of their rules pass them."""
        self._write("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?)", items)

    def waiting(self, rule: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        """What waits for a rule behind a number, in order; not all that is large at once."""
        query = "SELECT number, item FROM waiting WHERE rule = ? AND number > ? LIMIT ?"
        rows = self._connected().execute(query, (rule, after, limit))
        return _some(rows, lambda row: len(row[1]))

    def waiting_sizes(self, rule: str) -> list[tuple[int, int]]:
        """The number of each item that waits for a rule, in order, with its size in bytes."""
        query = "SELECT number, length(item) FROM waiting WHERE rule = ? ORDER BY number"
        return self._connected().execute(query, (rule,)).fetchall()

    def paused(self) -> set[str]:
        """The rules that are paused."""
        return {rule for (rule,) in self._connected().execute("SELECT rule FROM paused")}

    def save_paused(self, rule: str, is_paused: bool) -> None:
        """Write down whether a rule is."""
        change = "INSERT OR IGNORE INTO paused VALUES (?)"
        self._write(change if is_paused else "DELETE FROM paused WHERE rule = ?", [(rule,)])

    def rules(self) -> dict[str, bytes]:
        """The rules of the workbench, sealed, by name."""
        return dict(self._connected().execute("SELECT name, sealed FROM rule ORDER BY name"))

    def save_rule(self, name: str, sealed: bytes, send: str) -> None:
        """Keep a rule, and what it sends."""

        def save(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.execute("INSERT OR REPLACE INTO rule VALUES (?, ?)", (name, sealed))
                connection.execute("INSERT OR REPLACE INTO send VALUES (?, ?)", (name, send))

        self._trying(save)

    def sends(self) -> dict[str, str]:
        """What each rule sends: its place counts that, and nothing else."""
        return dict(self._connected().execute("SELECT rule, send FROM send"))

    def save_sends(self, sends: Mapping[str, str]) -> None:
        """Write down what rules send."""
        self._write("INSERT OR REPLACE INTO send VALUES (?, ?)", list(sends.items()))

    def keep_progress(self, rules: Iterable[str]) -> None:
        """Drop what is known of all other rules, but for their dead letters."""
        names = json.dumps(sorted(rules))

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                for table in _OF_PROGRESS:
                    connection.execute(
                        f"DELETE FROM {table}"  # noqa: S608 - tables of ours
                        " WHERE rule NOT IN (SELECT value FROM json_each(?))",
                        (names,),
                    )

        self._trying(keep)

    def forget(self, rule: str) -> None:
        """Drop all that is kept of a rule, dead letters too."""

        def forget(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.execute("DELETE FROM rule WHERE name = ?", (rule,))
                for table in (*_OF_PROGRESS, "dead_letter"):
                    connection.execute(f"DELETE FROM {table} WHERE rule = ?", (rule,))  # noqa: S608 - tables of ours

        self._trying(forget)

    def add_letters(self, rule: str, letters: Sequence[NewLetter]) -> None:
        """Keep dead letters."""
        self._write(_ADD_LETTER, [(rule, *letter) for letter in letters])

    def letter_counts(self) -> dict[str, int]:
        """How many dead letters each rule has."""
        query = "SELECT rule, count(*) FROM dead_letter GROUP BY rule"
        return dict(self._connected().execute(query))

    def letters_size(self, rule: str) -> tuple[int, int]:
        """How many dead letters a rule has, and what their items take in bytes."""
        query = "SELECT count(*), coalesce(sum(length(item)), 0) FROM dead_letter WHERE rule = ?"
        count, size_bytes = self._connected().execute(query, (rule,)).fetchone()
        return count, size_bytes

    def letters(self, rule: str, limit: int, before_id: int | None = None) -> list[StoredLetter]:
        """Dead letters of a rule, newest first; those before one of them."""
        where = "WHERE rule = ? AND letter_id < ? ORDER BY letter_id DESC LIMIT ?"
        before_id = 2**62 if before_id is None else before_id
        return [_letter(row) for row in self._ask(_LETTER + where, (rule, before_id, limit))]

    def asked(self, rule: str, limit: int) -> list[StoredLetter]:
        """Those that are to be sent again, oldest first; not all that are large at once."""
        where = "WHERE rule = ? AND is_asked = 1 ORDER BY letter_id LIMIT ?"
        rows = self._connected().execute(_LETTER + where, (rule, limit))
        return _some(map(_letter, rows), lambda letter: len(letter.item))

    def ask(self, rule: str, letter_ids: Sequence[int] | None) -> ChosenLetters:
        """Have dead letters sent again; None for all of the rule."""
        return self._change_letters(
            "UPDATE dead_letter SET is_asked = 1 WHERE rule = ?", rule, letter_ids
        )

    def remove_letters(self, rule: str, letter_ids: Sequence[int] | None) -> ChosenLetters:
        """Drop dead letters; None for all of the rule."""
        return self._change_letters("DELETE FROM dead_letter WHERE rule = ?", rule, letter_ids)

    def _change_letters(
        self, change: str, rule: str, letter_ids: Sequence[int] | None
    ) -> ChosenLetters:
        values: tuple[str, ...] = (rule,)
        if letter_ids is not None:
            change += f" AND {_OF_NUMBERS}"
            values = (rule, json.dumps(list(letter_ids)))

        def work(connection: sqlite3.Connection) -> ChosenLetters:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                missing = {} if letter_ids is None else dict.fromkeys(letter_ids)
                if missing:
                    for (letter_id,) in connection.execute(_THERE, values):
                        missing.pop(letter_id)
                return ChosenLetters(connection.execute(change, values).rowcount, tuple(missing))

        return self._trying(work)

    def _ask(self, query: str, values: Sequence[object]) -> list[tuple[object, ...]]:
        return self._connected().execute(query, values).fetchall()

    def _write(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        self._trying(partial(_write, statement, list(rows)))

    def _remove_refused(self, connection: sqlite3.Connection) -> None:
        # A place that was refused and stands there yet was true; a dead letter comes once more.
        pass


def _some(rows: Iterable[Row], size_of: Callable[[Row], int]) -> list[Row]:
    """The first rows, up to about READ_BYTES_MAX; at least one, if there is one."""
    found: list[Row] = []
    size_bytes = 0
    for row in rows:
        found.append(row)
        size_bytes += size_of(row)
        if size_bytes >= READ_BYTES_MAX:
            break
    return found


def _write(
    statement: str, rows: Sequence[Sequence[object]], connection: sqlite3.Connection
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        connection.executemany(statement, rows)


def _origin(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT origin FROM origin").fetchone()
    if row is not None:
        return str(row[0])
    origin = secrets.token_hex(4)
    connection.execute("INSERT INTO origin VALUES (?)", (origin,))
    return origin


def _letter(row: Sequence[object]) -> StoredLetter:
    letter = StoredLetter._make(row)
    return letter._replace(is_asked=bool(letter.is_asked))
