"""Write to a feed as Xively's `PUT /v2/feeds/F` does: metadata and datastreams in one request."""

from collections.abc import Sequence

from thingtank.tank.access import Caller, check_reach
from thingtank.tank.actions.datapoints import apply_writes, check_writes
from thingtank.tank.actions.devices import apply_change, checked_change
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.tank import Tank


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
        checked_change(device, change)
    check_writes(tank, device_id, writes, creates_missing=True)
    if writes:
        await apply_writes(tank, device, writes)
    if change is not None:
        await apply_change(tank, device_id, change)
