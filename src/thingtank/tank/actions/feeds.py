"""Make a feed, and write to it, as Xively does: metadata and datastreams in one request."""

from collections.abc import Sequence

from thingtank.tank.access import OPERATOR, Caller, check_reach
from thingtank.tank.actions.datapoints import apply_writes, check_writes
from thingtank.tank.actions.datastreams import delete_datastream, draft
from thingtank.tank.actions.devices import (
    apply_device_change,
    checked_device_change,
    create_device,
    delete_device,
)
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.errors import TankError
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device


async def create_feed(
    tank: Tank, caller: Caller, change: DeviceChange, writes: Sequence[DatastreamWrite]
) -> Device:
    """Make a device with datastreams and their first values, all or nothing.

    Raises:
        ValidationFailed, LimitReached, NotAllowed, Unauthenticated, Overloaded, StorageFailed.

    Source: Xively API v2, "Create a feed".
    """
    check_writes(tank, 0, writes, creates_missing=True)
    drafts = [draft(write.name, write.change) for write in writes]
    created = await create_device(tank, caller, change, drafts)
    try:
        await apply_writes(tank, created.device, writes)
    except TankError as refusal:  # its first values were refused: leave no half of it behind
        try:
            await delete_device(tank, OPERATOR, created.device.device_id)
        except TankError as failure:
            refusal.add_note(f"feed {created.device.device_id} is left empty: {failure}")
        raise
    return created.device


async def write_feed(
    tank: Tank,
    caller: Caller,
    device_id: int,
    change: DeviceChange | None,
    writes: Sequence[DatastreamWrite],
) -> None:
    """Merge a document into a feed: fields that are there overwrite, unknown datastreams are made.

    Args:
        change: the device's new metadata, None for none.
        writes: one for each datastream in the document.

    Raises:
        NoSuchDevice, ValidationFailed, LimitReached, NotAllowed, Unauthenticated, Overloaded,
        StorageFailed.

    Source: Xively API v2, "Update a feed".
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "put", device)
    if change is not None:
        checked_device_change(device, change)
    is_plain = check_writes(tank, device_id, writes, creates_missing=True)
    if writes:
        await apply_writes(tank, device, writes, is_plain)
    if change is not None:
        await apply_device_change(tank, device_id, change)


async def delete_other_datastreams(
    tank: Tank, caller: Caller, device_id: int, writes: Sequence[DatastreamWrite]
) -> None:
    """Delete a device's datastreams but for those that are written to.

    Raises:
        NoSuchDevice, NotAllowed, Unauthenticated.
    """
    named = {write.name for write in writes}
    for name in list(tank.directory.datastreams(device_id)):
        if name not in named:
            await delete_datastream(tank, caller, device_id, name)
