"""Datastreams: create, read with history, merge, delete.

Source: Xively API v2, datastreams.
"""

from urllib.parse import quote

from thingtank.documents.feeds import datastream_write, without_echoed_extremes
from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.resources.shared import Context, asked_history
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.protocols.xively import query
from thingtank.protocols.xively.errors import Unprocessable
from thingtank.protocols.xively.paths import DatapointsPath, DatastreamPath, DatastreamsPath
from thingtank.tank.access import check_reach
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.datastreams import delete_datastream, get_datastream


async def create(context: Context, request: Request) -> Reply:
    """`POST …/datastreams`: 201 and the `Location` of the first."""
    path = request.target.path
    assert isinstance(path, DatastreamsPath)
    device = context.tank.directory.get_device(path.feed_id)
    check_reach(request.caller, "post", device)
    documents = request.codec.parse_datastreams(request.body)
    if not documents:
        raise Unprocessable([("datastreams", "can't be blank")])
    now_us = context.tank.clock.now_us()
    writes = [datastream_write(document, now_us) for document in documents]
    await record_datapoints(
        context.tank, request.caller, path.feed_id, writes, method="post", are_new=True
    )
    name = quote(writes[0].name, safe="+")
    version = request.target.version
    where = f"{request.base_url}/v{version}/feeds/{path.feed_id}/datastreams/{name}"
    return Reply(201, location=where)


async def read(context: Context, request: Request) -> Reply:
    """`GET …/datastreams/D` and `…/datapoints`, with history when asked for; also as a picture."""
    path = request.target.path
    assert isinstance(path, DatastreamPath | DatapointsPath)
    tank = context.tank
    if request.format == "png":
        assert context.graphs is not None  # the format was not accepted otherwise
        picture = await context.graphs.png(
            request.caller, path.feed_id, path.datastream_id, request.parameters
        )
        return Reply(body=picture)
    datastream = get_datastream(tank, request.caller, path.feed_id, path.datastream_id)
    zone = query.zone_of(request.parameters)
    history = None
    is_history = isinstance(path, DatapointsPath) or query.asks_history(request.parameters)
    if is_history:
        found = await asked_history(context, request, path.feed_id, [path.datastream_id], zone)
        history = found.get(path.datastream_id)
    bodies = context.bodies(request, zone)
    body = bodies.datastream(datastream, history, query.first(request.parameters, "function"))
    device = tank.directory.get_device(path.feed_id)
    # XML alone tells of the feed.
    feed = bodies.reference(device, tank.archive.current if request.format == "xml" else None)
    return Reply(body=request.codec.serialize_datastream(body, feed, is_history=is_history))


async def update(context: Context, request: Request) -> Reply:
    """`PUT …/datastreams/D`: merge; 404 when there is none."""
    path = request.target.path
    assert isinstance(path, DatastreamPath)
    tank = context.tank
    device = tank.directory.get_device(path.feed_id)
    check_reach(request.caller, "put", device, path.datastream_id)
    document = request.codec.parse_datastream(request.body)
    write = datastream_write(document, tank.clock.now_us(), path.datastream_id)
    writes = without_echoed_extremes(tank, path.feed_id, [write])
    await record_datapoints(tank, request.caller, path.feed_id, writes)
    return DONE


async def delete(context: Context, request: Request) -> Reply:
    """`DELETE …/datastreams/D`."""
    path = request.target.path
    assert isinstance(path, DatastreamPath)
    await delete_datastream(context.tank, request.caller, path.feed_id, path.datastream_id)
    return DONE
