"""Queues in a SQLite file, of the meaning of SQS's.

A message that is received is hidden from other readers for a while. Who has done with it deletes it
by its receipt; if nobody does, it is there again, and after some such times it is a dead letter.
Messages of one group come out in order: while some are with a reader, those behind them wait.
Messages without a group come about in order.

A message waits with `visible_us` 0, or is with a reader until that instant. So the index (queue,
visible_us, message_id) gives those that wait in order, and those whose time is up, without reading
any others.

`queue_clock` has the time from which on the next message of a queue is sent: no two have the same,
whichever program sends them and however fast.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from thingtank.local.sqlite import open_shared, writing

MESSAGES_MAX = 1_000_000
BODY_BYTES_MAX = 1024 * 1024  # as SQS
LEAD_US_MAX = 600 * 1_000_000  # of a queue's clock before the machine's
ONCE_S = 300  # as SQS: for so long a repeat is known
RECEIVE_MAX = 10
_FORGET_MAX = 10_000

_APPLICATION_ID, _VERSION = 0x5454_5155, 1  # "TTQU"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS queue (
    name TEXT PRIMARY KEY,
    message_count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queue_clock (
    queue TEXT PRIMARY KEY,
    next_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (
    message_id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    visible_us INTEGER NOT NULL DEFAULT 0,
    message_group TEXT NOT NULL,
    receive_count INTEGER NOT NULL DEFAULT 0,
    receipt TEXT,
    sent_us INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS message_order ON message (queue, visible_us, message_id);
CREATE UNIQUE INDEX IF NOT EXISTS message_receipt ON message (receipt) WHERE receipt IS NOT NULL;
CREATE TABLE IF NOT EXISTS once (
    queue TEXT NOT NULL,
    once_id TEXT NOT NULL,
    sent_us INTEGER NOT NULL,
    PRIMARY KEY (queue, once_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS once_age ON once (sent_us);
CREATE TABLE IF NOT EXISTS dead_letter (
    message_id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    message_group TEXT NOT NULL,
    receive_count INTEGER NOT NULL,
    sent_us INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS dead_letter_order ON dead_letter (queue, message_id)
"""
_NEXT = """
SELECT message_id, body, message_group, receive_count, sent_us FROM message
WHERE queue = :queue AND visible_us = 0 AND (message_group = '' OR message_group NOT IN (
    SELECT message_group FROM message WHERE queue = :queue AND visible_us > 0))
ORDER BY message_id LIMIT :count
"""


class QueueFull(Exception):
    """A queue has as many messages as it may: none was sent."""


class NewMessage(NamedTuple):
    """What is to be sent.

    Attributes:
        group: messages of one group keep their order; blank for none.
        once_id: one with an id of the last ONCE_S is taken and dropped; blank for none.
    """

    body: bytes
    group: str = ""
    once_id: str = ""


class ReceivedMessage(NamedTuple):
    """A message with a reader; `receive_count` has this time in it.

    Attributes:
        sent_us: no other message of the queue has that, nor the microseconds behind it, one for
            each value that it may have.
    """

    message_id: int
    body: bytes
    group: str
    receive_count: int
    sent_us: int
    receipt: str


class QueueCounts(NamedTuple):
    """How many messages wait, are with a reader, and are dead letters."""

    waiting: int
    received: int
    dead: int


class QueueFile:
    """Queues of one file, made by the first message. For one thread at a time."""

    def __init__(
        self,
        path: Path,
        messages_max: int = MESSAGES_MAX,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        """Open the file.

        Args:
            messages_max: of one queue.

        Raises:
            WrongFile, sqlite3.Error, OSError.
        """
        self._connection = open_shared(path, _APPLICATION_ID, _VERSION, _SCHEMA)
        self._messages_max = messages_max
        self._now_us = now_us

    def close(self) -> None:
        """Let go."""
        self._connection.close()

    def send(self, queue: str, messages: Sequence[NewMessage]) -> None:
        """Send messages, all or none; returns when they are on disk.

        Raises:
            QueueFull, sqlite3.Error.
        """
        now_us = self._now_us()
        with writing(self._connection):
            self._forget_old(now_us)
            new = [each for each in messages if self._is_new(queue, each, now_us)]
            self._count(queue, len(new))
            times_us = self._times_us(queue, new, now_us)
            self._connection.executemany(
                "INSERT INTO message (queue, message_group, sent_us, body) VALUES (?, ?, ?, ?)",
                [
                    (queue, each.group, sent_us, each.body)
                    for each, sent_us in zip(new, times_us, strict=True)
                ],
            )

    def _times_us(self, queue: str, new: Sequence[NewMessage], now_us: int) -> list[int]:
        """When messages are sent: each has a time of its own, and enough before the next one.

        A value that says no time gets the time of its message, so two must not have the same. As
        JSON a message has a colon at least for each value, which has a microsecond then.
        """
        found = self._connection.execute(
            "SELECT next_us FROM queue_clock WHERE queue = ?", (queue,)
        ).fetchone()
        # Not for ever: the clock may have been wrong, and be right again.
        is_ahead = found is not None and now_us < found[0] <= now_us + LEAD_US_MAX
        next_us = found[0] if is_ahead else now_us
        times_us = []
        for each in new:
            times_us.append(next_us)
            next_us += 1 + each.body.count(b":")
        self._connection.execute("REPLACE INTO queue_clock VALUES (?, ?)", (queue, next_us))
        return times_us

    def receive(
        self, queue: str, count_max: int, visibility_s: float, receives_max: int = 0
    ) -> list[ReceivedMessage]:
        """Take the next messages; others do not see them for a while.

        Args:
            count_max: 1 to RECEIVE_MAX.
            receives_max: one that was received so often already becomes a dead letter; 0 for never.

        Raises:
            sqlite3.Error.
        """
        now_us = self._now_us()
        until_us = now_us + max(1, int(visibility_s * 1_000_000))
        with writing(self._connection):
            self._show_again(queue, now_us)
            received = [
                found._replace(
                    receive_count=found.receive_count + 1, receipt=secrets.token_urlsafe(16)
                )
                for found in self._next(queue, count_max, receives_max)
            ]
            self._connection.executemany(
                "UPDATE message SET visible_us = ?, receive_count = receive_count + 1, receipt = ?"
                " WHERE message_id = ?",
                [(until_us, each.receipt, each.message_id) for each in received],
            )
        return received

    def ack(self, receipts: Iterable[str]) -> int:
        """Delete messages that are done with; how many were still the reader's.

        Raises:
            sqlite3.Error.
        """
        deleted = 0
        with writing(self._connection):
            for receipt in receipts:
                row = self._connection.execute(
                    "DELETE FROM message WHERE receipt = ? RETURNING queue", (receipt,)
                ).fetchone()
                if row is not None:
                    self._count(row[0], -1)
                    deleted += 1
        return deleted

    def extend(self, receipts: Iterable[str], visibility_s: float) -> int:
        """Hide messages for so long from now on; with 0 they are there again at once.

        Returns:
            How many were still the reader's.

        Raises:
            sqlite3.Error.
        """
        until_us = self._now_us() + int(visibility_s * 1_000_000) if visibility_s else 0
        extended = 0
        with writing(self._connection):
            for receipt in receipts:
                changed = self._connection.execute(
                    "UPDATE message SET visible_us = ?1, receipt = iif(?1 = 0, NULL, receipt)"
                    " WHERE receipt = ?2",
                    (until_us, receipt),
                )
                extended += changed.rowcount
        return extended

    def release(self, receipts: Iterable[str]) -> None:
        """Have messages there again at once, as if nobody had received them.

        Raises:
            sqlite3.Error.
        """
        with writing(self._connection):
            self._connection.executemany(
                "UPDATE message SET visible_us = 0, receipt = NULL,"
                " receive_count = receive_count - 1 WHERE receipt = ?",
                [(receipt,) for receipt in receipts],
            )

    def counts(self, queue: str) -> QueueCounts:
        """How many messages there are."""
        waiting, received = self._connection.execute(
            "SELECT count(*) FILTER (WHERE visible_us = 0), count(*) FILTER (WHERE visible_us > 0)"
            " FROM message WHERE queue = ?",
            (queue,),
        ).fetchone()
        (dead,) = self._connection.execute(
            "SELECT count(*) FROM dead_letter WHERE queue = ?", (queue,)
        ).fetchone()
        return QueueCounts(waiting, received, dead)

    def names(self) -> list[str]:
        """All queues that have ever had a message."""
        return [name for (name,) in self._connection.execute("SELECT name FROM queue")]

    def dead_letters(self, queue: str, count_max: int) -> list[ReceivedMessage]:
        """The oldest dead letters."""
        rows = self._connection.execute(
            "SELECT message_id, body, message_group, receive_count, sent_us FROM dead_letter"
            " WHERE queue = ? ORDER BY message_id LIMIT ?",
            (queue, count_max),
        )
        return [ReceivedMessage._make((*row, "")) for row in rows]

    def redrive(self, queue: str) -> int:
        """Put dead letters back at the end of their queue, as new ones; how many.

        Raises:
            QueueFull, sqlite3.Error.
        """
        with writing(self._connection):
            moved = self._connection.execute(
                "INSERT INTO message (queue, message_group, sent_us, body)"
                " SELECT queue, message_group, sent_us, body FROM dead_letter"
                " WHERE queue = ? ORDER BY message_id",
                (queue,),
            ).rowcount
            self._count(queue, moved)
            self._connection.execute("DELETE FROM dead_letter WHERE queue = ?", (queue,))
        return moved

    def purge(self, queue: str) -> int:
        """Delete all messages of a queue, dead letters left; how many."""
        with writing(self._connection):
            deleted = self._connection.execute(
                "DELETE FROM message WHERE queue = ?", (queue,)
            ).rowcount
            self._count(queue, -deleted)
        return deleted

    def _count(self, queue: str, change: int) -> None:
        """Keep count: counting a million rows for each message would take longer than sending it.

        Raises:
            QueueFull.
        """
        (count,) = self._connection.execute(
            "INSERT INTO queue (name, message_count) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET message_count = message_count"
            " + excluded.message_count RETURNING message_count",
            (queue, change),
        ).fetchone()
        if change > 0 and count > self._messages_max:
            raise QueueFull(
                f"the queue {queue} has {count - change:,} messages, and may have"
                f" {self._messages_max:,}"
            )

    def _is_new(self, queue: str, message: NewMessage, now_us: int) -> bool:
        if not message.once_id:
            return True
        noted = self._connection.execute(
            "INSERT INTO once (queue, once_id, sent_us) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (queue, message.once_id, now_us),
        )
        return noted.rowcount == 1

    def _forget_old(self, now_us: int) -> None:
        self._connection.execute(
            "DELETE FROM once WHERE (queue, once_id) IN"
            " (SELECT queue, once_id FROM once WHERE sent_us < ? LIMIT ?)",
            (now_us - ONCE_S * 1_000_000, _FORGET_MAX),
        )

    def _show_again(self, queue: str, now_us: int) -> None:
        """Bring back what was with a reader for too long."""
        self._connection.execute(
            "UPDATE message SET visible_us = 0, receipt = NULL"
            " WHERE queue = ? AND visible_us > 0 AND visible_us <= ?",
            (queue, now_us),
        )

    def _next(self, queue: str, count_max: int, receives_max: int) -> list[ReceivedMessage]:
        """What can be received, when those are dead letters that were so too often."""
        while True:
            rows = self._connection.execute(_NEXT, {"queue": queue, "count": count_max})
            found = [ReceivedMessage._make((*row, "")) for row in rows]
            spent = [each for each in found if 0 < receives_max <= each.receive_count]
            if not spent:
                return found
            for each in spent:
                self._bury(queue, each.message_id)

    def _bury(self, queue: str, message_id: int) -> None:
        self._connection.execute(
            "INSERT INTO dead_letter (message_id, queue, message_group, receive_count, sent_us,"
            " body) SELECT message_id, queue, message_group, receive_count, sent_us, body"
            " FROM message WHERE message_id = ?",
            (message_id,),
        )
        self._connection.execute("DELETE FROM message WHERE message_id = ?", (message_id,))
        self._count(queue, -1)
