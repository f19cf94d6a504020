"""A process whose files may not grow any more for a while: `python -m … FOLDER`.

Prints what happened as JSON. The limit on file sizes stands for a full disk: Python ignores the
signal, so that every write beyond it fails.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable
from pathlib import Path

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Datapoint, DatapointRows
from thingtank.tank.errors import StorageFailed
from thingtank.tank.tank import SystemClock

ROWS = 2000
WRITES_MAX = 400
WAIT_S_MAX = 30
SETTINGS = ArchiveSettings(move_interval_s=0.1, trim_interval_s=0.2)


async def main(folder: Path) -> dict[str, object]:
    """Write, run into the limit, read, lift the limit, write again."""
    archive = await EmbeddedArchive.open(folder, SETTINGS, SystemClock())
    acknowledged = [number for number in range(5) if await was_written(write(archive, number))]
    limit_files(largest_file_bytes(folder) + 500_000)
    refused = []
    for number in range(5, WRITES_MAX):
        if await was_written(write(archive, number)):
            acknowledged.append(number)
        else:
            refused.append(number)
            if len(refused) == 3:
                break
    while_full = await count(archive)
    at_us_while_full = getattr(archive.current(1), "at_us", None)
    limit_files(resource.RLIM_INFINITY)
    number = WRITES_MAX
    deadline = time.monotonic() + WAIT_S_MAX
    while time.monotonic() < deadline and not await was_written(write(archive, number)):
        number += 1
        await asyncio.sleep(0.1)
    acknowledged.append(number)
    result = {
        "acknowledged": acknowledged,
        "refused": refused,
        "while_full": while_full,
        "at_us_while_full": at_us_while_full,
        "afterwards": await count(archive),
    }
    await archive.close()
    return result


def limit_files(size_bytes: int) -> None:
    """Let no file of this process grow beyond a size."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))


def largest_file_bytes(folder: Path) -> int:
    """The size of a folder's largest file."""
    return max(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write(archive: EmbeddedArchive, number: int) -> Awaitable[None]:
    """One write of ROWS datapoints that do not compress."""
    start_us = number * ROWS
    return archive.append(
        DatapointRows.of(
            (1, Datapoint(start_us + i, repr((start_us + i) ** 0.5))) for i in range(ROWS)
        )
    )


async def was_written(acknowledgement: Awaitable[None]) -> bool:
    """Whether a write was taken or refused as it should be."""
    try:
        await acknowledgement
    except StorageFailed:
        return False
    return True


async def count(archive: EmbeddedArchive) -> int:
    """How many datapoints a reader finds."""
    found = await archive.read([1], AT_US_MIN, AT_US_MAX + 1, 10**7)
    return len(found.get(1, []))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(Path(sys.argv[1])))))
