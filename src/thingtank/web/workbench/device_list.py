"""The list of devices: what a row says of values, and the one stream that keeps a page's rows live.

A stream follows only the rows that its address names, and sends:

    hello    all of these rows, at the start
    rows     those of them that were written in the last tenth of a second, each as it is then
    changed  something else that the page shows has changed, a device was made or is gone, or events
             were dropped as the tab is slow: fetch the page anew; at most once in CHANGED_S
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlencode

import msgspec

from thingtank.tank.access import Caller
from thingtank.tank.bus import Listener
from thingtank.tank.events import (
    DatapointsRecorded,
    DeviceCreated,
    DeviceDeleted,
    DeviceUpdated,
    Event,
)
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device, Unit
from thingtank.web.workbench.heard import among
from thingtank.web.workbench.long_answers import may_see
from thingtank.web.workbench.panels import DeviceRow, newest_us, read_rows
from thingtank.web.workbench.streams import HEARTBEAT, HEARTBEAT_S, RETRY, message
from thingtank.web.workbench.values import next_events
from thingtank.web.workbench.wall import asked_terms, feed_ids, visible

ROWS_MAX = 25  # of a page
VALUES_MAX = 3  # of a row: its first channels that have one
VALUE_CHARS_MAX = 40
EVENTS_MAX = 2000
CHANGED_S = 1.0  # a page is not fetched more often, whatever a row's device says of itself
LIST_PATH = "/live/devices"


class ListedValue(msgspec.Struct, frozen=True):
    """A channel's current value in a row; a long one is cut."""

    name: str
    value: str
    symbol: str


class ListedDevice(msgspec.Struct, frozen=True):
    """A device of the list, as a page is rendered."""

    row: DeviceRow
    values: list[ListedValue]


class RowBody(msgspec.Struct, frozen=True):
    """A row as a stream tells it.

    Attributes:
        at_ms: when its newest value is from; None while nothing was written.
    """

    channel_count: int
    at_ms: int | None
    values: list[ListedValue]


class AskedRows(msgspec.Struct, frozen=True):
    """What a page shows.

    Attributes:
        device_ids: of its rows.
        is_all: whether it lists all that the account may see, or only what it has.
    """

    device_ids: list[int]
    is_all: bool

    @classmethod
    def of(cls, scope: Any) -> "AskedRows":
        """What a stream's address asks for: ROWS_MAX rows at most."""
        terms = asked_terms(scope)
        return cls(feed_ids(terms.get("feed", ()), ROWS_MAX), terms.get("scope") == ["all"])


def list_url(devices: Iterable[Device], *, is_all: bool) -> str:
    """Where a page's stream is."""
    terms = [("scope", "all")] if is_all else []
    feeds = [("feed", str(device.device_id)) for device in devices]
    return f"{LIST_PATH}?{urlencode([*terms, *feeds])}"


async def read_list(
    tank: Tank, caller: Caller, devices: Sequence[Device], live_s: int
) -> list[ListedDevice]:
    """Devices as the list shows them."""
    rows = await read_rows(tank, caller, devices, live_s)
    return [ListedDevice(row, listed_values(tank, row.device.device_id)) for row in rows]


def listed_values(tank: Tank, device_id: int) -> list[ListedValue]:
    """The current values that a row shows, in order of their channels' names."""
    found: list[ListedValue] = []
    for datastream in tank.directory.datastreams(device_id).values():
        current = tank.archive.current(datastream.stream_id)
        if current is None or current.value is None:
            continue
        unit = datastream.unit or Unit()
        found.append(ListedValue(datastream.name, _cut(current.value), unit.symbol))
        if len(found) == VALUES_MAX:
            break
    return found


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 1] + "…"


class NewDevices:
    """Tells the lists that are open of devices that are made. Belongs to the loop's thread."""

    def __init__(self, tank: Tank) -> None:
        self._lists: list[tuple[Listener, Callable[[Device], bool]]] = []
        tank.bus.react(DeviceCreated, self._tell)

    def told_to(
        self, listener: Listener, wants: Callable[[Device], bool]
    ) -> AbstractContextManager[object]:
        """Have a listener get those that it wants too, until the end of the block."""
        return among(self._lists, (listener, wants))

    def _tell(self, event: DeviceCreated) -> None:
        for listener, wants in self._lists:
            if wants(event.device):
                listener.offer(event)


def read_bodies(tank: Tank, caller: Caller, device_ids: Iterable[int]) -> dict[str, RowBody]:
    """Rows of devices, as far as they may be seen now, by feed ID."""
    bodies = {}
    for device in visible(tank, caller, device_ids):
        streams = tank.directory.datastreams(device.device_id)
        currents = (tank.archive.current(each.stream_id) for each in streams.values())
        at_us = newest_us(current.at_us for current in currents if current)
        bodies[str(device.device_id)] = RowBody(
            len(streams),
            None if at_us is None else at_us // 1000,
            listed_values(tank, device.device_id),
        )
    return bodies


class ShownFacts:
    """What a page's rows say of their devices besides values.

    Devices may say something of themselves many times a second that no row shows, such as where
    they are.
    """

    def __init__(self, devices: Iterable[Device]) -> None:
        self._of_device = {device.device_id: _facts(device) for device in devices}

    def differ_after(self, events: Iterable[Event]) -> bool:
        """Whether events have changed any of them, or which devices there are."""
        changes = [self._is_changed_by(event) for event in events]  # each is noted
        return any(changes)

    def _is_changed_by(self, event: Event) -> bool:
        match event:
            case DatapointsRecorded():
                return False
            case DeviceUpdated(device=device, is_record=True):
                before = self._of_device.get(device.device_id)
                self._of_device[device.device_id] = _facts(device)
                return before != _facts(device)
            case _:
                return True


def _facts(device: Device) -> tuple[object, ...]:
    return device.account_id, device.title, device.description, device.tags, device.private


async def list_stream(
    tank: Tank, new_devices: NewDevices, caller: Caller, asked: AskedRows, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The messages of one page of the list, until `stopping` is set."""

    def wants(device: Device) -> bool:
        is_own = caller.account is not None and device.account_id == caller.account.account_id
        return is_own or (asked.is_all and may_see(tank, caller, device.device_id))

    kinds = (DatapointsRecorded, DeviceCreated, DeviceUpdated, DeviceDeleted)
    with (
        tank.bus.listen(*kinds, device_ids=asked.device_ids, events_max=EVENTS_MAX) as listener,
        new_devices.told_to(listener, wants),
    ):
        facts = ShownFacts(visible(tank, caller, asked.device_ids))
        rows = read_bodies(tank, caller, asked.device_ids)
        yield RETRY + message("hello", {"now_ms": tank.clock.now_us() // 1000, "rows": rows})
        told_count, has_changed = 0, False
        silent_since_s = time.monotonic()
        changed_s = silent_since_s - CHANGED_S
        while not stopping.is_set():
            due_s = silent_since_s + HEARTBEAT_S
            due_s = min(due_s, changed_s + CHANGED_S) if has_changed else due_s
            events = await next_events(listener, stopping, max(0.0, due_s - time.monotonic()))
            written = _written(events)
            has_changed |= facts.differ_after(events)
            if listener.dropped_count > told_count:  # while a slow tab took what came last
                told_count, has_changed = listener.dropped_count, True
                written = asked.device_ids
            now_s, answers = time.monotonic(), []
            if rows := read_bodies(tank, caller, written):
                answers.append(message("rows", rows))
            if has_changed and now_s >= changed_s + CHANGED_S:
                changed_s, has_changed = now_s, False
                answers.append(message("changed", {}))
            if not answers and now_s >= silent_since_s + HEARTBEAT_S:
                answers.append(HEARTBEAT)
            for answer in answers:
                yield answer
                silent_since_s = now_s


def _written(events: Iterable[Event]) -> list[int]:
    recorded = (event.device_id for event in events if isinstance(event, DatapointsRecorded))
    return list(dict.fromkeys(recorded))
