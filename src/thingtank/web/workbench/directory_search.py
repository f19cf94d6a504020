"""The public directory's question, and how the tank is asked it."""

import math

import msgspec

from thingtank.tank.interfaces import DevicePage, DeviceQuery
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device, Location, is_live

EARTH_RADIUS_KM = 6371.0088
_SCAN_MAX = 1_000_000  # as many devices as a directory holds


class DirectorySearch(msgspec.Struct, frozen=True):
    """What the directory is asked for; blank members leave nothing out.

    Attributes:
        text, tag, user, units: as DeviceQuery has them.
        status: `live`, `frozen` or blank.
        lat, lon: degrees, both or neither; only feeds at most `distance_km` from there.
        order: one of the form's choices.
    """

    text: str = ""
    tag: str = ""
    user: str = ""
    units: str = ""
    status: str = ""
    lat: float | None = None
    lon: float | None = None
    distance_km: float = 0
    order: str = "created_at"


async def find_feeds(
    tank: Tank, asked: DirectorySearch, live_s: int, page: int, per_page: int
) -> DevicePage:
    """One page of everybody's public feeds; in the loop.

    What `DeviceQuery` cannot ask yet is chosen here, from all that the rest of the question finds.
    """
    if not (asked.units or asked.status or asked.lat is not None or asked.order == "retrieved_at"):
        return tank.directory.list_devices(_query_of(asked, page, per_page))
    now_us = tank.clock.now_us()
    found = [
        device
        for device in tank.directory.list_devices(_query_of(asked, 1, _SCAN_MAX)).devices
        if (not asked.units or _has_units(tank, device, asked.units.casefold()))
        and (not asked.status or _status_of(tank, device, now_us, live_s) == asked.status)
        and (asked.lat is None or _is_near(device.location, asked))
    ]
    if asked.order == "retrieved_at":
        found.sort(
            key=lambda device: max(device.updated_us, _newest_us(tank, device) or 0), reverse=True
        )
    start = (page - 1) * per_page
    return DevicePage(found[start : start + per_page], len(found))


def _query_of(asked: DirectorySearch, page: int, per_page: int) -> DeviceQuery:
    return DeviceQuery(
        with_public=True,
        with_private=False,
        text=asked.text,
        tag=asked.tag,
        user=asked.user,
        order=asked.order,
        page=page,
        per_page=per_page,
    )


def _has_units(tank: Tank, device: Device, folded_units: str) -> bool:
    return any(
        stream.unit is not None
        and folded_units in (stream.unit.label.casefold(), stream.unit.symbol.casefold())
        for stream in tank.directory.datastreams(device.device_id).values()
    )


def _newest_us(tank: Tank, device: Device) -> int | None:
    streams = tank.directory.datastreams(device.device_id).values()
    times_us = (tank.archive.current_at_us(stream.stream_id) for stream in streams)
    return max((at_us for at_us in times_us if at_us is not None), default=None)


def _status_of(tank: Tank, device: Device, now_us: int, live_s: int) -> str:
    return "live" if is_live(_newest_us(tank, device), now_us, live_s) else "frozen"


def _is_near(location: Location | None, asked: DirectorySearch) -> bool:
    if location is None or location.lat is None or location.lon is None:
        return False
    assert asked.lat is not None, "asked for"
    assert asked.lon is not None, "checked with lat"
    here, there = math.radians(asked.lat), math.radians(location.lat)
    east = math.radians(location.lon - asked.lon)
    # The haversine formula: exact enough, also for neighbours.
    half = math.sin((there - here) / 2) ** 2
    half += math.cos(here) * math.cos(there) * math.sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, half))) <= asked.distance_km
