"""PostgreSQL, by psycopg."""

from collections.abc import Sequence
from typing import Any

from thingtank.sinks.engines.sql.dialects import (
    CONNECT_S_MAX,
    SILENCE_S_MAX,
    failure,
    other_shape,
)
from thingtank.sinks.engines.sql.settings import Place
from thingtank.sinks.engines.sql.shapes import Row, Shape
from thingtank.tank.failures import Failure, FailureKind

# Beginnings of SQLSTATE; the longest that fits decides.
# Source: PostgreSQL, Appendix A, PostgreSQL Error Codes.
_KINDS = {
    "08": FailureKind.UNREACHABLE,
    "57P": FailureKind.UNREACHABLE,
    "28": FailureKind.CREDENTIALS,
    "42501": FailureKind.NOT_ALLOWED,
    "25006": FailureKind.NOT_ALLOWED,  # a server that only reads
    "3D": FailureKind.MISSING,
    "3F": FailureKind.MISSING,
    "42P01": FailureKind.MISSING,
    "40": FailureKind.THROTTLED,
    "53": FailureKind.THROTTLED,
    "55P03": FailureKind.THROTTLED,
    "53100": FailureKind.QUOTA,
    "22": FailureKind.REFUSED,
}
_OTHER_SHAPES = ("42703", "42P10", "42804", "23502", "42809")
# Column → its type, and whether it may be NULL.
_TYPES = {
    "item_id": ("text", "NOT NULL UNIQUE"),
    "device_id": ("bigint", "NOT NULL"),
    "datastream": ("text", "NOT NULL"),
    "topic": ("text", "NOT NULL"),
    "at": ("timestamptz", "NOT NULL"),
    "value": ("text", "NOT NULL"),
    "payload": ("text", "NOT NULL"),
    "encoding": ("text", "NOT NULL"),
    "number": ("double precision", ""),
    "qos": ("smallint", "NOT NULL"),
    "retain": ("boolean", "NOT NULL"),
    "content_type": ("text", ""),
    "user_properties": ("text", ""),
    "expires_at": ("timestamptz", ""),
}
_LONG = ("topic",)  # longer than an index takes: by their beginnings
# What fails before there is a session has no SQLSTATE in psycopg.
_SAID = (
    ("password authentication failed", FailureKind.CREDENTIALS),
    ("no password supplied", FailureKind.CREDENTIALS),
    ('role "', FailureKind.CREDENTIALS),
    ("no pg_hba.conf entry", FailureKind.NOT_ALLOWED),
    ('database "', FailureKind.MISSING),
    ("too many clients", FailureKind.THROTTLED),
)


class PostgreSql:
    """One table of one database."""

    name = "PostgreSQL"
    at_chars = 27

    def __init__(self, place: Place, table: str, shape: Shape) -> None:
        self._place = place
        self._table = table
        self._shape = shape
        columns = ", ".join(f'"{column}"' for column in shape.columns)
        arrays = ", ".join(f"%s::{_TYPES[column][0]}[]" for column in shape.columns)
        self._insert = (
            f'INSERT INTO "{table}" ({columns}) SELECT * FROM unnest({arrays})'  # noqa: S608 - the table was checked with the settings
            ' ON CONFLICT ("item_id") DO NOTHING'
        )

    def connect(self) -> Any:
        """See Dialect."""
        import psycopg

        place = self._place
        options: dict[str, Any] = dict(place.options)
        return psycopg.connect(
            host=place.host,
            port=place.port,
            user=place.user or None,
            password=place.password or None,
            dbname=place.name,
            connect_timeout=CONNECT_S_MAX,
            application_name="thingtank",
            options=f"-c statement_timeout={SILENCE_S_MAX * 1000}",
            tcp_user_timeout=SILENCE_S_MAX * 1000,
            keepalives_idle=SILENCE_S_MAX,
            **options,
        )

    def prepare(self, connection: Any) -> None:
        """See Dialect."""
        table = self._table
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", (f'"{table}"',))
            if cursor.fetchone() == (None,):
                cursor.execute(
                    f'CREATE TABLE IF NOT EXISTS "{table}" ('
                    f' "row_id" bigserial PRIMARY KEY, {self._definitions})'
                )
                cursor.execute(
                    f'CREATE INDEX IF NOT EXISTS "{table[:50]}_series"'
                    f' ON "{table}" ({self._series})'
                )
            # Planned, not run: says whether all columns and the unique index are there.
            cursor.execute(f"EXPLAIN {self._insert}", [[] for _ in self._shape.columns])
        connection.commit()

    def write(self, connection: Any, rows: Sequence[Row]) -> None:
        """See Dialect."""
        with connection.cursor() as cursor:
            cursor.execute(self._insert, [list(column) for column in zip(*rows, strict=True)])
        connection.commit()

    @property
    def _definitions(self) -> str:
        return ", ".join(f'"{column}" {" ".join(_TYPES[column])}' for column in self._shape.columns)

    @property
    def _series(self) -> str:
        return ", ".join(
            f'left("{column}", 100)' if column in _LONG else f'"{column}"'
            for column in self._shape.series
        )

    def failure(self, error: Exception) -> Failure | None:
        """See Dialect."""
        import psycopg

        if not isinstance(error, psycopg.Error):
            return None
        code = error.sqlstate or ""
        message = " ".join(str(error).split()) or type(error).__name__
        if code in _OTHER_SHAPES:
            return other_shape(self._shape, code, message)
        fitting = [beginning for beginning in _KINDS if code.startswith(beginning)]
        if fitting:
            kind = _KINDS[max(fitting, key=len)]
        elif code:
            kind = FailureKind.UNKNOWN
        elif isinstance(error, psycopg.DataError):
            kind = FailureKind.REFUSED  # a NUL in a text, which psycopg itself refuses
        else:
            said = (kind for part, kind in _SAID if part in message)
            kind = next(said, FailureKind.UNREACHABLE)
        return failure(kind, code or type(error).__name__, message)
