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
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, get_args
from urllib.parse import parse_qsl

from thingtank.protocols.wamp.errors import NoSuchRealm
from thingtank.protocols.wamp.options import Match, SubscribeOptions
from thingtank.tank.access import Caller
from thingtank.tank.errors import LimitReached, NotFound
from thingtank.tank.tank import Tank
from thingtank.web import tank_access
from thingtank.web.workbench import wamp_router
from thingtank.web.workbench.bounds import VisitLimits
from thingtank.web.workbench.long_answers import address_of, refuse
from thingtank.web.workbench.streams import (
    HEARTBEAT,
    HEARTBEAT_S,
    RETRY,
    Streams,
    message,
    pause,
)
from thingtank.web.workbench.wamp_lists import Shown, asked_of, live_rows, shown_of
from thingtank.web.workbench.wamp_panels import shown_event, shown_outcome
from thingtank.web.workbench.wamp_router import WampRouter

WAMP_PREFIX = "/live/wamp/"
LOOK_S = 1.0
HEAR_S = 0.25
EVENTS_SHOWN_MAX = 20  # in one message, the newest
QUERY_BYTES_MAX = 8192
TRAFFIC_NEWS = 3  # seconds that a message repeats, so that none is missed

OVERVIEW_LIMITS = VisitLimits(total_max=100, strangers_max=0, per_account_max=20, per_address_max=0)
EVENTS_LIMITS = VisitLimits(total_max=50, strangers_max=0, per_account_max=10, per_address_max=0)

Terms = Mapping[str, str]


class WampStreams:
    """The ASGI app that serves both kinds."""

    def __init__(self, tank: Tank) -> None:
        self._tank = tank
        self._overviews = Streams(OVERVIEW_LIMITS)
        self._listenings = Streams(EVENTS_LIMITS)

    def stop(self) -> None:
        """End every stream soon, so that a server can stop; from the loop's thread."""
        self._overviews.stop()
        self._listenings.stop()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request with a stream, or with why there is none."""
        name = scope["path"].removeprefix(WAMP_PREFIX)
        if name not in ("overview", "events"):
            await refuse(send, HTTPStatus.NOT_FOUND, "No such stream.")
            return
        if scope["method"] != "GET":
            await refuse(send, HTTPStatus.METHOD_NOT_ALLOWED, "A stream can only be read.")
            return
        caller = await tank_access.caller_of_headers(scope["headers"])
        if caller.account is None:
            await refuse(send, HTTPStatus.UNAUTHORIZED, "Sign in first.")
            return
        caller = Caller(caller.account, address=address_of(scope))
        router = wamp_router.router()
        terms = _terms(scope["query_string"])
        if router is None or not router.realms(caller):
            await refuse(send, HTTPStatus.NOT_FOUND, "No such realm.")
            return
        if name == "overview":
            make = partial(overview, self._tank, router, caller, terms)
            await self._overviews.serve(caller, make, scope, receive, send)
        else:
            make = partial(listening, self._tank, router, caller, terms)
            await self._listenings.serve(caller, make, scope, receive, send)


def _terms(query: bytes) -> Terms:
    try:
        return dict(parse_qsl(query[:QUERY_BYTES_MAX].decode("latin-1"), max_num_fields=20))
    except ValueError:
        return {}


def as_now(tank: Tank, caller: Caller) -> Caller | None:
    """The account as it is now; None where it is gone or disabled."""
    assert caller.account is not None
    try:
        account = tank.directory.get_account(caller.account.account_id)
    except NotFound:
        return None
    return Caller(account, address=caller.address) if account.is_active else None


async def overview(
    tank: Tank, router: WampRouter, caller: Caller, terms: Terms, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The messages of one list, until `stopping` is set."""
    shown_before: Shown | None = None
    while not stopping.is_set():
        now = as_now(tank, caller)
        realms = router.realms(now) if now is not None else ()
        if now is None or not realms:
            yield message("gone", {})
            return
        asked = asked_of(terms, realms)
        shown = shown_of(router.view(asked.realm, now), asked)
        if shown_before is None:
            yield RETRY + message("hello", _body(shown, None, seconds=None))
        else:
            yield message("overview", _body(shown, shown_before, seconds=TRAFFIC_NEWS))
        shown_before = shown
        await pause(stopping, LOOK_S)


def _body(shown: Shown, before: Shown | None, seconds: int | None) -> dict[str, Any]:
    """A message's.

    Args:
        before: what the tab knows already.
        seconds: of traffic; None for all.
    """
    facts, traffic = shown.facts, shown.facts.traffic
    start = 0 if seconds is None else -seconds
    return {
        "sessions": facts.session_count,
        "topics": facts.topic_count,
        "procedures": facts.procedure_count,
        "dropped": facts.dropped_count,
        "traffic": traffic
        and {
            "at_s": traffic.at_s[start:],
            "received": traffic.received_per_s[start:],
            "sent": traffic.sent_per_s[start:],
        },
        "found": shown.page.found_count,
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
            async for chunk in _heard(heard, lambda: as_now(tank, caller) == caller, stopping):
                yield chunk
    except NoSuchRealm:
        yield message("gone", {"reason": "There is no such realm for you."})
    except LimitReached as error:
        yield message("gone", {"reason": str(error)})


async def _heard(
    heard: wamp_router.WampListening, is_same: Callable[[], bool], stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """Events and the end.

    Args:
        is_same: whether the account still has the rights that the session was opened with.
    """
    told_count, silent_s = 0, 0.0
    while not stopping.is_set():
        if not is_same():
            yield message("gone", {"reason": "Your account has changed. Listen again."})
            return
        events = heard.take(EVENTS_SHOWN_MAX)
        if events:
            shown = [shown_event(event) for event in events]
            skipped_count = heard.heard_count - told_count - len(shown)
            yield message(
                "events", {"rows": shown, "skipped": skipped_count, "heard": heard.heard_count}
            )
            told_count = heard.heard_count
            silent_s = 0.0
        if heard.farewell is not None:
            yield message("gone", {"outcome": shown_outcome(heard.farewell, "")})
            return
        silent_s += HEAR_S
        if silent_s >= HEARTBEAT_S:
            silent_s = 0.0
            yield HEARTBEAT
        await pause(stopping, HEAR_S)
