"""A device's page kept up to date by server-sent events.

One stream is one browser tab, of a signed-in person or, on a public device, of anybody. It hears
the device's events from a bounded listener and sends:

    hello    all channels, current values and the last requests, at the start
    values   what was written in the last tenth of a second, each channel once
    requests rows of the request log (only for who may change the device)
    fired    triggers that have fired, at once (likewise)
    triggers what the triggers are doing, where that has changed (likewise)
    device   channels or metadata changed, or it came or went: fetch the page anew
    noted    something new is in its event log (only for who may change the device): likewise
    reload   events were dropped because the tab is slow: fetch the page anew
    gone     the device was deleted, or may no longer be seen; the stream ends
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.events import (
    DatapointsRecorded,
    DeviceDeleted,
    DeviceUpdated,
    Event,
    MessageSent,
    PresenceChanged,
    RequestServed,
    TriggerChanged,
    TriggerFired,
)
from thingtank.tank.tank import Tank
from thingtank.web import tank_access
from thingtank.web.workbench import message_tail
from thingtank.web.workbench.bounds import VisitLimits
from thingtank.web.workbench.device_list import LIST_PATH, AskedRows, NewDevices, list_stream
from thingtank.web.workbench.live_messages import MESSAGES_PREFIX, message_streams
from thingtank.web.workbench.live_mqtt import MQTT_PREFIX, mqtt_streams
from thingtank.web.workbench.live_requests import REQUESTS_PREFIX, request_streams
from thingtank.web.workbench.live_simulator import SIMULATOR_PREFIX, simulator_streams
from thingtank.web.workbench.live_triggers import TriggerWatch, fired_rows
from thingtank.web.workbench.live_wamp import WAMP_PREFIX, wamp_streams
from thingtank.web.workbench.long_answers import may_see, refuse, unseen
from thingtank.web.workbench.message_tail import MessageTail
from thingtank.web.workbench.panels import read_channels
from thingtank.web.workbench.request_panels import request_row
from thingtank.web.workbench.streams import HEARTBEAT, HEARTBEAT_S, RETRY, Streams, message
from thingtank.web.workbench.values import next_events, updates_of
from thingtank.web.workbench.wall import WALL_PATH, asked_feeds, visible, wall_stream

PREFIX = "/live/"
EVENTS_MAX = 1000
LOG_S = 1.0  # between something new in the event log and the word of it

# Each holds a connection and a listener; a browser shows few pages at once.
LIMITS = VisitLimits(total_max=500, strangers_max=200, per_account_max=50, per_address_max=20)

_PATH = re.compile(rf"{PREFIX}feeds/([0-9]{{1,18}})")


def live_url(feed_id: int) -> str:
    """Where a device's stream is."""
    return f"{PREFIX}feeds/{feed_id}"


class LiveStreams:
    """The ASGI app that serves all streams. Not a Django view: those hold a thread each."""

    def __init__(self, tank: Tank) -> None:
        self._tank = tank
        self._streams = Streams(LIMITS)
        self._routers = {
            WAMP_PREFIX: wamp_streams(tank),
            MQTT_PREFIX: mqtt_streams(tank),
            MESSAGES_PREFIX: message_streams(tank),
            REQUESTS_PREFIX: request_streams(tank),
            SIMULATOR_PREFIX: simulator_streams(tank),
        }
        self._new_devices = NewDevices(tank)
        message_tail.attach(MessageTail(tank))

    def stop(self) -> None:
        """End every stream soon, so that a server can stop; from the loop's thread."""
        self._streams.stop()
        for streams in self._routers.values():
            streams.stop()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request with a stream, or with why there is none."""
        for prefix, streams in self._routers.items():
            if scope["path"].startswith(prefix):
                await streams(scope, receive, send)
                return
        matched = _PATH.fullmatch(scope["path"])
        others = {WALL_PATH: self._serve_wall, LIST_PATH: self._serve_list}
        serve = others.get(scope["path"])
        if matched is None and serve is None:
            await refuse(send, HTTPStatus.NOT_FOUND, "No such stream.")
            return
        if scope["method"] != "GET":
            await refuse(send, HTTPStatus.METHOD_NOT_ALLOWED, "A stream can only be read.")
            return
        caller = await tank_access.caller_of_headers(scope["headers"])
        if serve is not None:
            await serve(caller, scope, receive, send)
            return
        assert matched is not None
        feed_id = int(matched[1])
        if not may_see(self._tank, caller, feed_id):
            await refuse(send, *unseen(caller))
            return
        make = partial(stream, self._tank, caller, feed_id)
        await self._streams.serve(caller, make, scope, receive, send)

    async def _serve_wall(self, caller: Caller, scope: Any, receive: Any, send: Any) -> None:
        ids = [device.device_id for device in visible(self._tank, caller, asked_feeds(scope))]
        if not ids:
            await refuse(send, *unseen(caller))
            return
        make = partial(wall_stream, self._tank, caller, ids)
        await self._streams.serve(caller, make, scope, receive, send)

    async def _serve_list(self, caller: Caller, scope: Any, receive: Any, send: Any) -> None:
        if caller.account is None:
            await refuse(send, *unseen(caller))
            return
        make = partial(list_stream, self._tank, self._new_devices, caller, AskedRows.of(scope))
        await self._streams.serve(caller, make, scope, receive, send)


async def stream(
    tank: Tank, caller: Caller, device_id: int, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The messages of one stream, until `stopping` is set or the device is gone."""
    kinds: list[type[Event]] = [
        DatapointsRecorded,
        DeviceUpdated,
        DeviceDeleted,
        PresenceChanged,
    ]
    watch = log_watch = None
    if may_reach(caller, "put", tank.directory.get_device(device_id)):
        kinds += [RequestServed, TriggerChanged, TriggerFired]
        watch, log_watch = TriggerWatch(tank, device_id), LogWatch(tank, device_id)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(
            tank.bus.listen(*kinds, device_id=device_id, events_max=EVENTS_MAX)
        )
        if log_watch is not None:
            stack.callback(log_watch.close)
        yield await _hello(tank, device_id, watch)
        told_count, silent_since_s = 0, time.monotonic()
        while not stopping.is_set():
            wait_s = max(0.0, silent_since_s + HEARTBEAT_S - time.monotonic())
            wait_s = min(wait_s, LOG_S) if log_watch else wait_s
            wait_s = watch.wait_s(wait_s) if watch else wait_s
            events = await next_events(listener, stopping, wait_s)
            if not may_see(tank, caller, device_id):
                yield message("gone", {})
                return
            # Most are dropped while a slow tab takes what was yielded last.
            if listener.dropped_count > told_count:
                told_count = listener.dropped_count
                yield message("reload", {})
            for answer in messages_of(tank, events):
                yield answer
            if watch is not None:
                watch.note(events)
                if changed := await watch.take():
                    yield message("triggers", changed)
            if log_watch is not None and log_watch.take(events):
                yield message("noted", {})
            if events:
                silent_since_s = time.monotonic()
            elif time.monotonic() >= silent_since_s + HEARTBEAT_S:
                silent_since_s = time.monotonic()
                yield HEARTBEAT


class LogWatch:
    """Whether the event log, or what is kept for the device, has something new.

    It says so a while after: messages may be far more than a page can follow, and what was kept is
    given to a device after it has come.
    """

    def __init__(self, tank: Tank, device_id: int) -> None:
        # One is enough to know of; it does not wake the stream.
        self._messages = tank.bus.listen(MessageSent, device_id=device_id, events_max=1)
        self._due_s: float | None = None

    def close(self) -> None:
        """Listen no more."""
        self._messages.close()

    def take(self, events: Sequence[Event]) -> bool:
        """Whether to tell now; `events` are what else has happened."""
        now_s = time.monotonic()
        has_moved = any(isinstance(event, PresenceChanged) for event in events)
        if (self._messages.take_all() or has_moved) and self._due_s is None:
            self._due_s = now_s + LOG_S
        if self._due_s is None or now_s < self._due_s:
            return False
        self._due_s = None
        return True


async def _hello(tank: Tank, device_id: int, watch: TriggerWatch | None) -> bytes:
    """`watch` where the tab may see requests and triggers."""
    channels = await read_channels(tank, device_id)
    values: dict[str, dict[str, Any]] = {
        channel.name: {"value": channel.value, "at_ms": channel.at_us // 1000, "points": []}
        for channel in channels
        if channel.at_us is not None
    }
    served = tank.request_log.of_device(device_id) if watch else []
    body = {
        "channels": [channel.name for channel in channels],
        "values": values,
        "requests": [request_row(tank, event) for event in reversed(served)],
        "triggers": await watch.look() if watch else {},
    }
    return RETRY + message("hello", body)


def messages_of(tank: Tank, events: Sequence[Event]) -> Iterator[bytes]:
    """Coalesce events into at most one message of each kind."""
    recorded = []
    rows = []
    is_changed = False
    for event in events:
        match event:
            case DatapointsRecorded():
                recorded.append(event)
            case RequestServed():
                rows.append(request_row(tank, event))
            case TriggerFired():
                pass  # below
            case _:
                is_changed = True
    if is_changed:
        yield message("device", {})
    if recorded:
        yield message("values", updates_of(recorded))
    if rows:
        yield message("requests", rows)
    if fired := fired_rows(events):
        yield message("fired", fired)
