"""Opens the database of a data folder: reachable, new enough, ours, and with all tables."""

from pathlib import Path

from django.db import connection

from thingtank.web import setup
from thingtank.web.database.claim import ServerLock, check_claim, claim
from thingtank.web.database.trouble import told
from thingtank.web.database.url import Database


def open_database(database: Database, folder: Path, secret: bytes) -> ServerLock:
    """Make a database ready, whose lock is held until what is returned is closed. Blocking.

    Raises:
        DatabaseRefused: it cannot be used, or is another's.
    """
    lock = ServerLock(database)
    try:
        with told(database):
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
