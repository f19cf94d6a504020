"""Sets sinks to work behind the journal."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from thingtank.aws.clients import AwsClients
from thingtank.server.config import Config, own_database_of
from thingtank.server.data_folder import OpenFolder
from thingtank.server.sinks.sinks import Sinks
from thingtank.sinks.engine import EngineParts
from thingtank.sinks.engine_calls import Setup
from thingtank.sinks.engine_process import EngineProcess
from thingtank.web.workbench import sink_board

# A call ends within a minute, as rules try again themselves; and the server waits for it no longer.
ATTEMPTS_MAX = 2
READ_S_MAX = 15


async def start_sinks(
    config: Config, folder: Path, opened: OpenFolder, stack: AsyncExitStack
) -> Sinks:
    """Begin to send on; `stack` ends it.

    Raises:
        OSError, sqlite3.Error, FileMismatch, StorageFailed: the folder cannot be used.
    """
    database = own_database_of(config)
    engines = EngineProcess(Setup(config.aws, ATTEMPTS_MAX, READ_S_MAX, str(folder), database))
    stack.push_async_callback(asyncio.to_thread, engines.stop)
    parts = EngineParts(_no_clients, folder, database)
    sinks = Sinks(
        opened.tank,
        opened.archive,
        config.sinks,
        parts,
        opened.secret,
        config.sources.rules,
        engines.make_engine,
    )
    stack.push_async_callback(sinks.stop)
    await sinks.start()
    opened.files.append(sinks)
    sink_board.attach(sinks)
    stack.callback(sink_board.attach, None)
    return sinks


def _no_clients() -> AwsClients:
    raise AssertionError("engines are opened in a process of their own")
