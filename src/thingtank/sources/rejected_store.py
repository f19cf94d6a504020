"""Rejected records: kept whole in the file of sources, until they are retried or discarded.

A record of a stream would not come again. Blocking, as the file.
"""

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import NamedTuple

from thingtank.local.sqlite import writing
from thingtank.sources.records import RECORD_BYTES_MAX, Arrived
from thingtank.sources.source_file import SourceFile
from thingtank.tank.one_line import on_one_line
from thingtank.tank.sources import DiscardOutcome, RejectedRecord, Which

EXCERPT_BYTES_MAX = 2000

# What is rejected once more stays the record that it was, with the newer reason.
_ADD = """
INSERT INTO rejected_record
    (rule, name, record_id, sub_number, offset_us, key, arrived_us, data, byte_count, reason, at_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (rule, name) DO UPDATE SET reason = excluded.reason, at_us = excluded.at_us
"""
_TRIM = """
DELETE FROM rejected_record WHERE rule = ?1 AND number <= (
    SELECT number FROM (
        SELECT number, row_number() OVER newest AS place, sum(length(data)) OVER newest AS bytes
        FROM rejected_record WHERE rule = ?1 WINDOW newest AS (ORDER BY number DESC))
    WHERE place > ?2 OR bytes > ?3 ORDER BY number DESC LIMIT 1)
"""
_THERE = """
SELECT number FROM rejected_record
WHERE rule = ? AND number IN (SELECT value FROM json_each(?))
"""
_COUNT = "SELECT count(*) FROM rejected_record WHERE rule = ?"
_PAGE = """
SELECT name, reason, substr(data, 1, ?), byte_count, length(data) = byte_count, at_us, number
FROM rejected_record WHERE rule = ? AND number < ? ORDER BY number DESC LIMIT ?
"""
_REASONS = """
SELECT reason, count(*) AS found FROM rejected_record WHERE rule = ?
GROUP BY reason ORDER BY found DESC, reason LIMIT ?
"""
_WHOLE = """
SELECT number, record_id, key, arrived_us, data, sub_number, offset_us FROM rejected_record
WHERE rule = ? AND number IN (SELECT value FROM json_each(?)) AND length(data) = byte_count
ORDER BY number
"""
# The rule, and then what `Which` says.
_WHICH = """
rule = ?1 AND (?2 IS NULL OR number IN (SELECT value FROM json_each(?2)))
    AND (?3 IS NULL OR reason = ?3)
"""
_NUMBER_END = 2**63 - 1


class Size(NamedTuple):
    """How much of a rejected record is kept."""

    number: int
    byte_count: int
    is_whole: bool


class Room(NamedTuple):
    """How many records are kept of a rule now, and how many went for want of room."""

    kept_count: int
    dropped_count: int


class RejectedStore:
    """Those of one rule."""

    def __init__(self, file: SourceFile, rule: str, count_max: int, bytes_max: int) -> None:
        """Make it.

        Args:
            count_max, bytes_max: how much is kept.
        """
        self._file = file
        self._rule = rule
        self._count_max = count_max
        self._bytes_max = bytes_max

    def add(self, rejected: Sequence[tuple[Arrived, str]], at_us: int) -> Room:
        """Keep records.

        The oldest ones go when there are too many, or they have too many bytes. Of one that is
        longer than any that is taken the beginning is kept.

        Args:
            rejected: records as they came, each with the reason.
            at_us: when they were rejected.
        """
        rows = [self._row(record, reason, at_us) for record, reason in rejected]

        def add(connection: sqlite3.Connection) -> Room:
            with writing(connection):
                return self._add(connection, rows)

        return self._file.run(add)

    def settle(
        self, refused: Sequence[tuple[int, Arrived, str]], written: Collection[int], at_us: int
    ) -> Room:
        """Note what became of records that were tried again.

        What was deleted meanwhile, or made room for others, does not come back.

        Args:
            refused: records as `add` has them, after the number of what each is, or is a part of.
            written: numbers of those that are dropped, as they, or some parts, are written.
            at_us: when they were refused.
        """

        def settle(connection: sqlite3.Connection) -> Room:
            with writing(connection):
                there = _there(connection, self._rule, [number for number, _, _ in refused])
                _remove(connection, self._rule, Which(list(written)))
                rows = [
                    self._row(record, reason, at_us)
                    for number, record, reason in refused
                    if number in there
                ]
                return self._add(connection, rows)

        return self._file.run(settle)

    def remove(self, which: Which) -> tuple[DiscardOutcome, int]:
        """Delete some; what became of it, and how many there are now."""

        def remove(connection: sqlite3.Connection) -> tuple[DiscardOutcome, int]:
            with writing(connection):
                missing = which.missing(_there(connection, self._rule, which.numbers or ()))
                removed_count = _remove(connection, self._rule, which)
                return DiscardOutcome(removed_count, missing), _count(connection, self._rule)

        if not self._file.exists:
            return DiscardOutcome(missing_numbers=which.missing(())), 0
        return self._file.run(remove)

    def newest(self, limit: int, before: int | None = None) -> list[RejectedRecord]:
        """The newest ones, newest first; of those before a number."""
        if not self._file.exists:
            return []
        values = (
            EXCERPT_BYTES_MAX,
            self._rule,
            _NUMBER_END if before is None else before,
            limit,
        )
        rows = self._file.run(lambda connection: connection.execute(_PAGE, values).fetchall())
        return [
            RejectedRecord(
                name, reason, excerpt.decode("utf-8", "replace"), size, bool(is_whole), *rest
            )
            for name, reason, excerpt, size, is_whole, *rest in rows
        ]

    def reasons(self, limit: int) -> list[tuple[str, int]]:
        """Why they were rejected, and how many for each reason; the most frequent ones first."""
        if not self._file.exists:
            return []
        return self._file.run(
            lambda connection: connection.execute(_REASONS, (self._rule, limit)).fetchall()
        )

    def sizes(self, which: Which) -> list[Size]:
        """Some of them, in the order in which they were rejected last."""
        query = (
            "SELECT number, length(data), length(data) = byte_count FROM rejected_record"  # noqa: S608 - ours
            f" WHERE {_WHICH} ORDER BY at_us, number"
        )
        if not self._file.exists:
            return []
        values = _which(self._rule, which)
        rows = self._file.run(lambda connection: connection.execute(query, values).fetchall())
        return [Size(number, size, bool(is_whole)) for number, size, is_whole in rows]

    def whole(self, numbers: Sequence[int]) -> list[tuple[int, Arrived]]:
        """Records as they came, by number; those that are gone, or not kept whole, are left out."""
        values = (self._rule, json.dumps(list(numbers)))
        rows = self._file.run(lambda connection: connection.execute(_WHOLE, values).fetchall())
        return [(row[0], Arrived(*row[1:])) for row in rows]

    def _add(self, connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> Room:
        connection.executemany(_ADD, rows)
        trimmed = connection.execute(_TRIM, (self._rule, self._count_max, self._bytes_max))
        return Room(_count(connection, self._rule), trimmed.rowcount)

    def _row(self, record: Arrived, reason: str, at_us: int) -> tuple[object, ...]:
        is_kept = len(record.data) <= min(RECORD_BYTES_MAX, self._bytes_max)
        return (
            self._rule, record.name, record.record_id, record.sub_number, record.offset_us,
            record.key, record.at_us,
            record.data if is_kept else record.data[:EXCERPT_BYTES_MAX],
            len(record.data), on_one_line(reason), at_us,
        )  # fmt: skip


def kept_counts(file: SourceFile) -> dict[str, int]:
    """How many rejected records are kept of each rule that has some."""
    query = "SELECT rule, count(*) FROM rejected_record GROUP BY rule"
    return file.run(lambda connection: dict(connection.execute(query))) if file.exists else {}


def _which(rule: str, which: Which) -> tuple[object, ...]:
    numbers = None if which.numbers is None else json.dumps(list(which.numbers))
    return rule, numbers, which.reason


def _there(connection: sqlite3.Connection, rule: str, numbers: Sequence[int]) -> set[int]:
    """Those of some numbers that are kept of a rule."""
    found = connection.execute(_THERE, (rule, json.dumps(list(numbers)))) if numbers else ()
    return {number for (number,) in found}


def _remove(connection: sqlite3.Connection, rule: str, which: Which) -> int:
    statement = f"DELETE FROM rejected_record WHERE {_WHICH}"  # noqa: S608 - ours
    return connection.execute(statement, _which(rule, which)).rowcount


def _count(connection: sqlite3.Connection, rule: str) -> int:
    (count,) = connection.execute(_COUNT, (rule,)).fetchone()
    return int(count)
