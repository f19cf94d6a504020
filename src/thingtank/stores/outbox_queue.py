"""Statements that queue, hand out and settle deliveries; each is given a transaction."""

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from thingtank.stores.outbox_settings import OutboxSettings
from thingtank.tank.deliveries import (
    ATTEMPTS_KEPT_MAX,
    Busy,
    Delivery,
    DeliveryState,
    Settlement,
    lane_of,
)
from thingtank.tank.outbox import NewDelivery
from thingtank.tank.targets import host_of

COLUMNS = ", ".join(Delivery.__struct_fields__)
_PURGE_CHUNK = 1000

_INSERT = """
INSERT INTO delivery (message_id, trigger_id, device_id, account_id, channel, target, host, lane,
    body, created_us, queued_us, is_test, is_ordered, is_asked, state, due_us, done_us, error)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_OLDEST_OF_LANE = """
SELECT delivery_id FROM delivery WHERE lane = ? AND state = 'waiting' AND is_ordered = 1
ORDER BY delivery_id LIMIT 1
"""
_DUE = f"""
SELECT {COLUMNS} FROM delivery
WHERE due_us IS NOT NULL AND due_us <= ?
    AND host NOT IN (SELECT value FROM json_each(?))
    AND account_id NOT IN (SELECT value FROM json_each(?))
    AND lane NOT IN (SELECT value FROM json_each(?))
    AND account_id || ' ' || host NOT IN (SELECT value FROM json_each(?))
ORDER BY due_us, delivery_id LIMIT ?
"""  # noqa: S608 - column names of ours
_RESUME = """
UPDATE delivery SET due_us = put_off_us, put_off_us = NULL
WHERE due_us IS NOT NULL AND put_off_us IS NOT NULL
"""


def delivery_of(row: Sequence[object]) -> Delivery:
    """A row of COLUMNS as a value."""
    values = dict(zip(Delivery.__struct_fields__, row, strict=True))
    values["is_test"] = bool(values["is_test"])
    values["is_asked"] = bool(values["is_asked"])
    values["state"] = DeliveryState(str(values["state"]))
    return Delivery(**values)  # type: ignore[arg-type] # the schema's types are the struct's


def record(
    connection: sqlite3.Connection,
    reader: str,
    seq: int,
    states: Mapping[int, bytes],
    deliveries: Sequence[NewDelivery],
    settings: OutboxSettings,
) -> None:
    """Queue deliveries, save states, and move a reader's place, never backwards."""
    room = _Room(connection, settings)
    for delivery in deliveries:
        _insert(connection, delivery, room.problem(delivery.account_id))
    connection.executemany("INSERT OR REPLACE INTO trigger_state VALUES (?, ?)", states.items())
    connection.execute(
        "INSERT INTO reader VALUES (?, ?) ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
        (reader, seq),
    )


class _Room:
    """How many more may wait, counted once a transaction."""

    def __init__(self, connection: sqlite3.Connection, settings: OutboxSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._total_count: int | None = None
        self._counts: dict[int, int] = {}

    def problem(self, account_id: int) -> str:
        """Take room for one; why there is none, or blank."""
        if self._total_count is None:
            self._total_count = self._count("", (), self._settings.waiting_max)
        if account_id not in self._counts:
            self._counts[account_id] = self._count(
                "AND account_id = ?", (account_id,), self._settings.waiting_per_account_max
            )
        if self._counts[account_id] >= self._settings.waiting_per_account_max:
            return f"not queued: {self._settings.waiting_per_account_max} of the account wait"
        if self._total_count >= self._settings.waiting_max:
            return f"not queued: {self._settings.waiting_max} wait"
        self._counts[account_id] += 1
        self._total_count += 1
        return ""

    def _count(self, condition: str, values: Sequence[int], limit: int) -> int:
        query = f"SELECT 1 FROM delivery WHERE state = 'waiting' {condition} LIMIT ?"  # noqa: S608 - ours
        (count,) = self._connection.execute(
            f"SELECT count(*) FROM ({query})",  # noqa: S608 - ours
            (*values, limit),
        ).fetchone()
        return int(count)


def _insert(connection: sqlite3.Connection, new: NewDelivery, problem: str) -> None:
    lane = lane_of(new.trigger_id, new.channel, new.device_id, new.target)
    is_first = new.is_test or connection.execute(_OLDEST_OF_LANE, (lane,)).fetchone() is None
    state = DeliveryState.DEAD if problem else DeliveryState.WAITING
    connection.execute(
        _INSERT,
        (
            f"msg_{secrets.token_urlsafe(18)}",
            new.trigger_id,
            new.device_id,
            new.account_id,
            new.channel,
            new.target,
            host_of(new.channel, new.target),
            lane,
            new.body,
            new.created_us,
            new.created_us,
            new.is_test,
            not new.is_test,
            new.is_test,
            state,
            new.created_us if is_first and not problem else None,
            new.created_us if problem else None,
            problem,
        ),
    )


def due(connection: sqlite3.Connection, now_us: int, limit: int, busy: Busy) -> list[Delivery]:
    """What may be tried now, longest due first."""
    rows = connection.execute(
        _DUE,
        (
            now_us,
            json.dumps(list(busy.hosts)),
            json.dumps(list(busy.account_ids)),
            json.dumps(list(busy.lanes)),
            json.dumps(list(busy.receivers)),
            limit,
        ),
    )
    return [delivery_of(row) for row in rows]


def settle(connection: sqlite3.Connection, settlement: Settlement) -> None:
    """Log an attempt and move its delivery on; a delivery that is gone meanwhile is nobody's."""
    row = connection.execute(
        "SELECT lane, target, state, attempt_count FROM delivery WHERE delivery_id = ?",
        (settlement.delivery_id,),
    ).fetchone()
    if row is None:
        return
    lane, target, state, attempt_count = row
    _log(connection, settlement, attempt_count + 1)
    # Cancelled or given up while it was under way: that stays, unless it got there all the same.
    if state == DeliveryState.WAITING or settlement.state is DeliveryState.DELIVERED:
        _move(connection, settlement)
    now_us = settlement.attempt.at_us + settlement.attempt.duration_us
    if settlement.ends_queue:
        connection.execute(
            "UPDATE delivery SET state = 'dead', due_us = NULL, done_us = ?, error = ?"
            " WHERE lane = ? AND target = ? AND state = 'waiting' AND is_ordered = 1",
            (now_us, settlement.attempt.error, lane, target),
        )
    promote(connection, lane, now_us)


def _log(connection: sqlite3.Connection, settlement: Settlement, number: int) -> None:
    attempt = settlement.attempt
    connection.execute(
        "INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?)",
        (settlement.delivery_id, number, *msgspec.structs.astuple(attempt)),
    )
    connection.execute(
        "DELETE FROM attempt WHERE delivery_id = ? AND number <= ?",
        (settlement.delivery_id, number - ATTEMPTS_KEPT_MAX),
    )
    connection.execute(
        "UPDATE delivery SET tries = tries + 1, attempt_count = ?, status = ?, error = ?"
        " WHERE delivery_id = ?",
        (number, attempt.status, attempt.error, settlement.delivery_id),
    )


def _move(connection: sqlite3.Connection, settlement: Settlement) -> None:
    is_waiting = settlement.state is DeliveryState.WAITING
    done_us = None if is_waiting else settlement.attempt.at_us + settlement.attempt.duration_us
    connection.execute(
        "UPDATE delivery SET state = ?, due_us = ?, done_us = ?, is_asked = 0, put_off_us = NULL"
        " WHERE delivery_id = ?",
        (
            settlement.state,
            settlement.due_us if is_waiting else None,
            done_us,
            settlement.delivery_id,
        ),
    )


def promote(connection: sqlite3.Connection, lane: str, now_us: int) -> None:
    """Let the oldest that waits in a lane be tried, unless it has its time already."""
    connection.execute(
        f"UPDATE delivery SET due_us = ? WHERE delivery_id = ({_OLDEST_OF_LANE})"  # noqa: S608 - ours
        " AND due_us IS NULL",
        (now_us, lane),
    )


def postpone(
    connection: sqlite3.Connection, account_id: int, host: str, until_us: int, reason: str
) -> None:
    """Move what an account has due at a host to an instant, if it was earlier; tests stay."""
    connection.execute(
        "UPDATE delivery SET due_us = ?, error = coalesce(?, error), is_asked = 0,"
        " put_off_us = NULL"
        " WHERE account_id = ? AND host = ? AND due_us IS NOT NULL AND due_us < ? AND is_test = 0",
        (until_us, reason or None, account_id, host, until_us),
    )


def leave_alone(connection: sqlite3.Connection, account_id: int, host: str, until_us: int) -> None:
    """Move the same for as long as its host is left alone; what a person asked for stays."""
    connection.execute(
        "UPDATE delivery SET put_off_us = coalesce(put_off_us, due_us), due_us = ?"
        " WHERE account_id = ? AND host = ? AND due_us IS NOT NULL AND due_us < ? AND is_asked = 0",
        (until_us, account_id, host, until_us),
    )


def resume(connection: sqlite3.Connection, account_id: int, host: str) -> None:
    """Move back what was moved for that."""
    connection.execute(
        f"{_RESUME} AND account_id = ? AND host = ?",
        (account_id, host),
    )


def resume_all(connection: sqlite3.Connection) -> None:
    """Move back all that was."""
    connection.execute(_RESUME)


def cancel(connection: sqlite3.Connection, delivery_id: int, now_us: int) -> None:
    """Cancel one if it waits; the next of its lane follows."""
    _end(connection, delivery_id, DeliveryState.CANCELLED, "", now_us)


def cancel_trigger(connection: sqlite3.Connection, trigger_id: int, now_us: int) -> None:
    """Cancel all that waits of a trigger: its lanes whole, so nothing follows."""
    connection.execute(
        "UPDATE delivery SET state = 'cancelled', due_us = NULL, done_us = ?"
        " WHERE trigger_id = ? AND state = 'waiting'",
        (now_us, trigger_id),
    )


def _end(
    connection: sqlite3.Connection, delivery_id: int, state: DeliveryState, error: str, now_us: int
) -> None:
    connection.execute(
        "UPDATE delivery SET state = ?, due_us = NULL, done_us = ?, error = coalesce(?, error)"
        " WHERE delivery_id = ? AND state = 'waiting'",
        (state, now_us, error or None, delivery_id),
    )
    (lane,) = connection.execute(
        "SELECT lane FROM delivery WHERE delivery_id = ?", (delivery_id,)
    ).fetchone()
    promote(connection, lane, now_us)


def retry(connection: sqlite3.Connection, delivery_id: int, now_us: int) -> None:
    """Have a dead or cancelled one tried past the order; one with a time of its own at once."""
    connection.execute(
        "UPDATE delivery SET state = 'waiting', is_ordered = 0, tries = 0, due_us = ?,"
        " queued_us = ?, done_us = NULL"
        " WHERE delivery_id = ? AND state IN ('dead', 'cancelled')",
        (now_us, now_us, delivery_id),
    )
    connection.execute(
        "UPDATE delivery SET due_us = min(due_us, ?), is_asked = 1, put_off_us = NULL"
        " WHERE delivery_id = ? AND due_us IS NOT NULL",
        (now_us, delivery_id),
    )


def expire(connection: sqlite3.Connection, now_us: int, settings: OutboxSettings) -> int:
    """Give up some of what has waited too long; how many."""
    rows = connection.execute(
        "SELECT delivery_id FROM delivery WHERE state = 'waiting' AND queued_us < ?"
        " ORDER BY queued_us, delivery_id LIMIT ?",
        (now_us - settings.waiting_s_max * 1_000_000, _PURGE_CHUNK),
    ).fetchall()
    error = f"given up: it waited for more than {settings.waiting_s_max} s"
    for (delivery_id,) in rows:
        _end(connection, delivery_id, DeliveryState.DEAD, error, now_us)
    return len(rows)


def purge(connection: sqlite3.Connection, now_us: int, settings: OutboxSettings) -> int:
    """Drop some of what is too old or too much; how many."""
    second = 1_000_000
    (settled,) = connection.execute(
        "SELECT count(*) FROM delivery WHERE done_us IS NOT NULL"
    ).fetchone()
    excess = max(0, settled - settings.kept_max)
    is_log = "state IN ('delivered', 'cancelled')"
    count = 0
    for condition, values in (
        (f"done_us < ? AND {is_log}", (now_us - settings.log_s_max * second,)),
        ("done_us < ? AND state = 'dead'", (now_us - settings.dead_s_max * second,)),
    ):
        count += _drop(connection, f"{condition} ORDER BY done_us LIMIT ?", (*values, _PURGE_CHUNK))
    count += _drop(
        connection,
        "done_us IS NOT NULL ORDER BY done_us LIMIT ?",
        (min(_PURGE_CHUNK, max(0, excess - count)),),
    )
    count += _drop_beyond(connection, is_log, settings.log_per_account_max)
    return count + _drop_beyond(connection, "state = 'dead'", settings.dead_per_account_max)


def _drop_beyond(connection: sqlite3.Connection, condition: str, count_max: int) -> int:
    accounts = connection.execute(
        f"SELECT account_id, count(*) - ? FROM delivery WHERE {condition}"  # noqa: S608 - ours
        " GROUP BY account_id HAVING count(*) > ?",
        (count_max, count_max),
    ).fetchall()
    return sum(
        _drop(
            connection,
            f"account_id = ? AND {condition} ORDER BY delivery_id LIMIT ?",
            (account_id, min(excess, _PURGE_CHUNK)),
        )
        for account_id, excess in accounts
    )


def _drop(connection: sqlite3.Connection, condition: str, values: Sequence[int]) -> int:
    return connection.execute(
        f"DELETE FROM delivery WHERE delivery_id IN"  # noqa: S608 - conditions of ours
        f" (SELECT delivery_id FROM delivery WHERE {condition})",
        values,
    ).rowcount
