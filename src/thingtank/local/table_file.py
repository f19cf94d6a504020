"""Tables of items in a SQLite file, of the meaning of DynamoDB's.

Items are found by a hash key, sorted by a range key, written under a condition, and deleted when
their time is over.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from thingtank.local.sqlite import open_shared, writing

ITEM_BYTES_MAX = 400 * 1024  # as DynamoDB
EXPIRE_MAX = 10_000  # at one time

_APPLICATION_ID, _VERSION = 0x5454_5442, 1  # "TTTB"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS item (
    table_name TEXT NOT NULL,
    hash_key TEXT NOT NULL,
    range_key TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    expires_s INTEGER,
    item BLOB NOT NULL,
    PRIMARY KEY (table_name, hash_key, range_key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS item_expiry ON item (table_name, expires_s) WHERE expires_s IS NOT NULL
"""
_PUT = """
INSERT INTO item (table_name, hash_key, range_key, at_us, expires_s, item)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (table_name, hash_key, range_key) DO
"""
_IF_NEWER = """
UPDATE SET at_us = excluded.at_us, expires_s = excluded.expires_s, item = excluded.item
WHERE at_us <= excluded.at_us
"""


class TableItem(NamedTuple):
    """An item with its key.

    Attributes:
        at_us: which of two with one key is newer.
        expires_s: when it is deleted, seconds since the epoch; None for never.
        attributes: plain values, as JSON has them.
    """

    hash_key: str
    range_key: str
    at_us: int
    expires_s: int | None
    attributes: dict[str, Any]


class TableFile:
    """Tables of one file, each made by its first item. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            WrongFile, sqlite3.Error, OSError.
        """
        self._connection = open_shared(path, _APPLICATION_ID, _VERSION, _SCHEMA)

    def close(self) -> None:
        """Let go."""
        self._connection.close()

    def put_if_absent(self, table: str, items: Iterable[TableItem]) -> int:
        """Put items of whose keys there are none yet; how many. On disk when it returns.

        Raises:
            sqlite3.Error.
        """
        return self._put(table, items, "NOTHING")

    def put_if_newer(self, table: str, items: Iterable[TableItem]) -> int:
        """Put items unless newer ones of their keys are there; how many. On disk when it returns.

        Raises:
            sqlite3.Error.
        """
        return self._put(table, items, _IF_NEWER)

    def find(self, table: str, hash_key: str, range_key: str, now_s: float) -> TableItem | None:
        """The item of a key, if there is one whose time is not over."""
        found = self._items(table, "hash_key = ? AND range_key = ?", (hash_key, range_key), now_s)
        return next(found, None)

    def query(
        self,
        table: str,
        hash_key: str,
        now_s: float,
        *,
        start: str = "",
        end: str = "\U0010ffff",
        limit: int = 100,
    ) -> list[TableItem]:
        """Items of one hash key in the order of their range keys, both ends included."""
        where = "hash_key = ? AND range_key BETWEEN ? AND ?"
        found = self._items(table, where, (hash_key, start, end), now_s, limit)
        return list(found)

    def counts(self) -> list[tuple[str, int]]:
        """Tables with how many items they have; reads all keys."""
        found = self._connection.execute(
            "SELECT table_name, count(*) FROM item GROUP BY table_name ORDER BY table_name"
        )
        return found.fetchall()

    def expire(self, table: str, now_s: float) -> int:
        """Delete items whose time is over, the oldest first, at most EXPIRE_MAX; how many."""
        with writing(self._connection):
            return self._connection.execute(
                "DELETE FROM item WHERE (table_name, hash_key, range_key) IN"
                " (SELECT table_name, hash_key, range_key FROM item"
                " WHERE table_name = ? AND expires_s IS NOT NULL AND expires_s <= ?"
                " ORDER BY expires_s LIMIT ?)",
                (table, int(now_s), EXPIRE_MAX),
            ).rowcount

    def _put(self, table: str, items: Iterable[TableItem], otherwise: str) -> int:
        rows = [
            (
                table, each.hash_key, each.range_key, each.at_us, each.expires_s,
                msgspec.json.encode(each.attributes),
            )
            for each in items
        ]  # fmt: skip
        with writing(self._connection):
            return self._connection.executemany(_PUT + otherwise, rows).rowcount

    def _items(
        self, table: str, where: str, values: Sequence[str], now_s: float, limit: int = 1
    ) -> Iterator[TableItem]:
        rows = self._connection.execute(
            "SELECT hash_key, range_key, at_us, expires_s, item FROM item"  # noqa: S608 - ours
            f" WHERE table_name = ? AND {where} AND (expires_s IS NULL OR expires_s > ?)"
            " ORDER BY range_key LIMIT ?",
            (table, *values, int(now_s), limit),
        )
        for hash_key, range_key, at_us, expires_s, item in rows:
            yield TableItem(hash_key, range_key, at_us, expires_s, msgspec.json.decode(item))
