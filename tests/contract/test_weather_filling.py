"""Bound feeds fill the weather station's table: in batches, bounded, and again after a failure."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.contract.directories import Opened, draft, opened_directory
from tests.waiting import until

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import delete_device
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.errors import LimitReached, NoSuchDevice, NotAllowed, StorageFailed
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Device, Location

pytestmark = pytest.mark.usefixtures("database")

START_US = 1_393_926_310_000_000


class Station:
    """A tank, and what fills its weather station; `failures` of writes are still to come."""

    def __init__(self, opened: Opened) -> None:
        from thingtank.web.weather.filling import StationFilling

        self.opened = opened
        self.tank = Tank(opened.directory, MemoryArchive())
        self.failures = 0
        self.write_count = 0
        self.alice = Caller(opened.alice)
        self.filling = StationFilling(self.tank, self.write)

    async def write(self, write: Callable[[], Any]) -> Any:
        self.write_count += 1
        if self.failures:
            self.failures -= 1
            raise StorageFailed("the disk is full")
        return await self.opened.directory.write(write)

    async def add_device(self, title: str = "Roof") -> Device:
        place = Location(lat=30.733315, lon=76.779418)
        device = draft(self.opened, title, location=place)
        streams = [Datastream(0, 0, name) for name in ("temperature", "humidity")]
        return await self.tank.directory.insert_device(device, streams, f"token of {title}", None)

    async def record(
        self, device: Device, *points: tuple[int, str], name: str = "temperature"
    ) -> None:
        at_us = [START_US + second * 1_000_000 for second, _ in points]
        writes = [DatastreamWrite(name, at_us, [value for _, value in points])]
        await record_datapoints(self.tank, OPERATOR, device.device_id, writes)

    def rows(self) -> list[tuple[int, float]]:
        """Second and temperature, in the order of time."""
        from thingtank.web.weather.models import TemperatureData
        from thingtank.web.weather.readings import at_us_of

        rows = TemperatureData.objects.order_by("timestamp")
        return [
            ((at_us_of(row.timestamp) - START_US) // 1_000_000, row.temperature) for row in rows
        ]

    async def until(self, rows: list[tuple[int, float]]) -> None:
        await until(lambda: self.rows() == rows, self.rows)


@pytest.fixture
async def station(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Station]:
    async with opened_directory("database") as opened:
        from thingtank.web.weather import filling, models

        monkeypatch.setattr(filling, "FILL_EVERY_S", 0.02)
        monkeypatch.setattr(filling, "RETRY_S", 0.02)
        models.TemperatureData.objects.all().delete()
        made = Station(opened)
        await made.filling.start()
        yield made
        await made.filling.stop()


async def test_what_a_bound_feed_says_becomes_readings_with_its_place(station: Station) -> None:
    from thingtank.web.weather.models import TemperatureData

    device, other = await station.add_device(), await station.add_device("Cellar")
    await station.filling.bind(station.alice, device.device_id)
    await station.record(device, (1, "21.5"), (2, "warm"), (3, "-3"))
    await station.record(device, (1, "60"), name="humidity")
    await station.record(other, (1, "12"))
    await station.until([(1, 21.5), (3, -3.0)])
    places = TemperatureData.objects.values_list("lat", "lon").distinct()
    assert list(places) == [(30.733315, 76.779418)]
    await station.record(device, (3, "4"))  # written again: the same instant
    await station.until([(1, 21.5), (3, 4.0)])


async def test_what_comes_together_is_written_together(station: Station) -> None:
    device = await station.add_device()
    await station.filling.bind(station.alice, device.device_id)
    await asyncio.sleep(0.05)
    before = station.write_count
    for second in range(50):
        await station.record(device, (second, str(second)))
    await station.until([(second, float(second)) for second in range(50)])
    assert station.write_count - before < 25


async def test_what_was_missed_is_read_from_the_archive(station: Station) -> None:
    device = await station.add_device()
    await station.record(device, (1, "1"), (2, "2"))
    await station.filling.bind(station.alice, device.device_id)
    await station.until([(1, 1.0), (2, 2.0)])
    await station.filling.stop()
    await station.record(device, (3, "3"))
    await station.filling.start()
    await station.until([(1, 1.0), (2, 2.0), (3, 3.0)])


async def test_what_was_heard_last_is_written_at_the_stop(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thingtank.web.weather import filling

    device = await station.add_device()
    await station.filling.bind(station.alice, device.device_id)
    await asyncio.sleep(0.05)
    monkeypatch.setattr(filling, "FILL_EVERY_S", 60.0)
    await station.record(device, (1, "1"))
    await asyncio.sleep(0.01)  # it has heard one, and gathers
    await station.record(device, (2, "2"))
    await station.filling.stop()
    assert station.rows() == [(1, 1.0), (2, 2.0)]


async def test_a_write_that_fails_is_tried_again(station: Station) -> None:
    device = await station.add_device()
    await station.filling.bind(station.alice, device.device_id)
    await asyncio.sleep(0.05)
    station.failures = 3
    await station.record(device, (1, "1"))
    await station.until([(1, 1.0)])


async def test_only_the_newest_readings_are_kept(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thingtank.web.weather import filling

    monkeypatch.setattr(filling, "READINGS_MAX", 3)
    device = await station.add_device()
    await station.filling.bind(station.alice, device.device_id)
    await station.record(device, *[(second, str(second)) for second in range(5)])
    await station.until([(2, 2.0), (3, 3.0), (4, 4.0)])


async def test_a_feed_that_is_let_go_or_deleted_leaves_nothing(station: Station) -> None:
    from thingtank.web.weather.models import BoundFeed

    roof, cellar = await station.add_device(), await station.add_device("Cellar")
    for device in (roof, cellar):
        await station.filling.bind(station.alice, device.device_id)
        await station.record(device, (1, "1"))
    await station.until([(1, 1.0), (1, 1.0)])
    await station.filling.unbind(station.alice, roof.device_id)
    await station.record(roof, (2, "2"))
    await delete_device(station.tank, OPERATOR, cellar.device_id)
    assert station.filling.bound == {}
    await asyncio.sleep(0.1)
    assert station.rows() == []
    assert not BoundFeed.objects.exists()


async def test_only_who_may_change_a_feed_binds_it_and_not_too_many(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thingtank.web.weather import filling

    device, second = await station.add_device(), await station.add_device("Cellar")
    bob = Caller(station.opened.bob)
    with pytest.raises(NotAllowed):
        await station.filling.bind(bob, device.device_id)
    with pytest.raises(NoSuchDevice):
        await station.filling.bind(bob, 999_999)
    monkeypatch.setattr(filling, "FEEDS_MAX", 1)
    await station.filling.bind(station.alice, device.device_id)
    await station.filling.bind(station.alice, device.device_id)  # again: it is
    with pytest.raises(LimitReached):
        await station.filling.bind(station.alice, second.device_id)
    with pytest.raises(NotAllowed):
        await station.filling.unbind(bob, device.device_id)


async def test_the_page_shows_one_feed_instead_where_it_is_set(station: Station) -> None:
    from django.test import Client, override_settings

    from thingtank.web import tank_access
    from thingtank.web.accounts.models import Account as AccountRow
    from thingtank.web.weather.settings import WeatherSettings
    from thingtank.web.web_settings import WebSettings

    device = await station.add_device()
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(tank_access, "_attached", None)
    tank_access.attach(station.tank, lambda: None)
    settings = WebSettings(weather=WeatherSettings("feed", device.device_id))
    alice, stranger = Client(), Client()
    alice.force_login(AccountRow.objects.get(username="alice"), "django.contrib.auth.backends.ModelBackend")  # fmt: skip

    async def shown(client: Client) -> Any:
        return await asyncio.to_thread(client.get, "/weather/")

    with override_settings(THINGTANK=settings, ALLOWED_HOSTS=["testserver"]):
        waiting = await shown(alice)
        assert "Waiting for a first temperature" in waiting.content.decode()
        await station.record(device, (1, "24"))
        page = (await shown(alice)).content.decode()
        assert 'id="temperature">24<' in page
        chart = f'data-chart="/feeds/{device.device_id}/channel-temperature/chart"'
        assert chart in page
        assert (await shown(stranger))["Location"].startswith("/sign-in")
    monkeypatch.undo()
