"""A process that writes to a tank with sinks at work, until it is killed or all is delivered.

`python -m tests.faults.sink_child FOLDER FIRST SEED URL`: each writer has a device of its own and
writes numbers, FIRST upwards, one after another; a line `acknowledged WRITER NUMBER` is printed
once the archive said so. Three rules send all of it on: to a table of MariaDB at URL, to a table of
SQLite, and to a file, line by line, by an engine that fails at random and writes down each attempt
that succeeds. Clients of MQTT publish numbers to a topic each, FIRST upwards, half of them by QoS 1
and half by QoS 2; `published CLIENT NUMBER` is printed at each PUBACK or PUBREC. A rule sends them
to another table of SQLite. With FIRST 0 it writes nothing, and ends when all is delivered.
"""

import asyncio
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog
from tests.unit.protocols.mqtt.brokers import connect, make_broker, taken
from tests.unit.server.sinks.sending_thread import start_thread
from tests.waiting import until

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.packets import Publish, Pubrel
from thingtank.protocols.mqtt.serializer import serialize
from thingtank.server.sinks import progress
from thingtank.server.sinks.sending.calls import Setup
from thingtank.server.sinks.sending.process import SendingProcess
from thingtank.server.sinks.sinks import Sinks
from thingtank.sinks.engine import BatchBounds, EngineFailed, EngineParts, Item, SendResult
from thingtank.sinks.engines import ENGINES
from thingtank.sinks.rules.settings import SinkRule, SinkSettings
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import create_device
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.failures import FailureKind
from thingtank.tank.tank import SystemClock, Tank
from thingtank.tank.things import Datastream

WRITERS = range(1, 5)
VALUES_A_WRITE = 7
CLIENTS = range(1, 5)
RULES = ("maria", "sqlite", "lines")
LINES = "lines.txt"
SQLITE_FILE = "out.sqlite3"
TOPICS_FILE = "topics.sqlite3"
PUBACK, PUBREC = b"\x40\x02\0\1", b"\x50\x02\0\1"
ARCHIVE = ArchiveSettings(move_rows=500, move_interval_s=0.005, trim_interval_s=0.01)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the engine of lines."""

    seed: int


class LineEngine:
    """Appends a line for each item, `DEVICE NUMBER`; what failed at random is not there."""

    bounds = BatchBounds(50, 100_000)
    wants_payload = False
    gather_s = 0.2

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._chance = random.Random(seed)

    def open(self) -> None:
        if self._chance.random() < 0.2:
            raise EngineFailed.of(FailureKind.UNREACHABLE, "not now")

    def send(self, items: Sequence[Item]) -> SendResult:
        mood = self._chance.random()
        if mood < 0.05:
            raise EngineFailed.of(FailureKind.UNREACHABLE, "not now")
        if mood < 0.1:
            raise EngineFailed.of(FailureKind.THROTTLED, "slowly")
        retry: dict[int, str] = {}
        if mood < 0.5:
            place = self._chance.randrange(len(items))
            uuid = items[place].uuid
            retry = {n: "later" for n, it in enumerate(items) if n >= place and it.uuid == uuid}
        sent = [it for n, it in enumerate(items) if n not in retry]
        lines = "".join(f"{it.device_id} {it.value}\n" for it in sent)
        with self._path.open("a") as file:
            file.write(lines)
        return SendResult(retry=retry)

    def close(self) -> None:
        pass

    def describe(self) -> str:
        return LINES


def make_engine(settings: Settings, parts: EngineParts) -> LineEngine:
    return LineEngine(parts.folder / LINES, settings.seed)


def rules(url: str, seed: int) -> list[SinkRule]:
    ENGINES["lines"] = "tests.faults.sink_child"  # type: ignore[index] # a dict
    to = (
        {"engine": "sql", "url": url},
        {"engine": "sql", "url": f"sqlite:///{SQLITE_FILE}"},
        {"engine": "lines", "seed": seed},
    )
    of_values = [SinkRule(name, each, gather_s=0) for name, each in zip(RULES, to, strict=True)]
    to_topics = {"engine": "sql", "url": f"sqlite:///{TOPICS_FILE}", "table": "topics"}
    of_topics = SinkRule("topics", to_topics, "topics", ("plant/#",), gather_s=0)
    return [*of_values, of_topics]


async def open_tank(folder: Path) -> tuple[Tank, EmbeddedArchive]:
    """The same tank in every process: a device with a datastream for each writer."""
    directory = MemoryDirectory()
    archive = await EmbeddedArchive.open(folder, ARCHIVE, SystemClock())
    tank = Tank(directory, archive)
    alice = directory.add_account("alice")
    for writer in WRITERS:
        await create_device(
            tank,
            Caller(alice),
            DeviceChange(title="Roof"),
            [Datastream(0, 0, "t")],
            uuid=f"00000000-0000-4000-8000-{writer:012}",  # in each life: it says what is in order
        )
    return tank, archive


async def keep_writing(tank: Tank, writer: int, first: int, chance: random.Random) -> None:
    number = first
    while True:
        values = range(number, number + VALUES_A_WRITE)
        write = DatastreamWrite("t", list(values), [str(each) for each in values])
        await record_datapoints(tank, OPERATOR, 1000 + writer, [write])
        print(f"acknowledged {writer} {values[-1]}", flush=True)
        number += VALUES_A_WRITE
        await asyncio.sleep(chance.uniform(0, 0.01))


async def keep_publishing(broker: Broker, client: int, first: int, chance: random.Random) -> None:
    """Publish one message at a time, each when the one before is acknowledged."""
    connection = connect(broker, f"c{client}")
    qos, number = 1 + client % 2, first
    while True:
        packet = Publish(f"plant/{client}", b"%d" % number, qos, packet_id=1)
        connection.receive_data(serialize(packet, 4))
        while taken(connection)[:4] != (PUBACK if qos == 1 else PUBREC):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.0005)
        print(f"published {client} {number}", flush=True)
        if qos == 2:
            connection.receive_data(serialize(Pubrel(1), 4))
            taken(connection)
        number += 1
        await asyncio.sleep(chance.uniform(0, 0.01))


async def main(folder: Path, first: int, seed: int, url: str) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    progress.SAVE_INTERVAL_S = progress.KEEP_AFTER_S = 0.02  # a life is short
    tank, archive = await open_tank(folder)
    parts = EngineParts(lambda: AwsClients(AwsSettings()), folder)
    settings = SinkSettings(rules=tuple(rules(url, seed)), retry_s_max=0.05)
    setup = Setup(AwsSettings(), 1, 15.0, str(folder), None)
    process = SendingProcess(setup, start_thread)  # as the engine of lines is none of the product
    sinks = Sinks(tank, archive, settings, parts, process, bytes(32))
    with (folder / LINES).open("a") as file:
        file.write("start\n")  # before: rules send at once what the last life left
    await sinks.start()
    if first:
        chance = random.Random(seed)
        broker = make_broker(now_us=SystemClock().now_us)
        broker.recorder = sinks.topics
        await asyncio.gather(
            *(keep_writing(tank, each, first, chance) for each in WRITERS),
            *(keep_publishing(broker, each, first, chance) for each in CLIENTS),
        )
    await until(lambda: not any(status.behind_count for status in sinks.statuses()), sinks.statuses)
    print("settled", sum(status.missed_count for status in sinks.statuses()), flush=True)
    await sinks.stop()
    await process.stop()
    await archive.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
    os._exit(0)  # interpreters that end take their time
