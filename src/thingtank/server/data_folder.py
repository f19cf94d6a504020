"""Opens a data folder: what a server needs of it, and what a command needs without one.

Only that: commands without a server are not to wait for the modules of doors.
"""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from thingtank.net.identity.password_store import PasswordStore
from thingtank.net.origins import is_loopback
from thingtank.server.backup.parts import clear_leftovers, is_unfinished
from thingtank.server.batch.schedules import Schedules
from thingtank.server.cannot_start import CannotStart, why_not_made, why_unfinished
from thingtank.server.config import Config
from thingtank.server.database_watch import keep_renewing
from thingtank.server.first_start import ensure_owner_account
from thingtank.server.folder_lock import FolderLock
from thingtank.server.secret import load_secret
from thingtank.stores.device_events import DeviceEventLog
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.history.cold_bucket import ColdBucket
from thingtank.stores.kept_messages import SqliteKeptMessages
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.stores.stored import holds_datapoints
from thingtank.tank.messaging.permissions import Policy
from thingtank.tank.tank import SystemClock, Tank
from thingtank.web import setup as web_setup
from thingtank.web.database.url import BadDatabaseUrl, database_of, require_driver
from thingtank.web.derived_keys import derive_key
from thingtank.web.web_settings import WebSettings

if TYPE_CHECKING:
    from thingtank.web.catalog.directory import DjangoDirectory
    from thingtank.web.catalog.triggers import DjangoTriggers
    from thingtank.web.database.server_lock import ServerLock

log = structlog.get_logger()


class CopiedFile(Protocol):
    """Keeps a file in the data folder."""

    async def copy_to(self, folder: Path) -> None:
        """Write what is on disk to a file of the same name in another folder."""


class OpenFolder(msgspec.Struct, frozen=True):
    """A data folder that this process has open.

    Attributes:
        database_lock: held while it is open.
        files: what keeps files in the folder besides directory and archive; doors add theirs.
    """

    tank: Tank
    directory: "DjangoDirectory"
    database_lock: "ServerLock"
    archive: EmbeddedArchive
    outbox: SqliteOutbox
    device_events: DeviceEventLog
    kept_messages: SqliteKeptMessages
    passwords: PasswordStore
    secret: bytes
    schedules: Schedules
    files: list[CopiedFile]


async def open_folder(config: Config, folder: Path, stack: AsyncExitStack) -> OpenFolder:
    """Lock and open a data folder, made when missing; `stack` closes it.

    Raises:
        FolderIsOwned: another process has the folder.
        CannotStart: the folder cannot be made, or a restore to it did not come to its end.
        CANNOT_OPEN: the folder cannot be used, or a file of it is not ours.
    """
    try:
        await asyncio.to_thread(folder.mkdir, 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(why_not_made(folder, error)) from error
    if is_unfinished(folder):
        raise CannotStart(why_unfinished(folder))
    stack.enter_context(FolderLock(folder))
    clear_leftovers(folder)
    secret = load_secret(folder)
    directory, lock = await _open_directory(config, folder, secret, stack)
    bucket = ColdBucket.by_settings(config.archive, config.aws)
    archive = await EmbeddedArchive.open(folder, config.archive, SystemClock(), bucket)
    stack.push_async_callback(archive.close)
    await _number_after_archive(directory, archive)
    # As in `_open_directory`: these import models.
    from thingtank.web import tank_access
    from thingtank.web.accounts.passwords import DjangoPasswords
    from thingtank.web.accounts.profiles import DjangoAccounts
    from thingtank.web.catalog.products import DjangoProducts

    products = DjangoProducts(directory, secret)
    stack.callback(products.close)
    outbox = await open_outbox(config, folder, secret, stack)
    events = await DeviceEventLog.open(folder, config.device_events)
    stack.push_async_callback(events.close)
    kept_messages = await SqliteKeptMessages.open(folder, config.kept_messages)
    stack.push_async_callback(kept_messages.close)
    tank = Tank(
        directory,
        archive,
        limits=config.limits,
        deliveries=outbox,
        products=products,
        accounts=DjangoAccounts(directory),
        triggers=await asyncio.to_thread(_load_triggers, directory),
        sends_email=bool(config.email.host),
        policy=Policy(is_open=is_open(config)),
        device_events=events,
        kept_messages=kept_messages,
    )
    tank_access.attach(tank, directory.refresh_accounts)
    passwords = DjangoPasswords(directory)
    stack.callback(passwords.close)
    files: list[CopiedFile] = [events, kept_messages]
    return OpenFolder(
        tank, directory, lock, archive, outbox, events, kept_messages, passwords, secret,
        Schedules(folder), files,
    )  # fmt: skip


def is_open(config: Config) -> bool:
    """Whether devices may be registered, found and written to without a token, as in 2014."""
    access, host = config.skynet.open_access, config.server.host
    return access == "always" or (access == "loopback" and is_loopback(host))


async def open_outbox(
    config: Config, folder: Path, secret: bytes, stack: AsyncExitStack
) -> SqliteOutbox:
    """Open the outbox of a data folder; `stack` closes it.

    Args:
        secret: the instance's.

    Raises:
        OSError, sqlite3.Error: the folder cannot be used.
        ValueError: the file is not an outbox.
    """
    outbox = await SqliteOutbox.open(folder, partial(derive_key, secret), config.outbox)
    stack.push_async_callback(outbox.close)
    return outbox


async def _open_directory(
    config: Config, folder: Path, secret: bytes, stack: AsyncExitStack
) -> "tuple[DjangoDirectory, ServerLock]":
    """Open the database, which `stack` lets go.

    Raises:
        CannotStart: the setting or the database is no good.
    """
    settings = WebSettings(
        config.web.public_url,
        config.web.allowed_hosts,
        config.xively.live_s,
        config.web.map_tiles_url,
        config.web.map_tiles_attribution,
        config.weather,
    )
    try:
        database = database_of(config.database, folder)
        require_driver(database.kind)
    except BadDatabaseUrl as error:
        raise CannotStart(str(error)) from None
    web_setup.configure(settings, folder, secret, database)
    # Django's models can be imported only after it is configured.
    from thingtank.web.database.opening import open_database
    from thingtank.web.database.trouble import DatabaseRefused

    try:
        holds_any = partial(holds_datapoints, folder)
        lock = await asyncio.to_thread(open_database, database, folder, secret, holds_any)
    except DatabaseRefused as error:
        raise CannotStart(str(error)) from error
    stack.push_async_callback(asyncio.to_thread, lock.close)
    stack.push_async_callback(keep_renewing(lock))
    directory = await asyncio.to_thread(_load_directory, secret)
    stack.callback(directory.close)
    return directory, lock


async def _number_after_archive(directory: "DjangoDirectory", archive: EmbeddedArchive) -> None:
    """Have no new channel get the number of one that the archive has values of.

    A directory that was restored from an older backup than the archive does not know of the latest.
    """
    newest = max((max(ids) for ids in archive.stored_streams()), default=0)
    if await directory.number_streams_after(newest):
        log.warning("directory_is_older_than_archive", newest_stream_id=newest)


def _load_directory(secret: bytes) -> "DjangoDirectory":
    from thingtank.web.catalog.directory import DjangoDirectory

    ensure_owner_account()
    directory = DjangoDirectory(secret)
    directory.load()
    return directory


def _load_triggers(directory: "DjangoDirectory") -> "DjangoTriggers":
    from thingtank.web.catalog.triggers import DjangoTriggers

    triggers = DjangoTriggers(directory.write)
    triggers.load()
    return triggers
