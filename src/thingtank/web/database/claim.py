"""One database belongs to one data folder, and to one process at a time.

That a database is this folder's, a row says: what follows from the secret that its keys are sealed
with. That a folder has a database elsewhere, `database.txt` in it says, so that a command without
the setting does not begin another directory beside its archive. And while a server runs, it holds
a lock of the database (PostgreSQL, MySQL, MariaDB): two folders with one secret, as after a copy,
cannot both write.
"""

import threading
from pathlib import Path

import structlog
from django.db import Error, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from thingtank.web.database.connections import reason_of
from thingtank.web.database.models import Owner
from thingtank.web.database.trouble import DatabaseRefused
from thingtank.web.database.url import (
    DATABASE_FILE,
    DEFAULT_URL,
    DIRECTORY_FILE,
    SQLITE,
    Database,
)
from thingtank.web.derived_keys import derive_key

log = structlog.get_logger()

_LOCK = 0x7467746B  # any number that others do not use

_TAKE = {
    "postgresql": ("SELECT pg_try_advisory_lock(%s, hashtext(current_schema()))", [_LOCK]),
    "mysql": ("SELECT GET_LOCK(CONCAT('thingtank.', MD5(DATABASE())), 0)", []),
}


def tank_name(secret: bytes) -> str:
    """What a database calls the data folder that it belongs to."""
    return derive_key(secret, "owner of a database").hex()


def check_claim(folder: Path, database: Database, secret: bytes) -> None:
    """Refuse a database that is another folder's, and a second directory for one folder. Blocking.

    It changes nothing, and makes no file.

    Raises:
        DatabaseRefused.
    """
    owner = _owner_of(database)
    if owner == tank_name(secret):
        return
    if owner:
        raise DatabaseRefused(
            f"{database.shown} belongs to another Thing Tank: its keys are sealed with another"
            f" secret.key than that of {folder}; use the data folder it belongs to, or give each"
            " a database of its own"
        )
    before, shown = _database_before(folder), _shown(folder, database)
    if before not in ("", shown):
        raise DatabaseRefused(
            f"the devices of {folder} are in {before}, and {shown} has none yet; set"
            f" `database` to the former, in {folder / 'thingtank.toml'} so that commands find it"
            " too, or move them with: thingtank database copy"
        )
    # One that begins anew would soon have all values taken for nobody's, and cleared away.
    if (folder / DATABASE_FILE).exists() and not _has_tables(database):
        raise DatabaseRefused(
            f"the devices of {folder} were in {shown}, and nothing is there any more; restore it"
            f" from your backup, or, to begin without them, delete {folder / DATABASE_FILE}"
        )


def claim(folder: Path, database: Database, secret: bytes) -> None:
    """Write down that the database, whose tables are there, is this folder's. Blocking."""
    tank = tank_name(secret)
    if not Owner.objects.filter(tank=tank).exists() and not Owner.objects.update(tank=tank):
        Owner.objects.create(tank=tank)
    shown, file = _shown(folder, database), folder / DATABASE_FILE
    if _database_before(folder) != shown:
        file.write_text(f"{shown}\n")


def _has_tables(database: Database) -> bool:
    """Whether there is anything in the database."""
    if database.kind is SQLITE and not Path(database.settings["NAME"]).exists():
        return False  # to ask would make it
    return "django_migrations" in connection.introspection.table_names()


def _owner_of(database: Database) -> str:
    """What the database says of whose it is; blank for nobody's."""
    if database.kind is SQLITE and not Path(database.settings["NAME"]).exists():
        return ""
    if Owner._meta.db_table not in connection.introspection.table_names():
        return ""
    return Owner.objects.values_list("tank", flat=True).first() or ""


def _database_before(folder: Path) -> str:
    """Which database the folder was last used with; blank for none."""
    try:
        return (folder / DATABASE_FILE).read_text().strip()
    except FileNotFoundError:
        return DEFAULT_URL if (folder / DIRECTORY_FILE).exists() else ""


def _shown(folder: Path, database: Database) -> str:
    is_usual = database.kind is SQLITE and (
        Path(database.settings["NAME"]).resolve() == (folder / DIRECTORY_FILE).resolve()
    )
    return DEFAULT_URL if is_usual else database.shown


class ServerLock:
    """The database's lock, held by a connection of its own until `close`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: BaseDatabaseWrapper | None = None
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

    def renew(self) -> None:
        """Take it again if the connection was lost, as by a restart of the server. Blocking."""
        with self._turn:
            if self._connection is not None:
                self._renew(self._connection)

    def _renew(self, held: BaseDatabaseWrapper) -> None:
        try:
            if held.connection is not None and held.is_usable():
                return
            held.close()
            if not self._try():
                log.error("database_taken_by_another_tank", database=self._database.shown)
        except Error as error:
            log.warning("database_unreachable", reason=reason_of(error))

    def _try(self) -> bool:
        assert self._connection is not None, "it was taken"
        with self._connection.cursor() as cursor:
            cursor.execute(*_TAKE[self._connection.vendor])
            return bool(cursor.fetchone()[0])

    def close(self) -> None:
        """Let another process have it."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
