"""Operations for backups."""

from thingtank.server.backup.copying import COPY_FAILED
from thingtank.server.backup.parts import Copied
from thingtank.server.operations.context import Context
from thingtank.server.operations.shapes import Nothing, Refused


async def copy(context: Context, asked: Nothing) -> Copied:
    """Write copies of the folder's files that fit together, for the command that packs them."""
    try:
        return await context.copy_files()
    except COPY_FAILED as error:
        raise Refused(f"the files could not be copied: {error}") from error
