"""`/api/devices/…/datastreams`: a device's series with their newest values."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from msgspec import UNSET
from rest_framework.response import Response

from thingtank.tank.access import check_reach, may_reach
from thingtank.tank.actions.datastreams import (
    create_datastream,
    delete_datastream,
    update_datastream,
)
from thingtank.tank.changes import DatastreamChange
from thingtank.tank.things import Datastream, Device, Unit
from thingtank.web import tank_access
from thingtank.web.api import parameters as query
from thingtank.web.api.bodies import Bodies, datastream_etag
from thingtank.web.api.paging import PAGING, CursorPages, page_in_memory
from thingtank.web.api.parameters import EXACT
from thingtank.web.api.serializers import DatastreamSerializer, NewDatastreamSerializer
from thingtank.web.api.views import ApiView
from thingtank.web.api.visible import datastreams_of, find_datastream, find_device
from thingtank.web.problems import CONFLICT, Problem, ProblemRaised

_LIST = (
    query.text("q", "Stands in the name, in any case."),
    query.text("tag", "One of its tags, in any case."),
    query.text("unit", "Its unit's label or symbol, in any case."),
    query.instant("since", "With a value from then or later."),
    query.order(("name", "at"), "name"),
    EXACT,
    *PAGING,
)


class DatastreamsView(ApiView):
    """Datastreams of one device."""

    tag = "datastreams"
    pagination_class = CursorPages
    tagged = ("retrieve", "update", "partial_update", "destroy")
    parameters: ClassVar = {"list": _LIST, "retrieve": (EXACT,)}
    pointers: ClassVar = {
        "id": "/name",
        "unit_type": "/unit/type",
        "unit_symbol": "/unit/symbol",
        "unit_label": "/unit/label",
    }

    @extend_schema(operation_id="list_datastreams", responses=DatastreamSerializer(many=True))
    def list(self, request: Any, device: str) -> Response:
        """List a device's datastreams with their newest values.

        Only those that the caller may read: a key may be for some of them.
        """
        tank = tank_access.tank()
        found, streams = datastreams_of(tank, self.caller, device)
        page = page_in_memory(self._chosen(found, streams), self.terms, self._place_of)
        bodies, exact = self.bodies(), self.terms["exact"]
        return self.answer_page(
            page, [bodies.datastream(found, each, exact=exact) for each in page.items]
        )

    def _chosen(self, device: Device, streams: Sequence[Datastream]) -> Sequence[Datastream]:
        terms, archive = self.terms, tank_access.tank().archive
        text, tag, unit = (terms[name].casefold() for name in ("q", "tag", "unit"))
        since_us = terms["since"]
        return [
            each
            for each in streams
            if may_reach(self.caller, "get", device, each.name)
            and text in each.name.casefold()
            and (not tag or tag in map(str.casefold, each.tags))
            and (not unit or unit in _unit_words(each.unit))
            and (since_us is None or (archive.current_at_us(each.stream_id) or 0) >= since_us)
        ]

    def _place_of(self, datastream: Datastream) -> tuple[int | str, str]:
        if self.terms["order"].endswith("at"):
            at_us = tank_access.tank().archive.current_at_us(datastream.stream_id)
            return at_us or 0, datastream.name
        return datastream.name, datastream.name

    @extend_schema(
        operation_id="create_datastream",
        request=NewDatastreamSerializer,
        responses={201: DatastreamSerializer},
    )
    def create(self, request: Any, device: str) -> Response:
        """Make a datastream.

        It begins without a value. Writing in bulk with `create_missing` makes them as well.
        """
        tank = tank_access.tank()
        found = find_device(tank, self.caller, device)
        members = self.read_body(NewDatastreamSerializer)
        name = members["name"]
        check_reach(self.caller, "post", found)
        if name in tank.directory.datastreams(found.device_id):
            detail = f"device {found.device_id} has a datastream {name[:80]} already"
            raise ProblemRaised(Problem(CONFLICT, detail))
        made = tank_access.run(
            create_datastream(tank, self.caller, found.device_id, name, _change_of(members))
        )
        return self.answer_created(self._body(found, made), datastream_etag(tank, made))

    @extend_schema(operation_id="read_datastream", responses=DatastreamSerializer)
    def retrieve(self, request: Any, device: str, datastream: str) -> Response:
        """Read a datastream with its newest value.

        The ETag stands for the value as well, so If-None-Match asks whether there is a newer one.
        """
        tank = tank_access.tank()
        found, stream = find_datastream(tank, self.caller, device, datastream)
        check_reach(self.caller, "get", found, stream.name)
        return self.answer_one(self._body(found, stream), datastream_etag(tank, stream))

    @extend_schema(
        operation_id="replace_datastream",
        request=DatastreamSerializer,
        responses=DatastreamSerializer,
    )
    def update(self, request: Any, device: str, datastream: str) -> Response:
        """Replace a datastream's unit and tags.

        Its name and its values stay: values are written as datapoints.
        """
        members = self.read_body(DatastreamSerializer)
        return self._change(device, datastream, _change_of(members))

    @extend_schema(
        operation_id="change_datastream",
        request=DatastreamSerializer,
        responses=DatastreamSerializer,
    )
    def partial_update(self, request: Any, device: str, datastream: str) -> Response:
        """Change a datastream's unit or tags.

        Each is replaced as a whole; what is left out stays.
        """
        members = self.read_body(DatastreamSerializer, partial=True)
        return self._change(device, datastream, _change_of(members))

    def _change(self, device: str, name: str, change: DatastreamChange) -> Response:
        tank = tank_access.tank()
        found, _ = find_datastream(tank, self.caller, device, name)
        changed = tank_access.run(
            update_datastream(tank, self.caller, found.device_id, name, change, self._check)
        )
        may_read = may_reach(self.caller, "get", found, name)
        body, etag = self._body(found, changed), datastream_etag(tank, changed)
        return self.answer_changed(body, etag, may_read=may_read)

    @extend_schema(operation_id="delete_datastream", responses={204: None})
    def destroy(self, request: Any, device: str, datastream: str) -> Response:
        """Delete a datastream.

        With all its datapoints and its triggers.
        """
        tank = tank_access.tank()
        found, _ = find_datastream(tank, self.caller, device, datastream)
        tank_access.run(
            delete_datastream(tank, self.caller, found.device_id, datastream, self._check)
        )
        return Response(None, HTTPStatus.NO_CONTENT)

    def _check(self, newest: Datastream) -> None:
        """Raise unless it is as who changes it has seen it; in the loop, within its turn."""
        self.conditions.check_change(datastream_etag(tank_access.tank(), newest))

    def _body(self, device: Device, datastream: Datastream) -> dict[str, Any]:
        exact = bool(self.terms.get("exact"))
        return self.bodies().datastream(device, datastream, exact=exact)

    def bodies(self) -> Bodies:
        """Makes the answer's bodies."""
        return Bodies(tank_access.tank(), self.request._request)


def _unit_words(unit: Unit | None) -> tuple[str, ...]:
    return () if unit is None else (unit.label.casefold(), unit.symbol.casefold())


def _change_of(members: dict[str, Any]) -> DatastreamChange:
    unit = members.get("unit", UNSET)
    if isinstance(unit, dict):
        unit = Unit(**{"type": "", "symbol": "", "label": "", **unit})
        unit = None if unit == Unit() else unit
    tags = tuple(members["tags"]) if "tags" in members else UNSET
    return DatastreamChange(tags=tags, unit=unit)
