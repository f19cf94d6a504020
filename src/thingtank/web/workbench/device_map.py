"""What the map of devices shows of a part of the world: clusters, and devices that stand alone."""

import math
from collections.abc import Iterable, Mapping

import msgspec

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.errors import NoSuchDevice, ValidationFailed
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.search.clusters import Box, Cluster, clusters_of, within
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device, is_live
from thingtank.web import tank_access

CELL_PX = 64  # places nearer than that are one cluster
WORLD_PX = 256  # how wide the world is at zoom 0
ZOOM_MAX = 19
LISTED_MAX = 20
VALUE_CHARS_MAX = 100


class MapTerms(msgspec.Struct, frozen=True):
    """Which part of the map is asked for."""

    box: Box
    zoom: int


class Group(msgspec.Struct, frozen=True):
    """A cluster: where its middle is, how many devices it is, and what it reaches over."""

    lat: float
    lon: float
    count: int
    west: float
    south: float
    east: float
    north: float


class Spot(msgspec.Struct, frozen=True):
    """A device on the map.

    Attributes:
        channel, value, unit: what was written last; blank when nothing was.
        at_ms: when, milliseconds since the epoch, UTC; None when nothing was.
    """

    id: int
    title: str
    lat: float
    lon: float
    is_live: bool
    channel: str
    value: str
    unit: str
    at_ms: int | None


class MapPart(msgspec.Struct, frozen=True):
    """A part of the map.

    Attributes:
        placed_count, found_count: how many devices there are with a place, and with those without,
            on the whole map.
        bounds: west, south, east, north of all that have a place; None when none has.
    """

    groups: list[Group]
    spots: list[Spot]
    placed_count: int
    found_count: int
    bounds: Box | None


class Listed(msgspec.Struct, frozen=True):
    """The first LISTED_MAX devices of a part of the map, and how many they are in all."""

    spots: list[Spot]
    count: int


def map_terms(asked: Mapping[str, str]) -> MapTerms:
    """Terms of an address: `west`, `south`, `east`, `north` in degrees, and `zoom`.

    Raises:
        ValidationFailed: a term is nonsense.
    """
    west, east = _degrees(asked, "west", -180, 180), _degrees(asked, "east", -180, 180)
    south, north = _degrees(asked, "south", -90, 90), _degrees(asked, "north", -90, 90)
    if south > north:
        raise ValidationFailed([("north", "must not be south of south")])
    zoom = _degrees(asked, "zoom", 0, ZOOM_MAX)
    return MapTerms(Box(west, south, east, north), math.floor(zoom))


def _degrees(asked: Mapping[str, str], name: str, lowest: float, highest: float) -> float:
    try:
        value = float(asked.get(name, "")[:30])
    except ValueError:
        value = math.nan
    if not lowest <= value <= highest:
        raise ValidationFailed([(name, f"must be a number from {lowest} to {highest}")])
    return value


def read_part(
    tank: Tank, caller: Caller, query: DeviceQuery, terms: MapTerms, live_s: int
) -> MapPart:
    """A part of the map; from a page's thread."""
    places = tank.directory.device_places(query)
    cell_zoom = terms.zoom + round(math.log2(WORLD_PX / CELL_PX))
    clusters = clusters_of(places, terms.box, cell_zoom)
    alone = [cluster.device_id for cluster in clusters if cluster.device_count == 1]
    groups = [_group(cluster) for cluster in clusters if cluster.device_count > 1]
    bounds = None
    if len(places.device_ids):
        edges = (places.lons.min(), places.lats.min(), places.lons.max(), places.lats.max())
        bounds = Box(*(float(edge) for edge in edges))
    spots = tank_access.run(_spots(tank, caller, alone, live_s))
    return MapPart(groups, spots, len(places.device_ids), places.found_count, bounds)


def read_listed(
    tank: Tank, caller: Caller, query: DeviceQuery, terms: MapTerms, live_s: int
) -> Listed:
    """Devices of a small part of the map, such as those that share a place; newest first."""
    ids = within(tank.directory.device_places(query), terms.box).device_ids
    newest = sorted(ids.tolist(), reverse=True)[:LISTED_MAX]
    return Listed(tank_access.run(_spots(tank, caller, newest, live_s)), len(ids))


def _group(cluster: Cluster) -> Group:
    return Group(cluster.lat, cluster.lon, cluster.device_count, *cluster.box)


async def _spots(tank: Tank, caller: Caller, ids: Iterable[int], live_s: int) -> list[Spot]:
    now_us = tank.clock.now_us()
    spots = []
    for device_id in ids:
        try:
            device = tank.directory.get_device(device_id)
        except NoSuchDevice:  # deleted meanwhile
            continue
        spot = _spot(tank, device, now_us, live_s) if may_reach(caller, "get", device) else None
        if spot is not None:
            spots.append(spot)
    return spots


def _spot(tank: Tank, device: Device, now_us: int, live_s: int) -> Spot | None:
    """None for a device that has lost its place meanwhile."""
    location = device.location
    if location is None or location.lat is None or location.lon is None:
        return None
    at_us, channel, value, unit = None, "", "", ""
    for datastream in tank.directory.datastreams(device.device_id).values():
        current = tank.archive.current(datastream.stream_id)
        if current is None or current.at_us is None or current.value is None:
            continue
        if at_us is None or current.at_us > at_us:
            at_us, channel, value = current.at_us, datastream.name, current.value
            unit = datastream.unit.symbol or "" if datastream.unit else ""
    return Spot(
        device.device_id,
        device.title,
        location.lat,
        location.lon,
        is_live(at_us, now_us, live_s),
        channel,
        value[:VALUE_CHARS_MAX],
        unit,
        None if at_us is None else at_us // 1000,
    )
