"""Sets sinks to work behind the journal."""

from contextlib import AsyncExitStack
from pathlib import Path

from thingtank.aws.clients import AwsClients
from thingtank.server.config import Config, own_database_of
from thingtank.server.data_folder import OpenFolder
from thingtank.server.sinks.sending.calls import Setup
from thingtank.server.sinks.sending.process import SendingProcess
from thingtank.server.sinks.sinks import Sinks
from thingtank.sinks.engine import EngineParts
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
    setup = Setup(config.aws, ATTEMPTS_MAX, READ_S_MAX, str(folder), database)
    process = SendingProcess(setup)
    stack.push_async_callback(process.stop)
    parts = EngineParts(_no_clients, folder, database)
    sinks = Sinks(
        opened.tank,
        opened.archive,
        config.sinks,
        parts,
        process,
        opened.secret,
        config.sources.rules,
    )
    stack.push_async_callback(sinks.stop)
    await sinks.start()
    opened.files.append(sinks)
    sink_board.attach(sinks)
    stack.callback(sink_board.attach, None)
    return sinks


def _no_clients() -> AwsClients:
    raise AssertionError("engines are opened in a process of their own")
