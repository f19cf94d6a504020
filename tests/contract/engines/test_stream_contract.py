"""The contract of streams: the journal with named readers, and Kinesis as two stand-ins have it.

Batches are appended, read in order from a place on, by several readers at their own pace; a place
that was written down holds after a restart.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
from tests.aws_stand_ins import own_name

from thingtank.aws.clients import AwsClients
from thingtank.aws.streams import StreamRecord, put_records
from thingtank.cloud import streams
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.tank.datapoints import DatapointColumns, DatapointRows
from thingtank.tank.tank import SystemClock


class Stream(Protocol):
    async def append(self, *numbers: int) -> None: ...
    async def read(self, reader: str, count: int) -> list[int]: ...
    async def restart(self) -> None: ...


class JournalStream:
    """Readers pass what they have read, so a restart goes on behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive: EmbeddedArchive | None = None
        self.places: dict[str, int] = {"early": 0, "late": 0}

    async def open(self) -> EmbeddedArchive:
        if self.archive is None:
            self.archive = await EmbeddedArchive.open(
                self.folder, ArchiveSettings(move_interval_s=3600), SystemClock()
            )
            self.readers = {
                name: await self.archive.read_journal(name, place, lambda: None)
                for name, place in self.places.items()
            }
        return self.archive

    async def append(self, *numbers: int) -> None:
        archive = await self.open()
        for number in numbers:
            await archive.append(DatapointRows([1], [number], [str(number)]))

    async def read(self, reader: str, count: int) -> list[int]:
        await self.open()
        found = self.readers[reader]
        numbers: list[int] = []
        while len(numbers) < count:
            await found.fill()
            taken = found.take(1)
            if not taken:
                break
            numbers += [
                at
                for change in taken[0].changes
                if isinstance(change, DatapointColumns)
                for at in change.at_us
            ]
            found.passed(taken[0].seq)
            self.places[reader] = taken[0].seq
        return numbers

    async def restart(self) -> None:
        if self.archive is not None:
            await self.archive.close()
        self.archive = None


class KinesisStream:
    """A place is a sequence number, which its reader keeps."""

    def __init__(self, clients: AwsClients, name: str) -> None:
        self.client = clients.client("kinesis")
        self.name = name
        streams.create(clients, name, 1, lambda _: None)
        self.places: dict[str, str] = {}

    async def append(self, *numbers: int) -> None:
        records = [StreamRecord("k", str(number).encode()) for number in numbers]
        assert not any(put_records(self.client, self.name, records))

    async def read(self, reader: str, count: int) -> list[int]:
        place = {"ShardIteratorType": "TRIM_HORIZON"}
        if reader in self.places:
            place = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": self.places[reader],
            }
        iterator = self.client.get_shard_iterator(
            StreamName=self.name, ShardId="shardId-000000000000", **place
        )["ShardIterator"]
        found = self.client.get_records(ShardIterator=iterator, Limit=count)["Records"]
        if found:
            self.places[reader] = found[-1]["SequenceNumber"]
        return [int(each["Data"]) for each in found]

    async def restart(self) -> None:
        pass


@pytest.fixture
async def stream(clients: AwsClients | None, tmp_path: Path) -> AsyncIterator[Stream]:
    if clients is None:
        journal = JournalStream(tmp_path)
        await journal.open()
        yield journal
        await journal.restart()
        return
    name = own_name("contract")
    yield KinesisStream(clients, name)
    clients.client("kinesis").delete_stream(StreamName=name)


async def test_readers_read_all_in_order_each_at_its_own_pace(stream: Stream) -> None:
    await stream.append(1, 2, 3)
    assert await stream.read("early", 2) == [1, 2]
    await stream.append(4)
    assert await stream.read("late", 10) == [1, 2, 3, 4]
    assert await stream.read("early", 10) == [3, 4]
    assert await stream.read("early", 10) == []


async def test_a_reader_goes_on_behind_its_place_after_a_restart(stream: Stream) -> None:
    await stream.append(1, 2, 3)
    assert await stream.read("early", 1) == [1]
    await stream.restart()
    assert await stream.read("early", 10) == [2, 3]
