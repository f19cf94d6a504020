"""Sets sources to work."""

from contextlib import AsyncExitStack
from pathlib import Path

from thingtank.server.config import Config
from thingtank.server.data_folder import OpenFolder
from thingtank.server.sources.sources import Sources
from thingtank.web.workbench import source_board


def start_sources(
    config: Config, folder: Path, opened: OpenFolder, stack: AsyncExitStack
) -> Sources:
    """Begin to read; `stack` ends it."""
    sources = Sources(opened.tank, opened.directory.find_owner, config.sources, config.aws, folder)
    sources.start()
    stack.push_async_callback(sources.stop)
    opened.files.append(sources)
    source_board.attach(sources)
    stack.callback(source_board.attach, None)
    return sources
