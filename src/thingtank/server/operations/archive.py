"""Operations on the archive as a whole."""

from thingtank.server.operations.context import Context
from thingtank.server.operations.shapes import Nothing
from thingtank.stores.embedded_archive import ArchiveStats
from thingtank.stores.history_interface import Compacted


async def stats(context: Context, asked: Nothing) -> ArchiveStats:
    """How much is stored where."""
    await context.archive.flush()
    return await context.archive.stats()


async def compact(context: Context, asked: Nothing) -> Compacted:
    """Compact one period; to be asked again while any is left."""
    await context.archive.flush()
    return await context.archive.compact()
