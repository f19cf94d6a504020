"""Accounts' simulators as they are started and stopped, however quickly."""

import asyncio
from typing import Any

from thingtank.server.simulator.device import ensure_station_device
from thingtank.server.simulator.simulations import Simulations
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_products import MemoryProducts
from thingtank.tank.access import Caller
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

NOBODY_LISTENS = "http://127.0.0.1:9"


async def test_one_that_is_stopped_before_it_has_begun_can_be_started_again() -> None:
    directory = MemoryDirectory()
    account = directory.add_account("alice")
    tank = Tank(directory, MemoryArchive(), products=MemoryProducts(directory))
    simulations = Simulations(tank, NOBODY_LISTENS)
    for _ in range(2):
        await simulations.start(Caller(account))
        assert simulations.state(account.account_id).is_running
        await simulations.stop(account.account_id)
        assert not simulations.state(account.account_id).is_running


class DirectoryOnDisk(MemoryDirectory):
    """One that takes its time to write."""

    async def insert_device(self, *draft: Any) -> Device:
        await asyncio.sleep(0.02)
        return await super().insert_device(*draft)


async def test_a_page_and_a_command_at_once_make_one_device() -> None:
    directory = DirectoryOnDisk()
    account = directory.add_account("alice")
    tank = Tank(directory, MemoryArchive(), products=MemoryProducts(directory))
    simulations = Simulations(tank, NOBODY_LISTENS)
    _, prepared, again = await asyncio.gather(
        simulations.start(Caller(account)),
        ensure_station_device(tank, account),
        ensure_station_device(tank, account),
    )
    await simulations.stop(account.account_id)
    (device,) = await tank.find_devices(lambda _: True, 10)
    assert {prepared.feed_id, again.feed_id} == {device.device_id}
    assert prepared.api_key == again.api_key
