"""Feeds: list and search, create, read with history, merge, delete.

Source: Xively API v2, feeds; v1, where a PUT replaces the datastreams.
"""

from thingtank.documents.feeds import (
    add_waypoints,
    datastream_writes,
    device_change,
    visible_devices,
    without_echoed_extremes,
)
from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.resources.shared import Context, asked_history
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.protocols.xively import query
from thingtank.protocols.xively.documents import FeedsBody
from thingtank.protocols.xively.paths import DatastreamsPath, FeedPath
from thingtank.tank.access import check_reach
from thingtank.tank.actions.devices import delete_device
from thingtank.tank.actions.feeds import create_feed, delete_other_datastreams, write_feed
from thingtank.tank.changes import DeviceChange


async def list_all(context: Context, request: Request) -> Reply:
    """`GET /feeds`: public feeds, and the owner's own."""
    parameters = request.parameters
    zone = query.zone_of(parameters)
    asked = query.parse_search(parameters)
    page, per_page = query.page_of(parameters)
    visible = visible_devices(request.caller, asked, context.settings.live_s, page, per_page)
    found = await context.tank.search_devices(visible)
    bodies = context.bodies(request, zone)
    body = FeedsBody(
        totalResults=found.total_count,
        startIndex=(page - 1) * per_page,
        itemsPerPage=per_page,
        results=[
            bodies.feed(
                device,
                with_user=query.flag(parameters, "show_user"),
                with_datastreams=asked.content == "full",
            )
            for device in found.devices
        ],
    )
    return Reply(body=request.codec.serialize_feeds(body))


async def create(context: Context, request: Request) -> Reply:
    """`POST /feeds`: 201 and `Location`."""
    document = request.codec.parse_feed(request.body)
    change = device_change(document) or DeviceChange()
    writes = datastream_writes(document, context.tank.clock.now_us())
    device = await create_feed(context.tank, request.caller, change, writes)
    return Reply(201, location=_location(request, device.device_id))


def _location(request: Request, feed_id: int) -> str:
    if request.target.version == 1:  # whose clients read the number in front of an extension
        return f"{request.base_url}/v1/feeds/{feed_id}.{request.format}"
    return f"{request.base_url}/v2/feeds/{feed_id}"


async def read(context: Context, request: Request) -> Reply:
    """`GET /feeds/F`, with history when its parameters ask for it."""
    path = request.target.path
    assert isinstance(path, FeedPath | DatastreamsPath)
    parameters = request.parameters
    directory = context.tank.directory
    device = directory.get_device(path.feed_id)
    check_reach(request.caller, "get", device)
    zone = query.zone_of(parameters)
    names = _chosen_names(parameters)
    history = None
    if query.asks_history(parameters):
        known = directory.datastreams(device.device_id)
        asked = None if names is None else [name for name in names if name in known]
        history = await asked_history(context, request, device.device_id, asked, zone)
    body = context.bodies(request, zone).feed(
        device, names, history, with_user=query.flag(parameters, "show_user")
    )
    await add_waypoints(context.tank, device, body, zone)
    return Reply(body=request.codec.serialize_feed(body, is_history=history is not None))


def _chosen_names(parameters: query.Parameters) -> list[str] | None:
    """`datastreams=a,b`, or the parameter repeated as the Python library does; None for all."""
    values = parameters.get("datastreams")
    if not values:
        return None
    return list(dict.fromkeys(name for value in values for name in value.split(",") if name))


async def update(context: Context, request: Request) -> Reply:
    """`PUT /feeds/F`: merge; unknown datastreams are made."""
    path = request.target.path
    assert isinstance(path, FeedPath)
    context.tank.directory.get_device(path.feed_id)  # one that is not there is told first
    document = request.codec.parse_feed(request.body)
    change = device_change(document)
    writes = without_echoed_extremes(
        context.tank,
        path.feed_id,
        datastream_writes(document, context.tank.clock.now_us()),
    )
    await write_feed(context.tank, request.caller, path.feed_id, change, writes)
    if request.target.version == 1 and writes:
        # API v1: the datastreams of a PUT replace those there were.
        await delete_other_datastreams(context.tank, request.caller, path.feed_id, writes)
    return DONE


async def delete(context: Context, request: Request) -> Reply:
    """`DELETE /feeds/F`."""
    path = request.target.path
    assert isinstance(path, FeedPath)
    await delete_device(context.tank, request.caller, path.feed_id)
    return DONE
