"""One database belongs to one data folder, and to one process at a time.

That a database is this folder's, a row says: what follows from the secret that its keys are sealed
with. That a folder has a database elsewhere, `database.txt` in it says, so that a command without
the setting does not begin another directory beside its archive. One process at a time is the
business of `server_lock`.
"""

from pathlib import Path

from django.db import connection

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
