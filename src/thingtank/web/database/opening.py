"""Opens the database of a data folder: reachable, new enough, ours, and with all tables."""

from pathlib import Path
from typing import Any

from django.db import connection

from thingtank.web import setup
from thingtank.web.database.claim import ServerLock, check_claim, claim
from thingtank.web.database.trouble import DatabaseRefused, told
from thingtank.web.database.url import MONGODB, Database


def open_database(database: Database, folder: Path, secret: bytes) -> ServerLock:
    """Make a database ready, whose lock is held until what is returned is closed. Blocking.

    Raises:
        DatabaseRefused: it cannot be used, or is another's.
    """
    lock = ServerLock(database)
    try:
        with told(database):
            _check_transactions(database)
            lock.take()
            check_claim(folder, database, secret)
            setup.migrate()
            claim(folder, database, secret)
    except BaseException:
        lock.close()
        raise
    finally:
        connection.close()
    return lock


def _check_transactions(database: Database) -> None:
    """Raise DatabaseRefused if a server could leave half of a change."""
    features: Any = connection.features
    if database.kind is MONGODB and not features._supports_transactions:
        raise DatabaseRefused(
            f"MongoDB of {database.shown} has no transactions; start it with --replSet NAME, and"
            " once, in its shell, run rs.initiate(): a replica set may have one member"
        )
