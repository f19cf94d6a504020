"""SQLite, which comes along: the table is in a file of this machine."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thingtank.sinks.engines.sql.dialects import (
    SILENCE_S_MAX,
    failure,
    other_shape,
)
from thingtank.sinks.engines.sql.shapes import Row, Shape
from thingtank.tank.failures import Failure, FailureKind

_TYPES = {
    "item_id": "TEXT NOT NULL UNIQUE",
    "device_id": "INTEGER NOT NULL",
    "datastream": "TEXT NOT NULL",
    "topic": "TEXT NOT NULL",
    "at": "TEXT NOT NULL",
    "value": "TEXT NOT NULL",
    "payload": "TEXT NOT NULL",
    "encoding": "TEXT NOT NULL",
    "number": "REAL",
    "qos": "INTEGER NOT NULL",
    "retain": "INTEGER NOT NULL",
    "content_type": "TEXT",
    "user_properties": "TEXT",
    "expires_at": "TEXT",
}
_KINDS = {
    sqlite3.SQLITE_BUSY: FailureKind.THROTTLED,
    sqlite3.SQLITE_LOCKED: FailureKind.THROTTLED,
    sqlite3.SQLITE_FULL: FailureKind.QUOTA,
    sqlite3.SQLITE_READONLY: FailureKind.NOT_ALLOWED,
    sqlite3.SQLITE_PERM: FailureKind.NOT_ALLOWED,
    sqlite3.SQLITE_CANTOPEN: FailureKind.MISSING,
    sqlite3.SQLITE_TOOBIG: FailureKind.REFUSED,
    sqlite3.SQLITE_NOTADB: FailureKind.EXISTS,
}
_ADVICE = {
    FailureKind.NOT_ALLOWED: "The server's user must be able to write to that file and folder.",
    FailureKind.MISSING: "The folder of the file must exist, and be writable.",
    FailureKind.EXISTS: "Name another file in `url`: this one is no SQLite database.",
    FailureKind.QUOTA: "Make room on the disk.",
}


class Sqlite:
    """One table of one file."""

    name = "SQLite"
    at_chars = 27

    def __init__(self, path: Path, table: str, shape: Shape) -> None:
        self._path = path
        self._table = table
        self._shape = shape
        columns = ", ".join(f'"{column}"' for column in shape.columns)
        places = ", ".join("?" * len(shape.columns))
        self._insert = (
            f'INSERT INTO "{table}" ({columns}) VALUES ({places})'  # noqa: S608 - the table was checked with the settings
            ' ON CONFLICT ("item_id") DO NOTHING'
        )

    def connect(self) -> Any:
        """See Dialect."""
        self._path.parent.mkdir(0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=SILENCE_S_MAX, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    def prepare(self, connection: Any) -> None:
        """See Dialect."""
        definitions = ", ".join(f'"{column}" {_TYPES[column]}' for column in self._shape.columns)
        series = ", ".join(f'"{column}"' for column in self._shape.series)
        with connection:
            connection.execute(
                f'CREATE TABLE IF NOT EXISTS "{self._table}" ('
                f' "row_id" INTEGER PRIMARY KEY AUTOINCREMENT, {definitions})'
            )
            # Compiled, not run: says whether all columns and the unique index are there.
            connection.execute(f"EXPLAIN {self._insert}", (None,) * len(self._shape.columns))
            connection.execute(
                f'CREATE INDEX IF NOT EXISTS "{self._table}_series" ON "{self._table}" ({series})'
            )

    def write(self, connection: Any, rows: Sequence[Row]) -> None:
        """See Dialect."""
        with connection:
            connection.executemany(self._insert, rows)

    def failure(self, error: Exception) -> Failure | None:
        """See Dialect."""
        if isinstance(error, OSError):
            message = f"{self._path}: {error.strerror}"
            kind = FailureKind.NOT_ALLOWED
            return failure(kind, type(error).__name__, message, _ADVICE[kind])
        if not isinstance(error, sqlite3.Error):
            return None
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary one
        if code == sqlite3.SQLITE_CONSTRAINT or (
            code == sqlite3.SQLITE_ERROR and ("column" in str(error) or "CONFLICT" in str(error))
        ):
            return other_shape(self._shape, code, f"table {self._table}: {error}")
        if code == sqlite3.SQLITE_CANTOPEN and self._path.is_dir():
            advice = f"Name a file in `url`, such as {self._path}/values.sqlite3."
            return failure(FailureKind.EXISTS, "folder", f"{self._path} is a folder", advice)
        kind = _KINDS.get(code, FailureKind.UNKNOWN)
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        return failure(kind, name, f"{self._path.name}: {error}", _ADVICE.get(kind, ""))
