"""What feeds no longer want to keep goes, at a price of those feeds alone."""

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.datapoints import read_history
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.feeds import write_feed
from thingtank.tank.actions.retention import apply_retention
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.errors import LimitReached, NotAllowed
from thingtank.tank.history import HistoryTerms
from thingtank.tank.limits import Limits
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account

HOUR_S = 3600
NOW = 1_700_000_000_000_000


class StoppedClock:
    def now_us(self) -> int:
        return NOW


@pytest.fixture
def tank(monkeypatch: pytest.MonkeyPatch) -> Tank:
    # To sort all devices takes seconds where there are many.
    monkeypatch.setattr(MemoryDirectory, "list_devices", None)
    limits = Limits(devices_per_account_max=3)
    return Tank(MemoryDirectory(), MemoryArchive(), clock=StoppedClock(), limits=limits)


@pytest.fixture
def alice(tank: Tank) -> Account:
    assert isinstance(tank.directory, MemoryDirectory)
    return tank.directory.add_account("alice")


async def written_feed(tank: Tank, alice: Account, keep_h: int | None, *at_h: int) -> int:
    retention_s = None if keep_h is None else keep_h * HOUR_S
    change = DeviceChange(title="Roof", retention_s=retention_s)
    feed_id = (await create_device(tank, Caller(alice), change)).device.device_id
    times = [NOW + hour * HOUR_S * 1_000_000 for hour in at_h]
    write = DatastreamWrite("t", times, [str(hour) for hour in at_h])
    await write_feed(tank, Caller(alice), feed_id, None, [write])
    return feed_id


async def kept(tank: Tank, feed_id: int) -> list[str]:
    found = await read_history(tank, OPERATOR, feed_id, ["t"], HistoryTerms(duration_s=20 * HOUR_S))
    return [point.value for point in found["t"]]


async def test_what_is_past_a_feeds_retention_goes_and_its_newest_stays(
    tank: Tank, alice: Account
) -> None:
    short = await written_feed(tank, alice, 6, -9, -3)
    quiet = await written_feed(tank, alice, 6, -9, -8)
    forever = await written_feed(tank, alice, None, -9, -3)
    assert await apply_retention(tank, OPERATOR) == 2
    assert [await kept(tank, feed_id) for feed_id in (short, quiet, forever)] == [
        ["-3"],
        ["-8"],
        ["-9", "-3"],
    ]
    assert await apply_retention(tank, OPERATOR) == 0
    with pytest.raises(NotAllowed):
        await apply_retention(tank, Caller(alice))


async def test_an_account_has_no_more_devices_than_it_may(tank: Tank, alice: Account) -> None:
    for _ in range(3):
        await create_device(tank, Caller(alice), DeviceChange(title="Roof"))
    with pytest.raises(LimitReached, match="3 devices"):
        await create_device(tank, Caller(alice), DeviceChange(title="Roof"))
