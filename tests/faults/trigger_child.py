"""A process that writes to a tank with triggers at work, until it is killed.

`python -m tests.faults.trigger_child FOLDER FIRST SEED`: each writer has a datastream with triggers
of its own and writes its values, FIRST upwards, one after another; a line
`acknowledged WRITER NUMBER` is printed once the archive said so. What is written follows from its
number alone. Recording what fires is slow at random, so that kills fall before, in and after it.
"""

import asyncio
import random
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from thingtank.server.triggers.engine import TriggerEngine
from thingtank.server.triggers.settings import TriggerSettings
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_triggers import MemoryTriggers
from thingtank.tank.access import Caller
from thingtank.tank.actions.devices import create_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.outbox import NewDelivery
from thingtank.tank.tank import SystemClock, Tank
from thingtank.tank.things import Datastream
from thingtank.tank.triggers import Armed, Trigger

WRITERS = range(1, 5)
KINDS = (("gt", "23", ""), ("lte", "7", "15"), ("eq", "12", ""), ("change", "", ""))
# Moved and trimmed at once, so that only what readers hold back stays in the journal.
ARCHIVE = ArchiveSettings(move_rows=500, move_interval_s=0.005, trim_interval_s=0.01)
TRIGGERS = TriggerSettings(wake_interval_s=0.001, checkpoint_interval_s=0.05)


def value_of(writer: int, number: int) -> str:
    """What a writer writes as its datapoint of that number; its time is the number too.

    Some follow each other, so that often nothing fires.
    """
    return str(random.Random(f"{writer} {number // 9}").randint(5, 25))


class SqliteOutbox:
    """The least that implements `tank.outbox.Outbox` and outlives a process."""

    def __init__(self, folder: Path, slowness_s: float = 0.0) -> None:
        self._slowness_s = slowness_s
        self._chance = random.Random(1)
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(folder / "outbox.sqlite3", isolation_level=None)
        self._connection.executescript(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            CREATE TABLE IF NOT EXISTS delivery (id INTEGER PRIMARY KEY, content BLOB NOT NULL);
            CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, state BLOB NOT NULL);
            CREATE TABLE IF NOT EXISTS place (reader TEXT PRIMARY KEY, seq INTEGER NOT NULL);
            """
        )

    async def record(
        self,
        reader: str,
        seq: int,
        states: Mapping[int, bytes],
        deliveries: Sequence[NewDelivery],
    ) -> None:
        await asyncio.sleep(self._chance.random() * self._slowness_s)
        contents = [(msgspec.json.encode(delivery),) for delivery in deliveries]
        connection = self._connection
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO delivery (content) VALUES (?)", contents)
            connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", states.items())
            connection.execute("INSERT OR REPLACE INTO place VALUES (?, ?)", (reader, seq))
        await asyncio.sleep(self._chance.random() * self._slowness_s)

    async def place(self, reader: str) -> int:
        query = "SELECT coalesce(max(seq), 0) FROM place WHERE reader = ?"
        (seq,) = self._connection.execute(query, (reader,)).fetchone()
        return int(seq)

    async def states(self) -> dict[int, bytes]:
        return dict(self._connection.execute("SELECT * FROM state"))

    def deliveries(self) -> list[NewDelivery]:
        """All that was ever recorded, in order."""
        rows = self._connection.execute("SELECT content FROM delivery ORDER BY id")
        return [msgspec.json.decode(content, type=NewDelivery) for (content,) in rows]

    def close(self) -> None:
        self._connection.close()


async def open_tank(folder: Path) -> tuple[Tank, EmbeddedArchive]:
    """The same tank in every process: one feed, a datastream and four triggers a writer."""
    directory = MemoryDirectory()
    triggers = MemoryTriggers(directory)
    archive = await EmbeddedArchive.open(folder, ARCHIVE, SystemClock())
    tank = Tank(directory, archive, triggers=triggers)
    alice = directory.add_account("alice")
    datastreams = [Datastream(0, 0, f"writer{writer}") for writer in WRITERS]
    made = await create_device(tank, Caller(alice), DeviceChange(title="Roof"), datastreams)
    for writer in WRITERS:
        for kind, threshold, clear_value in KINDS:
            trigger = Trigger(
                0, alice.account_id, made.device.device_id, f"writer{writer}", kind,  # type: ignore[arg-type] # one of the kinds
                threshold, "http://a.example/", "", clear_value, quiet_s=0, armed=Armed(1),
            )  # fmt: skip
            await triggers.insert(trigger)
    return tank, archive


async def keep_writing(archive: EmbeddedArchive, writer: int, first: int, seed: int) -> None:
    """Write value after value, with random pauses."""
    chance = random.Random(f"{seed} {writer}")
    number = first
    while True:
        await archive.append(DatapointRows([writer], [number], [value_of(writer, number)]))
        print(f"acknowledged {writer} {number}", flush=True)
        number += 1
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() * 0.01)


async def main(folder: Path, first: int, seed: int) -> None:
    """Write with all writers at once."""
    tank, archive = await open_tank(folder)
    outbox = SqliteOutbox(folder, slowness_s=0.1)
    await TriggerEngine(tank, archive, outbox, "http://tank.example", TRIGGERS).start()
    await asyncio.gather(*(keep_writing(archive, writer, first, seed) for writer in WRITERS))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
