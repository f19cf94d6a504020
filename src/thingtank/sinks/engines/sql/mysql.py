"""MySQL and MariaDB, by PyMySQL."""

import os
from collections.abc import Sequence
from typing import Any

from thingtank.sinks.engine import EngineFailed
from thingtank.sinks.engines.sql.dialects import (
    CONNECT_S_MAX,
    SILENCE_S_MAX,
    WrongTable,
    failure,
    other_shape,
)
from thingtank.sinks.engines.sql.settings import Place
from thingtank.sinks.engines.sql.shapes import Row, Shape
from thingtank.tank.failures import Failure, FailureKind

# Source: MariaDB, Error Codes; MySQL, Server and Client Error Message Reference.
_KINDS = {
    FailureKind.UNREACHABLE: (1053, 1077, 1152, 1159, 1160, 1161, 1927, 2002, 2003, 2005, 2006,
                              2013, 2055),
    FailureKind.CREDENTIALS: (1045, 1698, 1820, 1862, 1251),
    FailureKind.NOT_ALLOWED: (1044, 1142, 1143, 1227, 1290, 1130),
    FailureKind.MISSING: (1049, 1146),
    FailureKind.THROTTLED: (1040, 1203, 1205, 1213, 1226),
    FailureKind.QUOTA: (1021, 1114),
    FailureKind.REFUSED: (1264, 1292, 1366, 1406, 1153),
}  # fmt: skip
_KIND_OF = {code: kind for kind, codes in _KINDS.items() for code in codes}
_OTHER_SHAPES = (1054, 1048, 1364, 1136, 1265)
_TEXT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
_TYPES = {
    "item_id": "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL",
    "device_id": "BIGINT NOT NULL",
    "datastream": f"VARCHAR(255) {_TEXT} NOT NULL",
    "topic": f"TEXT {_TEXT} NOT NULL",
    "at": "DATETIME(6) NOT NULL",
    "value": f"MEDIUMTEXT {_TEXT} NOT NULL",
    "payload": f"MEDIUMTEXT {_TEXT} NOT NULL",
    "encoding": f"VARCHAR(16) {_TEXT} NOT NULL",
    "number": "DOUBLE NULL",
    "qos": "TINYINT NOT NULL",
    "retain": "BOOLEAN NOT NULL",
    "content_type": f"MEDIUMTEXT {_TEXT} NULL",
    "user_properties": f"MEDIUMTEXT {_TEXT} NULL",
    "expires_at": "DATETIME(6) NULL",
}
_IN_PART = ("datastream", "topic")  # indexed by their beginnings


class MySql:
    """One table of one database."""

    name = "MySQL"
    at_chars = 26  # without the Z

    def __init__(self, place: Place, table: str, shape: Shape) -> None:
        self._place = place
        self._table = table
        self._shape = shape
        columns = ", ".join(f"`{column}`" for column in shape.columns)
        places = ", ".join(["%s"] * len(shape.columns))
        # One statement for all rows: PyMySQL joins what stands in the VALUES.
        self._insert = (
            f"INSERT INTO `{table}` ({columns}) VALUES ({places})"  # noqa: S608 - the table was checked with the settings
            " ON DUPLICATE KEY UPDATE `item_id` = `item_id`"
        )

    def connect(self) -> Any:
        """See Dialect."""
        import pymysql

        place = self._place
        _check_authority(place)
        return pymysql.connect(
            host=place.host,
            port=place.port,
            user=place.user,
            password=place.password,
            database=place.name,
            charset="utf8mb4",
            connect_timeout=CONNECT_S_MAX,
            read_timeout=SILENCE_S_MAX,
            write_timeout=SILENCE_S_MAX,
            init_command="SET SESSION time_zone = '+00:00',"
            " sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')",
            ssl=tls_of(place),
        )

    def prepare(self, connection: Any) -> None:
        """See Dialect."""
        table = self._table
        with connection.cursor() as cursor:
            # Asked before: CREATE TABLE IF NOT EXISTS needs the right to make tables in any case.
            cursor.execute("SHOW TABLES LIKE %s", (table.replace("_", r"\_"),))
            if not cursor.fetchone():
                cursor.execute(
                    f"CREATE TABLE IF NOT EXISTS `{table}` ("
                    f" `row_id` BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, {self._definitions},"
                    f" UNIQUE KEY `item` (`item_id`), KEY `series` ({self._series})) ENGINE=InnoDB"
                )
            columns = ", ".join(f"`{column}`" for column in self._shape.columns)
            cursor.execute(f"SELECT {columns} FROM `{table}` WHERE 1 = 0")  # noqa: S608 - the table was checked with the settings
            cursor.execute(
                f"SHOW INDEX FROM `{table}` WHERE Non_unique = 0 AND Column_name = 'item_id'"
            )
            if not cursor.fetchone():
                raise WrongTable(f"table {table} has no unique index on item_id")
        connection.commit()

    def write(self, connection: Any, rows: Sequence[Row]) -> None:
        """See Dialect."""
        with connection.cursor() as cursor:
            cursor.executemany(self._insert, rows)
        connection.commit()

    @property
    def _definitions(self) -> str:
        return ", ".join(f"`{column}` {_TYPES[column]}" for column in self._shape.columns)

    @property
    def _series(self) -> str:
        return ", ".join(
            f"`{column}`(100)" if column in _IN_PART else f"`{column}`"
            for column in self._shape.series
        )

    def failure(self, error: Exception) -> Failure | None:
        """See Dialect."""
        import pymysql

        if isinstance(error, OSError | EOFError):  # a connection that broke in the middle
            return failure(FailureKind.UNREACHABLE, type(error).__name__, str(error))
        if not isinstance(error, pymysql.MySQLError):
            return None
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        message = str(error.args[-1]) if error.args else type(error).__name__
        if code in _OTHER_SHAPES:
            return other_shape(self._shape, code, message)
        kind = _KIND_OF.get(code)
        if kind is None:
            is_lost = not code or isinstance(error, pymysql.InterfaceError)
            kind = FailureKind.UNREACHABLE if is_lost else FailureKind.UNKNOWN
            if isinstance(error, pymysql.DataError):
                kind = FailureKind.REFUSED
        return failure(kind, code, message, _advice(code, self._place))


def _check_authority(place: Place) -> None:
    """Look whether the file of certificates can be read: PyMySQL would blame the host for it."""
    file = place.options.get("ssl_ca", "")
    if file and not os.access(file, os.R_OK):
        raise EngineFailed.of(
            FailureKind.MISSING,
            f"There is no file {file} that the server can read, as `ssl_ca` of `url` names it",
            "Put the authority's certificates there, or name another file.",
        )


def tls_of(place: Place) -> Any:
    """What PyMySQL is told about TLS; None where the URL does not demand it."""
    if not (ssl_ca := place.options.get("ssl_ca")):
        return None
    is_name_checked = place.options.get("ssl_verify_identity") != "false"
    return {"ca": ssl_ca, "check_hostname": is_name_checked}


def _advice(code: int, place: Place) -> str:
    if code == 1049:
        return f"Make it: CREATE DATABASE {place.name}; or name another in `url`."
    return ""
