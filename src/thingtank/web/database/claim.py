"""One database belongs to one data folder, and to one process at a time.

That a database is this folder's, a row says: what follows from the secret that its keys are sealed
with. That a folder has a database elsewhere, `database.txt` in it says, so that a command without
the setting does not begin another directory beside its archive. One process at a time is the
business of `server_lock`.

A directory that was lost is not begun anew beside an archive that has values: numbers of channels
would be given out a second time, and new channels would show the values of old ones.
"""

from collections.abc import Callable
from pathlib import Path

from django.apps import apps
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


def check_claim(
    folder: Path, database: Database, secret: bytes, holds_datapoints: Callable[[], bool]
) -> None:
    """Refuse a database that is another folder's, and a second directory for one folder. Blocking.

    It changes nothing, and makes no file.

    Args:
        holds_datapoints: asked of a database that is nobody's yet: whether the folder's archive has
            any.

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
    if not _has_channels(database) and holds_datapoints():
        raise DatabaseRefused(
            f"the archive in {folder} has values, and {shown} knows none of their channels: it was"
            " lost or emptied, or is another; restore it from your backup (thingtank restore), or,"
            " to begin without the old devices and their values, start with a new folder:"
            " thingtank serve --data FOLDER"
        )
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


def _tables(database: Database) -> list[str]:
    if database.kind is SQLITE and not Path(database.settings["NAME"]).exists():
        return []  # to ask would make it
    return connection.introspection.table_names()


def _has_tables(database: Database) -> bool:
    """Whether there is anything in the database."""
    return "django_migrations" in _tables(database)


def _has_channels(database: Database) -> bool:
    """Whether the database knows a datastream, as one from before there were owners may."""
    model = apps.get_model("catalog", "Datastream")
    return model._meta.db_table in _tables(database) and model._default_manager.exists()


def _owner_of(database: Database) -> str:
    """What the database says of whose it is; blank for nobody's."""
    if Owner._meta.db_table not in _tables(database):
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
