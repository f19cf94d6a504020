"""The last number that a table has given to a row, which each kind of database keeps elsewhere."""

from django.db.backends.base.base import BaseDatabaseWrapper

_LAST = {
    "sqlite": "SELECT seq FROM sqlite_sequence WHERE name = %s",
    "postgresql": "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, %s)::regclass)",
    "mysql": "SELECT AUTO_INCREMENT - 1 FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s",
}


def last_number(connection: BaseDatabaseWrapper, table: str, column: str) -> int:
    """The last number; 0 where none was given."""
    if connection.vendor == "mongodb":
        from thingtank.web.database.mongodb.compiler import NUMBERS

        numbers = connection.get_collection(NUMBERS)  # type: ignore[attr-defined] # this vendor's
        return int((numbers.find_one({"_id": table}) or {"last": 0})["last"])
    names = [table, column] if connection.vendor == "postgresql" else [table]
    with connection.cursor() as cursor:
        if connection.vendor == "mysql" and not connection.mysql_is_mariadb:  # type: ignore[attr-defined] # this vendor's
            # MySQL, 26.8: without it the number may be of yesterday.
            cursor.execute("SET SESSION information_schema_stats_expiry = 0")
        cursor.execute(_LAST[connection.vendor], names)
        row = cursor.fetchone()
    return int(row[0] or 0) if row else 0


def set_last_number(connection: BaseDatabaseWrapper, table: str, column: str, last: int) -> None:
    """Have the next row of a table get the number after `last`."""
    if connection.vendor == "mongodb":
        from thingtank.web.database.mongodb.compiler import NUMBERS

        numbers = connection.get_collection(NUMBERS)  # type: ignore[attr-defined] # this vendor's
        numbers.update_one({"_id": table}, {"$max": {"last": last}}, upsert=True)
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [table, column, last]
            )
        elif connection.vendor == "mysql":
            name = connection.ops.quote_name(table)
            cursor.execute(f"ALTER TABLE {name} AUTO_INCREMENT = {last + 1:d}")
        else:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, last])
