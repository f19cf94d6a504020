"""The engine: rows in batches, each in one transaction, none twice."""

import contextlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from thingtank.sinks.engine import (
    ALL_DELIVERED,
    GATHER_S,
    BatchBounds,
    EngineFailed,
    EngineParts,
    Item,
    Kind,
    SendResult,
)
from thingtank.sinks.engines.sql.dialects import Dialect, WrongTable, other_shape
from thingtank.sinks.engines.sql.mysql import MySql
from thingtank.sinks.engines.sql.postgresql import PostgreSql
from thingtank.sinks.engines.sql.settings import SINKS, Place, Settings, place_problem
from thingtank.sinks.engines.sql.shapes import Shape, rows_of, shape_of
from thingtank.sinks.engines.sql.sqlite import Sqlite
from thingtank.sinks.own_places import OwnPlaces, whole_path
from thingtank.tank.failures import FailureKind

_DRIVERS = {"mysql": ("pymysql", "mysql"), "postgresql": ("psycopg", "postgres")}


class SqlEngine:
    """One table. Implements `SinkEngine`; the item's id is a unique key, so repeats do nothing."""

    bounds = BatchBounds(1000, 900_000)  # PyMySQL's statements have 1,024,000 bytes at most
    wants_payload = False
    gather_s = GATHER_S

    def __init__(self, settings: Settings, own: OwnPlaces, kind: Kind) -> None:
        """Make one.

        Args:
            kind: of the items, which decides on the columns.
            own: where it may not write; SQLite files whose path is not whole are below `sinks` in
                its data folder.
        """
        self._settings = settings
        self._own = own
        self._shape = shape_of(kind)
        self._dialect: Dialect | None = None
        self._connection: Any = None

    def open(self) -> None:
        """See SinkEngine."""
        self.close()
        if problem := place_problem(self._settings, self._own):  # a link may lead elsewhere by now
            raise EngineFailed.of(FailureKind.NOT_ALLOWED, problem)
        dialect = self._dialect or self._choose()
        try:
            self._connection = dialect.connect()
            dialect.prepare(self._connection)
        except WrongTable as error:
            self.close()
            failure = other_shape(self._shape, "no unique index", str(error))
            raise EngineFailed(failure) from None
        except Exception as error:
            self.close()
            raise _told(dialect, error) from error

    def send(self, items: Sequence[Item]) -> SendResult:
        """See SinkEngine."""
        dialect = self._dialect
        assert dialect is not None, "open"
        rows = rows_of(self._shape, items, dialect.at_chars)
        try:
            dialect.write(self._connection, rows)
        except UnicodeEncodeError as error:  # half of a surrogate pair
            self._roll_back()
            raise EngineFailed.of(FailureKind.REFUSED, f"no valid text: {error.reason}") from error
        except Exception as error:
            self._roll_back()
            raise _told(dialect, error) from error
        return ALL_DELIVERED

    def close(self) -> None:
        """See SinkEngine."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # it may be broken already
                connection.close()

    def describe(self) -> str:
        """See SinkEngine."""
        try:
            place = self._settings.place()
        except ValueError:
            return f"table {self._settings.table}"
        return f"table {self._settings.table} of {place.shown}"

    def _choose(self) -> Dialect:
        try:
            place = self._settings.place()
        except ValueError as error:
            raise EngineFailed.of(FailureKind.MISSING, str(error)) from None
        driver, extra = _DRIVERS.get(place.kind, ("sqlite3", ""))
        if find_spec(driver) is None:
            raise EngineFailed.of(
                FailureKind.MISSING,
                f"this needs {driver}, which is not installed",
                f"Run: pip install 'thingtank[{extra}]', and start the server again.",
            )
        folder = self._own.folder / SINKS
        dialect = _dialect_of(place, self._settings.table, self._shape, folder)
        self._dialect = dialect
        return dialect

    def _roll_back(self) -> None:
        with contextlib.suppress(Exception):
            self._connection.rollback()


def make_engine(settings: Settings, parts: EngineParts) -> SqlEngine:
    """An engine that is not open yet."""
    return SqlEngine(settings, parts.own, parts.kind)


def _dialect_of(place: Place, table: str, shape: Shape, folder: Path) -> Dialect:
    if place.kind == "mysql":
        return MySql(place, table, shape)
    if place.kind == "postgresql":
        return PostgreSql(place, table, shape)
    return Sqlite(whole_path(folder, place.name), table, shape)


def _told(dialect: Dialect, error: Exception) -> Exception:
    """A driver's error as ours; anything else as it is."""
    found = dialect.failure(error)
    return error if found is None else EngineFailed(found)
