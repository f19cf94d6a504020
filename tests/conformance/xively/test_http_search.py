"""Xively's feed search over HTTP: each parameter of the spec's section 3.6."""

from typing import Any

import pytest
from tests.conformance.xively.conftest import NOW_US, Xively

from thingtank.tank.access import Caller
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.feeds import write_feed
from thingtank.tank.changes import DatastreamChange, DatastreamWrite, DeviceChange, LocationChange
from thingtank.tank.things import Unit

LONDON = LocationChange(lat=51.5, lon=-0.08)
SEARCHES = [
    ("q", "q=bicyle", ["Bicycle counter"]),
    ("q and a beginning", "q=coun+bicy", ["Bicycle counter"]),
    ("tag of a datastream", "tag=Traffic", ["Bicycle counter"]),
    ("units", "units=per+hour", ["Bicycle counter"]),
    ("status live", "status=live&q=counter", ["Bicycle counter"]),
    ("status frozen", "status=frozen&q=counter", []),
    ("user", "user=bob&q=counter", ["Bicycle counter"]),
    ("circle", "lat=51.4&lon=-0.08&distance=12", ["Bicycle counter"]),
    ("smaller circle", "lat=51.4&lon=-0.08&distance=11", []),
    ("circle in miles", "lat=51.4&lon=-0.08&distance=7&distance_units=miles", ["Bicycle counter"]),
    ("circle in Xively4J's miles", "lat=51.4&lon=-0.08&distance=7&distance_unit=miles", ["Bicycle counter"]),
    ("another's private feed", "q=secret", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "titles"), [row[1:] for row in SEARCHES], ids=[row[0] for row in SEARCHES]
)
async def test_3_6_a_search_finds(xively: Xively, asked: str, titles: list[str]) -> None:
    bob = Caller(xively.bob)
    change = DeviceChange(title="Bicycle counter", private=False, location=LONDON)
    made = await create_device(xively.tank, bob, change)
    write = DatastreamWrite(
        "north",
        (NOW_US - 1,),
        ("1",),
        DatastreamChange(tags=("traffic",), unit=Unit(label="Per hour")),
    )
    await write_feed(xively.tank, bob, made.device.device_id, None, [write])
    await create_device(xively.tank, bob, DeviceChange(title="Secret", private=True))
    page: Any = (await xively.ask("GET", f"/v2/feeds?{asked}", "master")).json()
    assert [feed["title"] for feed in page["results"]] == titles
    assert page["totalResults"] == len(titles)


@pytest.mark.parametrize(
    "asked", ["order=name", "status=dead", "lat=1", "distance=x", "per_page=x"]
)
async def test_3_6_a_term_that_cannot_be_read_is_400(xively: Xively, asked: str) -> None:
    reply = await xively.ask("GET", f"/v2/feeds?{asked}", "master")
    assert reply.status_code == 400
    assert asked.partition("=")[0] in reply.json()["errors"]


async def test_3_4_a_partial_location_leaves_its_other_members(xively: Xively) -> None:
    first = {"location": {"lat": 1.5, "lon": "2.5", "domain": "virtual", "disposition": "mobile"}}
    for document in (first, {"location": {"name": "roof"}}, {"location": {}}):
        assert (await xively.ask("PUT", xively.feed, "master", json=document)).status_code == 200
    feed = (await xively.ask("GET", xively.feed, "master")).json()
    assert feed["location"] == {**first["location"], "lon": 2.5, "name": "roof"}
