"""Accounts' simulators as they are started and stopped, however quickly."""

from thingtank.server.simulator.simulations import Simulations
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_products import MemoryProducts
from thingtank.tank.access import Caller
from thingtank.tank.tank import Tank

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
