"""A tank with sinks at work over a real journal, for tests: what is not under test is in memory."""

import asyncio
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from tests.abandoned import abandon_journal
from tests.unit.server.sinks import engine_for_tests
from tests.unit.server.sinks.sending_thread import start_thread
from tests.unit.sinks.rules.fake_engine import FakeEngine
from tests.unit.stores.memory_history import MemoryHistory
from tests.waiting import until

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.server.sinks.sending.calls import Setup
from thingtank.server.sinks.sending.process import SendingProcess
from thingtank.server.sinks.sinks import Sinks
from thingtank.sinks.engine import EngineParts
from thingtank.sinks.rules.settings import SinkRule, SinkSettings
from thingtank.sources.settings import SourceRule
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.messages import send_message
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.sinks import SinkStatus
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream

NOW_US = 1_700_000_000_000_000
# Trimmed only at the end: a test of what comes again after a crash needs it to be there.
ARCHIVE = ArchiveSettings(move_interval_s=0.02, trim_interval_s=3600)
SECRET = bytes(range(32))


class Bench:
    """Feeds 1001 (tag `outdoor`) and 1002, with datastreams `t` and `u` each.

    Attributes:
        engine: what the rule `r` sends to, over restarts too.
        sources: rules of sources that the instance has.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = secrets.token_hex(4)
        self.engine = engine_for_tests.made[self.key] = FakeEngine()
        self.directory = MemoryDirectory()
        self.alice = self.directory.add_account("alice")
        self.archive: EmbeddedArchive
        self.tank: Tank
        self.sinks: Sinks
        self.process: SendingProcess | None = None
        self.sources: Sequence[SourceRule] = ()
        self._history = MemoryHistory()
        self._at_us = NOW_US

    def rule(self, name: str = "r", key: str = "", **members: Any) -> SinkRule:
        to = {"engine": engine_for_tests.NAME, "key": key or self.key}
        return msgspec.convert({"name": name, "to": to, "gather_s": 0, **members}, SinkRule)

    def asked(self, name: str) -> dict[str, Any]:
        """A rule as the workbench asks for it."""
        to = {"engine": engine_for_tests.NAME, "key": self.key}
        return {"name": name, "to": to, "gather_s": 0}

    async def start(self, *rules: SinkRule, **settings: Any) -> None:
        self.archive = await EmbeddedArchive.join(self.folder, ARCHIVE, self._history)
        self.tank = Tank(self.directory, self.archive)
        if not self.directory.datastreams(1001):
            for tags in (("outdoor",), ()):
                await self.make_device(tags)
        parts = EngineParts(lambda: AwsClients(AwsSettings()), self.folder)
        settings = {"retry_s_max": 0.01, **settings}
        setup = Setup(AwsSettings(), 1, 1.0, str(self.folder), None)
        if self.process is not None:
            await self.process.stop()
        self.process = SendingProcess(setup, start_thread)
        self.sinks = Sinks(
            self.tank,
            self.archive,
            SinkSettings(rules=rules, **settings),
            parts,
            self.process,
            SECRET,
            self.sources,
        )
        await self.sinks.start()

    async def make_device(self, tags: tuple[str, ...] = ()) -> int:
        made = await create_device(
            self.tank,
            Caller(self.alice),
            DeviceChange(title="Roof", tags=tags),
            [Datastream(0, 0, "t"), Datastream(0, 0, "u")],
        )
        return made.device.device_id

    async def stop(self) -> None:
        await self.sinks.stop()
        assert self.process is not None
        await self.process.stop()
        await self.archive.close()

    async def restart(self, *rules: SinkRule, **settings: Any) -> None:
        await self.stop()
        await self.start(*rules, **settings)

    async def crash(self) -> None:
        """Leave all as a killed process would: no place is saved, nothing is moved any more."""
        await self.sinks._gone_streams.end()
        for runner in self.sinks._runners.values():
            assert runner._task is not None
            runner._task.cancel()
            await asyncio.gather(runner._task, return_exceptions=True)
        assert self.process is not None
        await self.process.stop()
        store = self.sinks._store
        if store is not None:
            await store.close()
        for task in (self.archive._mover._task, self.archive._compacting):
            assert task is not None
            task.cancel()
        abandon_journal(self.archive)

    async def write(self, *values: str, name: str = "t", feed_id: int = 1001) -> None:
        """One write for each value."""
        for value in values:
            self._at_us += 1_000_000
            await record_datapoints(
                self.tank,
                OPERATOR,
                feed_id,
                [DatastreamWrite(name, (self._at_us,), (value,))],
                creates_missing=True,
            )

    async def write_many(self, count: int, name: str = "t", feed_id: int = 1001) -> None:
        """One write of many values, 0 upwards."""
        times = range(self._at_us + 1, self._at_us + 1 + count)
        self._at_us += count
        write = DatastreamWrite(name, list(times), [str(n) for n in range(count)])
        await record_datapoints(self.tank, OPERATOR, feed_id, [write])

    async def send(self, *payloads: str, feed_id: int = 1001) -> None:
        """One message for each payload, from nobody to a device."""
        uuid = self.directory.get_device(feed_id).uuid
        for payload in payloads:
            asked = {"devices": [uuid], "topic": "lights", "payload": payload}
            await send_message(self.tank, Party(OPERATOR), asked)

    def status(self, name: str = "r") -> SinkStatus:
        found = self.sinks.status(name)
        assert found is not None
        return found

    async def settled(self, name: str = "r") -> None:
        """Wait until a rule has settled all that was written."""
        await until(lambda: self.status(name).behind_count == 0)

    @property
    def payloads(self) -> list[str]:
        """What the messages said that arrived at `r`, in order."""
        return [json.loads(item.value)["payload"] for item in self.engine.delivered]

    @property
    def values(self) -> list[str]:
        """What arrived at `r`, in order."""
        return [item.value for item in self.engine.delivered]
