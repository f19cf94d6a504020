"""What `thingtank database` does: looks at a data folder's database, and copies it to another."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from thingtank.server.cannot_start import CannotStart
from thingtank.server.config import Config
from thingtank.server.folder_lock import FolderLock
from thingtank.server.secret import load_secret
from thingtank.stores.stored import holds_datapoints
from thingtank.web import setup as web_setup
from thingtank.web.database.url import (
    BadDatabaseUrl,
    Database,
    DatabaseSource,
    database_of,
    require_driver,
)
from thingtank.web.web_settings import WebSettings


class Found(msgspec.Struct, frozen=True):
    """What a look at a database tells.

    Attributes:
        database: its URL without the password.
        kind: PostgreSQL, say.
        version: of its server; of SQLite itself.
        tables: `current`, `to be brought up to date`, or `to be made`.
        is_in_use: whether a Thing Tank holds its lock.
    """

    database: str
    kind: str
    version: str
    tables: str
    is_in_use: bool


def check_database(config: Config, folder: Path) -> Found:
    """Look at the database that the settings name; change nothing.

    Raises:
        CannotStart: it cannot be used, or is not this folder's.
    """
    database = _configured(config.database, folder)
    # Django's models can be imported only after it is configured.
    from thingtank.web.database.opening import look_at_database
    from thingtank.web.database.trouble import DatabaseRefused

    try:
        found = look_at_database(
            database, folder, load_secret(folder), partial(holds_datapoints, folder)
        )
    except DatabaseRefused as error:
        raise CannotStart(str(error)) from error
    return Found(database.shown, *found)


def copy_database(
    config: Config, folder: Path, to: str, progress: Callable[[int, int], None]
) -> tuple[str, int]:
    """Copy the directory to an empty database, which is used once the settings name it.

    Args:
        to: the URL.
        progress: is told how many rows are copied, and how many there are.

    Returns:
        The URL without its password, and the number of rows.

    Raises:
        CannotStart: one of the databases cannot be used.
        FolderIsOwned: a server has the folder.
    """
    with FolderLock(folder):
        source = _configured(config.database, folder)
        target = _database(DatabaseSource(to), folder)
        from thingtank.web.database.copying import add_target, copy_directory
        from thingtank.web.database.opening import open_database
        from thingtank.web.database.trouble import DatabaseRefused

        add_target(target)
        try:
            lock = open_database(
                source, folder, load_secret(folder), partial(holds_datapoints, folder)
            )
            try:
                return target.shown, copy_directory(target, progress)
            finally:
                lock.close()
        except DatabaseRefused as error:
            raise CannotStart(str(error)) from error


def _configured(source: DatabaseSource, folder: Path) -> Database:
    database = _database(source, folder)
    web_setup.configure(WebSettings(), folder, load_secret(folder), database)
    return database


def _database(source: DatabaseSource, folder: Path) -> Database:
    try:
        database = database_of(source, folder)
        require_driver(database.kind)
    except BadDatabaseUrl as error:
        raise CannotStart(str(error)) from None
    return database
