"""`tank.datastreams`: list, make, read, change, delete."""

from typing import Any

from thingtank.documents.feeds import datastream_write, without_echoed_extremes
from thingtank.doors.wamp.tank_peer.resources.shared import (
    Context,
    Document,
    FeedName,
    json_of,
    plain,
)
from thingtank.protocols.xively import json_format
from thingtank.tank.access import check_reach
from thingtank.tank.actions import datastreams as actions
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.errors import ValidationFailed


async def list_all(context: Context, feed: FeedName) -> Any:
    """List the datastreams of a feed with their current values, in order of name.

    Args:
        feed: its number, or its device's uuid.

    Returns:
        A list of datastreams as Xively has them.

    Raises:
        NoSuchDevice, NotAllowed, Unauthenticated.
    """
    device = context.find_device(feed)
    check_reach(context.caller, "get", device)
    bodies = context.bodies()
    known = context.tank.directory.datastreams(device.device_id)
    return [plain(bodies.datastream(each)) for each in known.values()]


async def read(context: Context, feed: FeedName, datastream: str) -> Any:
    """Read a datastream with its current value.

    Args:
        feed: its number, or its device's uuid.
        datastream: its name.

    Returns:
        The datastream as Xively has it.
    """
    device = context.find_device(feed)
    found = actions.get_datastream(context.tank, context.caller, device.device_id, datastream)
    return context.bodies().datastream(found)


async def create(context: Context, feed: FeedName, datastreams: list[Document]) -> None:
    """Make datastreams that are not there yet, perhaps with values.

    Args:
        feed: its number, or its device's uuid.
        datastreams: as Xively has them: `id`, `unit`, `tags`, `current_value`, `datapoints`.

    Returns:
        Nothing, once it is on disk.
    """
    tank, device = context.tank, context.find_device(feed)
    check_reach(context.caller, "post", device)
    documents = json_format.parse_datastreams(json_of({"datastreams": datastreams}))
    if not documents:
        raise ValidationFailed([("datastreams", "can't be blank")])
    now_us = tank.clock.now_us()
    writes = [datastream_write(document, now_us) for document in documents]
    await record_datapoints(
        tank, context.caller, device.device_id, writes, method="post", are_new=True
    )


async def update(context: Context, feed: FeedName, datastream: str, document: Document) -> None:
    """Merge a document into a datastream: unit, tags, values, extremes.

    Args:
        feed: its number, or its device's uuid.
        datastream: its name.
        document: as Xively has it; members that it lacks stay.

    Returns:
        Nothing, once it is on disk.
    """
    tank, device = context.tank, context.find_device(feed)
    check_reach(context.caller, "put", device, datastream)
    read_in = json_format.parse_datastream(json_of(document))
    write = datastream_write(read_in, tank.clock.now_us(), datastream)
    writes = without_echoed_extremes(tank, device.device_id, [write])
    await record_datapoints(tank, context.caller, device.device_id, writes)


async def delete(context: Context, feed: FeedName, datastream: str) -> None:
    """Delete a datastream with all that was recorded.

    Args:
        feed: its number, or its device's uuid.
        datastream: its name.

    Returns:
        Nothing.
    """
    device = context.find_device(feed)
    await actions.delete_datastream(context.tank, context.caller, device.device_id, datastream)
