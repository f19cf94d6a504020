"""What each resource does with each method: one handler a cell of Xively's route table.

The remaining resources (triggers, keys, products, users) get a module of the same shape each, and
their rows in `HANDLERS`.

Source: Xively API v2, API resources.
"""

from collections.abc import Awaitable, Callable
from datetime import tzinfo
from urllib.parse import quote

from thingtank.doors.xively import tank_bridge as bridge
from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.doors.xively.settings import XivelySettings
from thingtank.protocols.xively import json_format, query
from thingtank.protocols.xively.documents import DatastreamDocument, FeedsBody
from thingtank.protocols.xively.errors import MalformedQuery, Unprocessable
from thingtank.protocols.xively.paths import (
    DatapointPath,
    DatapointsPath,
    DatastreamPath,
    DatastreamsPath,
    FeedPath,
    FeedsPath,
    XivelyPath,
)
from thingtank.protocols.xively.time_zones import offset_s
from thingtank.tank.access import OPERATOR, check_reach
from thingtank.tank.actions.datapoints import (
    apply_writes,
    check_writes,
    delete_datapoint,
    delete_datapoints,
    get_datapoint,
    read_history,
    record_datapoints,
    update_datapoint,
)
from thingtank.tank.actions.datastreams import delete_datastream, draft, get_datastream
from thingtank.tank.actions.devices import create_device, delete_device
from thingtank.tank.actions.feeds import write_feed
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.datapoints import Datapoint
from thingtank.tank.errors import NoSuchDatapoint, TankError
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.tank import Tank

Handler = Callable[["Resources", Request], Awaitable[Reply]]


class Resources:
    """The handlers, with the tank they act on."""

    def __init__(self, tank: Tank, settings: XivelySettings) -> None:
        self.tank = tank
        self.settings = settings

    def _bodies(self, request: Request, zone: tzinfo | None) -> bridge.Bodies:
        return bridge.Bodies(self.tank, request.base_url, zone, self.settings.live_s)

    async def list_feeds(self, request: Request) -> Reply:
        """`GET /feeds`: public feeds, and the owner's own."""
        parameters = request.parameters
        zone = query.zone_of(parameters)
        page, per_page = query.page_of(parameters)
        found = self.tank.directory.list_devices(_visible_to(request, page, per_page))
        bodies = self._bodies(request, zone)
        is_summary = query.first(parameters, "content") == "summary"
        body = FeedsBody(
            totalResults=found.total_count,
            startIndex=(page - 1) * per_page,
            itemsPerPage=per_page,
            results=[
                bodies.feed(
                    device,
                    with_user=query.flag(parameters, "show_user"),
                    with_datastreams=not is_summary,
                )
                for device in found.devices
            ],
        )
        return Reply(body=json_format.serialize(body))

    async def create_feed(self, request: Request) -> Reply:
        """`POST /feeds`: 201 and `Location`."""
        document = json_format.parse_feed(request.body)
        change = bridge.device_change(document) or DeviceChange()
        writes = bridge.datastream_writes(document, self.tank.clock.now_us())
        check_writes(self.tank, 0, writes, creates_missing=True)
        drafts = [draft(write.name, write.change) for write in writes]
        created = await create_device(self.tank, request.caller, change, drafts)
        feed_id = created.device.device_id
        try:
            await apply_writes(self.tank, created.device, writes)
        except TankError:  # its first values were refused: leave no half of it behind
            await delete_device(self.tank, OPERATOR, feed_id)
            raise
        return Reply(201, location=f"{request.base_url}/v2/feeds/{feed_id}")

    async def read_feed(self, request: Request) -> Reply:
        """`GET /feeds/F`, with history when its parameters ask for it."""
        path = request.target.path
        assert isinstance(path, FeedPath | DatastreamsPath)
        parameters = request.parameters
        device = self.tank.directory.get_device(path.feed_id)
        check_reach(request.caller, "get", device)
        zone = query.zone_of(parameters)
        names = _chosen_names(parameters)
        history = None
        if query.asks_history(parameters):
            known = self.tank.directory.datastreams(device.device_id)
            asked = None if names is None else [name for name in names if name in known]
            history = await self._history(request, device.device_id, asked, zone)
        body = self._bodies(request, zone).feed(
            device, names, history, with_user=query.flag(parameters, "show_user")
        )
        return Reply(body=json_format.serialize(body))

    async def _history(
        self, request: Request, feed_id: int, names: list[str] | None, zone: tzinfo | None
    ) -> dict[str, list[Datapoint]]:
        asked = query.parse_history(request.parameters)
        terms = bridge.history_terms(asked, offset_s(zone, self.tank.clock.now_us()))
        return await read_history(self.tank, request.caller, feed_id, names, terms)

    async def update_feed(self, request: Request) -> Reply:
        """`PUT /feeds/F`: merge; unknown datastreams are made."""
        path = request.target.path
        assert isinstance(path, FeedPath)
        self.tank.directory.get_device(
            path.feed_id
        )  # a feed that is not there comes before its body
        document = json_format.parse_feed(request.body)
        change = bridge.device_change(document)
        writes = bridge.without_echoed_extremes(
            self.tank,
            path.feed_id,
            bridge.datastream_writes(document, self.tank.clock.now_us()),
        )
        await write_feed(self.tank, request.caller, path.feed_id, change, writes)
        return DONE

    async def delete_feed(self, request: Request) -> Reply:
        """`DELETE /feeds/F`."""
        path = request.target.path
        assert isinstance(path, FeedPath)
        await delete_device(self.tank, request.caller, path.feed_id)
        return DONE

    async def create_datastreams(self, request: Request) -> Reply:
        """`POST …/datastreams`: 201 and the `Location` of the first."""
        path = request.target.path
        assert isinstance(path, DatastreamsPath)
        check_reach(request.caller, "post", self.tank.directory.get_device(path.feed_id))
        documents = json_format.parse_datastreams(request.body)
        if not documents:
            raise Unprocessable([("datastreams", "can't be blank")])
        now_us = self.tank.clock.now_us()
        writes = [bridge.datastream_write(document, now_us) for document in documents]
        known = self.tank.directory.datastreams(path.feed_id)
        if any(write.name in known for write in writes):
            raise Unprocessable([("datastream id", "has already been taken")])
        await record_datapoints(
            self.tank, request.caller, path.feed_id, writes, method="post", creates_missing=True
        )
        name = quote(writes[0].name, safe="+")
        where = f"{request.base_url}/v2/feeds/{path.feed_id}/datastreams/{name}"
        return Reply(201, location=where)

    async def read_datastream(self, request: Request) -> Reply:
        """`GET …/datastreams/D`, with history when its parameters ask for it."""
        path = request.target.path
        assert isinstance(path, DatastreamPath | DatapointsPath)
        datastream = get_datastream(self.tank, request.caller, path.feed_id, path.datastream_id)
        zone = query.zone_of(request.parameters)
        history = None
        is_collection = isinstance(path, DatapointsPath)
        if is_collection or query.asks_history(request.parameters):
            found = await self._history(request, path.feed_id, [path.datastream_id], zone)
            history = found.get(path.datastream_id)
        function = query.first(request.parameters, "function")
        body = self._bodies(request, zone).datastream(datastream, history, function)
        return Reply(body=json_format.serialize(body))

    async def update_datastream(self, request: Request) -> Reply:
        """`PUT …/datastreams/D`: merge; 404 when there is none."""
        path = request.target.path
        assert isinstance(path, DatastreamPath)
        device = self.tank.directory.get_device(path.feed_id)
        check_reach(request.caller, "put", device, path.datastream_id)
        document = json_format.parse_datastream(request.body)
        write = self._write(document, path.datastream_id)
        writes = bridge.without_echoed_extremes(self.tank, path.feed_id, [write])
        await record_datapoints(self.tank, request.caller, path.feed_id, writes)
        return DONE

    def _write(self, document: DatastreamDocument, name: str) -> DatastreamWrite:
        return bridge.datastream_write(document, self.tank.clock.now_us(), name)

    async def delete_datastream(self, request: Request) -> Reply:
        """`DELETE …/datastreams/D`."""
        path = request.target.path
        assert isinstance(path, DatastreamPath)
        await delete_datastream(self.tank, request.caller, path.feed_id, path.datastream_id)
        return DONE

    async def create_datapoints(self, request: Request) -> Reply:
        """`POST …/datapoints`: 200, empty."""
        path = request.target.path
        assert isinstance(path, DatapointsPath)
        device = self.tank.directory.get_device(path.feed_id)
        check_reach(request.caller, "post", device, path.datastream_id)
        datapoints = json_format.parse_datapoints(request.body)
        if not datapoints:
            raise Unprocessable([("datapoints", "can't be blank")])
        at_us, values = bridge.datapoint_columns(datapoints, self.tank.clock.now_us())
        write = DatastreamWrite(path.datastream_id, at_us, values)
        await record_datapoints(self.tank, request.caller, path.feed_id, [write], method="post")
        return DONE

    async def delete_datapoints(self, request: Request) -> Reply:
        """`DELETE …/datapoints`: a range, in the query or in the body."""
        path = request.target.path
        assert isinstance(path, DatapointsPath)
        start_us, end_us = self._range(request)
        await delete_datapoints(
            self.tank, request.caller, path.feed_id, path.datastream_id, start_us, end_us
        )
        return DONE

    def _range(self, request: Request) -> tuple[int | None, int | None]:
        parameters = dict(request.parameters)
        if request.body.strip():
            document = json_format.parse_range(request.body)
            for name in ("start", "end", "duration"):
                value = getattr(document, name)
                if value is not None:
                    parameters.setdefault(name, [str(value)])
        start_us = query.parse_instant(query.first(parameters, "start"), "start")
        end_us = query.parse_instant(query.first(parameters, "end"), "end")
        duration_s = query.parse_duration(query.first(parameters, "duration"))
        if duration_s is not None:
            if start_us is not None and end_us is not None:
                raise MalformedQuery("duration can't be combined with both start and end")
            if start_us is not None and end_us is None:
                end_us = start_us + duration_s * 1_000_000
            elif start_us is None:
                end_us = self.tank.clock.now_us() if end_us is None else end_us
                start_us = end_us - duration_s * 1_000_000
        return start_us, end_us

    async def read_datapoint(self, request: Request) -> Reply:
        """`GET …/datapoints/T`."""
        path = request.target.path
        assert isinstance(path, DatapointPath)
        point = await get_datapoint(
            self.tank, request.caller, path.feed_id, path.datastream_id, _instant(path)
        )
        bodies = self._bodies(request, query.zone_of(request.parameters))
        return Reply(body=json_format.serialize(bodies.datapoints([point])[0]))

    async def update_datapoint(self, request: Request) -> Reply:
        """`PUT …/datapoints/T`: 404 when there is none at that instant."""
        path = request.target.path
        assert isinstance(path, DatapointPath)
        value = json_format.value_of(json_format.parse_datapoint(request.body).value)
        if value is None:
            raise Unprocessable([("value", "can't be blank")])
        point = Datapoint(_instant(path), value)
        await update_datapoint(self.tank, request.caller, path.feed_id, path.datastream_id, point)
        return DONE

    async def delete_datapoint(self, request: Request) -> Reply:
        """`DELETE …/datapoints/T`."""
        path = request.target.path
        assert isinstance(path, DatapointPath)
        await delete_datapoint(
            self.tank, request.caller, path.feed_id, path.datastream_id, _instant(path)
        )
        return DONE


def _instant(path: DatapointPath) -> int:
    if path.at_us is None:
        raise NoSuchDatapoint(f"there is no datapoint at {path.at_text[:64]}")
    return path.at_us


def _chosen_names(parameters: query.Parameters) -> list[str] | None:
    """`datastreams=a,b`, or the parameter repeated as the Python library does; None for all."""
    values = parameters.get("datastreams")
    if not values:
        return None
    return [name for value in values for name in value.split(",") if name]


def _visible_to(request: Request, page: int, per_page: int) -> DeviceQuery:
    """Public feeds and the owner's own; a key that names feeds sees only those."""
    caller = request.caller
    key = caller.key
    feed_ids = None
    if key is not None and all(permission.resources for permission in key.permissions):
        feed_ids = frozenset(
            resource.feed_id
            for permission in key.permissions
            if "get" in permission.access_methods
            for resource in permission.resources
            if resource.datastream_id is None
        )
    asked = query.parse_search(request.parameters)
    return DeviceQuery(
        account_id=caller.account.account_id if caller.account else None,
        with_public=True,
        with_private=key is not None and key.private_access,
        text=asked.text,
        tag=asked.tag,
        units=asked.units,
        user=asked.user,
        device_ids=feed_ids,
        status=asked.status,
        lat=asked.lat,
        lon=asked.lon,
        distance_m=asked.distance_m,
        order=asked.order,
        page=page,
        per_page=per_page,
    )


HANDLERS: dict[tuple[type[XivelyPath], str], Handler] = {
    (FeedsPath, "GET"): Resources.list_feeds,
    (FeedsPath, "POST"): Resources.create_feed,
    (FeedPath, "GET"): Resources.read_feed,
    (FeedPath, "PUT"): Resources.update_feed,
    (FeedPath, "DELETE"): Resources.delete_feed,
    (DatastreamsPath, "GET"): Resources.read_feed,
    (DatastreamsPath, "POST"): Resources.create_datastreams,
    (DatastreamPath, "GET"): Resources.read_datastream,
    (DatastreamPath, "PUT"): Resources.update_datastream,
    (DatastreamPath, "DELETE"): Resources.delete_datastream,
    (DatapointsPath, "GET"): Resources.read_datastream,
    (DatapointsPath, "POST"): Resources.create_datapoints,
    (DatapointsPath, "DELETE"): Resources.delete_datapoints,
    (DatapointPath, "GET"): Resources.read_datapoint,
    (DatapointPath, "PUT"): Resources.update_datapoint,
    (DatapointPath, "DELETE"): Resources.delete_datapoint,
}
