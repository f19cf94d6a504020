"""A bulk write is one commit, or nothing."""

from typing import Any

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller
from thingtank.tank.actions.bulk import (
    BULK_DATAPOINTS_MAX,
    REFUSALS_MAX,
    BulkPoint,
    BulkRefused,
    record_bulk,
)
from thingtank.tank.actions.devices import create_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.errors import LimitReached, Overloaded
from thingtank.tank.events import DatapointsRecorded
from thingtank.tank.limits import Limits
from thingtank.tank.tank import Tank


class CountingArchive(MemoryArchive):
    """Counts commits, and refuses them when it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.appended: list[int] = []
        self.is_full = False

    def append(self, rows: DatapointRows) -> Any:
        if self.is_full:
            raise Overloaded("full")
        self.appended.append(len(rows))
        return super().append(rows)


@pytest.fixture
async def tank() -> Tank:
    return Tank(MemoryDirectory(), CountingArchive(), limits=Limits(datastreams_per_device_max=3))


async def devices(tank: Tank, count: int) -> tuple[Caller, list[int]]:
    assert isinstance(tank.directory, MemoryDirectory)
    caller = Caller(tank.directory.add_account("alice"))
    made = [
        await create_device(tank, caller, DeviceChange(title=str(number)))
        for number in range(count)
    ]
    return caller, [each.device.device_id for each in made]


def recorded(tank: Tank) -> list[DatapointsRecorded]:
    events: list[DatapointsRecorded] = []
    tank.bus.react(DatapointsRecorded, events.append)
    return events


async def test_all_devices_share_one_commit_and_each_is_announced(tank: Tank) -> None:
    caller, (first, second) = await devices(tank, 2)
    events = recorded(tank)
    points = [
        BulkPoint(device, name, at_us, str(at_us))
        for at_us in (2, 1)
        for device in (first, second)
        for name in ("t", "h")
    ]
    assert await record_bulk(tank, caller, points, creates_missing=True) == 8
    assert isinstance(tank.archive, CountingArchive)
    assert tank.archive.appended == [8]
    assert [event.device_id for event in events] == [first, second]
    for event in events:
        assert sorted(event.names.values()) == ["h", "t"]
        assert event.rows.values == ["2", "1", "2", "1"]


async def test_nothing_is_announced_that_is_not_on_disk(tank: Tank) -> None:
    caller, (device,) = await devices(tank, 1)
    events = recorded(tank)
    assert isinstance(tank.archive, CountingArchive)
    tank.archive.is_full = True
    with pytest.raises(Overloaded):
        await record_bulk(tank, caller, [BulkPoint(device, "t", 1, "1")], creates_missing=True)
    assert events == []


async def test_a_device_gets_no_more_datastreams_than_it_may_have(tank: Tank) -> None:
    caller, (device,) = await devices(tank, 1)
    points = [BulkPoint(device, name, 1, "1") for name in "abcd"]
    with pytest.raises(BulkRefused) as caught:
        await record_bulk(tank, caller, points, creates_missing=True)
    assert [(each.index, each.member, each.reason) for each in caught.value.refusals] == [
        (3, "datastream", "a device may have 3")
    ]
    assert tank.directory.datastreams(device) == {}


async def test_what_is_too_much_is_refused_and_what_is_told_is_bounded(tank: Tank) -> None:
    caller, (device,) = await devices(tank, 1)
    point = BulkPoint(device, "t", 1, "1")
    with pytest.raises(LimitReached, match="10001 datapoints"):
        await record_bulk(tank, caller, [point] * (BULK_DATAPOINTS_MAX + 1))
    with pytest.raises(BulkRefused) as caught:
        await record_bulk(tank, caller, [point] * 1000)
    assert len(caught.value.refusals) == REFUSALS_MAX
    assert await record_bulk(tank, caller, []) == 0
