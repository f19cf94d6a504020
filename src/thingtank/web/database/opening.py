"""Opens the database of a data folder: reachable, new enough, ours, and with all tables."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection

from thingtank.web import setup
from thingtank.web.database.claim import check_claim, claim
from thingtank.web.database.mark import read_mark
from thingtank.web.database.server_lock import ServerLock, is_locked
from thingtank.web.database.trouble import DatabaseRefused, told
from thingtank.web.database.url import MONGODB, SQLITE, Database


def open_database(
    database: Database, folder: Path, secret: bytes, holds_datapoints: Callable[[], bool]
) -> ServerLock:
    """Make a database ready, whose lock is held until what is returned is closed. Blocking.

    Args:
        holds_datapoints: whether the folder's archive has any, for which a new database is refused.

    Raises:
        DatabaseRefused: it cannot be used, or is another's.
    """
    lock = ServerLock(database)
    try:
        with told(database):
            _check_transactions(database)
            lock.take()
            check_claim(folder, database, secret, holds_datapoints)
            setup.migrate()
            claim(folder, database, secret)
    except BaseException:
        lock.close()
        raise
    finally:
        connection.close()
    return lock


class Looked(NamedTuple):
    """What there is to see of a database.

    Attributes:
        kind: as people call it.
        version: of its server; of SQLite itself.
        tables: `current`, `to be made`, or `to be brought up to date`.
        is_in_use: whether another process holds its lock; never of what has none.
    """

    kind: str
    version: str
    tables: str
    is_in_use: bool


def look_at_database(
    database: Database, folder: Path, secret: bytes, holds_datapoints: Callable[[], bool]
) -> Looked:
    """Look whether a database could be opened; change nothing. Blocking.

    Args:
        holds_datapoints: as of `open_database`.

    Raises:
        DatabaseRefused: it cannot be used, or is another's.
    """
    try:
        with told(database):
            _check_transactions(database)
            check_claim(folder, database, secret, holds_datapoints)
            if database.kind is SQLITE and not Path(database.settings["NAME"]).exists():
                # To ask more would make it.
                return Looked(database.kind.name, sqlite3.sqlite_version, "to be made", False)
            connection.ensure_connection()
            version = connection.get_database_version()
            mark = read_mark()
            is_current = mark == setup.migrations_mark()
            is_in_use = is_locked()
            has_any = mark or "django_migrations" in connection.introspection.table_names()
    finally:
        connection.close()
    tables = "current" if is_current else "to be brought up to date" if has_any else "to be made"
    return Looked(connection.display_name, ".".join(map(str, version)), tables, is_in_use)


def _check_transactions(database: Database) -> None:
    """Raise DatabaseRefused if a server could leave half of a change."""
    features: Any = connection.features
    if database.kind is MONGODB and not features._supports_transactions:
        raise DatabaseRefused(
            f"MongoDB of {database.shown} has no transactions; start it with --replSet NAME, and"
            " once, in its shell, run rs.initiate(): a replica set may have one member"
        )
