"""The MQTT page kept up to date by server-sent events, and what it listens to.

A tab has one stream of the list that it shows:

    hello    all of it, with the traffic of the last minutes
    overview once a second: numbers, and the rows if something in them has changed
    gone     the account may see nothing any more; the stream ends

one for each topic filter that it listens to, through a client of the account's own:

    hello    SUBACK, or why not: then the stream ends with `gone`
    events   what came in the last quarter of a second, of very much the newest
    gone     the broker has ended the connection

and one for each client whose packets it looks at: the same, with packets.
"""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from thingtank.tank.access import Caller
from thingtank.tank.errors import LimitReached
from thingtank.tank.tank import Tank
from thingtank.web.workbench import mqtt_broker
from thingtank.web.workbench.mqtt_broker import MqttBroker, MqttListening, MqttWatching
from thingtank.web.workbench.mqtt_forms import ListenForm
from thingtank.web.workbench.mqtt_lists import Shown, asked_of, shown_of
from thingtank.web.workbench.mqtt_panels import (
    ShownHeard,
    shown_answer,
    shown_message,
    shown_packet,
)
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

MQTT_PREFIX = "/live/mqtt/"


def mqtt_streams(tank: Tank) -> RouterStreams:
    """The ASGI app that serves all three kinds."""
    return RouterStreams(
        MQTT_PREFIX,
        _is_open_to,
        lambda *asked: overview(tank, _broker(), *asked),
        {
            "messages": lambda *asked: listening(tank, _broker(), *asked),
            "packets": lambda *asked: watching(tank, _broker(), *asked),
        },
    )


def _broker() -> MqttBroker:
    broker = mqtt_broker.broker()
    assert broker is not None, "it was there when the stream began"
    return broker


def _is_open_to(caller: Caller) -> bool:
    return mqtt_broker.broker() is not None


def overview(
    tank: Tank, broker: MqttBroker, caller: Caller, terms: Terms, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The messages of one list, until `stopping` is set."""
    asked = asked_of(terms)
    before: Shown | None = None

    def look(is_first: bool) -> dict[str, Any] | None:
        nonlocal before
        now = as_now(tank, caller)
        if now is None:
            return None
        shown = shown_of(broker.view(now), asked)
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
        "counts": shown.counts,
        "dropped": facts.dropped_count,
        "connected": facts.connected_count,
        "traffic": traffic_body(facts.traffic, is_first=before is None),
        "found": shown.page.found_count,
        "next": shown.page.next_after,
        "rows": None if before and before.page == shown.page else live_rows(shown.page),
    }


async def listening(
    tank: Tank, broker: MqttBroker, caller: Caller, terms: Terms, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """What comes to a topic filter, until `stopping` is set."""
    form = ListenForm({"qos": "0", **terms})
    if not form.is_valid():
        words = " ".join(str(each) for errors in form.errors.values() for each in errors)
        yield message("gone", {"reason": words})
        return
    try:
        async with broker.listen(caller, form.subscription()) as heard:
            outcome = shown_answer(heard.subscribed, "")
            yield RETRY + message("hello", {"outcome": outcome})
            if not outcome.is_good:
                yield message("gone", {"outcome": outcome})
                return
            same = partial(is_as_before, tank, caller)
            async for chunk in heard_until_the_end(_Messages(heard), same, stopping):
                yield chunk
    except LimitReached as error:
        yield message("gone", {"reason": f"{error}."})


class _Messages:
    """What is heard, for the page."""

    def __init__(self, heard: MqttListening) -> None:
        self._heard = heard

    @property
    def count(self) -> int:
        return self._heard.heard_count

    @property
    def end(self) -> dict[str, Any] | None:
        farewell = self._heard.farewell
        return None if farewell is None else {"outcome": shown_answer(farewell, "")}

    def take(self, count_max: int) -> list[ShownHeard]:
        return [shown_message(each) for each in self._heard.take(count_max)]


async def watching(
    tank: Tank, broker: MqttBroker, caller: Caller, terms: Terms, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The packets of a client, until `stopping` is set."""
    client_id = terms.get("client_id", "")
    with broker.watch(caller, client_id) as watched:
        if watched is None:
            words = "There is no such client. Take its id from the list of clients."
            yield message("gone", {"reason": words})
            return
        yield RETRY + message("hello", {"outcome": None})
        same = partial(is_as_before, tank, caller)
        async for chunk in heard_until_the_end(_Packets(watched), same, stopping):
            yield chunk


class _Packets:
    """What is seen, for the page."""

    def __init__(self, watched: MqttWatching) -> None:
        self._watched = watched

    @property
    def count(self) -> int:
        return self._watched.seen_count

    @property
    def end(self) -> dict[str, Any] | None:
        return None  # its client may come back

    def take(self, count_max: int) -> list[ShownHeard]:
        return [shown_packet(each) for each in self._watched.take(count_max)]
