"""The directory finds everybody's public feeds by each of its terms, and private ones by none."""

import math

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import create_device
from thingtank.tank.changes import DatastreamChange, DatastreamWrite, DeviceChange
from thingtank.tank.tank import Tank
from thingtank.tank.things import Location, Unit
from thingtank.web.workbench.directory_search import DirectorySearch, find_feeds

LIVE_S = 900
HOUR_US = 3_600_000_000

# title, owner, private, tags, place, unit, hours since the last value (None: never)
FEEDS = [
    ("Roof", "alice", False, ("weather",), (48.2, 16.4), Unit("", "°C", "Celsius"), 0.0),
    ("Cellar", "alice", False, ("damp",), (48.3, 16.2), Unit("", "%", "percent"), 2.0),
    ("Harbour", "bob", False, ("weather", "sea"), (-36.8, 179.9), None, None),
    ("Fiji", "bob", False, (), (-17.8, -179.6), Unit("", "°F", "Fahrenheit"), 0.1),
    ("Nowhere", "bob", False, ("weather",), None, Unit("", "°C", "Celsius"), 5.0),
    ("Vault", "alice", True, ("weather",), (48.2, 16.4), Unit("", "°C", "Celsius"), 0.0),
]


@pytest.fixture
async def tank() -> Tank:
    directory = MemoryDirectory()
    tank = Tank(directory, MemoryArchive())
    callers = {name: Caller(directory.add_account(name)) for name in ("alice", "bob")}
    for title, owner, private, tags, place, unit, hours in FEEDS:
        location = None if place is None else Location(lat=place[0], lon=place[1])
        change = DeviceChange(title=title, private=private, tags=tags, location=location)
        made = await create_device(tank, callers[owner], change)
        at_us = [] if hours is None else [tank.clock.now_us() - int(hours * HOUR_US)]
        write = DatastreamWrite("t", at_us, ["1"] * len(at_us), DatastreamChange(unit=unit))
        await record_datapoints(
            tank, callers[owner], made.device.device_id, [write], creates_missing=True
        )
    return tank


async def titles(tank: Tank, asked: DirectorySearch, page: int = 1, per_page: int = 50) -> list[str]:  # fmt: skip
    found = await find_feeds(tank, asked, LIVE_S, page, per_page)
    return [device.title for device in found.devices]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (DirectorySearch(), {"Roof", "Cellar", "Harbour", "Fiji", "Nowhere"}),
        (DirectorySearch(text="roof"), {"Roof"}),
        (DirectorySearch(text="vault"), set()),
        (DirectorySearch(tag="Weather"), {"Roof", "Harbour", "Nowhere"}),
        (DirectorySearch(user="alice"), {"Roof", "Cellar"}),
        (DirectorySearch(units="celsius"), {"Roof", "Nowhere"}),
        (DirectorySearch(units="°C"), {"Roof", "Nowhere"}),
        (DirectorySearch(units="Cel"), set()),
        (DirectorySearch(status="live"), {"Roof", "Fiji"}),
        (DirectorySearch(status="frozen"), {"Cellar", "Harbour", "Nowhere"}),
        (DirectorySearch(lat=48.2, lon=16.4, distance_km=1), {"Roof"}),
        (DirectorySearch(lat=48.2, lon=16.4, distance_km=20), {"Roof", "Cellar"}),
        (DirectorySearch(lat=-17.8, lon=179.9, distance_km=60), {"Fiji"}),  # over the 180th meridian
        (DirectorySearch(lat=0, lon=0, distance_km=math.pi * 6371.1), {"Roof", "Cellar", "Harbour", "Fiji"}),
        (DirectorySearch(tag="weather", units="°c", status="frozen"), {"Nowhere"}),
        (DirectorySearch(user="alice", lat=-17.8, lon=179.9, distance_km=60), set()),
    ],
)  # fmt: skip
async def test_each_term_narrows(tank: Tank, asked: DirectorySearch, expected: set[str]) -> None:
    assert set(await titles(tank, asked)) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("created_at", ["Nowhere", "Fiji", "Harbour", "Cellar", "Roof"]),
        ("title", ["Cellar", "Fiji", "Harbour", "Nowhere", "Roof"]),
    ],
)
async def test_results_come_in_the_order_asked_for(
    tank: Tank, order: str, expected: list[str]
) -> None:
    assert await titles(tank, DirectorySearch(order=order)) == expected
    narrowed = await titles(tank, DirectorySearch(order=order, status="frozen"))
    assert narrowed == [title for title in expected if title in {"Cellar", "Harbour", "Nowhere"}]


@pytest.mark.parametrize("asked", [DirectorySearch(), DirectorySearch(order="retrieved_at")])
async def test_pages_hold_each_feed_once_and_say_how_many_there_are(
    tank: Tank, asked: DirectorySearch
) -> None:
    seen = [title for page in (1, 2, 3) for title in await titles(tank, asked, page, 2)]
    assert len(seen) == len(set(seen)) == 5
    assert await titles(tank, asked, 4, 2) == []
    assert (await find_feeds(tank, asked, LIVE_S, 1, 2)).total_count == 5
