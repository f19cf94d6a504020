"""Data folders that `bench_web.py` serves: a million datapoints of a channel, many devices.

Filled by a process of its own before the server starts, by the product's own stores.
"""

import asyncio
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.bench_directory import fill

WEEK_S = 7 * 86_400
ROWS = 20_000
SEED = 11


def values(count: int, start_s: float) -> Iterator[tuple[float, str]]:
    """Times and values over a week: a day's curve, noise, and a peak now and then."""
    dice = random.Random(SEED)
    step_s = WEEK_S / count
    for number in range(count):
        at_s = start_s + number * step_s
        value = 20 + 5 * math.sin(at_s / 13_751) + dice.gauss(0, 0.5)
        yield at_s, f"{value + 30 * (dice.random() < 1e-5):.2f}"


def prepare(folder: Path, work: str, *numbers: int) -> None:
    """Fill a data folder that no server uses."""
    command = [sys.executable, "-m", "tests.bench.web_data", work, str(folder), *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)


def _devices(folder: Path, count: int) -> None:
    """Devices with five datastreams and a key each, and a value in each datastream."""
    from thingtank.web.catalog.models import Datastream

    fill(count, first_us=int(time.time() * 1e6))  # younger than the first one, which has a key
    ids = list(Datastream.objects.values_list("pk", flat=True))
    now_us = int(time.time() * 1e6)
    rows = [(stream_id, now_us - stream_id * 1000, "21.5") for stream_id in ids]
    asyncio.run(_write(folder, rows))


def _points(folder: Path, count: int, device_id: int) -> None:
    """The datastream `archived` of a device with a week of datapoints, all moved where they stay."""
    from thingtank.web.catalog.models import Datastream

    stream_id = Datastream.objects.get(device_id=device_id, name="archived").pk
    start_s = time.time() - WEEK_S
    rows = [(stream_id, int(at_s * 1e6), value) for at_s, value in values(count, start_s)]
    asyncio.run(_write(folder, rows))


async def _write(folder: Path, rows: list[tuple[int, int, str]]) -> None:
    from thingtank.stores.archive_settings import ArchiveSettings
    from thingtank.stores.embedded_archive import EmbeddedArchive
    from thingtank.tank.datapoints import DatapointRows
    from thingtank.tank.tank import SystemClock

    archive = await EmbeddedArchive.open(folder, ArchiveSettings(), SystemClock())
    for first in range(0, len(rows), ROWS):
        columns: Any = map(list, zip(*rows[first : first + ROWS], strict=True))
        await archive.append(DatapointRows(*columns))
    await archive.flush()
    while (await archive.compact(1000)).left_count:
        pass
    await archive.close()


if __name__ == "__main__":
    from thingtank.web.setup import configure
    from thingtank.web.web_settings import WebSettings

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    work, where = sys.argv[1], Path(sys.argv[2])
    configure(WebSettings(), where, (where / "secret.key").read_bytes())
    {"devices": _devices, "points": _points}[work](where, *map(int, sys.argv[3:]))
