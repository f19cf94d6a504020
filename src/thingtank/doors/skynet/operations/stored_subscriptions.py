"""Subscriptions that are kept with their subscriber, and hold while it is away as well."""

from typing import Any

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations.devices import visible
from thingtank.tank.actions.properties import change_properties
from thingtank.tank.changes import DeviceChange
from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.tank.messaging.permissions import Party, check_configure
from thingtank.tank.messaging.stored_subscriptions import (
    SUBSCRIPTIONS_MAX,
    TYPES,
    StoredSubscription,
    subscriptions_of,
)
from thingtank.tank.things import Device


async def listing(door: SkynetDoor, party: Party, uuid: str) -> list[dict[str, Any]]:
    """What a device has subscribed to for good.

    Raises:
        NoSuchDevice, NotAllowed, RateLimited.
    """
    device = await _subscriber(door, party, uuid)
    return [
        {"subscriberUuid": device.uuid, "emitterUuid": each.emitter_uuid, "type": each.type}
        for each in subscriptions_of(device)
    ]


async def add(door: SkynetDoor, party: Party, uuid: str, emitter_uuid: str, type_: str) -> None:
    """Subscribe a device for good; that it is subscribed already is fine.

    Whether it may hear the emitter is looked at with each delivery, so that nobody learns by
    subscribing which devices there are.

    Raises:
        NoSuchDevice: there is no such subscriber, or it may not be discovered.
        NotAllowed, ValidationFailed, LimitReached, RateLimited.
    """
    if type_ not in TYPES:
        raise ValidationFailed([("type", f"is not one of {', '.join(TYPES)}")])
    device = await _subscriber(door, party, uuid)
    added = StoredSubscription(emitter_uuid, type_)

    def with_it(newest: Device) -> DeviceChange:
        kept = subscriptions_of(newest)
        if added in kept:
            return DeviceChange()
        if len(kept) >= SUBSCRIPTIONS_MAX:
            raise LimitReached(f"a device may have {SUBSCRIPTIONS_MAX} subscriptions")
        return _change(newest, [*kept, added])

    await change_properties(door.tank, party, device.device_id, with_it)


async def remove(
    door: SkynetDoor, party: Party, uuid: str, emitter_uuid: str = "", type_: str = ""
) -> None:
    """End a device's subscriptions to an emitter and of a type, blank for any.

    Raises:
        NoSuchDevice, NotAllowed, RateLimited.
    """
    device = await _subscriber(door, party, uuid)

    def without(newest: Device) -> DeviceChange:
        kept = subscriptions_of(newest)
        left = [
            each
            for each in kept
            if (emitter_uuid and each.emitter_uuid.lower() != emitter_uuid.lower())
            or (type_ and each.type != type_)
        ]
        return DeviceChange() if len(left) == len(kept) else _change(newest, left)

    await change_properties(door.tank, party, device.device_id, without)


async def _subscriber(door: SkynetDoor, party: Party, uuid: str) -> Device:
    await door.rates.count("queries", party)
    device = visible(door, party, uuid)
    check_configure(party, device, door.tank.messaging.policy)
    return device


def _change(device: Device, kept: list[StoredSubscription]) -> DeviceChange:
    before = device.properties.get("meshblu")
    meshblu = dict(before) if isinstance(before, dict) else {}
    meshblu["subscriptions"] = [
        {"emitterUuid": each.emitter_uuid, "type": each.type} for each in kept
    ]
    return DeviceChange(properties={**device.properties, "meshblu": meshblu})
