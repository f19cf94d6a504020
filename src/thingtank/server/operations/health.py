"""What a server says of its own health."""

import msgspec

from thingtank.server.operations.context import Context
from thingtank.server.operations.shapes import Nothing


class Health(msgspec.Struct, frozen=True):
    """The checks of its readiness by name; none without a server."""

    checks: dict[str, bool]


async def health(context: Context, _: Nothing) -> Health:
    """Ask them."""
    return Health(dict(await context.checks()))
