"""The mark of the migrations that a database has been through to the end. Blocking."""

from django.db import DEFAULT_DB_ALIAS, connections


def read_mark() -> int:
    """The mark; 0 where there is none."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "sqlite":  # a new process reads no model's table as quickly
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA user_version")
            return int(cursor.fetchone()[0])
    from thingtank.web.database.models import Owner  # models only after Django is configured

    if Owner._meta.db_table not in connection.introspection.table_names():
        return 0
    return Owner.objects.values_list("migrations", flat=True).first() or 0


def write_mark(mark: int, alias: str = DEFAULT_DB_ALIAS) -> None:
    """Keep a mark of 31 bits."""
    connection = connections[alias]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA user_version = {mark:d}")  # which takes no parameters
        return
    from thingtank.web.database.models import Owner

    owners = Owner.objects.using(alias)
    if not owners.update(migrations=mark):
        owners.create(migrations=mark)
