"""Datapoints: write many, read, change and delete one, delete a range.

Source: Xively API v2, datapoints.
"""

from thingtank.documents.feeds import datapoint_columns
from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.resources.shared import Context
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.protocols.xively import json_format, query
from thingtank.protocols.xively.errors import Unprocessable
from thingtank.protocols.xively.paths import DatapointPath, DatapointsPath
from thingtank.tank.access import check_reach
from thingtank.tank.actions.datapoints import (
    delete_datapoint,
    delete_datapoints,
    get_datapoint,
    record_datapoints,
    update_datapoint,
)
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.datapoints import Datapoint
from thingtank.tank.errors import NoSuchDatapoint
from thingtank.tank.history import spanned


async def create(context: Context, request: Request) -> Reply:
    """`POST …/datapoints`: 200, empty."""
    path = request.target.path
    assert isinstance(path, DatapointsPath)
    tank = context.tank
    device = tank.directory.get_device(path.feed_id)
    check_reach(request.caller, "post", device, path.datastream_id)
    datapoints = request.codec.parse_datapoints(request.body)
    if not datapoints:
        raise Unprocessable([("datapoints", "can't be blank")])
    at_us, values = datapoint_columns(datapoints, tank.clock.now_us())
    write = DatastreamWrite(path.datastream_id, at_us, values)
    await record_datapoints(tank, request.caller, path.feed_id, [write], method="post")
    return DONE


async def delete_range(context: Context, request: Request) -> Reply:
    """`DELETE …/datapoints`: a range, in the query or in the body."""
    path = request.target.path
    assert isinstance(path, DatapointsPath)
    start_us, end_us = _range(context, request)
    await delete_datapoints(
        context.tank, request.caller, path.feed_id, path.datastream_id, start_us, end_us
    )
    return DONE


def _range(context: Context, request: Request) -> tuple[int | None, int | None]:
    parameters = {**_range_of_body(request.body.strip()), **request.parameters}
    start_us = query.parse_instant(query.first(parameters, "start"), "start")
    end_us = query.parse_instant(query.first(parameters, "end"), "end")
    duration_s = query.parse_duration(query.first(parameters, "duration"))
    return spanned(start_us, end_us, duration_s, context.tank.clock.now_us())


def _range_of_body(body: bytes) -> query.Parameters:
    """A range in a body: a form, labelled JSON, from the JavaScript library; or really JSON."""
    if not body.startswith(b"{"):
        return query.parse_parameters(body)
    document = json_format.parse_range(body)
    terms = {name: getattr(document, name) for name in ("start", "end", "duration")}
    return {name: [str(value)] for name, value in terms.items() if value is not None}


async def read(context: Context, request: Request) -> Reply:
    """`GET …/datapoints/T`."""
    path = request.target.path
    assert isinstance(path, DatapointPath)
    point = await get_datapoint(
        context.tank, request.caller, path.feed_id, path.datastream_id, _instant(path)
    )
    bodies = context.bodies(request, query.zone_of(request.parameters))
    return Reply(body=request.codec.serialize_datapoint(bodies.datapoints([point])[0]))


async def update(context: Context, request: Request) -> Reply:
    """`PUT …/datapoints/T`: 404 when there is none at that instant."""
    path = request.target.path
    assert isinstance(path, DatapointPath)
    value = json_format.value_of(request.codec.parse_datapoint(request.body).value)
    if value is None:
        raise Unprocessable([("value", "can't be blank")])
    point = Datapoint(_instant(path), value)
    await update_datapoint(context.tank, request.caller, path.feed_id, path.datastream_id, point)
    return DONE


async def delete(context: Context, request: Request) -> Reply:
    """`DELETE …/datapoints/T`."""
    path = request.target.path
    assert isinstance(path, DatapointPath)
    await delete_datapoint(
        context.tank, request.caller, path.feed_id, path.datastream_id, _instant(path)
    )
    return DONE


def _instant(path: DatapointPath) -> int:
    if path.at_us is None:
        raise NoSuchDatapoint(f"there is no datapoint at {path.at_text[:64]}")
    return path.at_us
