"""Change a device's free properties, with its name and tags, by what is there at that moment."""

from collections.abc import Callable

import msgspec

from thingtank.tank.actions.devices import checked_device_change
from thingtank.tank.changes import DeviceChange
from thingtank.tank.events import DeviceUpdated
from thingtank.tank.messaging.permissions import Party, check_configure
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

ChangeOf = Callable[[Device], DeviceChange]


async def change_properties(
    tank: Tank, party: Party, device_id: int, change_of: ChangeOf
) -> Device:
    """Change a device; changes that come at the same time do not undo each other.

    Args:
        change_of: makes the change from the newest state; called within the turn of all writes.

    Raises:
        NoSuchDevice, NotAllowed, ValidationFailed, and what `change_of` raises.
    """
    check_configure(party, tank.directory.get_device(device_id), tank.messaging.policy)
    now_us = tank.clock.now_us()

    def change_newest(newest: Device) -> Device:
        changed = checked_device_change(newest, change_of(newest))
        if changed == newest:
            return newest
        return msgspec.structs.replace(changed, updated_us=max(now_us, newest.updated_us))

    before = tank.directory.get_device(device_id)
    device = await tank.directory.update_device(device_id, change_newest)
    if device is not before:
        tank.bus.publish(DeviceUpdated(device))
    return device
