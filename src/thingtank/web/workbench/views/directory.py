"""The directory: everybody's public feeds as a searchable list beside a map, for strangers too."""

from http import HTTPStatus

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from thingtank.tank.access import Caller
from thingtank.tank.interfaces import DevicePage
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web import tank_access
from thingtank.web.web_settings import web_settings
from thingtank.web.workbench.directory_search import DirectorySearch, find_feeds
from thingtank.web.workbench.forms import DISTANCE_KM, DirectoryForm
from thingtank.web.workbench.pages import (
    json_answer,
    notice_of,
    page_count,
    page_number,
    public_page,
)
from thingtank.web.workbench.panels import DeviceRow, read_rows

PER_PAGE = 25
PLACES_MAX = 1000
PAGES_MAX = 1_000_000
_TERMS = ("q", "tag", "user", "units", "status", "order", "lat", "lon", "distance")


class Place(msgspec.Struct, frozen=True):
    """A feed on the map."""

    id: int
    title: str
    lat: float
    lon: float
    is_live: bool


class Places(msgspec.Struct, frozen=True):
    """The feeds of a search that have a place.

    Attributes:
        found_count: how many the search found, with and without a place.
        looked_at_count: of how many of them the places are; fewer when there are too many.
    """

    places: list[Place]
    found_count: int
    looked_at_count: int


@public_page
@require_safe
def directory(request: HttpRequest) -> HttpResponse:
    """Show the search, its results as a list, and room for the map."""
    form = DirectoryForm(request.GET)
    number = min(page_number(request, "page"), PAGES_MAX)
    rows: list[DeviceRow] = []
    found = None
    asked = DirectorySearch()
    if form.is_valid():
        asked = form.search()
        found, rows = tank_access.run(_read_rows(tank_access.caller(request), asked, number))
    context = {
        "form": form,
        "asked": asked,
        "rows": rows,
        "total_count": found.total_count if found else 0,
        "is_narrowed": any(request.GET.get(name, "").strip() for name in _TERMS),
        "distance_km": DISTANCE_KM,
        "page_number": number,
        "page_count": page_count(found.total_count if found else 0, PER_PAGE),
        "notice": notice_of(request),
    }
    status = HTTPStatus.OK if found else HTTPStatus.BAD_REQUEST
    return render(request, "workbench/directory.html", context, status=status)


async def _read_rows(
    caller: Caller, asked: DirectorySearch, number: int
) -> tuple[DevicePage, list[DeviceRow]]:
    tank, live_s = tank_access.tank(), web_settings().live_s
    found = await find_feeds(tank, asked, live_s, number, PER_PAGE)
    return found, await read_rows(tank, caller, found.devices, live_s)


@public_page
@require_safe
def places(request: HttpRequest) -> HttpResponse:
    """Where the feeds of a search are, as JSON; the address's terms are the page's own."""
    form = DirectoryForm(request.GET)
    if not form.is_valid():
        errors = {name: " ".join(map(str, said)) for name, said in form.errors.items()}
        return json_answer({"errors": errors}, HTTPStatus.BAD_REQUEST)
    return json_answer(tank_access.run(_read_places(tank_access.tank(), form.search())))


async def _read_places(tank: Tank, asked: DirectorySearch) -> Places:
    live_s = web_settings().live_s
    found = await find_feeds(tank, asked, live_s, 1, PLACES_MAX)
    placed = [device for device in found.devices if _point_of(device) is not None]
    rows = await read_rows(tank, tank_access.VISITOR, placed, live_s)
    return Places([_place(row) for row in rows], found.total_count, len(found.devices))


def _point_of(device: Device) -> tuple[float, float] | None:
    location = device.location
    if location is None or location.lat is None or location.lon is None:
        return None
    return location.lat, location.lon


def _place(row: DeviceRow) -> Place:
    point = _point_of(row.device)
    assert point is not None, "chosen for having one"
    return Place(row.device.device_id, row.device.title, *point, row.is_live)
