"""Copies of an open folder's files that fit together: the order is all.

What was acknowledged before the copies began is in them. Each file is copied as of an instant of
its own, later than the ones before it; so what a file refers to must be in one that comes later,
and what is taken up from where another file stands must still be there:

1. outbox     how far triggers have looked at the journal. Ahead of the journal it would have them
              overlook values; behind it they look at some twice, and who is told of a firing is
              told once more
2. history    from here to 3 the journal keeps all it holds
3. journal    what history did not have yet, and what came meanwhile
4. the rest   sessions, messages and events, of devices and topics; how far sinks have come, and
              behind that the queues and tables of this machine that they write to
5. directory  whose ids all others mention: nothing new may be recorded under an id that the
              restored directory would give to another. What was deleted meanwhile leaves rows that
              nobody can ask for, which housekeeping clears away

Secret, settings and the name of the database do not change while a server runs; schedules of batch
jobs are one file, which is whole at any time.
"""

import asyncio
import contextlib
import shutil
import sqlite3
from pathlib import Path

import duckdb

from thingtank.local.places import files_of
from thingtank.net.sqlite_copies import write_copy
from thingtank.server.backup.parts import PARTS, Copied
from thingtank.server.batch.schedules import FILE_NAME as SCHEDULES
from thingtank.server.config import FILE_NAME as SETTINGS
from thingtank.server.data_folder import OpenFolder
from thingtank.server.hooks.signing_key import FILE_NAME as SIGNING_KEY
from thingtank.server.secret import FILE_NAME as SECRET
from thingtank.tank.errors import Unavailable
from thingtank.web import setup as web_setup
from thingtank.web.database.url import DATABASE_FILE

COPY_FAILED = (OSError, sqlite3.Error, duckdb.Error, Unavailable)


async def copy_folder(folder: Path, opened: OpenFolder) -> Copied:
    """Write copies of a folder's files to its PARTS, which the command that asks has made.

    Raises:
        COPY_FAILED.
    """
    parts = folder / PARTS
    async with opened.archive.keeping_journal():
        await opened.outbox.copy_to(parts)
        await opened.archive.copy_to(parts)
    for file in opened.files:
        await file.copy_to(parts)
    await asyncio.to_thread(_copy_closed, folder, parts)
    database = await asyncio.to_thread(web_setup.copy_database, folder, parts)
    for name in (SECRET, SIGNING_KEY, SETTINGS, SCHEDULES, DATABASE_FILE):
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(folder / name, parts / name)
    bucket = (await opened.archive.stats(moves=False)).bucket
    return Copied(database, bucket.address if bucket else "")


def _copy_closed(folder: Path, parts: Path) -> None:
    """Copy the files that nobody here has open, or others may have open as well."""
    database = web_setup.database_file(folder)
    for path in sorted([*folder.glob("*.sqlite3"), *files_of(folder)]):
        copy = parts / path.relative_to(folder)
        if path.name != str(database) and not copy.exists():
            copy.parent.mkdir(mode=0o700, exist_ok=True)
            with contextlib.closing(sqlite3.connect(path)) as connection:
                write_copy(connection, copy)
