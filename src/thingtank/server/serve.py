"""`thingtank serve`: run an instance until it is told to stop."""

import asyncio
import gc
import resource
import signal
import sys
from pathlib import Path

import click
import structlog
import uvloop
from django.db import connection

from thingtank.server.assemble import Instance, start_instance
from thingtank.server.cannot_start import CANNOT_OPEN, CannotStart, why_not_opened
from thingtank.server.config import Config
from thingtank.server.folder_lock import FolderIsOwned
from thingtank.server.greeting import greeting_of, print_greeting
from thingtank.server.logs import set_up_logs
from thingtank.server.ready_file import ReadyFile
from thingtank.server.service_manager import notify
from thingtank.stores.processor_slices import ask_for_short_slices

log = structlog.get_logger()

EXIT_CANNOT_START = 1


def serve(config: Config, folder: Path, ready_file: Path | None = None) -> int:
    """Run until Ctrl-C, SIGTERM, or the end of its terminal.

    Args:
        ready_file: where to write addresses and first steps as JSON, once doors are open.

    Returns:
        0 after a clean stop, EXIT_CANNOT_START when the folder or a port is not to be had.
    """
    set_up_logs(config.log)
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
    endings = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}  # the last: a terminal was closed
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as by nohup
        endings.remove(signal.SIGHUP)
    for number in endings:
        loop.add_signal_handler(number, stopping.set)
    draft: ReadyFile | None = None
    try:
        draft = ReadyFile(ready_file) if ready_file is not None else None
        instance = await _start(config, folder)
        try:
            await _announce(instance, draft)
            # What is there by now stays: no collection is to look at it while clients wait.
            gc.collect()
            gc.freeze()
            ask_for_short_slices()
            notify(f"READY=1\nSTATUS=Serving {instance.url}")
            await stopping.wait()
            notify("STOPPING=1")
        finally:
            await instance.stop()
    except (CannotStart, FolderIsOwned) as error:
        # A sentence for who has typed the command, not a record of something that ran.
        click.echo(f"Error: {error}", err=True)
        return EXIT_CANNOT_START
    finally:
        if draft is not None:
            draft.discard()
    return 0


async def _start(config: Config, folder: Path) -> Instance:
    try:
        return await start_instance(config, folder)
    except CANNOT_OPEN as error:
        raise CannotStart(why_not_opened(folder, error)) from error


async def _announce(instance: Instance, ready_file: ReadyFile | None) -> None:
    greeting = greeting_of(instance)
    needs_link = not await asyncio.to_thread(_leads_to_password, instance.welcome_path)
    print_greeting(greeting, with_link=needs_link or sys.stdout.isatty())
    if ready_file is not None:
        ready_file.write(greeting)
    log.info("server_ready", url=greeting["url"])


def _leads_to_password(welcome_path: str) -> bool:
    from thingtank.web.accounts.sign_in_links import leads_to_password  # models: not before

    try:
        return leads_to_password(welcome_path)
    finally:
        connection.close()
