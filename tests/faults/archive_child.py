"""A process that writes to an archive and says what was acknowledged, until it is killed.

`python -m tests.faults.archive_child FOLDER FIRST SEED`: each writer has a datastream of its own
and writes its rounds, FIRST upwards, one after another; a line `acknowledged WRITER ROUND` is
printed once the archive said so. What a round writes follows from its number alone.
"""

import asyncio
import random
import sys
from pathlib import Path

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.tank.datapoints import Datapoint, DatapointRows
from thingtank.tank.tank import SystemClock

WRITERS = range(1, 9)
ROUND_US = 1000
# Everything happens often, so that a kill at any instant may hit any of it.
RESTLESS = ArchiveSettings(move_rows=500, move_interval_s=0.03, trim_interval_s=0.1)


def rows_of_round(round_number: int) -> dict[int, str]:
    """What is left of a round: time → value. Its last datapoint is its newest."""
    start_us = round_number * ROUND_US
    count = 1 + round_number * 7 % 60
    values = ("on", "+5", "1e3") if round_number % 3 == 0 else ("21.5", "-3", "0.125")
    return {start_us + i: values[i % 3] for i in range(count)}


async def write_round(archive: EmbeddedArchive, writer: int, round_number: int) -> None:
    """Write one round; every fifth writes more and deletes it in a second step."""
    rows = rows_of_round(round_number)
    newest_us = max(rows)
    if round_number % 5 == 0:
        excess = {newest_us + i: "too much" for i in range(1, 4)}
        await archive.append(rows_for(writer, {**rows, **excess}))
        await archive.delete([writer], newest_us + 1, newest_us + 4)
    else:
        await archive.append(rows_for(writer, rows))


def rows_for(writer: int, rows: dict[int, str]) -> DatapointRows:
    """A round's rows, shuffled: the archive orders them."""
    shuffled = list(rows.items())
    random.Random(len(rows)).shuffle(shuffled)
    return DatapointRows.of((writer, Datapoint(at_us, value)) for at_us, value in shuffled)


async def keep_writing(archive: EmbeddedArchive, writer: int, first: int, seed: int) -> None:
    """Write round after round, with random pauses."""
    chance = random.Random(f"{seed} {writer}")
    round_number = first
    while True:
        await write_round(archive, writer, round_number)
        print(f"acknowledged {writer} {round_number}", flush=True)
        round_number += 1
        if chance.random() < 0.1:
            await asyncio.sleep(chance.random() * 0.02)


async def main(folder: Path, first: int, seed: int) -> None:
    """Write with all writers at once."""
    archive = await EmbeddedArchive.open(folder, RESTLESS, SystemClock())
    await asyncio.gather(*(keep_writing(archive, writer, first, seed) for writer in WRITERS))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
