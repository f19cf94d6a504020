"""Connections of threads that keep theirs: Django looks after those of requests only."""

from contextlib import AbstractContextManager
from typing import Any

from django.db import connection, transaction


def close_connection() -> None:
    """Close this thread's connection. `connection.close` is bound to the thread that names it."""
    connection.close()


def look_after_connection() -> None:
    """Have a connection that broke, or was closed by the server, replaced before its next use."""
    if connection.in_atomic_block or connection.connection is None:
        return
    # Where settings ask for checks, the next query makes one.
    connection.health_check_done = False  # type: ignore[attr-defined] # the stub lacks it
    if not connection.errors_occurred:
        return
    if connection.is_usable():
        connection.errors_occurred = False
    else:
        connection.close()


def atomic() -> AbstractContextManager[Any]:
    """A transaction: all or nothing. Django's own does nothing on MongoDB."""
    if connection.vendor != "mongodb":
        return transaction.atomic()
    from django_mongodb_backend import transaction as mongodb  # there is no driver without it

    found: AbstractContextManager[Any] = mongodb.atomic()
    return found


def reason_of(error: Exception) -> str:
    """What the database says, in one line and without the number that MySQL puts first."""
    if not error.args and isinstance(error.__cause__, Exception):
        return reason_of(error.__cause__)  # as MongoDB's backend raises what its driver raises
    args = error.args
    words = str(args[1]) if len(args) > 1 and isinstance(args[0], int) else str(error)
    lines = words.strip().splitlines()
    return lines[0] if lines else type(error).__name__
