"""SQLite files with a format number, so that no other program's file is taken for one of ours."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class FileMismatch(ValueError):
    """A file is not what it should be, or of another version."""


class FileFormat(NamedTuple):
    """What a file must be.

    Attributes:
        kind: as in "is not …", for people.
        application_id, version: kept in the file's head.
    """

    kind: str
    application_id: int
    version: int


def open_file(
    path: Path, form: FileFormat, pragmas: Iterable[tuple[str, str | int]], schema: str
) -> sqlite3.Connection:
    """Open a file, for any one thread at a time; make its tables if it is new.

    Raises:
        FileMismatch: the file is something else.
        sqlite3.Error.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _check_format(connection, path, form)
        for name, value in pragmas:
            connection.execute(f"PRAGMA {name} = {value}")
        connection.execute(f"PRAGMA application_id = {form.application_id}")
        connection.execute(f"PRAGMA user_version = {form.version}")
        connection.executescript(schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_format(connection: sqlite3.Connection, path: Path, form: FileFormat) -> None:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and (application_id, version) != (form.application_id, form.version):
        raise FileMismatch(f"{path} is not {form.kind} of format {form.version}")
