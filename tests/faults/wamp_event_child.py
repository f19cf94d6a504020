"""A process that publishes WAMP events and says what was acknowledged, until it is killed.

`python -m tests.faults.wamp_event_child FOLDER FIRST`: each publisher has a topic of its own, and
publishes numbers, FIRST upwards, one after another; a line `acknowledged PUBLISHER NUMBER` is
printed once PUBLISHED came. Each event is for history and retained, too.
"""

import asyncio
import random
import sys
from pathlib import Path

from tests.conformance.wamp.kept import KeptWorld, published
from tests.conformance.wamp.realms import NAMES, Client

from thingtank.protocols.wamp.history import HistoryRule

PUBLISHERS = range(1, 7)
# Two of the topics are under two rules; one rule forgets all the time.
RULES = (
    HistoryRule("numbers.", "prefix"),
    HistoryRule("numbers.1"),
    HistoryRule("numbers.2", events_max=5),
)


async def open_world(folder: Path) -> KeptWorld:
    """The world that the process has, and whoever looks afterwards."""
    world = await KeptWorld.open(folder, *RULES, trim_interval_s=0.02)
    chance = random.SystemRandom()
    world.make_id = lambda: chance.randint(1, 2**53)
    return world


async def keep_publishing(client: Client, publisher: int, first: int) -> None:
    """Publish number after number."""
    number = first
    while True:
        # What nobody waits for is between.
        client.publish(f"noise.{number % 50}", [number], retain=True)
        await published(client, f"numbers.{publisher}", number, retain=True)
        print(f"acknowledged {publisher} {number}", flush=True)
        number += 1


async def main(folder: Path, first: int) -> None:
    """Publish with all publishers at once."""
    world = await open_world(folder)
    async with asyncio.TaskGroup() as tasks:
        for each in PUBLISHERS:
            tasks.create_task(keep_publishing(world.join(NAMES[each % 3]), each, first))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
