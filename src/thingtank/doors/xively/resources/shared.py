"""What the handlers of all resources share."""

from collections.abc import Awaitable, Callable
from datetime import tzinfo

import msgspec

from thingtank.documents.feeds import Bodies, history_terms
from thingtank.doors.xively.graphs.graphs import Graphs
from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.responses import Reply
from thingtank.doors.xively.settings import XivelySettings
from thingtank.protocols.xively import query
from thingtank.protocols.xively.errors import MalformedQuery
from thingtank.tank.actions.datapoints import read_history
from thingtank.tank.datapoints import Datapoint
from thingtank.tank.history import in_zone
from thingtank.tank.tank import Tank


class Context(msgspec.Struct, frozen=True):
    """What handlers act on."""

    tank: Tank
    settings: XivelySettings
    graphs: Graphs | None = None  # where pictures cannot be answered there are none

    def bodies(self, request: Request, zone: tzinfo | None) -> Bodies:
        """Makes the bodies of one answer."""
        return Bodies(self.tank, request.base_url, zone, self.settings.live_s)


def asked_feed_id(request: Request) -> int | None:
    """The feed that a list is limited to by `feed_id`; None for all. Raises MalformedQuery."""
    text = query.first(request.parameters, "feed_id").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise MalformedQuery("feed_id must be the number of a feed")
    return int(text)


Handler = Callable[[Context, Request], Awaitable[Reply]]


async def asked_history(
    context: Context,
    request: Request,
    feed_id: int,
    names: list[str] | None,
    zone: tzinfo | None,
) -> dict[str, list[Datapoint]]:
    """The history that a request's parameters ask for, by datastream; `names` None for all."""
    asked = query.parse_history(request.parameters)
    terms = in_zone(history_terms(asked, 0), zone, context.tank.clock.now_us())
    return await read_history(context.tank, request.caller, feed_id, names, terms)
