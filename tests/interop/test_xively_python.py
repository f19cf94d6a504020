"""The official Python library of 2013, unmodified, through every manager it has for data.

PyPI has its 0.1.0-rc1. The rc2 of its repository passes the same tests: put a checkout of it in front,
`PYTHONPATH=~/xively-python make interop`.
"""

import collections
import collections.abc
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from tests.interop.conftest import OpenDoor

# The library looks for this name where Python had it until 3.9.
collections.Sequence = collections.abc.Sequence  # type: ignore[attr-defined] # that is the point

import xively  # noqa: E402 - after the alias it needs

EXAMPLE = Path(__file__).parents[2] / "examples" / "box_8_04_xively_temperature.py"
NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)


@pytest.fixture
def api(xively_door: OpenDoor, monkeypatch: pytest.MonkeyPatch) -> Iterator[xively.XivelyAPIClient]:
    monkeypatch.setattr(xively.Client, "BASE_URL", f"//{xively_door.address}")
    client = xively.XivelyAPIClient(xively_door.master_key)
    yield client
    client.client.close()


def status_of(error: pytest.ExceptionInfo[requests.HTTPError]) -> int:
    return error.value.response.status_code


def test_feeds_are_created_read_listed_changed_and_deleted(api: xively.XivelyAPIClient) -> None:
    feed = api.feeds.create(title="From the library", tags=["b", "a"])
    read = api.feeds.get(feed.id)
    assert (read.title, list(read.tags), read.status) == ("From the library", ["a", "b"], "frozen")
    read.location = xively.Location(lat=1.5, lon=2.5, name="roof", exposure="outdoor")
    read.private = False
    read.update()
    again = api.feeds.get(feed.id)
    assert (again.location.lat, again.location.name, again.private) == (1.5, "roof", "false")
    assert feed.id in [str(found.id) for found in api.feeds.list()]
    again.delete()
    with pytest.raises(requests.HTTPError) as error:
        api.feeds.get(feed.id)
    assert status_of(error) == 404


def test_datastreams_are_created_read_listed_changed_and_deleted(
    api: xively.XivelyAPIClient, xively_door: OpenDoor
) -> None:
    feed = api.feeds.get(xively_door.feed_id)
    unit = xively.Unit(symbol="C", label="Celsius", type="derivedSI")
    made = feed.datastreams.create("temp", current_value=21.5, tags="inside", unit=unit)
    assert made.id == "temp"
    read = feed.datastreams.get("temp")
    assert (read.current_value, read.max_value, read.unit.label) == ("21.5", "21.5", "Celsius")
    read.current_value = 25
    read.at = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=5)
    read.update()
    assert feed.datastreams.get("temp").current_value == "25"
    feed.datastreams.create("hum")
    assert [found.id for found in feed.datastreams.list()] == ["hum", "temp"]
    assert [found.id for found in feed.datastreams.list(datastreams=["hum"])] == ["hum"]
    feed.datastreams.delete("hum")
    with pytest.raises(requests.HTTPError) as error:
        feed.datastreams.get("hum")
    assert status_of(error) == 404


def test_datapoints_and_history(api: xively.XivelyAPIClient, xively_door: OpenDoor) -> None:
    feed = api.feeds.get(xively_door.feed_id)
    datastream = feed.datastreams.create("temp", current_value=0)
    datastream = feed.datastreams.get("temp")
    times = [NOW - timedelta(minutes=minute) for minute in range(5, 0, -1)]
    for number, at in enumerate(times):
        datastream.datapoints.create(value=number, at=at)
    one = datastream.datapoints.get(times[1])
    assert one.value == "1"
    one.value = 11
    one.update()
    assert datastream.datapoints.get(times[1]).value == "11"
    datastream.datapoints.delete(start=times[3], end=times[4])
    found = list(datastream.datapoints.history(duration="1hour", find_previous=True))
    assert [point.value for point in found] == ["0", "11", "2", "0"]
    stepped = list(
        datastream.datapoints.history(start=times[0], interval=60, interval_type="discrete")
    )
    assert len(stepped) >= 5
    datastream.datapoints.delete(at=times[0])
    with pytest.raises(requests.HTTPError) as error:
        datastream.datapoints.get(times[0])
    assert status_of(error) == 404


def test_an_update_echoes_all_it_read_without_harm(
    api: xively.XivelyAPIClient, xively_door: OpenDoor
) -> None:
    feed = api.feeds.get(xively_door.feed_id)
    feed.datastreams.create("temp", current_value="0000017")
    feed = api.feeds.get(xively_door.feed_id)
    before = feed.datastreams.get("temp")
    feed.update()
    after = api.feeds.get(xively_door.feed_id).datastreams.get("temp")
    assert (after.current_value, after.at) == (before.current_value, before.at)
    assert len(list(after.datapoints.history(duration="1hour"))) == 1


def test_a_wrong_key_is_refused_with_401(api: xively.XivelyAPIClient) -> None:
    stranger = xively.XivelyAPIClient("wrong")
    with pytest.raises(requests.HTTPError) as error:
        list(stranger.feeds.list())
    assert status_of(error) == 401
    stranger.client.close()


def test_the_books_controller_runs_against_the_door(xively_door: OpenDoor) -> None:
    """Box 8.4, as a program of its own."""
    command = [sys.executable, str(EXAMPLE), "--server", f"http://{xively_door.address}"]
    command += ["--feed-id", str(xively_door.feed_id), "--api-key", xively_door.device_key]
    command += ["--count", "3", "--every", "0.01"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Updating Xively feed with temperature: ") == 3
    feed = requests.get(
        f"http://{xively_door.address}/v2/feeds/{xively_door.feed_id}.json?duration=1hour",
        headers={"X-ApiKey": xively_door.device_key},
        timeout=10,
    ).json()
    assert feed["tags"] == ["Weather"]
    assert (feed["location"]["lat"], feed["location"]["lon"]) == (30.733315, 76.779418)
    (datastream,) = feed["datastreams"]
    assert (datastream["id"], datastream["tags"]) == ("temperature", ["temperature"])
    assert len(datastream["datapoints"]) == 3
