"""The wall: channels of several devices side by side, and the one stream that keeps them live."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec

from thingtank.tank.access import Caller
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.events import DatapointsRecorded, DeviceDeleted, DeviceUpdated, Event
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web.workbench.long_answers import may_see
from thingtank.web.workbench.panels import ChannelPanel, read_channels
from thingtank.web.workbench.streams import HEARTBEAT, HEARTBEAT_S, RETRY, message
from thingtank.web.workbench.values import next_events, updates_of

FEEDS_MAX = 8
CHARTS_MAX = 48  # of all of them; a screen shows no more
EVENTS_MAX = 2000
TERMS_MAX = 100  # of an address
WALL_PATH = "/live/wall"


class WallChannel(msgspec.Struct, frozen=True):
    """A channel on the wall, with its device.

    Attributes:
        key: tells it from the others of the page.
    """

    device: Device
    channel: ChannelPanel

    @property
    def key(self) -> str:
        """As the stream names it, too."""
        return wall_key(self.device.device_id, self.channel.name)


def wall_key(device_id: int, name: str) -> str:
    """What tells a channel from all others."""
    return f"{device_id}:{name}"


def feed_ids(texts: Iterable[str], feeds_max: int = FEEDS_MAX) -> list[int]:
    """The first `feeds_max` feeds that an address names, each once; nonsense is left out."""
    asked = [part.strip() for text in list(texts)[:TERMS_MAX] for part in text[:200].split(",")]
    numbers = [int(part) for part in asked if part.isascii() and part.isdigit() and len(part) < 19]
    return list(dict.fromkeys(numbers))[:feeds_max]


def visible(tank: Tank, caller: Caller, ids: Iterable[int]) -> list[Device]:
    """Those that are there and may be seen, in the order asked for."""
    found = []
    for device_id in ids:
        try:
            if may_see(tank, caller, device_id):
                found.append(tank.directory.get_device(device_id))
        except NoSuchDevice:  # deleted between the two
            continue
    return found


async def read_wall(
    tank: Tank, devices: Sequence[Device], channels_max: int = CHARTS_MAX
) -> list[WallChannel]:
    """The first `channels_max` channels of some devices."""
    found: list[WallChannel] = []
    for device in devices:
        if len(found) >= channels_max:
            break
        channels = await read_channels(tank, device.device_id)
        found += [WallChannel(device, channel) for channel in channels]
    return found[:channels_max]


def asked_terms(scope: Any) -> dict[str, list[str]]:
    """The terms of a stream's address; none where it has more than TERMS_MAX."""
    try:
        return parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=TERMS_MAX)
    except ValueError:
        return {}


def asked_feeds(scope: Any) -> list[int]:
    """The feeds that a wall's address names."""
    return feed_ids(asked_terms(scope).get("feed", ()))


async def wall_stream(
    tank: Tank, caller: Caller, ids: Sequence[int], stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The messages of one wall, until `stopping` is set: as those of a device's page.

    `device` says that something else than a value has changed, also that a device is gone.
    """
    kinds = (DatapointsRecorded, DeviceUpdated, DeviceDeleted)
    with tank.bus.listen(*kinds, device_ids=ids, events_max=EVENTS_MAX) as listener:
        yield RETRY + message("hello", await _hello(tank, visible(tank, caller, ids)))
        told_count, silent_since_s = 0, time.monotonic()
        while not stopping.is_set():
            wait_s = max(0.0, silent_since_s + HEARTBEAT_S - time.monotonic())
            events = await next_events(listener, stopping, wait_s)
            if listener.dropped_count > told_count:
                told_count = listener.dropped_count
                yield message("reload", {})
            for answer in _messages_of(tank, caller, events):
                yield answer
            if not events:
                yield HEARTBEAT
            silent_since_s = time.monotonic()


async def _hello(tank: Tank, devices: Sequence[Device]) -> dict[str, Any]:
    shown = await read_wall(tank, devices)
    values: dict[str, dict[str, Any]] = {
        each.key: {"value": each.channel.value, "at_ms": each.channel.at_us // 1000, "points": []}
        for each in shown
        if each.channel.at_us is not None
    }
    return {"channels": [each.key for each in shown], "values": values}


def _messages_of(tank: Tank, caller: Caller, events: Sequence[Event]) -> list[bytes]:
    recorded = [event for event in events if isinstance(event, DatapointsRecorded)]
    seen = {event.device_id for event in recorded}
    seen = {device_id for device_id in seen if may_see(tank, caller, device_id)}
    values: dict[str, dict[str, Any]] = {}
    for device_id in seen:
        own = updates_of([event for event in recorded if event.device_id == device_id])
        values |= {wall_key(device_id, name): update for name, update in own.items()}
    answers = [message("values", values)] if values else []
    if len(recorded) < len(events):
        answers.append(message("device", {}))
    return answers
