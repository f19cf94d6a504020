"""`thingtank serve`: run an instance until it is told to stop."""

import asyncio
import json
import os
import resource
import signal
import sqlite3
from pathlib import Path

import duckdb
import structlog
import uvloop
from django.db import DatabaseError

from thingtank.server.assemble import Instance, start_instance
from thingtank.server.config import Config
from thingtank.server.folder_lock import FolderIsOwned
from thingtank.server.greeting import greeting_of, print_greeting
from thingtank.server.logs import set_up_logs
from thingtank.stores.journal import JournalMismatch
from thingtank.tank.errors import TankError

log = structlog.get_logger()

EXIT_CANNOT_START = 1

CANNOT_START = (
    FolderIsOwned,
    JournalMismatch,
    OSError,
    ValueError,
    TankError,
    sqlite3.Error,
    duckdb.Error,
    DatabaseError,
)


def serve(config: Config, folder: Path, ready_file: Path | None = None) -> int:
    """Run until Ctrl-C or SIGTERM.

    Args:
        ready_file: where to write addresses and first steps as JSON, once doors are open.

    Returns:
        0 after a clean stop, EXIT_CANNOT_START when the folder or a port is not to be had.
    """
    set_up_logs()
    _allow_many_connections()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(config, folder, ready_file))


def _allow_many_connections() -> None:
    """Raise the soft limit on open files, 1024 on most systems, to what is allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(config: Config, folder: Path, ready_file: Path | None) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    try:
        instance = await start_instance(config, folder)
    except CANNOT_START as error:
        log.error("server_cannot_start", folder=str(folder), reason=str(error))
        return EXIT_CANNOT_START
    try:
        _announce(instance, config, ready_file)
        await stopping.wait()
    finally:
        await instance.stop()
    return 0


def _announce(instance: Instance, config: Config, ready_file: Path | None) -> None:
    greeting = greeting_of(instance)
    print_greeting(greeting, config)
    if ready_file is not None:
        draft = ready_file.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(greeting, file)
        draft.rename(ready_file)
    log.info("server_ready", url=greeting["url"])
