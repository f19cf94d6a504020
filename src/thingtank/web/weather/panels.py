"""What the weather station's page shows: the newest reading a visitor may see, and its chart."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

import msgspec
from django.db.models import QuerySet

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.datapoints import text_of
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web.weather.filling import CHANNEL, READINGS_MAX
from thingtank.web.weather.models import TemperatureData
from thingtank.web.weather.readings import at_of, at_us_of
from thingtank.web.workbench.charts import Chart, empty_chart

TYPED_IN = 0  # in place of a feed id: readings that somebody typed in
SOURCES_SHOWN_MAX = 20
LATEST_SHOWN = 10


class Reading(msgspec.Struct, frozen=True):
    """A temperature at a time and place, as pages show it.

    Attributes:
        temperature: as text.
        unit: its symbol; `°` where none is known.
    """

    temperature: str
    unit: str
    at_us: int
    lat: float | None
    lon: float | None

    @property
    def has_place(self) -> bool:
        """Whether it can be put on a map."""
        return self.lat is not None and self.lon is not None


class Source(msgspec.Struct, frozen=True):
    """Where readings come from: a feed, or somebody who types.

    Attributes:
        feed_id: TYPED_IN when no feed.
        name: of the place; the device's title when its location has none.
    """

    feed_id: int
    name: str
    latest: Reading | None = None


def visible_devices(tank: Tank, caller: Caller, device_ids: Iterable[int]) -> list[Device]:
    """Those devices that are still there and that the caller may see, in order of id."""
    found = []
    for device_id in sorted(device_ids):
        try:
            device = tank.directory.get_device(device_id)
        except NoSuchDevice:
            continue
        if may_reach(caller, "get", device):
            found.append(device)
    return found


def read_sources(
    tank: Tank, caller: Caller, bound: Mapping[int, int], asked: int | None = None
) -> list[Source]:
    """What a visitor may see at the station, the one with the newest reading first.

    Args:
        bound: device → its binding.
        asked: a feed that is among them in any case, if it may be seen.
    """
    sources = []
    devices = visible_devices(tank, caller, bound)
    devices.sort(key=lambda device: device.device_id != asked)
    for device in devices[:SOURCES_SHOWN_MAX]:
        rows = readings_of(bound[device.device_id])
        sources.append(
            Source(
                device.device_id, place_name(device), _reading(rows.first(), unit_of(tank, device))
            )
        )
    if caller.account is not None:
        typed = _reading(readings_of(None).first(), "°")
        if typed is not None:
            sources.append(Source(TYPED_IN, "Typed in", typed))
    return sorted(sources, key=lambda x: x.latest.at_us if x.latest else -1, reverse=True)


def readings_of(bound_id: int | None) -> QuerySet[TemperatureData]:
    """A source's readings, newest first."""
    rows = TemperatureData.objects.filter(bound_feed_id=bound_id)
    return rows.order_by("-timestamp", "-id")


def latest_readings(rows: QuerySet[TemperatureData], unit: str) -> list[Reading]:
    """The newest LATEST_SHOWN of them, newest first."""
    return [_reading_of(row, unit) for row in rows[:LATEST_SHOWN]]


def place_name(device: Device) -> str:
    """What people call where it stands."""
    location = device.location
    return location.name if location is not None and location.name else device.title


def unit_of(tank: Tank, device: Device) -> str:
    """The symbol of its temperature's unit; `°` where it has none."""
    datastream = tank.directory.datastreams(device.device_id).get(CHANNEL)
    unit = datastream.unit if datastream is not None else None
    return unit.symbol if unit is not None and unit.symbol else "°"


def feed_source(tank: Tank, device: Device) -> Source:
    """A feed's current temperature and place, without the station's table (box 8.13)."""
    datastream = tank.directory.datastreams(device.device_id).get(CHANNEL)
    current = tank.archive.current(datastream.stream_id) if datastream is not None else None
    if current is None or current.value is None or current.at_us is None:
        return Source(device.device_id, place_name(device))
    lat, lon = (device.location.lat, device.location.lon) if device.location else (None, None)
    reading = Reading(current.value, unit_of(tank, device), current.at_us, lat, lon)
    return Source(device.device_id, place_name(device), reading)


def read_chart(rows: QuerySet[TemperatureData], start_us: int, end_us: int, step_us: int) -> Chart:
    """Readings of a range, summarized in steps."""
    within = rows.filter(timestamp__gte=at_of(start_us), timestamp__lt=at_of(end_us))
    values = within.values_list("timestamp", "temperature")[:READINGS_MAX]
    return chart_of(list(values)[::-1], start_us, end_us, step_us)


def chart_of(
    rows: Sequence[tuple[datetime.datetime, float]], start_us: int, end_us: int, step_us: int
) -> Chart:
    """Columns of readings, n >= 0, oldest first: of each step its lowest, highest and mean."""
    chart = empty_chart(start_us, end_us, step_us)
    steps: dict[int, list[tuple[int, float]]] = {}
    for at, temperature in rows:
        at_us = at_us_of(at)
        steps.setdefault(at_us // step_us, []).append((at_us, temperature))
    for points in steps.values():
        numbers = [temperature for _, temperature in points]
        (lowest_us, lowest), (highest_us, highest) = (
            choose(points, key=itemgetter(1)) for choose in (min, max)
        )
        chart.at_s.append((points[0][0] + points[-1][0]) / 2e6)
        chart.minimum.append(lowest)
        chart.maximum.append(highest)
        chart.minimum_at_s.append(lowest_us / 1e6)
        chart.maximum_at_s.append(highest_us / 1e6)
        chart.count.append(len(numbers))
        chart.mean.append(sum(numbers) / len(numbers))
    return chart


def _reading(row: TemperatureData | None, unit: str) -> Reading | None:
    return None if row is None else _reading_of(row, unit)


def _reading_of(row: TemperatureData, unit: str) -> Reading:
    at_us = at_us_of(row.timestamp)
    return Reading(text_of(row.temperature), unit, at_us, row.lat, row.lon)
