"""How the files here are opened: shared by threads and processes, on disk at each commit."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY_S_MAX = 30.0


class WrongFile(Exception):
    """A file is there, and it is another program's or of another version."""


def open_shared(path: Path, application_id: int, version: int, schema: str) -> sqlite3.Connection:
    """Open a file, for any one thread at a time; make it and its folder if they are missing.

    Args:
        schema: run each time, so each statement says IF NOT EXISTS.

    Raises:
        WrongFile, sqlite3.Error, OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = sqlite3.connect(
        path, timeout=BUSY_S_MAX, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        with writing(connection):
            _check(connection, path, application_id, version)
            for statement in schema.split(";"):
                connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the file's one place for a writer at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, path: Path, application_id: int, version: int) -> None:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    found = tuple(
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    if not tables:
        connection.execute(f"PRAGMA application_id = {application_id}")
        connection.execute(f"PRAGMA user_version = {version}")
    elif found != (application_id, version):
        raise WrongFile(f"{path} is no such file of Thing Tank, or of another version")


def is_full_disk(error: sqlite3.Error) -> bool:
    """Whether there is no room for what is written."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
