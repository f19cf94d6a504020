"""What triggers cost the write path, and how fast a back-test goes through history.

The figures that count are the loop's own time a write: nobody watching, a trigger on another
datastream, and one on every datastream that is written.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvloop
from tests.bench.bench_journal import NullHistory, one_row, texts_of
from tests.bench.report import Result

from thingtank.server.triggers.engine import TriggerEngine
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_outbox import MemoryOutbox
from thingtank.stores.memory_triggers import MemoryTriggers
from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.backtest import backtest_trigger
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.triggers import create_trigger
from thingtank.tank.changes import DeviceChange
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.interfaces import Archive
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream
from thingtank.tank.triggers import TriggerChange

STREAMS = 40
DRAFT = TriggerChange(kind="gt", threshold="24", url="http://receiver.example/")
Make = Callable[[int, int], DatapointRows]


def run(quick: bool) -> list[Result]:
    """Measure writes of one row and of 500 values, watched and not, and a back-test."""
    seconds = 0.3 if quick else 4.0
    results = []
    for case, writers, make in (("1 row", 32, one_row), ("500 texts", 8, texts_of)):
        for watched, streams in (
            ("nobody watches", range(0)),
            ("another is watched", range(STREAMS - 1, STREAMS)),
            ("each is watched", range(1, writers + 1)),
        ):
            name = f"triggers: {writers} writers of {case}, {watched}"
            results.append(uvloop.run(measure(name, writers, make, streams, seconds)))
    return [*results, uvloop.run(measure_backtest(20_000 if quick else 500_000))]


async def open_tank(archive: Archive) -> Tank:
    """One feed with many datastreams; datastream `sN` has number N."""
    directory = MemoryDirectory()
    tank = Tank(directory, archive, triggers=MemoryTriggers(directory))
    datastreams = [Datastream(0, 0, f"s{number}") for number in range(1, STREAMS + 1)]
    owner = Caller(directory.add_account("ann"))
    await create_device(tank, owner, DeviceChange(title="bench"), datastreams)
    return tank


async def measure(name: str, writers: int, make: Make, streams: range, seconds: float) -> Result:
    """Append for some seconds with triggers at work."""
    with tempfile.TemporaryDirectory() as folder:
        archive = await EmbeddedArchive.join(Path(folder), ArchiveSettings(), NullHistory())
        tank = await open_tank(archive)
        outbox = MemoryOutbox()
        engine = TriggerEngine(tank, archive, outbox, "http://tank.example")
        await engine.start()
        for number in streams:
            await create_trigger(tank, OPERATOR, 1001, f"s{number}", DRAFT)
        waits_s: list[float] = []
        end_s = time.perf_counter() + seconds

        async def write(writer: int) -> None:
            number = 0
            while (start_s := time.perf_counter()) < end_s:
                await archive.append(make(writer, number))
                waits_s.append(time.perf_counter() - start_s)
                number += 1

        start_s, loop_s = time.perf_counter(), time.thread_time()
        await asyncio.gather(*(write(writer) for writer in range(1, writers + 1)))
        took_s, loop_s = time.perf_counter() - start_s, time.thread_time() - loop_s
        await engine.stop()
        await archive.close()
    p99_ms = sorted(waits_s)[int(len(waits_s) * 0.99)] * 1000
    return Result(
        name,
        "",
        len(waits_s) / took_s,
        "appends/s",
        note=f"loop {loop_s / len(waits_s) * 1e6:.1f} µs an append; p99 {p99_ms:.1f} ms;"
        f" {len(outbox.deliveries)} deliveries",
    )


async def measure_backtest(count: int) -> Result:
    """The step alone: the archive is in memory."""
    tank = await open_tank(MemoryArchive())
    values = [str(20 + number % 50 / 10) for number in range(count)]
    await tank.archive.append(DatapointRows([1] * count, list(range(count)), values))
    start_s = time.perf_counter()
    found = await backtest_trigger(tank, OPERATOR, 1001, "s1", DRAFT)
    took_s = time.perf_counter() - start_s
    return Result("triggers: back-test", "", found.datapoint_count / took_s, "datapoints/s")
