"""Events kept for history: how many a second reach the disk, and how long publishers wait.

Sessions are in memory, so that the figures are the broker's and the store's own. Every event that
is counted was synced to disk.
"""

import asyncio
import random
import tempfile
import time
from pathlib import Path

import uvloop
from tests.bench.report import Result

from thingtank.protocols.wamp.broker import Broker
from thingtank.protocols.wamp.history import HistoryRule
from thingtank.protocols.wamp.history_query import EventsQuery
from thingtank.protocols.wamp.messages import Publish
from thingtank.protocols.wamp.options import PublishOptions, Role
from thingtank.protocols.wamp.payloads import payload_of
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.serializers import JSON
from thingtank.stores.wamp_event_reader import WampEventReader
from thingtank.stores.wamp_events import WampEvents

TOPIC = "com.example.kept"
PAYLOAD = payload_of(JSON, ["x" * 60])
READ_EVENTS = 100_000


class Publisher(Peer):
    """Counts the answers."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "authid", "role", {"publisher": Role()}, JSON, 2**24)
        self.answered = asyncio.Event()

    def send_bytes(self, data: bytes) -> None:
        assert data.startswith(b"[17,"), data
        self.answered.set()

    def send_event(self, data: bytes) -> None: ...


def run(quick: bool) -> list[Result]:
    """Measure acknowledged publishers, a flood without, and questions."""
    seconds = 0.3 if quick else 3.0
    count = 2_000 if quick else READ_EVENTS
    return [
        *(uvloop.run(acknowledged(publishers, seconds)) for publishers in (1, 32, 512)),
        uvloop.run(flood(5_000 if quick else 100_000)),
        *uvloop.run(questions(count)),
    ]


async def opened(folder: str) -> tuple[WampEvents, Broker]:
    """A broker whose topic is kept."""
    events = await WampEvents.open(Path(folder), now_us)
    history = await events.history("realm1", [HistoryRule(TOPIC, events_max=10**7)])
    assert history is not None
    broker = Broker(lambda: random.randint(1, 2**53), now_us, on_publication=history.keep)
    history.stand(broker)
    return events, broker


def now_us() -> int:
    """A clock."""
    return time.time_ns() // 1000


async def acknowledged(publishers: int, seconds: float) -> Result:
    """Publishers that each wait for PUBLISHED."""
    with tempfile.TemporaryDirectory() as folder:
        events, broker = await opened(folder)
        waits_s: list[float] = []
        end_s = time.perf_counter() + seconds
        asked = Publish(1, PublishOptions(acknowledge=True), TOPIC, PAYLOAD)

        async def publish(number: int) -> None:
            peer = Publisher(number)
            while (start_s := time.perf_counter()) < end_s:
                peer.answered.clear()
                broker.publish(peer, asked)
                await peer.answered.wait()
                waits_s.append(time.perf_counter() - start_s)

        start_s, process_s = time.perf_counter(), time.process_time()
        await asyncio.gather(*(publish(number) for number in range(publishers)))
        took_s, process_s = time.perf_counter() - start_s, time.process_time() - process_s
        await events.close()
    p99_ms = sorted(waits_s)[int(len(waits_s) * 0.99)] * 1000
    return Result(
        f"history: {publishers} acknowledged publishers",
        "",
        len(waits_s) / took_s,
        "events/s",
        note=f"{process_s / len(waits_s) * 1e6:.1f} µs of the process each; p99 {p99_ms:.1f} ms",
    )


async def flood(count: int) -> Result:
    """Events that nobody waits for, as fast as the queue takes them."""
    with tempfile.TemporaryDirectory() as folder:
        events, broker = await opened(folder)
        peer = Publisher(1)
        message = Publish(1, PublishOptions(), TOPIC, PAYLOAD)
        start_s, loop_s = time.perf_counter(), 0.0
        for _ in range(count // 1000):
            turn_s = time.thread_time()
            for _ in range(1000):
                broker.publish(peer, message)
            loop_s += time.thread_time() - turn_s
            await asyncio.sleep(0)
        await events.settled()
        took_s = time.perf_counter() - start_s
        lost_count = events.lost_count
        await events.close()
    return Result(
        "history: one publisher without acknowledgement",
        "",
        (count - lost_count) / took_s,
        "events/s",
        note=f"{loop_s / count * 1e6:.1f} µs of the loop each; {lost_count} had no room",
    )


async def questions(count: int) -> list[Result]:
    """What finding events takes in the reader's thread."""
    with tempfile.TemporaryDirectory() as folder:
        events, broker = await opened(folder)
        peer = Publisher(1)
        published: list[int] = []
        for _ in range(count):
            message = Publish(1, PublishOptions(), TOPIC, PAYLOAD)
            published.append(broker.publish(peer, message) or 0)
            if len(published) % 1000 == 0:
                await events.settled()
        await events.settled()
        reader = WampEventReader(Path(folder) / "wamp_events.sqlite3")
        cases = {
            "the newest 10": EventsQuery(reverse=True, limit=10),
            "10 after a publication in the middle": EventsQuery(
                after_publication=published[count // 2], limit=10
            ),
            "10 of a topic that has none": EventsQuery(topic="com.example.none", limit=10),
            "the oldest 1,000": EventsQuery(limit=1000),
        }
        results = []
        for name, query in cases.items():
            best_s = float("inf")
            for _ in range(5):
                start_s = time.perf_counter()
                with reader.events(1, query, 0, lambda each: True, lambda: False) as found:
                    list(found)
                best_s = min(best_s, time.perf_counter() - start_s)
            case = f"history: of {count:,} events, {name}"
            results.append(Result(case, "", best_s * 1000, "ms"))
        reader.close()
        await events.close()
    return results
