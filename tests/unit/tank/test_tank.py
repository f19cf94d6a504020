"""Searches of a tank: in the loop when short, in a thread and one at a time when long."""

import asyncio
import threading

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank import tank as tank_module
from thingtank.tank.access import Caller
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.feeds import write_feed
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.errors import Overloaded
from thingtank.tank.interfaces import DevicePage, DeviceQuery
from thingtank.tank.tank import Tank

LONG = DeviceQuery(everybody=True, text="roof")
SHORT = DeviceQuery(everybody=True)


class SlowDirectory(MemoryDirectory):
    """Answers long searches when it is let, and notes how many ask at once."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()
        self.asking_count = 0
        self.asking_count_max = 0

    def list_devices(self, query: DeviceQuery) -> DevicePage:
        self.asking_count += 1
        self.asking_count_max = max(self.asking_count_max, self.asking_count)
        if query.is_long:
            assert self.may_answer.wait(10)
        self.asking_count -= 1
        return super().list_devices(query)


async def test_the_loop_goes_on_while_a_long_search_runs_and_others_wait_their_turn() -> None:
    directory = SlowDirectory()
    tank = Tank(directory, MemoryArchive())
    searches = [asyncio.ensure_future(tank.search_devices(LONG)) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert not any(search.done() for search in searches)
    directory.may_answer.set()
    assert [page.total_count for page in await asyncio.gather(*searches)] == [0, 0, 0]
    assert directory.asking_count_max == 1
    assert (await tank.search_devices(SHORT)).total_count == 0


async def test_too_many_waiting_searches_are_refused_and_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tank_module, "SEARCHES_WAITING_MAX", 2)
    directory = SlowDirectory()
    tank = Tank(directory, MemoryArchive())
    searches = [asyncio.ensure_future(tank.search_devices(LONG)) for _ in range(2)]
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded, match="2 searches"):
        await tank.search_devices(LONG)
    directory.may_answer.set()
    await asyncio.gather(*searches)
    assert (await tank.search_devices(LONG)).total_count == 0


async def test_a_tank_tells_its_directory_what_is_live() -> None:
    directory = MemoryDirectory()
    tank = Tank(directory, MemoryArchive())
    alice = Caller(directory.add_account("alice"))
    made = await create_device(tank, alice, DeviceChange(title="Roof"))
    live = DeviceQuery(everybody=True, status="live")
    assert (await tank.search_devices(live)).total_count == 0
    write = DatastreamWrite("t", (tank.clock.now_us(),), ("1",))
    await write_feed(tank, alice, made.device.device_id, None, [write])
    assert (await tank.search_devices(live)).devices == [
        directory.get_device(made.device.device_id)
    ]
