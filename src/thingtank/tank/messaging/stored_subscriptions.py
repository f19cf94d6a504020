"""Subscriptions that a device keeps, in its property `meshblu.subscriptions`.

What the emitter does reaches whoever hears what the subscriber receives; and is kept for it while
it is away, if it has messages kept. Rights are looked at with each delivery, as with all others.

Source: Meshblu, subscriptions, from 1.11 on; meshblu-core, subscription types.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from thingtank.tank.bus import Bus
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.events import DeviceCreated, DeviceDeleted, DeviceUpdated
from thingtank.tank.interfaces import Directory
from thingtank.tank.messaging.switchboard import Kind
from thingtank.tank.things import Device
from thingtank.tank.tokens import UUID_CHARS_MAX, uuid_key

SUBSCRIPTIONS_MAX = 200  # of one device
_LISTED_MAX = 10_000_000

# What each type hears of its emitter. The last three are of subscriptions that led to others in
# Meshblu 2: what they would bring comes here without them.
TYPES: dict[str, Kind | None] = {
    "broadcast": "broadcast",
    "config": "config",
    "received": "received",
    "sent": "sent",
    "broadcast.sent": "broadcast",
    "message.sent": "sent",
    "message.received": "received",
    "configure.sent": "config",
    "unregister.sent": "unregistered",
    "broadcast.received": None,
    "configure.received": None,
    "unregister.received": None,
}


class StoredSubscription(Struct, frozen=True):
    """One of a device's, `type` one of TYPES."""

    emitter_uuid: str
    type: str


def subscriptions_of(device: Device) -> list[StoredSubscription]:
    """What a device has subscribed to; what cannot be read is left out."""
    meshblu = device.properties.get("meshblu")
    given: Any = meshblu.get("subscriptions") if isinstance(meshblu, dict) else None
    if not isinstance(given, list):
        return []
    return list(_readable(given[:SUBSCRIPTIONS_MAX]))


def _readable(given: list[Any]) -> Iterator[StoredSubscription]:
    for each in given:
        if not isinstance(each, dict):
            continue
        emitter, type_ = each.get("emitterUuid"), each.get("type")
        if not isinstance(emitter, str) or not isinstance(type_, str):
            continue
        if len(emitter) <= UUID_CHARS_MAX and type_ in TYPES:
            yield StoredSubscription(emitter, type_)


class StoredSubscriptions:
    """Those of all devices, by emitter. Lives in the loop's thread."""

    def __init__(self, bus: Bus, directory: Directory) -> None:
        """Devices are read when they are first asked for, and followed from then on."""
        self._directory = directory
        self._by_emitter: dict[str, dict[Kind, dict[int, None]]] = {}
        self._emitters: dict[int, tuple[tuple[str, Kind], ...]] = {}  # of a subscriber
        self._is_filled = False
        bus.react(DeviceCreated, lambda event: self._follow(event.device))
        bus.react(DeviceUpdated, lambda event: self._follow(event.device))
        bus.react(DeviceDeleted, lambda event: self._forget(event.device.device_id))

    @property
    def is_empty(self) -> bool:
        """Whether nobody is subscribed to anything."""
        if not self._is_filled:
            self._fill()
        return not self._by_emitter

    def subscribers(self, emitter: Device, kind: Kind) -> list[Device]:
        """Who is subscribed to a kind of a device, but for itself."""
        if self.is_empty:
            return []
        kinds = self._by_emitter.get(uuid_key(emitter.uuid))
        if kinds is None or kind not in kinds:
            return []
        return list(self._there(kinds[kind], emitter))

    def _there(self, device_ids: Iterable[int], emitter: Device) -> Iterator[Device]:
        for device_id in device_ids:
            # One may be gone, and its end not announced yet.
            with contextlib.suppress(NoSuchDevice):
                if device_id != emitter.device_id:
                    yield self._directory.get_device(device_id)

    def _fill(self) -> None:
        self._is_filled = True
        for device in self._directory.devices_matching(
            lambda device: "meshblu" in device.properties, _LISTED_MAX
        ):
            self._follow(device)

    def _follow(self, device: Device) -> None:
        device_id = device.device_id
        if not self._is_filled:
            return
        if device_id in self._emitters:
            self._forget(device_id)
        if "meshblu" not in device.properties:
            return
        found: dict[tuple[str, Kind], None] = {}
        for each in subscriptions_of(device):
            kind = TYPES[each.type]
            if kind is not None:
                found[uuid_key(each.emitter_uuid), kind] = None
        if found:
            self._emitters[device_id] = tuple(found)
            for emitter, kind in found:
                self._by_emitter.setdefault(emitter, {}).setdefault(kind, {})[device_id] = None

    def _forget(self, device_id: int) -> None:
        for emitter, kind in self._emitters.pop(device_id, ()):
            kinds = self._by_emitter[emitter]
            del kinds[kind][device_id]
            if not kinds[kind]:
                del kinds[kind]
            if not kinds:
                del self._by_emitter[emitter]
