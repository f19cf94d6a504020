"""A process that publishes WAMP events and says what was acknowledged, until it is killed.

`python -m tests.faults.wamp_event_child FOLDER FIRST`: each publisher has a topic of its own, and
publishes numbers, FIRST upwards, one after another; a line `acknowledged PUBLISHER NUMBER` is
printed the instant that PUBLISHED is sent. Each event is for history and retained, too.
"""

import asyncio
import random
import sys
from pathlib import Path

from tests.conformance.wamp.kept import KeptWorld
from tests.conformance.wamp.octets import READ
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


class Publisher(Client):
    """Publishes the next number when the last one was acknowledged."""

    def __init__(self, world: KeptWorld, publisher: int, first: int) -> None:
        super().__init__(world, NAMES[publisher % 3], 2**24)
        self.publisher = publisher
        self.number = first

    def send_bytes(self, data: bytes) -> None:
        code, *_ = READ[self.serializer.name](data)
        if code == 17:
            print(f"acknowledged {self.publisher} {self.number}", flush=True)
            self.number += 1
        assert code in (2, 17), "refused"
        asyncio.get_running_loop().call_soon(self.publish_next)

    def publish_next(self) -> None:
        # What nobody waits for is between.
        self.publish(f"noise.{self.number % 50}", [self.number], retain=True)
        topic = f"numbers.{self.publisher}"
        self.ask(16, topic, [self.number], acknowledge=True, retain=True)


async def main(folder: Path, first: int) -> None:
    """Publish with all publishers at once."""
    world = await open_world(folder)
    for each in PUBLISHERS:
        Publisher(world, each, first).hello()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
