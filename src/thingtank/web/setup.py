"""Sets Django up from values, without a settings module: one process is one instance."""

import logging
from pathlib import Path
from zlib import crc32

import django
from django.apps import apps
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection

from thingtank.net.sqlite_copies import write_copy
from thingtank.web.database.mark import read_mark, write_mark
from thingtank.web.database.url import DEFAULT_URL, Database, DatabaseSource, database_of
from thingtank.web.django_settings import django_settings_of
from thingtank.web.web_settings import WebSettings


def configure(
    settings: WebSettings, folder: Path, secret: bytes, database: Database | None = None
) -> None:
    """Give Django its settings. Once a process; models can be imported afterwards.

    Args:
        folder: the data folder, which holds the database unless there is another.
        secret: the instance's secret; Django's own key is derived from it.
    """
    database = database or database_of(DatabaseSource(DEFAULT_URL), folder)
    django_settings.configure(**django_settings_of(settings, database, secret))
    django.setup()
    # Whose form is too large is told so; it is no error of this server.
    logging.getLogger("django.security.RequestDataTooBig").setLevel(logging.CRITICAL)


def migrate() -> None:
    """Bring the database's tables up to date, and drop sessions that have ended.

    The database keeps a mark of the migrations it has been through to the end, as Django takes
    long to find that there is nothing to do.
    """
    mark = migrations_mark()
    try:
        if read_mark() != mark:
            call_command("migrate", verbosity=0, interactive=False)
            write_mark(mark)
        call_command("clearsessions", verbosity=0)
    finally:
        connection.close()


def database_file(folder: Path) -> Path | None:
    """The database's file as it is called below its data folder; None where it is not there."""
    if connection.vendor != "sqlite":
        return None
    file, top = Path(connection.settings_dict["NAME"]).resolve(), folder.resolve()
    return file.relative_to(top) if file.is_relative_to(top) else None


def copy_database(folder: Path, to: Path) -> str:
    """Write a copy of a data folder's database, as of one instant, to a file of its name elsewhere.

    Returns:
        Blank; or, where the database is not in the folder, its kind, and there is no copy.

    Raises:
        OSError, sqlite3.Error: it could not be written.
    """
    file = database_file(folder)
    if file is None:
        return connection.vendor
    (to / file).parent.mkdir(0o700, parents=True, exist_ok=True)
    try:
        connection.ensure_connection()
        write_copy(connection.connection, to / file)
    finally:
        connection.close()
    return ""


def migrations_mark() -> int:
    """A number of 31 bits that stands for the migrations there are."""
    return crc32("\n".join([django.__version__, *migration_names()]).encode()) & 0x7FFF_FFFF


def migration_names() -> list[str]:
    """All migrations, ours and those of Django and others, as `app name`; none is imported."""
    return [
        f"{app.label} {file.stem}"
        for app in apps.get_app_configs()
        for file in sorted((Path(app.path) / "migrations").glob("[!_]*.py"))
    ]
