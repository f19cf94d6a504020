"""`tank.feeds`: list and search, make, read, change, write, delete."""

from typing import Any, Literal

import msgspec

from thingtank.documents.feeds import (
    add_waypoints,
    datastream_writes,
    device_change,
    visible_devices,
    without_echoed_extremes,
)
from thingtank.doors.wamp.tank_peer.resources.shared import (
    Context,
    Document,
    FeedName,
    Number,
    Term,
    json_of,
    parameters_of,
    plain,
)
from thingtank.protocols.xively import json_format, query
from thingtank.protocols.xively.documents import FeedsBody
from thingtank.tank.access import check_reach
from thingtank.tank.actions import devices as device_actions
from thingtank.tank.actions import feeds as actions
from thingtank.tank.changes import DeviceChange
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.things import Device


async def list_all(
    context: Context,
    q: str = "",
    *,
    tag: str = "",
    user: str = "",
    units: str = "",
    status: str = "all",
    lat: Term | None = None,
    lon: Term | None = None,
    distance: Term | None = None,
    distance_units: str = "",
    order: str = "",
    content: Literal["full", "summary"] = "full",
    page: Number = 1,
    per_page: Number = 50,
) -> Any:
    """List and search feeds: public ones, and those of the caller's account.

    Args:
        q: words that title, description, tags, datastreams or owner have.
        tag, user, units: only feeds with this tag, of this login, with this unit.
        status: live, frozen or all.
        lat, lon, distance, distance_units: only feeds within a circle; kms or miles.
        order: created_at, retrieved_at or relevance.
        content: summary leaves out the datastreams.
        page, per_page: from 1; at most 1000 a page.

    Returns:
        `totalResults`, `startIndex`, `itemsPerPage` and `results`, a list of feeds.

    Raises:
        Unauthenticated, NotAllowed, Overloaded, ValidationFailed.
    """
    terms = {"q": q, "tag": tag, "user": user, "units": units, "status": status, "order": order}
    circle = {"lat": lat, "lon": lon, "distance": distance, "distance_units": distance_units}
    numbers = {"page": page, "per_page": per_page}
    parameters = parameters_of({**terms, **circle, **numbers, "content": content})
    asked = query.parse_search(parameters)
    page, per_page = query.page_of(parameters)
    visible = visible_devices(context.caller, asked, context.live_s, page, per_page)
    found = await context.tank.search_devices(visible)
    is_full = asked.content == "full"
    bodies = context.bodies()
    results = [bodies.feed(device, with_datastreams=is_full) for device in found.devices]
    return FeedsBody(found.total_count, (page - 1) * per_page, per_page, results)


async def read(context: Context, feed: FeedName, datastreams: list[str] | None = None) -> Any:
    """Read a feed with its datastreams and their current values.

    Args:
        feed: its number, or its device's uuid.
        datastreams: only these; those that there are not are left out.

    Returns:
        The feed as Xively has it, and `uuid`. All values and extremes are strings.

    Raises:
        NoSuchDevice, NotAllowed, Unauthenticated.
    """
    device = context.find_device(feed)
    check_reach(context.caller, "get", device)
    names = None if datastreams is None else list(dict.fromkeys(datastreams))
    body = context.bodies().feed(device, names)
    await add_waypoints(context.tank, device, body, None)
    return {"uuid": device.uuid, **plain(body)}


async def create(context: Context, document: Document) -> Any:
    """Make a feed, and so a device, with datastreams and their first values.

    Args:
        document: as Xively has it: `title`, `private`, `tags`, `location`, `datastreams` and so on.

    Returns:
        The new feed. Its key is in `tank.keys.list_revealed(feed)`, for those who may see it.
    """
    read_in = json_format.parse_feed(json_of(document))
    change = device_change(read_in) or DeviceChange()
    writes = datastream_writes(read_in, context.tank.clock.now_us())
    device = await actions.create_feed(context.tank, context.caller, change, writes)
    return _made(context, device)


async def write(context: Context, feed: FeedName, document: Document) -> None:
    """Merge a document into a feed: metadata, datastreams, values; unknown datastreams are made.

    Args:
        feed: its number, or its device's uuid.
        document: as Xively has it; members that it lacks stay.

    Returns:
        Nothing, once it is on disk.
    """
    device = context.find_device(feed)
    tank, read_in = context.tank, json_format.parse_feed(json_of(document))
    writes = datastream_writes(read_in, tank.clock.now_us())
    writes_without = without_echoed_extremes(tank, device.device_id, writes)
    change = device_change(read_in)
    await actions.write_feed(tank, context.caller, device.device_id, change, writes_without)


async def update(
    context: Context,
    feed: FeedName,
    document: Document | None = None,
    *,
    retention_s: Number | None = None,
) -> Any:
    """Change a feed's metadata only.

    Args:
        feed: its number, or its device's uuid.
        document: as Xively has it, without `datastreams`; members that it lacks stay.
        retention_s: how old datapoints get, in seconds; 0 keeps them for ever.

    Returns:
        The feed as it is now.
    """
    device = context.find_device(feed)
    read_in = json_format.parse_feed(json_of(document or {}))
    if read_in.datastreams is not None:
        raise ValidationFailed([("datastreams", "are written by tank.feeds.write")])
    change = device_change(read_in) or DeviceChange()
    if retention_s is not None:
        change = msgspec.structs.replace(change, retention_s=retention_s or None)
    changed = await device_actions.update_device(
        context.tank, context.caller, device.device_id, change
    )
    return _made(context, changed)


async def delete(context: Context, feed: FeedName) -> None:
    """Delete a feed and its device, with all that was recorded.

    Args:
        feed: its number, or its device's uuid.

    Returns:
        Nothing.
    """
    device = context.find_device(feed)
    await device_actions.delete_device(context.tank, context.caller, device.device_id)


def _made(context: Context, device: Device) -> Any:
    """A feed that has just been written."""
    return {"uuid": device.uuid, **plain(context.bodies().feed(device))}
