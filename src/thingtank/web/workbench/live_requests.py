"""The page of the request log kept up to date by server-sent events.

hello     the newest requests, newest first
requests  what was answered in the last quarter of a second, oldest first; of very many the newest
gone      the account has changed; the stream ends
"""

import asyncio
from collections.abc import AsyncGenerator

from thingtank.tank.access import Caller
from thingtank.tank.tank import Tank
from thingtank.web.workbench.request_filter import RequestFilter, asked_of
from thingtank.web.workbench.request_panels import request_row
from thingtank.web.workbench.request_tail import RequestTail
from thingtank.web.workbench.router_streams import (
    HEAR_S,
    SHOWN_MAX,
    RouterStreams,
    Terms,
    is_as_before,
)
from thingtank.web.workbench.streams import HEARTBEAT, HEARTBEAT_S, RETRY, message, pause

REQUESTS_PREFIX = "/live/requests/"
SHOWN_AT_FIRST_MAX = 100


def request_streams(tank: Tank) -> RouterStreams:
    """The ASGI app that serves them."""
    tail = RequestTail(tank)
    return RouterStreams(
        REQUESTS_PREFIX, lambda caller: True, lambda *asked: requests(tank, tail, *asked), {}
    )


async def requests(
    tank: Tank, tail: RequestTail, caller: Caller, terms: Terms, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The messages of one stream, until `stopping` is set."""
    wanted = RequestFilter(tank, caller, asked_of(terms))
    with tail.hear(wanted.wants) as hearing:
        seen = await wanted.newest(SHOWN_AT_FIRST_MAX)
        yield RETRY + message("hello", {"rows": [request_row(tank, each) for each in seen]})
        silent_s = 0.0
        while not stopping.is_set():
            await pause(stopping, HEAR_S)
            silent_s += HEAR_S
            if not is_as_before(tank, caller):
                yield message("gone", {})
                return
            if hearing.is_waiting:
                silent_s = 0.0
                served, skipped_count = hearing.take(SHOWN_MAX)
                rows = [request_row(tank, each) for each in served]
                yield message("requests", {"rows": rows, "skipped": skipped_count})
            if silent_s >= HEARTBEAT_S:
                silent_s = 0.0
                yield HEARTBEAT
