"""Server-sent events of the pages of WAMP's router and MQTT's broker: what they have in common.

A tab has one stream of the list that it shows, with a message a second, and one for each thing that
it listens to, with what came in the last quarter of a second.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl

from thingtank.protocols.overviews import Traffic
from thingtank.tank.access import Caller
from thingtank.tank.errors import NotFound
from thingtank.tank.tank import Tank
from thingtank.web import tank_access
from thingtank.web.workbench.bounds import VisitLimits
from thingtank.web.workbench.long_answers import address_of, refuse
from thingtank.web.workbench.streams import HEARTBEAT, HEARTBEAT_S, RETRY, Streams, message, pause

LOOK_S = 1.0
HEAR_S = 0.25
SHOWN_MAX = 20  # in one message, the newest
QUERY_BYTES_MAX = 8192
TRAFFIC_NEWS = 3  # seconds that a message repeats, so that none is missed

OVERVIEW_LIMITS = VisitLimits(total_max=100, strangers_max=0, per_account_max=20, per_address_max=0)
EVENTS_LIMITS = VisitLimits(total_max=50, strangers_max=0, per_account_max=10, per_address_max=0)

Terms = Mapping[str, str]
Make = Callable[[Caller, Terms, asyncio.Event], AsyncGenerator[bytes, None]]


class RouterStreams:
    """The ASGI app that serves those of one page."""

    def __init__(
        self,
        prefix: str,
        is_open_to: Callable[[Caller], bool],
        overview: Make,
        others: Mapping[str, Make],
    ) -> None:
        """Serve nothing yet.

        Args:
            prefix: of the streams' paths.
            is_open_to: whether an account may see anything.
            overview: makes the messages of the list.
            others: make those of what is listened to, by name.
        """
        self._prefix = prefix
        self._is_open_to = is_open_to
        listenings = Streams(EVENTS_LIMITS)
        self._kinds = {"overview": (Streams(OVERVIEW_LIMITS), overview)}
        self._kinds |= {name: (listenings, make) for name, make in others.items()}

    def stop(self) -> None:
        """End every stream soon, so that a server can stop; from the loop's thread."""
        for streams, _ in self._kinds.values():
            streams.stop()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request with a stream, or with why there is none."""
        kind = self._kinds.get(scope["path"].removeprefix(self._prefix))
        if kind is None:
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
        if not self._is_open_to(caller):
            await refuse(send, HTTPStatus.NOT_FOUND, "The door is shut.")
            return
        streams, make = kind
        terms = _terms(scope["query_string"])
        await streams.serve(caller, partial(make, caller, terms), scope, receive, send)


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


def is_as_before(tank: Tank, caller: Caller) -> bool:
    """Whether an account has not changed."""
    return as_now(tank, caller) == caller


async def each_second(
    look: Callable[[bool], dict[str, Any] | None], stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The messages of one list, until `stopping` is set.

    Args:
        look: what is there, for the first message or a later one; None if it may not be seen any
            more.
    """
    is_first = True
    while not stopping.is_set():
        body = look(is_first)
        if body is None:
            yield message("gone", {})
            return
        yield RETRY + message("hello", body) if is_first else message("overview", body)
        is_first = False
        await pause(stopping, LOOK_S)


def traffic_body(traffic: Traffic | None, *, is_first: bool) -> dict[str, Any] | None:
    """Traffic for the page's script: all of it at first, then the last seconds."""
    if traffic is None:
        return None
    start = 0 if is_first else -TRAFFIC_NEWS
    return {
        "at_s": traffic.at_s[start:],
        "received": traffic.received_per_s[start:],
        "sent": traffic.sent_per_s[start:],
        "dropped": traffic.dropped_per_s[start:],
    }


class Heard(Protocol):
    """Something that is listened to, for a page.

    Attributes:
        count: of what came, whether it was taken or not.
        end: the body of `gone` once it has ended.
    """

    @property
    def count(self) -> int: ...

    @property
    def end(self) -> dict[str, Any] | None: ...

    def take(self, count_max: int) -> list[Any]:
        """What came since the last time, for the page's script."""


async def heard_until_the_end(
    heard: Heard, is_same: Callable[[], bool], stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """What comes, and the end.

    Args:
        is_same: whether the account still has the rights that this began with.
    """
    told_count, silent_s = 0, 0.0
    while not stopping.is_set():
        if not is_same():
            yield message("gone", {"reason": "Your account has changed. Listen again."})
            return
        rows = heard.take(SHOWN_MAX)
        if rows:
            count = heard.count
            skipped = count - told_count - len(rows)
            yield message("events", {"rows": rows, "skipped": skipped, "heard": count})
            told_count = count
            silent_s = 0.0
        end = heard.end
        if end is not None:
            yield message("gone", end)
            return
        silent_s += HEAR_S
        if silent_s >= HEARTBEAT_S:
            silent_s = 0.0
            yield HEARTBEAT
        await pause(stopping, HEAR_S)
