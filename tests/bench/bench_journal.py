"""The write side of the archive alone: group commit, head and current values, no HTTP.

The history store behind it keeps nothing, so that the figures are the journal's own. Every row that
is counted was synced to disk.
"""

import asyncio
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop
from tests.bench.report import Result
from tests.unit.stores.memory_history import MemoryHistory

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.rows import Deletion, Rows
from thingtank.tank.datapoints import DatapointRows

ROWS = 500
TEXTS = [f"{20 + 5 * math.sin(i / 50):.1f}" for i in range(ROWS)]


class NullHistory(MemoryHistory):
    """Takes everything, keeps nothing."""

    def apply(self, changes: Sequence[Rows | Deletion], through_seq: int) -> None:
        self.through_seq = through_seq


def run(quick: bool) -> list[Result]:
    """Measure appends of one row, of texts, and of ready rows."""
    seconds = 0.3 if quick else 4.0
    ready = texts_of(1, 0)
    streams = DatapointRows(list(range(10_000)), [0] * 10_000, ["21.5"] * 10_000)
    cases: list[tuple[str, int, Callable[[int, int], DatapointRows]]] = [
        ("journal: 32 writers of 1 row", 32, one_row),
        ("journal: 8 writers of 500 texts", 8, texts_of),
        ("journal: 8 writers of 500 rows, rows ready", 8, lambda _writer, _number: ready),
        ("journal: 2 writers of 10,000 rows, 10,000 streams", 2, lambda _writer, _number: streams),
    ]
    return [uvloop.run(measure(name, writers, make, seconds)) for name, writers, make in cases]


def one_row(writer: int, number: int) -> DatapointRows:
    """What a device with one sensor sends."""
    return DatapointRows([writer], [number], ["21.5"])


def texts_of(writer: int, number: int) -> DatapointRows:
    """What a door makes of a bulk upload."""
    first_us = number * ROWS
    return DatapointRows([writer] * ROWS, list(range(first_us, first_us + ROWS)), TEXTS)


async def measure(
    name: str, writers: int, make: Callable[[int, int], DatapointRows], seconds: float
) -> Result:
    """Append for some seconds with writers that each wait for their acknowledgement."""
    with tempfile.TemporaryDirectory() as folder:
        archive = await EmbeddedArchive.join(Path(folder), ArchiveSettings(), NullHistory())
        waits_s: list[float] = []
        row_count = 0
        end_s = time.perf_counter() + seconds

        async def write(writer: int) -> None:
            nonlocal row_count
            number = 0
            while (start_s := time.perf_counter()) < end_s:
                rows = make(writer, number)
                await archive.append(rows)
                waits_s.append(time.perf_counter() - start_s)
                row_count += len(rows)
                number += 1

        start_s, process_s, loop_s = time.perf_counter(), time.process_time(), time.thread_time()
        await asyncio.gather(*(write(writer) for writer in range(writers)))
        took_s = time.perf_counter() - start_s
        process_s, loop_s = time.process_time() - process_s, time.thread_time() - loop_s
        await archive.close()
    p99_ms = sorted(waits_s)[int(len(waits_s) * 0.99)] * 1000
    return Result(
        name,
        "",
        row_count / took_s,
        "datapoints/s",
        note=f"{len(waits_s) / took_s:,.0f} appends/s; µs a row: {loop_s / row_count * 1e6:.2f} on"
        f" the loop, {process_s / row_count * 1e6:.2f} of the process; p99 {p99_ms:.1f} ms",
    )
