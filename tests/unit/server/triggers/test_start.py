"""What belongs to a trigger goes with it from the outbox, whatever went wrong with one before."""

from collections.abc import Collection

import pytest
from structlog.testing import capture_logs
from tests.unit.server.triggers.trigger_bench import until

from thingtank.server.triggers.start import Forgetting
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_triggers import MemoryTriggers
from thingtank.tank.errors import StorageFailed
from thingtank.tank.events import TriggerChanged
from thingtank.tank.tank import Tank
from thingtank.tank.triggers import Trigger


class Outbox:
    """Forgets triggers, but fails the first time."""

    def __init__(self, failure: Exception) -> None:
        self._failure: Exception | None = failure
        self.forgotten: list[int] = []

    async def states(self) -> dict[int, bytes]:
        return {}

    async def forget_triggers(self, trigger_ids: Collection[int], now_us: int) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        self.forgotten += trigger_ids


@pytest.mark.parametrize("failure", [StorageFailed("the disk is full"), RuntimeError("a bug")])
async def test_what_fails_for_one_trigger_is_told_and_the_next_is_forgotten(
    failure: Exception,
) -> None:
    directory = MemoryDirectory()
    tank = Tank(directory, MemoryArchive(), triggers=MemoryTriggers(directory))
    outbox = Outbox(failure)
    forgetting = Forgetting(tank, outbox)
    await forgetting.start()
    try:
        with capture_logs() as logs:
            tank.bus.publish(TriggerChanged(Trigger(1, 1, 7, "t", "gt"), is_deleted=True))
            await until(lambda: bool(logs))
            tank.bus.publish(TriggerChanged(Trigger(2, 1, 7, "t", "gt"), is_deleted=True))
            await until(lambda: bool(outbox.forgotten))
    finally:
        await forgetting.stop()
    assert outbox.forgotten == [2]
    assert [(entry["event"], entry["count"]) for entry in logs] == [
        ("outbox_keeps_gone_triggers", 1)
    ]
