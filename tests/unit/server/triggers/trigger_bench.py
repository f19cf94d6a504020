"""A tank with triggers at work over a real journal, for tests: what is not under test is in memory."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests import waiting
from tests.abandoned import abandon_journal
from tests.unit.stores.memory_history import MemoryHistory

from thingtank.server.triggers.engine import TriggerEngine
from thingtank.server.triggers.settings import TriggerSettings
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_outbox import MemoryOutbox
from thingtank.stores.memory_triggers import MemoryTriggers
from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.triggers import create_trigger
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Location, Unit
from thingtank.tank.triggers import Trigger, TriggerChange

S = 1_000_000
START_US = 1_700_000_000 * S
ARCHIVE = ArchiveSettings(move_interval_s=0.02, trim_interval_s=0.05)
QUICK = TriggerSettings(wake_interval_s=0.001, checkpoint_interval_s=0.01, frozen_grace_s=0)
BASE_URL = "http://tank.example:8000"


class SetClock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.us = START_US

    def now_us(self) -> int:
        return self.us

    def pass_s(self, seconds: float) -> None:
        self.us += round(seconds * S)


class Bench:
    """One feed, 1001, with datastreams `t` and `u`; triggers at work after `start`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._history = MemoryHistory()
        self.clock = SetClock()
        self.directory = MemoryDirectory()
        self.alice = self.directory.add_account("alice")
        self.triggers = MemoryTriggers(self.directory)
        self.outbox = MemoryOutbox()
        self.archive: EmbeddedArchive
        self.tank: Tank
        self.engine: TriggerEngine

    async def start(self, settings: TriggerSettings = QUICK) -> None:
        self.archive = await EmbeddedArchive.join(self._folder, ARCHIVE, self._history, self.clock)
        self.tank = Tank(self.directory, self.archive, clock=self.clock, triggers=self.triggers)
        if not self.directory.find_device_by_uuid("?") and not self.directory.datastreams(1001):
            await self._make_device()
        self.engine = TriggerEngine(self.tank, self.archive, self.outbox, BASE_URL, settings)
        await self.engine.start()

    async def _make_device(self) -> None:
        location = Location("roof", 52.5, 13.25)
        unit = Unit("derivedSI", "°C", "Celsius")
        await create_device(
            self.tank,
            Caller(self.alice),
            DeviceChange(title="Roof", description="up there", location=location),
            [Datastream(0, 0, "t", unit=unit), Datastream(0, 0, "u")],
        )

    async def stop(self) -> None:
        await self.engine.stop()
        await self.archive.close()

    def crash(self) -> None:
        """Leave all as a killed process would: nothing is recorded, moved or trimmed any more."""
        for task in (self.engine._task, self.archive._mover._task, self.archive._compacting):
            assert task is not None
            task.cancel()
        abandon_journal(self.archive)

    async def make(self, kind: str, threshold: str = "", name: str = "t", **fields: Any) -> Trigger:
        fields.setdefault("url", f"http://hook.example/{kind}")
        draft = TriggerChange(kind=kind, threshold=threshold, **fields)
        return await create_trigger(self.tank, OPERATOR, 1001, name, draft)

    async def write(self, *values: str, name: str = "t", pause_s: float = 10) -> None:
        """One write for each value, the clock moving on before each."""
        for value in values:
            self.clock.pass_s(pause_s)
            await self.write_at(self.clock.us, value, name)

    async def write_at(self, at_us: int, value: str, name: str = "t") -> None:
        write = DatastreamWrite(name, (at_us,), (value,))
        await record_datapoints(self.tank, OPERATOR, 1001, [write])

    async def seen(self) -> None:
        """Wait until all that was written has been looked at and recorded."""
        seq = self.archive._head.last_seq
        await until(lambda: self.outbox._places.get("triggers", 0) >= seq)

    @property
    def bodies(self) -> Sequence[dict[str, Any]]:
        return [json.loads(delivery.body) for delivery in self.outbox.deliveries]

    @property
    def fired(self) -> list[tuple[int, str]]:
        """Trigger and value of each delivery, in order."""
        return [
            (body["id"], body["triggering_datastream"]["value"]["value"]) for body in self.bodies
        ]


until = partial(waiting.until, s_max=30.0)  # less than _TIMER_S_MAX, by which all is looked at
