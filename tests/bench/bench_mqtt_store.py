"""MQTT's sessions on disk: deliveries that are kept, waited for and acknowledged, a second.

No sockets and no broker, so that the figures are the store's own. Each session has one message
under way: it is kept, sent once it is on disk, and gone once its client has acknowledged it; the
client is as quick as the loop, or takes its time. `flood` keeps without waiting, `backlog` writes
messages for clients that are away, and reads them all at the next start.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvloop
from tests.bench.report import Result

from thingtank.protocols.mqtt.keeping import DeliveryState, KeptDelivery, KeptSession
from thingtank.protocols.mqtt.messages import Message
from thingtank.stores.mqtt_sessions import MqttSessions

SESSIONS = 100
UNDER_WAY = 20
PAYLOAD = b"x" * 60


def run(quick: bool) -> list[Result]:
    """Measure deliveries at once, late and to many, and the start afterwards."""
    seconds = 0.3 if quick else 4.0
    count = 100 if quick else 5_000
    return [
        uvloop.run(acknowledged("acknowledged at once", 0.0, seconds)),
        uvloop.run(acknowledged("acknowledged after 10 ms", 0.01, seconds)),
        uvloop.run(passing(seconds)),
        *uvloop.run(backlog(count)),
    ]


async def opened(folder: str) -> MqttSessions:
    """With sessions."""
    sessions = await MqttSessions.open(Path(folder))
    for number in range(SESSIONS):
        sessions.keep_session(KeptSession(f"client{number}", "key:1", 5, 3600, True, 0, None))
    await kept(sessions)
    return sessions


async def kept(sessions: MqttSessions) -> None:
    """Wait until all is on disk."""
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    sessions.when_kept(told.set_result)
    assert await told is None


class Client:
    """Has messages kept one after another, and acknowledges each."""

    def __init__(self, sessions: MqttSessions, name: str, ack_s: float) -> None:
        self.sessions = sessions
        self.name = name
        self.ack_s = ack_s
        self.loop = asyncio.get_running_loop()
        self.number = 0
        self.acknowledged_count = 0
        self.is_stopping = False
        self.waits_s: list[float] = []

    def publish(self) -> None:
        """One more message comes for it."""
        if self.is_stopping:
            return
        self.number += 1
        number, start_s = self.number, time.perf_counter()
        message = Message("devices/7/temperature", PAYLOAD, 1)
        self.sessions.keep_delivery(self.name, KeptDelivery(number, message, 1))
        self.sessions.set_delivery(self.name, number, number & 0xFFFF, DeliveryState.SENT)
        self.sessions.when_kept(lambda error: self._kept(number, start_s))

    def _kept(self, number: int, start_s: float) -> None:
        self.waits_s.append(time.perf_counter() - start_s)
        if self.ack_s:
            self.loop.call_later(self.ack_s, self._acknowledge, number)
        else:
            self._acknowledge(number)

    def _acknowledge(self, number: int) -> None:
        self.sessions.drop_delivery(self.name, number)
        self.acknowledged_count += 1
        self.loop.call_soon(self.publish)


async def acknowledged(name: str, ack_s: float, seconds: float) -> Result:
    """Messages whose publisher waits for the disk, each for one session."""
    with tempfile.TemporaryDirectory() as folder:
        sessions = await opened(folder)
        clients = [Client(sessions, f"client{each}", ack_s) for each in range(SESSIONS)]
        used = Used()
        for client in clients:
            for _ in range(UNDER_WAY):
                client.publish()
        await asyncio.sleep(seconds)
        took_s, count = used.wall_s(), sum(each.acknowledged_count for each in clients)
        note = used.note(count)
        for client in clients:
            client.is_stopping = True
        await sessions.close()
    waits_s = sorted(wait_s for each in clients for wait_s in each.waits_s)
    return Result(
        f"MQTT store: {SESSIONS} sessions of {UNDER_WAY}, {name}",
        "",
        count / took_s,
        "deliveries/s",
        note=f"{note}; p50 {waits_s[len(waits_s) // 2] * 1000:.1f} ms,"
        f" p99 {waits_s[int(len(waits_s) * 0.99)] * 1000:.1f} ms",
    )


async def passing(seconds: float) -> Result:
    """Messages that are acknowledged before their batch is written: what the calls cost."""
    message = Message("devices/7/temperature", PAYLOAD, 1)
    with tempfile.TemporaryDirectory() as folder:
        sessions = await opened(folder)
        names = [f"client{each}" for each in range(SESSIONS)]
        used, number = Used(), 0
        while used.wall_s() < seconds:
            number += 1
            delivery = KeptDelivery(number, message, 1)
            for name in names:
                sessions.keep_delivery(name, delivery)
            for name in names:
                sessions.set_delivery(name, number, 1, DeliveryState.SENT)
                sessions.drop_delivery(name, number)
            await asyncio.sleep(0)
        took_s, count = used.wall_s(), number * SESSIONS
        note = used.note(count)
        await sessions.close()
    return Result(
        f"MQTT store: {SESSIONS} sessions, acknowledged before they are written",
        "",
        count / took_s,
        "deliveries/s",
        note=note,
    )


async def backlog(count: int) -> list[Result]:
    """Messages for all sessions that are away, and for one; then a start with all of them."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        sessions = await opened(folder)
        names = [f"client{each}" for each in range(SESSIONS)]
        cases: list[tuple[str, Callable[[int], list[str]]]] = [
            ("shared by all sessions", lambda _number: names),
            ("each for one session", lambda number: [names[number % SESSIONS]]),
        ]
        number = 0
        for name, receivers in cases:
            used, written = Used(), 0
            while written < count * SESSIONS // 2:
                number += 1
                message = Message("devices/7/temperature", PAYLOAD, 1)
                for each in receivers(number):
                    sessions.keep_delivery(each, KeptDelivery(number, message, 1))
                    written += 1
                if sessions.is_behind:
                    caught_up = asyncio.Event()
                    sessions.when_caught_up(caught_up.set)
                    await caught_up.wait()
                elif written % 100 == 0:
                    await asyncio.sleep(0)
            await kept(sessions)
            results.append(
                Result(
                    f"MQTT store: messages for clients that are away, {name}",
                    "",
                    written / used.wall_s(),
                    "deliveries/s",
                    note=used.note(written),
                )
            )
        await sessions.close()
        size_bytes = sum(each.stat().st_size for each in Path(folder).iterdir())  # noqa: ASYNC240 - nothing else runs
        used = Used()
        sessions = await MqttSessions.open(Path(folder))
        found = await sessions.found()
        took_s = used.wall_s()
        await sessions.close()
    total = sum(len(each.deliveries) for each in found.sessions)
    results.append(
        Result(
            "MQTT store: start with these",
            "",
            total / took_s,
            "deliveries/s",
            note=f"{total:,} deliveries in {took_s:.2f} s; {size_bytes / total:.0f} B each on disk",
        )
    )
    return results


class Used:
    """Time and processor time since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.thread_time(), time.process_time()

    def wall_s(self) -> float:
        """On the clock."""
        return time.perf_counter() - self._start[0]

    def note(self, count: int) -> str:
        """What each of so many took."""
        loop_s = time.thread_time() - self._start[1]
        process_s = time.process_time() - self._start[2]
        return (
            f"µs each: {loop_s / count * 1e6:.2f} on the loop,"
            f" {process_s / count * 1e6:.2f} of the process"
        )
