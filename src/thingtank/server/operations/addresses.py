"""Where the doors of a running server are."""

import msgspec

from thingtank.server.operations.context import Context
from thingtank.server.operations.shapes import Nothing


class Addresses(msgspec.Struct, frozen=True):
    """What its greeting says of them, and how they are reached from here.

    Attributes:
        url: the web door's; blank when it is off.
        local_url: the web door's for this machine, also where there is a proxy in front.
        sockets: the others' by name, such as `wamp`; those that are off are not there.
    """

    url: str
    local_url: str
    sockets: dict[str, str]


async def addresses(context: Context, _: Nothing) -> Addresses:
    """Say where they are."""
    return Addresses(context.url, context.local_url, dict(context.sockets))
