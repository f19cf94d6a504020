"""Copies of SQLite databases that are in use."""

import contextlib
import os
import sqlite3
from pathlib import Path


def write_copy(source: sqlite3.Connection, path: Path) -> None:
    """Write all that is committed in a database to a new file, for this user only.

    One reading of one instant, by SQLite's own means; others may write meanwhile, by a connection
    of their own. It is not synced.

    Raises:
        sqlite3.Error, OSError: it could not be written.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous = OFF")
        source.backup(target)
