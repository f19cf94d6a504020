"""A tank in memory with sources at work, for tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from thingtank.aws.settings import AwsSettings
from thingtank.server.sources.sources import Sources
from thingtank.sources.kinesis.source import KinesisSource, Pace
from thingtank.sources.settings import SourceRule, SourceSettings
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller
from thingtank.tank.actions.devices import create_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.sources import SourceStatus
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream

QUICK = Pace(busy_s=0.001, idle_s=0.01, ttl_s=0.6, shards_s=0.1)


class FailingArchive(MemoryArchive):
    """An archive that raises while `failure` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.failed_count = 0

    def append(self, rows: DatapointRows) -> Any:
        if self.failure is not None:
            self.failed_count += 1
            raise self.failure
        return super().append(rows)


class SourceBench:
    """Feeds 1001 of alice, whose instance it is, and 1002 of bob, with a datastream `t` each."""

    def __init__(self, folder: Path, aws: AwsSettings | None = None) -> None:
        self.folder = folder
        self.aws = aws or AwsSettings()
        self.directory = MemoryDirectory()
        self.archive = FailingArchive()
        self.tank = Tank(self.directory, self.archive)
        self.alice = self.directory.add_account("alice")
        self.bob = self.directory.add_account("bob")
        self.sources: list[Sources] = []

    async def furnish(self) -> None:
        for account in (self.alice, self.bob):
            await create_device(
                self.tank, Caller(account), DeviceChange(title="Roof"), [Datastream(0, 0, "t")]
            )

    def start(self, *rules: dict[str, Any], folder: str = "", **settings: Any) -> Sources:
        """Set rules to work; another folder is another server's."""
        made = tuple(msgspec.convert({"feed": 1001, **rule}, SourceRule) for rule in rules)
        settings = {"retry_s_max": 0.01, **settings}
        place = self.folder / folder
        place.mkdir(exist_ok=True)
        sources = Sources(
            self.tank,
            lambda: self.alice,
            SourceSettings(rules=made, **settings),
            self.aws,
            place,
            QUICK,
        )
        sources.start()
        self.sources.append(sources)
        return sources

    async def stop(self) -> None:
        for sources in self.sources:
            await sources.stop()
        self.sources.clear()

    def kill(self, number: int) -> None:
        """End a server of streams as a crash would: nobody gives its leases back."""
        sources = self.sources[number]
        for source in (each.source for each in sources._at_work.values()):
            assert isinstance(source, KinesisSource)
            for held in source._held.values():
                assert held.task is not None
                held.task.cancel()
            source._held.clear()
        for task in sources._tasks:
            task.cancel()

    def values(self, feed_id: int = 1001, name: str = "t") -> dict[int, str]:
        """What the archive has of a datastream, by time."""
        stream = self.directory.datastreams(feed_id).get(name)
        return {} if stream is None else self.archive._values.get(stream.stream_id, {})

    def status(self, number: int = 0) -> SourceStatus:
        return self.sources[number].statuses()[0]


def texts(values: dict[int, str]) -> Sequence[str]:
    """Values in the order of their times."""
    return [values[at_us] for at_us in sorted(values)]
