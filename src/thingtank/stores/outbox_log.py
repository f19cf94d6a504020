"""Statements that list deliveries, and keep what signing secrets are made from."""

import secrets
import sqlite3

from thingtank.stores.outbox_queue import COLUMNS, delivery_of
from thingtank.tank.deliveries import (
    PAGE_DELIVERIES_MAX,
    SECRETS_MAX,
    Attempt,
    Delivery,
    DeliveryPage,
    DeliveryQuery,
    DeliveryState,
    OpenCount,
)
from thingtank.tank.errors import NoSuchDelivery

_SALT_BYTES = 16


def get(connection: sqlite3.Connection, delivery_id: int) -> Delivery:
    """Raise NoSuchDelivery if there is none."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM delivery WHERE delivery_id = ?",  # noqa: S608 - names of ours
        (delivery_id,),
    ).fetchone()
    if row is None:
        raise NoSuchDelivery(f"there is no delivery {delivery_id}")
    return delivery_of(row)


def attempts(connection: sqlite3.Connection, delivery_id: int) -> list[Attempt]:
    """The last attempts, oldest first."""
    rows = connection.execute(
        "SELECT at_us, duration_us, status, answer, error FROM attempt WHERE delivery_id = ?"
        " ORDER BY number",
        (delivery_id,),
    )
    return [Attempt(*row) for row in rows]


def page(connection: sqlite3.Connection, query: DeliveryQuery) -> DeliveryPage:
    """One page."""
    where, values = _condition(
        {
            "account_id = ?": query.account_id,
            "device_id = ?": query.device_id,
            "trigger_id = ?": query.trigger_id,
            "state = ?": query.state,
            "delivery_id < ?": query.before_id,
            "delivery_id > ?": query.after_id,
        }
    )
    limit = max(1, min(query.limit, PAGE_DELIVERIES_MAX))
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM delivery WHERE {where}"  # noqa: S608 - names of ours
        f" ORDER BY delivery_id {'ASC' if query.is_reversed else 'DESC'} LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    deliveries = [delivery_of(row) for row in rows[:limit]]
    return DeliveryPage(deliveries, deliveries[-1].delivery_id if len(rows) > limit else None)


def counts(
    connection: sqlite3.Connection,
    account_id: int | None,
    device_id: int | None,
    trigger_id: int | None,
) -> dict[DeliveryState, int]:
    """How many there are in each state."""
    where, values = _condition(
        {"account_id = ?": account_id, "device_id = ?": device_id, "trigger_id = ?": trigger_id}
    )
    rows = connection.execute(
        f"SELECT state, count(*) FROM delivery WHERE {where} GROUP BY state",  # noqa: S608 - ours
        values,
    )
    return {DeliveryState(state): count for state, count in rows}


def open_counts(connection: sqlite3.Connection, device_id: int) -> dict[int, OpenCount]:
    """What is not delivered of each of a device's triggers; an index alone answers it."""
    rows = connection.execute(
        "SELECT trigger_id, sum(state = 'waiting'), sum(state = 'dead') FROM delivery"
        " WHERE device_id = ? AND state IN ('waiting', 'dead') GROUP BY trigger_id",
        (device_id,),
    )
    return {trigger_id: OpenCount(waiting, dead) for trigger_id, waiting, dead in rows}


def _condition(terms: dict[str, int | str | None]) -> tuple[str, list[int | str]]:
    asked = {term: value for term, value in terms.items() if value is not None}
    return " AND ".join(asked) or "true", list(asked.values())


def live_salts(connection: sqlite3.Connection, account_id: int, now_us: int) -> list[bytes]:
    """An account's salts that are not retired, newest first; one is made when there is none."""
    connection.execute(
        "DELETE FROM signing_salt WHERE account_id = ? AND retires_us <= ?", (account_id, now_us)
    )
    salts = _salts(connection, account_id)
    if not salts:
        _add_salt(connection, account_id)
        salts = _salts(connection, account_id)
    return salts


def rotate_salt(
    connection: sqlite3.Connection, account_id: int, now_us: int, grace_us: int
) -> list[bytes]:
    """Retire an account's salts at the end of the grace time, the oldest at once; add a new one."""
    connection.execute(
        "UPDATE signing_salt SET retires_us = ? WHERE account_id = ? AND retires_us IS NULL",
        (now_us + grace_us, account_id),
    )
    _add_salt(connection, account_id)
    connection.execute(
        "DELETE FROM signing_salt WHERE account_id = ? AND salt_id NOT IN (SELECT salt_id"
        " FROM signing_salt WHERE account_id = ? ORDER BY salt_id DESC LIMIT ?)",
        (account_id, account_id, SECRETS_MAX),
    )
    return live_salts(connection, account_id, now_us)


def _salts(connection: sqlite3.Connection, account_id: int) -> list[bytes]:
    rows = connection.execute(
        "SELECT salt FROM signing_salt WHERE account_id = ? ORDER BY salt_id DESC", (account_id,)
    )
    return [salt for (salt,) in rows]


def _add_salt(connection: sqlite3.Connection, account_id: int) -> None:
    connection.execute(
        "INSERT INTO signing_salt (account_id, salt) VALUES (?, ?)",
        (account_id, secrets.token_bytes(_SALT_BYTES)),
    )
