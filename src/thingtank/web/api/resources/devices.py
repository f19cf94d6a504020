"""`/api/devices`: list, make, read, change and delete devices."""

from http import HTTPStatus
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from msgspec import UNSET
from rest_framework.response import Response

from thingtank.tank.access import Caller, check_reach, listing_of, may_reach
from thingtank.tank.actions.devices import create_device, delete_device, update_device
from thingtank.tank.changes import DeviceChange, LocationChange
from thingtank.tank.interfaces import DeviceQuery, Mark, Order
from thingtank.tank.things import Device, Location
from thingtank.web import tank_access
from thingtank.web.api import parameters as query
from thingtank.web.api.bodies import Bodies, device_etag
from thingtank.web.api.paging import (
    PAGING,
    Cursor,
    CursorPages,
    Page,
    cursor_of,
    foreign_cursor,
    page_of,
)
from thingtank.web.api.parameters import Terms, bad_parameter
from thingtank.web.api.serializers import CreatedDeviceSerializer, DeviceSerializer
from thingtank.web.api.views import ApiView
from thingtank.web.api.visible import find_device
from thingtank.web.problems import VALIDATION_FAILED, ItemError, Problem, ProblemRaised
from thingtank.web.web_settings import web_settings

DISTANCE_M_MAX = 20_040_000  # half way around the earth
SCOPES = ("mine", "public", "all")
_HALF_A_PLACE = "give both lat and lon, or neither"

# What a list may be ordered by, in the directory's words; each of them is newest or best first
# there, but for titles.
_ORDERS: dict[str, Order] = {
    "created": "created_at",
    "updated": "updated_at",
    "active": "retrieved_at",
    "title": "title",
    "relevance": "relevance",
}

_LIST = (
    query.choice(
        "scope",
        "Whose: the caller's own, everybody's public ones, or both; for admins by session, `all`"
        " are all there are.",
        SCOPES,
        "mine",
    ),
    query.text(
        "q",
        "Words that all stand in title, description, tags, datastream names or owner, whole or as"
        " beginnings; where nothing fits, a letter may be wrong.",
    ),
    query.text("tag", "A tag of the device or of one of its datastreams, in any case."),
    query.text("unit", "Label or symbol of a datastream's unit, in any case."),
    query.text("owner", "The owner's login."),
    query.text("product", "The product it was made from."),
    query.choice("status", "`live` have a value younger than 15 minutes.", ("live", "frozen")),
    query.instant("updated_since", "Whose own members changed then or later."),
    query.number("lat", "With `lon` and `distance_m`: near this place, degrees.", -90, 90),
    query.number("lon", "Degrees.", -180, 180),
    query.number("distance_m", "How far from there, in metres.", 0, DISTANCE_M_MAX),
    query.order(tuple(_ORDERS), "-created"),
    *PAGING,
)


class DevicesView(ApiView):
    """Devices."""

    tag = "devices"
    pagination_class = CursorPages
    tagged = ("retrieve", "update", "partial_update", "destroy")
    parameters: ClassVar = {"list": _LIST}
    pointers: ClassVar = {
        "retention": "/retention_s",
        "location_name": "/location/name",
        "location_ele": "/location/ele",
        "location_lat": "/location/lat",
        "location_lon": "/location/lon",
    }

    @extend_schema(operation_id="list_devices", responses=DeviceSerializer(many=True))
    def list(self, request: Any) -> Response:
        """List devices.

        Only those that the caller may read. A cursor goes on after the device that was last, so
        devices that are made or deleted meanwhile shift nothing.
        """
        tank, bodies = tank_access.tank(), self.bodies()
        found = tank_access.run(tank.search_devices(_query_of(self.caller, self.terms)))
        placed = list(zip(found.devices, found.marks, strict=True))
        page: Page[tuple[Device, Mark]] = page_of(
            placed,
            self.terms,
            lambda item: (item[1].key, item[1].device_id),
            has_more=found.is_full,
        )
        return self.answer_page(page, [bodies.device(device) for device, _ in page.items])

    @extend_schema(
        operation_id="create_device",
        request=DeviceSerializer,
        responses={201: CreatedDeviceSerializer},
    )
    def create(self, request: Any) -> Response:
        """Make a device.

        It belongs to the caller's account. The answer holds its two secrets, a key that may do
        everything with this device and the token for SkyNet: the token is told only now.

        A key needs `post` on all feeds.
        """
        tank = tank_access.tank()
        change = _change_of(self.read_body(DeviceSerializer))
        _check_place(change, None)
        created = tank_access.run(create_device(tank, self.caller, change))
        body = self.bodies().device(created.device)
        body |= {"api_key": created.api_key, "token": created.token}
        return self.answer_created(body, device_etag(tank, created.device))

    @extend_schema(operation_id="read_device", responses=DeviceSerializer)
    def retrieve(self, request: Any, device: str) -> Response:
        """Read a device.

        By its number or its uuid. The ETag stands for all members but not for values, which the
        device's datastreams have.
        """
        tank = tank_access.tank()
        found = find_device(tank, self.caller, device)
        check_reach(self.caller, "get", found)
        return self.answer_one(self.bodies().device(found), device_etag(tank, found))

    @extend_schema(
        operation_id="replace_device", request=DeviceSerializer, responses=DeviceSerializer
    )
    def update(self, request: Any, device: str) -> Response:
        """Replace a device's members.

        Members that are left out get their defaults; those that are only for reading may be sent
        along and stay as they are.
        """
        return self._change(device, _change_of(self.read_body(DeviceSerializer)))

    @extend_schema(
        operation_id="change_device",
        request=DeviceSerializer,
        responses=DeviceSerializer,
    )
    def partial_update(self, request: Any, device: str) -> Response:
        """Change some of a device's members.

        Members that are left out stay, and so do those of `location`; `tags` and `properties` are
        replaced as a whole.
        """
        return self._change(device, _change_of(self.read_body(DeviceSerializer, partial=True)))

    def _change(self, name: str, change: DeviceChange) -> Response:
        tank = tank_access.tank()
        found = find_device(tank, self.caller, name)

        def check(newest: Device) -> None:
            self._check(newest)
            _check_place(change, newest.location)

        changed = tank_access.run(update_device(tank, self.caller, found.device_id, change, check))
        may_read = may_reach(self.caller, "get", changed)
        body, etag = self.bodies().device(changed), device_etag(tank, changed)
        return self.answer_changed(body, etag, may_read=may_read)

    @extend_schema(operation_id="delete_device", responses={204: None})
    def destroy(self, request: Any, device: str) -> Response:
        """Delete a device.

        With its datastreams, all their datapoints, its triggers, and keys that reach nothing else.
        """
        tank = tank_access.tank()
        found = find_device(tank, self.caller, device)
        tank_access.run(delete_device(tank, self.caller, found.device_id, self._check))
        return Response(None, HTTPStatus.NO_CONTENT)

    def _check(self, newest: Device) -> None:
        """Raise unless a device is as who changes it has seen it; in the loop, within its turn."""
        self.conditions.check_change(device_etag(tank_access.tank(), newest))

    def bodies(self) -> Bodies:
        """Makes the answer's bodies."""
        return Bodies(tank_access.tank(), self.request._request)


def _query_of(caller: Caller, terms: Terms) -> DeviceQuery:
    """The directory's question, one device further than the page."""
    listing = listing_of(caller)
    scope = terms["scope"]
    is_all_there_are = (
        scope == "all"
        and caller.key is None
        and caller.account is not None
        and caller.account.is_admin
    )
    if terms["lat"] is not None and terms["distance_m"] is None:
        raise bad_parameter("distance_m", "is required with lat and lon")
    order = _ORDERS[terms["order"].lstrip("-")]
    is_descending = terms["order"].startswith("-")
    cursor = cursor_of(terms)
    return DeviceQuery(
        account_id=None if scope == "public" else _account_id(caller),
        with_public=scope != "mine",
        with_private=scope != "public" and (listing.account_id is not None or is_all_there_are),
        everybody=is_all_there_are,
        device_ids=listing.device_ids,
        text=terms["q"],
        tag=terms["tag"],
        units=terms["unit"],
        user=terms["owner"],
        product_id=terms["product"],
        status=terms["status"] or "all",
        live_s=web_settings().live_s,
        updated_since_us=terms["updated_since"],
        lat=terms["lat"],
        lon=terms["lon"],
        distance_m=terms["distance_m"] or 0,
        order=order,
        # The other way round than the directory's own, which begins with the newest or the best.
        is_reversed=((order != "title") != is_descending)
        != (cursor is not None and cursor.is_back),
        after=None if cursor is None else _mark_of(cursor, order),
        per_page=terms["page_size"] + 1,
    )


def _account_id(caller: Caller) -> int | None:
    return None if caller.account is None else caller.account.account_id


def _mark_of(cursor: Cursor, order: Order) -> Mark:
    key, device_id = cursor.key, cursor.number
    fits = isinstance(key, str) if order == "title" else isinstance(key, int)
    if not (fits and isinstance(device_id, int)):
        raise foreign_cursor()
    assert isinstance(key, int | str), "no float fits"
    return Mark(key, device_id)


def _change_of(members: dict[str, Any]) -> DeviceChange:
    """What the members of a body change; those that are not there stay."""
    change = {name: value for name, value in members.items() if name not in ("tags", "location")}
    if "tags" in members:
        change["tags"] = tuple(members["tags"])
    location = members.get("location", UNSET)
    if location is not UNSET:
        change["location"] = _location_of(location)
    return DeviceChange(**change)


def _check_place(change: DeviceChange, before: Location | None) -> None:
    """Refuse half a place; one that has come by another door may stay as it is."""
    location, before = change.location, before or Location()
    if not isinstance(location, Location | LocationChange):
        return
    lat = before.lat if location.lat is UNSET else location.lat
    lon = before.lon if location.lon is UNSET else location.lon
    is_half = (lat is None) != (lon is None)
    if is_half and (lat, lon) != (before.lat, before.lon):
        errors = [ItemError(_HALF_A_PLACE, "/location")]
        raise ProblemRaised(Problem(VALIDATION_FAILED, _HALF_A_PLACE, errors))


def _location_of(members: dict[str, Any] | None) -> Location | LocationChange | None:
    if members is None:
        return None
    is_whole = len(members) == len(Location.__struct_fields__)
    if not is_whole:
        return LocationChange(**members)
    location = Location(**members)
    return None if location == Location() else location
