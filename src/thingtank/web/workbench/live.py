"""A device's page kept up to date by server-sent events.

One stream is one browser tab. It hears the device's events from a bounded listener and sends:

    hello    all current values and the last requests, at the start
    values   what was written in the last tenth of a second, each channel once
    requests rows of the request log (only for who may change the device)
    device   channels or metadata changed: fetch the page anew
    reload   events were dropped because the tab is slow: fetch the page anew
    gone     the device was deleted, or may no longer be seen; the stream ends
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import msgspec
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.bus import Listener
from thingtank.tank.errors import NotFound
from thingtank.tank.events import (
    DatapointsRecorded,
    DeviceDeleted,
    DeviceUpdated,
    Event,
    RequestServed,
)
from thingtank.tank.tank import Tank
from thingtank.web import tank_access
from thingtank.web.workbench.panels import read_channels, request_row

HEARTBEAT_S = 15.0
COALESCE_S = 0.1
RETRY_MS = 2000
EVENTS_MAX = 1000
STREAMS_MAX = 500  # each holds a connection and a listener; a browser shows few pages at once
POINTS_PER_UPDATE_MAX = 40  # of one channel; a chart has no more pixels for a tenth of a second

_open_streams: set[asyncio.Event] = set()


def stop_all() -> None:
    """End every stream soon, so that a server can stop; from the loop's thread."""
    for stopping in _open_streams:
        stopping.set()


async def live(request: HttpRequest, feed_id: int) -> HttpResponseBase:
    """Stream a device's events to its page."""
    caller = await sync_to_async(tank_access.caller)(request)
    if caller.account is None:
        return HttpResponse("Sign in first.", status=401, content_type="text/plain")
    tank = tank_access.tank()
    if not _may_watch(tank, caller, feed_id):
        return HttpResponse("No such device.", status=404, content_type="text/plain")
    if len(_open_streams) >= STREAMS_MAX:
        return HttpResponse("Too many open pages.", status=503, content_type="text/plain")
    response = StreamingHttpResponse(
        stream(tank, caller, feed_id), content_type="text/event-stream"
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # nginx would hold events back
    return response


async def stream(tank: Tank, caller: Caller, device_id: int) -> AsyncIterator[bytes]:
    """The messages of one stream, until the client goes, `stop_all`, or the device is gone."""
    kinds: list[type[Event]] = [DatapointsRecorded, DeviceUpdated, DeviceDeleted]
    if may_reach(caller, "put", tank.directory.get_device(device_id)):
        kinds.append(RequestServed)
    stopping = asyncio.Event()
    _open_streams.add(stopping)
    try:
        with tank.bus.listen(*kinds, device_id=device_id, events_max=EVENTS_MAX) as listener:
            yield await _hello(tank, device_id, RequestServed in kinds)
            while not stopping.is_set():
                events, was_dropped = await _next_events(listener, stopping)
                if not _may_watch(tank, caller, device_id):
                    yield message("gone", {})
                    return
                if was_dropped:
                    yield message("reload", {})
                for answer in messages_of(events):
                    yield answer
                if not events:
                    yield b": still here\n\n"
    finally:
        _open_streams.discard(stopping)


def _may_watch(tank: Tank, caller: Caller, device_id: int) -> bool:
    """Whether the account as it is now may see the device as it is now."""
    if caller.account is None:
        return False
    try:
        account = tank.directory.get_account(caller.account.account_id)
        return may_reach(Caller(account), "get", tank.directory.get_device(device_id))
    except NotFound:
        return False


async def _hello(tank: Tank, device_id: int, with_requests: bool) -> bytes:
    values = {
        channel.name: {"value": channel.value, "at_ms": channel.at_us // 1000, "points": []}
        for channel in await read_channels(tank, device_id)
        if channel.at_us is not None
    }
    served = tank.request_log.of_device(device_id) if with_requests else []
    body = {"values": values, "requests": [request_row(event) for event in reversed(served)]}
    return f"retry: {RETRY_MS}\n".encode() + message("hello", body)


async def _next_events(listener: Listener, stopping: asyncio.Event) -> tuple[list[Event], bool]:
    """What happened in the next tenth of a second with events; none after HEARTBEAT_S."""
    dropped_before = listener.dropped_count
    first = asyncio.ensure_future(listener.next())
    stopped = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait(
            {first, stopped}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not first.done():
            return [], False
        await asyncio.wait({stopped}, timeout=COALESCE_S)
        events = [first.result(), *listener.take_all()]
        return events, listener.dropped_count > dropped_before
    finally:
        first.cancel()
        stopped.cancel()


def messages_of(events: Sequence[Event]) -> Iterator[bytes]:
    """Coalesce events into at most one message of each kind."""
    values: dict[str, dict[str, Any]] = {}
    rows = []
    is_changed = False
    for event in events:
        match event:
            case DatapointsRecorded():
                _add_values(values, event)
            case RequestServed():
                rows.append(request_row(event))
            case _:
                is_changed = True
    if is_changed:
        yield message("device", {})
    if values:
        for update in values.values():
            update["points"] = _thinned(update["points"])
        yield message("values", values)
    if rows:
        yield message("requests", rows)


def _add_values(values: dict[str, dict[str, Any]], event: DatapointsRecorded) -> None:
    columns = event.columns
    for row, stream_id in enumerate(columns.stream_ids):
        at_ms, number = columns.at_us[row] // 1000, columns.numbers[row]
        update = values.setdefault(
            event.names[stream_id], {"value": "", "at_ms": at_ms, "points": []}
        )
        if at_ms >= update["at_ms"]:
            update["at_ms"] = at_ms
            update["value"] = columns.value(row)
        if number == number:  # NaN stands for text
            update["points"].append((at_ms / 1000, number))


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most POINTS_PER_UPDATE_MAX points in order of time, extremes and last among them."""
    points.sort()
    if len(points) <= POINTS_PER_UPDATE_MAX:
        return points
    stride = -(-len(points) // (POINTS_PER_UPDATE_MAX - 3))
    by_number = sorted(points, key=lambda point: point[1])
    return sorted({*points[::stride], by_number[0], by_number[-1], points[-1]})


def message(event: str, body: Any) -> bytes:
    """One server-sent event; JSON has no line breaks, so one `data` line holds it."""
    return b"event: " + event.encode() + b"\ndata: " + msgspec.json.encode(body) + b"\n\n"
