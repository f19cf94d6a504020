"""`…/datapoints`: a datastream's values in time; and, for its description, the bulk write."""

from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec
from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse, extend_schema
from rest_framework.response import Response

from thingtank.protocols.xively.times import MalformedTime, format_time, parse_time
from thingtank.tank.access import check_reach, may_reach
from thingtank.tank.actions import datapoints as actions
from thingtank.tank.actions.bulk import BULK_DATAPOINTS_MAX
from thingtank.tank.actions.transfer import export_datapoints
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Datapoint
from thingtank.tank.errors import NoSuchDatapoint
from thingtank.tank.history import SECOND_US
from thingtank.tank.things import TEXT_CHARS_MAX, Datastream, Device
from thingtank.web import tank_access
from thingtank.web.api import bulk
from thingtank.web.api import parameters as query
from thingtank.web.api.bodies import Bodies, datapoint_bodies
from thingtank.web.api.conditions import etag_of
from thingtank.web.api.paging import (
    PAGING,
    Cursor,
    CursorPages,
    Page,
    cursor_of,
    foreign_cursor,
    page_of,
)
from thingtank.web.api.parameters import EXACT, bad_parameter
from thingtank.web.api.serializers import (
    DatapointSerializer,
    DatapointValueSerializer,
    ReadDatapointSerializer,
)
from thingtank.web.api.views import ApiView
from thingtank.web.api.visible import find_datastream

INTERVAL_S_MAX = 366 * 86_400
FUNCTIONS = ("average", "sum", "min", "max", "first", "last", "count")

_RANGE = (
    query.instant("start", "The earliest, ISO 8601; it belongs to the range."),
    query.instant("end", "The latest; it belongs to the range too."),
)
_LIST = (
    *_RANGE,
    query.whole(
        "interval",
        "Summarize in steps of so many seconds, which count from midnight UTC. Without `start`,"
        " the range is one page of steps before `end`, or before now.",
        1,
        INTERVAL_S_MAX,
    ),
    query.choice("function", "What to tell of each step.", FUNCTIONS, "average"),
    query.order(("at",), "at"),
    EXACT,
    *PAGING,
)


class DatapointsView(ApiView):
    """Datapoints of one datastream."""

    tag = "datapoints"
    pagination_class = CursorPages
    tagged = ("retrieve",)
    parameters: ClassVar = {"list": _LIST, "retrieve": (EXACT,), "destroy_range": _RANGE}
    pointers: ClassVar = {"current_value": "/value"}

    @extend_schema(operation_id="list_datapoints", responses=ReadDatapointSerializer(many=True))
    def list(self, request: Any, device: str, datastream: str) -> Response:
        """Read a datastream's history.

        Every datapoint of a range, oldest first or with `order=-at` newest first; or with
        `interval` one number for each step that has values. A key with a minimum interval reads
        no finer.
        """
        found, stream = self._find(device, datastream)
        check_reach(self.caller, "get", found, stream.name)
        if self.terms["interval"] is not None:
            page = self._steps(found, stream)
        else:
            page = self._points(found, stream)
        exact = self.terms["exact"]
        return self.answer_page(page, datapoint_bodies(page.items, exact=exact))

    def _points(self, device: Device, stream: Datastream) -> Page[Datapoint]:
        """A page of the datapoints as they are."""
        terms, cursor = self.terms, _cursor_of(self.terms)
        is_back = cursor is not None and cursor.is_back
        newest_first = terms["order"].startswith("-") != is_back
        start_us, end_us = _bounds(terms["start"], terms["end"], cursor, newest_first)
        size = terms["page_size"] + 1
        points: list[Datapoint] = []
        if start_us < end_us:
            reading = export_datapoints(
                tank_access.tank(), self.caller, device.device_id, stream.name,
                start_us, end_us, size, newest_first=newest_first,
            )  # fmt: skip
            points = tank_access.run(reading)
        if newest_first:
            points = points[::-1]
        return page_of(points, terms, lambda point: (point.at_us, 0))

    def _steps(self, device: Device, stream: Datastream) -> Page[Datapoint]:
        """A page of summaries; the next begins with the step after the last."""
        terms, cursor = self.terms, _cursor_of(self.terms)
        if terms["order"] != "at":
            raise bad_parameter("order", "must be at, where interval is given")
        interval_us = terms["interval"] * SECOND_US
        size = terms["page_size"]
        end_us = tank_access.tank().clock.now_us() if terms["end"] is None else terms["end"]
        start_us = terms["start"]
        if cursor is not None:
            start_us = int(cursor.key) + interval_us
        elif start_us is None:
            start_us = (end_us // interval_us - size + 1) * interval_us
        start_us, end_us = max(start_us, AT_US_MIN), min(end_us, AT_US_MAX) + 1
        if start_us >= end_us:
            return Page([], None, None)
        reading = actions.read_steps(
            tank_access.tank(), self.caller, device.device_id, stream.name,
            start_us, end_us, terms["interval"], terms["function"], size,
        )  # fmt: skip
        points, next_us = tank_access.run(reading)
        following = None if next_us is None else Cursor("at", next_us - interval_us, 0)
        return Page(points, following, None)

    @extend_schema(
        operation_id="write_datapoint",
        request=DatapointSerializer,
        responses={201: ReadDatapointSerializer},
    )
    def create(self, request: Any, device: str, datastream: str) -> Response:
        """Write one datapoint.

        Answered once it is on disk. To write at an instant that has a value replaces it.
        """
        found, stream = self._find(device, datastream)
        members = self.read_body(DatapointSerializer)
        at_us = members.get("at")
        point = Datapoint(
            tank_access.tank().clock.now_us() if at_us is None else at_us, members["value"]
        )
        self._write(found, stream, point)
        body = datapoint_bodies([point], exact=False)[0]
        location = self._url(found, stream, point.at_us)
        headers = {"Location": location, "ETag": etag_of(point)}
        return Response(body, HTTPStatus.CREATED, headers=headers)

    @extend_schema(operation_id="delete_datapoints", responses={204: None})
    def destroy_range(self, request: Any, device: str, datastream: str) -> Response:
        """Delete the datapoints of a range.

        `start`, `end` or both must be given; both ends belong to the range.
        """
        found, stream = self._find(device, datastream)
        start_us, end_us = self.terms["start"], self.terms["end"]
        if start_us is None and end_us is None:
            raise bad_parameter("start", "is required where end is left out")
        deleting = actions.delete_datapoints(
            tank_access.tank(), self.caller, found.device_id, stream.name, start_us, end_us
        )
        tank_access.run(deleting)
        return Response(None, HTTPStatus.NO_CONTENT)

    @extend_schema(operation_id="read_datapoint", responses=ReadDatapointSerializer)
    def retrieve(self, request: Any, device: str, datastream: str, at: str) -> Response:
        """Read the datapoint at one instant.

        The instant is ISO 8601, to the microsecond.
        """
        found, stream = self._find(device, datastream)
        reading = actions.get_datapoint(
            tank_access.tank(), self.caller, found.device_id, stream.name, _instant(at)
        )
        point = tank_access.run(reading)
        exact = self.terms["exact"]
        body = datapoint_bodies([point], exact=exact)[0]
        return self.answer_one(body, etag_of(point))

    @extend_schema(
        operation_id="put_datapoint",
        request=DatapointValueSerializer,
        responses=ReadDatapointSerializer,
    )
    def update(self, request: Any, device: str, datastream: str, at: str) -> Response:
        """Write the value at one instant.

        Answered once it is on disk; a value that was there is replaced.
        """
        found, stream = self._find(device, datastream)
        point = Datapoint(_instant(at), self.read_body(DatapointValueSerializer)["value"])
        self._write(found, stream, point)
        return Response(datapoint_bodies([point], exact=False)[0])

    @extend_schema(operation_id="delete_datapoint", responses={204: None})
    def destroy(self, request: Any, device: str, datastream: str, at: str) -> Response:
        """Delete the datapoint at one instant.

        404 where there is none.
        """
        found, stream = self._find(device, datastream)
        deleting = actions.delete_datapoint(
            tank_access.tank(), self.caller, found.device_id, stream.name, _instant(at)
        )
        tank_access.run(deleting)
        return Response(None, HTTPStatus.NO_CONTENT)

    def _find(self, device: str, name: str) -> tuple[Device, Datastream]:
        return find_datastream(tank_access.tank(), self.caller, device, name)

    def _write(self, device: Device, stream: Datastream, point: Datapoint) -> None:
        write = DatastreamWrite(stream.name, (point.at_us,), (point.value,))
        # As at the other doors, datapoints may be put and posted.
        method = "put" if may_reach(self.caller, "put", device, stream.name) else "post"
        writing = actions.record_datapoints(
            tank_access.tank(), self.caller, device.device_id, [write], method=method
        )
        tank_access.run(writing)

    def _url(self, device: Device, stream: Datastream, at_us: int) -> str:
        bodies = Bodies(tank_access.tank(), self.request._request)
        url: str = bodies.datastream(device, stream, exact=False)["datapoints_url"]
        return f"{url}/{quote(format_time(at_us), safe=':')}"


def _instant(text: str) -> int:
    try:
        at_us = parse_time(text)
    except (MalformedTime, OverflowError):
        at_us = AT_US_MAX + 1
    if not AT_US_MIN <= at_us <= AT_US_MAX:
        raise NoSuchDatapoint(f"{text[:64]} is no ISO 8601 time, so no datapoint is there")
    return at_us


def _cursor_of(terms: query.Terms) -> Cursor | None:
    cursor = cursor_of(terms)
    if cursor is not None and not isinstance(cursor.key, int):
        raise foreign_cursor()
    return cursor


def _bounds(
    start_us: int | None, end_us: int | None, cursor: Cursor | None, newest_first: bool
) -> tuple[int, int]:
    """The range that is left, its end excluded."""
    start_us = AT_US_MIN if start_us is None else start_us
    end_us = AT_US_MAX + 1 if end_us is None else end_us + 1
    if cursor is None:
        return start_us, end_us
    at_us = int(cursor.key)
    if newest_first:
        return start_us, min(end_us, at_us)
    return max(start_us, at_us + 1), end_us


_BULK_ITEM = {
    "type": "object",
    "required": ["device", "datastream", "value"],
    "additionalProperties": False,
    "properties": {
        "device": {
            "type": ["integer", "string"],
            "description": "The device's number, or its uuid.",
        },
        "datastream": {"type": "string", "description": "The datastream's name."},
        "value": {"type": ["string", "number", "boolean"], "maxLength": TEXT_CHARS_MAX},
        "at": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "When it is from, ISO 8601; now if it is left out.",
        },
    },
}
_BULK_EXAMPLE = [
    {"device": 7, "datastream": "temperature", "value": 21.5, "at": "2026-11-27T08:00:00Z"},
    {"device": 7, "datastream": "humidity", "value": 40},
    {"device": "a2b8ab5e-7ad0-4d0c-8d5a-7c4b5a3d2e10", "datastream": "door", "value": "open"},
]
_BULK_LINES = "\n".join(msgspec.json.encode(each).decode() for each in _BULK_EXAMPLE)
_BULK_WRITTEN = {
    "type": "object",
    "required": ["written"],
    "properties": {"written": {"type": "integer", "description": "How many datapoints."}},
}


class BulkView(ApiView):
    """The description of `POST /api/datapoints`, which `bulk.BulkWrites` answers before Django."""

    tag = "datapoints"
    is_idempotent = False
    parameters: ClassVar = {"create": bulk.PARAMETERS}

    @extend_schema(
        operation_id="write_datapoints",
        request={
            bulk.JSON: OpenApiRequest(
                {"type": "array", "maxItems": BULK_DATAPOINTS_MAX, "items": _BULK_ITEM},
                examples=[OpenApiExample("Three values", _BULK_EXAMPLE)],
            ),
            bulk.JSON_LINES[0]: OpenApiRequest(
                {"type": "string"}, examples=[OpenApiExample("Three lines", _BULK_LINES)]
            ),
        },
        responses={
            200: OpenApiResponse(
                _BULK_WRITTEN, examples=[OpenApiExample("All of three", {"written": 3})]
            )
        },
    )
    def create(self, request: Any) -> Response:
        """Write many datapoints at once.

        Of several datastreams and devices, in any order of time, up to 10,000 and 1 MiB: a JSON
        array, or JSON lines. One group commit writes all; it is answered once they are on disk. If
        any cannot be written, none is, and `errors` names each by its place. A datapoint with `at`
        may be sent again: it replaces itself.
        """
        raise AssertionError("answered before Django")
