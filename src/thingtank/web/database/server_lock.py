"""One process at a time writes to a database: it holds a lock there while it runs.

PostgreSQL, MySQL and MariaDB keep such a lock as long as the connection that took it lives. Two
folders with one secret, as after a copy, cannot both write then. SQLite's is the folder's own lock;
MongoDB has none.

A server that was asleep, or cut off, may find that another has taken the lock. From then on it
writes nothing: what the other has changed is not in its memory, so only a new start can mend it.
"""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from django.db import Error, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from thingtank.web.database.connections import reason_of
from thingtank.web.database.trouble import DatabaseRefused
from thingtank.web.database.url import Database

log = structlog.get_logger()

_LOCK = 0x7467746B  # any number that others do not use

_TAKE = {
    "postgresql": ("SELECT pg_try_advisory_lock(%s, hashtext(current_schema()))", [_LOCK]),
    "mysql": ("SELECT GET_LOCK(CONCAT('thingtank.', MD5(DATABASE())), 0)", []),
}
_ASK = {
    "postgresql": (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"
        " AND objid = hashtext(current_schema())::oid"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [_LOCK],
    ),
    "mysql": ("SELECT IS_USED_LOCK(CONCAT('thingtank.', MD5(DATABASE()))) IS NOT NULL", []),
}
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


class ServerLock:
    """The database's lock, held by a connection of its own until `close`.

    While it is held, each connection of this process asks it before a write.

    Attributes:
        why_lost: a sentence for people once another process has the lock; blank before.
    """

    def __init__(self, database: Database) -> None:
        self.why_lost = ""
        self._database = database
        self._connection: BaseDatabaseWrapper | None = None
        self._is_held = False  # as of the last look
        self._turn = threading.Lock()  # it may be closed while it is being renewed

    def take(self) -> None:
        """Take it. Blocking.

        Raises:
            DatabaseRefused: another process has it.
            django.db.Error: the database cannot be asked.
        """
        if connection.vendor not in _TAKE:
            return
        self._connection = connection.copy()
        self._connection.inc_thread_sharing()
        if not self._try():
            self.close()
            raise DatabaseRefused(
                f"{self._database.shown} is in use by another Thing Tank; stop it, or give each a"
                " database of its own"
            )
        self._is_held = True
        connection_created.connect(self._guard)

    def renew(self) -> None:
        """Take it again if the connection was lost, as by a restart of the server. Blocking."""
        with self._turn:
            if self._connection is not None and not self.why_lost:
                self._renew(self._connection)

    def _renew(self, held: BaseDatabaseWrapper) -> None:
        try:
            if held.connection is None or not held.is_usable():
                self._is_held = False
                held.close()
                self._is_held = self._try()
                if not self._is_held:
                    self._lose()
        except Error as error:
            log.warning("database_unreachable", reason=reason_of(error))

    def _lose(self) -> None:
        self.why_lost = (
            f"another Thing Tank has taken {self._database.shown} meanwhile, so this one changes"
            " nothing there; stop one of the two, then start this one anew"
        )
        log.error("database_taken_by_another_tank", reason=self.why_lost)

    def _try(self) -> bool:
        assert self._connection is not None, "it was taken"
        with self._connection.cursor() as cursor:
            cursor.execute(*_TAKE[self._connection.vendor])
            return bool(cursor.fetchone()[0])

    def _guard(self, connection: BaseDatabaseWrapper, **_: object) -> None:
        if self._before_write not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._before_write)

    def _before_write(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        if isinstance(sql, str) and sql.startswith(_WRITES):
            self._check()
        return execute(sql, params, many, context)

    def _check(self) -> None:
        """Raise OperationalError unless the lock is held, or was given back."""
        with self._turn:
            if self._connection is None:
                return
            if not self.why_lost:
                self._renew(self._connection)  # one short answer more than the write alone
            if not self._is_held:
                raise OperationalError(self.why_lost or f"{self._database.shown} does not answer")

    def close(self) -> None:
        """Let another process have it."""
        connection_created.disconnect(self._guard)
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def is_locked() -> bool:
    """Whether any process has the lock now; False where there is none. Blocking.

    Raises:
        django.db.Error: the database cannot be asked.
    """
    if connection.vendor not in _ASK:
        return False
    with connection.cursor() as cursor:
        cursor.execute(*_ASK[connection.vendor])
        return bool(cursor.fetchone()[0])
