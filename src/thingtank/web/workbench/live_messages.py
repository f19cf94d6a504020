"""The page of messages kept up to date by server-sent events.

hello     the newest messages, newest first, and who is there
messages  what came in the last quarter of a second, oldest first; of very many the newest
online    who is there, when somebody came or went
gone      the account has changed; the stream ends
"""

import asyncio
from collections.abc import AsyncGenerator

from thingtank.tank.access import Caller
from thingtank.tank.tank import Tank
from thingtank.web.workbench import message_tail
from thingtank.web.workbench.message_filter import AskedMessages, make_filter
from thingtank.web.workbench.message_panels import read_online, shown_message
from thingtank.web.workbench.message_tail import KEPT_MAX, Hearing
from thingtank.web.workbench.router_streams import (
    HEAR_S,
    LOOK_S,
    SHOWN_MAX,
    RouterStreams,
    Terms,
    is_as_before,
)
from thingtank.web.workbench.streams import HEARTBEAT, HEARTBEAT_S, RETRY, message, pause

MESSAGES_PREFIX = "/live/messages/"


def message_streams(tank: Tank) -> RouterStreams:
    """The ASGI app that serves them."""
    return RouterStreams(
        MESSAGES_PREFIX, lambda caller: True, lambda *asked: messages(tank, *asked), {}
    )


async def messages(
    tank: Tank, caller: Caller, terms: Terms, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The messages of one stream, until `stopping` is set."""
    tail = message_tail.tail()
    wants = (await make_filter(tank, caller, AskedMessages.of(terms))).wants
    with tail.hear(wants) as hearing:
        seen = tail.newest(wants, KEPT_MAX)
        rows = [shown_message(tank, caller, each) for each in seen]
        presence_version = tail.presence_version
        yield RETRY + message("hello", {"rows": rows, "online": read_online(tank, caller)})
        silent_s, unlooked_s = 0.0, 0.0
        while not stopping.is_set():
            await pause(stopping, HEAR_S)
            silent_s, unlooked_s = silent_s + HEAR_S, unlooked_s + HEAR_S
            if not is_as_before(tank, caller):
                yield message("gone", {})
                return
            if hearing.is_waiting:
                silent_s = 0.0
                yield message("messages", _news(tank, caller, hearing))
            if tail.presence_version != presence_version and unlooked_s >= LOOK_S:
                presence_version, unlooked_s, silent_s = tail.presence_version, 0.0, 0.0
                yield message("online", read_online(tank, caller))
            if silent_s >= HEARTBEAT_S:
                silent_s = 0.0
                yield HEARTBEAT


def _news(tank: Tank, caller: Caller, hearing: Hearing) -> dict[str, object]:
    seen, skipped_count = hearing.take(SHOWN_MAX)
    rows = [shown_message(tank, caller, each) for each in seen]
    return {"rows": rows, "skipped": skipped_count}
