"""The WAMP page kept up to date by server-sent events, and topics that it listens to.

A tab has one stream of the list that it shows:

    hello    all of it, with the traffic of the last minutes
    overview once a second: numbers, and the rows if something in them has changed
    gone     the realm, or the account, may not be seen any more; the stream ends

and one for each topic or pattern that it listens to, in a session of the account's own:

    hello    SUBSCRIBED, or why not: then the stream ends with `gone`
    events   what came in the last quarter of a second, of very much the newest
    gone     the router has ended the session
"""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, get_args

from thingtank.protocols.wamp.errors import NoSuchRealm
from thingtank.protocols.wamp.options import Match, SubscribeOptions
from thingtank.tank.access import Caller
from thingtank.tank.errors import LimitReached
from thingtank.tank.tank import Tank
from thingtank.web.workbench import wamp_router
from thingtank.web.workbench.router_lists import live_rows
from thingtank.web.workbench.router_streams import (
    RouterStreams,
    Terms,
    as_now,
    each_second,
    heard_until_the_end,
    is_as_before,
    traffic_body,
)
from thingtank.web.workbench.streams import RETRY, message
from thingtank.web.workbench.wamp_lists import Shown, asked_of, shown_of
from thingtank.web.workbench.wamp_panels import ShownEvent, shown_event, shown_outcome
from thingtank.web.workbench.wamp_router import WampListening, WampRouter

WAMP_PREFIX = "/live/wamp/"


def wamp_streams(tank: Tank) -> RouterStreams:
    """The ASGI app that serves both kinds."""
    return RouterStreams(
        WAMP_PREFIX,
        _is_open_to,
        lambda *asked: overview(tank, _router(), *asked),
        {"events": lambda *asked: listening(tank, _router(), *asked)},
    )


def _router() -> WampRouter:
    router = wamp_router.router()
    assert router is not None, "it was there when the stream began"
    return router


def _is_open_to(caller: Caller) -> bool:
    router = wamp_router.router()
    return router is not None and bool(router.realms(caller))


def overview(
    tank: Tank, router: WampRouter, caller: Caller, terms: Terms, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The messages of one list, until `stopping` is set."""
    before: Shown | None = None

    def look(is_first: bool) -> dict[str, Any] | None:
        nonlocal before
        now = as_now(tank, caller)
        realms = router.realms(now) if now is not None else ()
        if now is None or not realms:
            return None
        asked = asked_of(terms, realms)
        shown = shown_of(router.view(asked.realm, now), asked)
        body = _body(shown, before)
        before = shown
        return body

    return each_second(look, stopping)


def _body(shown: Shown, before: Shown | None) -> dict[str, Any]:
    """A message's.

    Args:
        before: what the tab knows already.
    """
    facts = shown.facts
    return {
        "counts": {
            "sessions": facts.session_count,
            "topics": facts.topic_count,
            "procedures": facts.procedure_count,
        },
        "dropped": facts.dropped_count,
        "traffic": traffic_body(facts.traffic, is_first=before is None),
        "found": shown.page.found_count,
        "next": "",
        "rows": None if before and before.page == shown.page else live_rows(shown.page),
    }


async def listening(
    tank: Tank, router: WampRouter, caller: Caller, terms: Terms, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """What comes to a topic or pattern, until `stopping` is set."""
    realm, topic = terms.get("realm", ""), terms.get("topic", "")
    match: Match = next((each for each in get_args(Match) if each == terms.get("match")), "exact")
    options = SubscribeOptions(match, bool(terms.get("get_retained")))
    try:
        async with router.listen(realm, caller, topic, options) as heard:
            outcome = shown_outcome(heard.subscribed, "")
            body = {"session": str(heard.session_id), "outcome": outcome}
            yield RETRY + message("hello", body)
            if not outcome.is_good:
                yield message("gone", {"outcome": outcome})
                return
            same = partial(is_as_before, tank, caller)
            async for chunk in heard_until_the_end(_Events(heard), same, stopping):
                yield chunk
    except NoSuchRealm:
        yield message("gone", {"reason": "There is no such realm for you."})
    except LimitReached as error:
        yield message("gone", {"reason": f"{error}."})


class _Events:
    """What is heard, for the page."""

    def __init__(self, heard: WampListening) -> None:
        self._heard = heard

    @property
    def count(self) -> int:
        return self._heard.heard_count

    @property
    def end(self) -> dict[str, Any] | None:
        farewell = self._heard.farewell
        return None if farewell is None else {"outcome": shown_outcome(farewell, "")}

    def take(self, count_max: int) -> list[ShownEvent]:
        return [shown_event(event) for event in self._heard.take(count_max)]
