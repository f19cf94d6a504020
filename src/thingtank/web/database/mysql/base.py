"""Django's backend for MySQL and MariaDB, by a driver in Python, with text compared exactly.

By default these two hold `Roof` and `roof` equal, and on MariaDB `roof` and `roof ` too; names of
channels, serials and accounts are told apart by both. So text columns get a binary collation that
pads nothing, and Django's lookups that are to ignore case name one that does. Digests are columns
of their own length, for MySQL makes no unique index of a blob.
"""

from collections.abc import Mapping
from typing import Any

import pymysql
from django.utils.functional import cached_property

pymysql.install_as_MySQLdb()  # Django asks for mysqlclient, which has no wheels for Linux

from django.db.backends.mysql import base  # noqa: E402 - it imports the driver

_EXACT_MARIADB = "utf8mb4_nopad_bin"
_EXACT_MYSQL = "utf8mb4_0900_bin"
_ANY_CASE = "COLLATE utf8mb4_unicode_ci LIKE"
_ANY_CASE_LOOKUPS = ("iexact", "icontains", "istartswith", "iendswith")


def _ignoring_case(operators: Mapping[str, str]) -> dict[str, str]:
    return {
        name: sql.replace("LIKE", _ANY_CASE, 1) if name in _ANY_CASE_LOOKUPS else sql
        for name, sql in operators.items()
    }


def _bytes_type(field: Mapping[str, Any]) -> str:
    return "longblob" if field["max_length"] is None else f"varbinary({field['max_length']})"


class DatabaseWrapper(base.DatabaseWrapper):
    """Makes connections."""

    operators = _ignoring_case(base.DatabaseWrapper.operators)
    pattern_ops = _ignoring_case(base.DatabaseWrapper.pattern_ops)

    @cached_property
    def data_types(self) -> dict[str, Any]:  # type: ignore[override] # as Django declares it
        """Types of columns, by kind of field."""
        exact = _EXACT_MARIADB if self.mysql_is_mariadb else _EXACT_MYSQL
        collation = f"CHARACTER SET utf8mb4 COLLATE {exact}"
        usual = super().data_types
        text = {
            name: f"{kind} {collation}"
            for name, kind in usual.items()
            if kind.startswith("varchar") or kind == "longtext"
        }
        return {**usual, **text, "BinaryField": _bytes_type}

    def is_usable(self) -> bool:
        """Whether the connection still stands; the driver would make a new one half set up."""
        try:
            self.connection.ping(reconnect=False)
        except self.Database.Error:
            return False
        return True
