"""The load generator of the MQTT bench: what a broker does wrong shows, and does not count as speed.

The brokers here are a few lines, right or wrong in one way.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.bench.c_program import LoadRefused
from tests.bench.mqtt_load import (
    VERSION_3_1_1,
    VERSION_5,
    Line,
    MqttLoad,
    Work,
    publish_to_absent,
    run_load,
)
from tests.needed import needed_program

CONNECT, PUBLISH, PUBACK, PUBREC, PUBREL, SUBSCRIBE, DISCONNECT = 1, 3, 4, 5, 6, 8, 14

Spoil = Callable[[int, bytes], list[bytes]]
"""The deliveries that are written for one, the nth."""


def packet(head: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([head, len(body)]) + body


def right(number: int, delivery: bytes) -> list[bytes]:
    return [delivery]


class SmallBroker:
    """Passes on what is published, packet ids and QoS as they came, to all whose filter fits.

    Acknowledges as told by the publisher's QoS. What comes for a subscriber that is away is kept.
    """

    def __init__(self, version: int, spoil: Spoil, code: int, acknowledges: bool) -> None:
        self._version = version
        self._spoil = spoil
        self._code = code
        self._acknowledges = acknowledges
        self._numbers = count()
        self._filters: dict[str, tuple[str, int]] = {}
        self._writers: dict[str, asyncio.StreamWriter] = {}
        self._kept: dict[str, list[bytes]] = {}
        self.users: list[str] = []
        self.published: list[tuple[str, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client_id = ""
        try:
            while True:
                head, length = await reader.readexactly(2)
                body = await reader.readexactly(length)
                if head >> 4 == CONNECT:
                    client_id, *user = self._identity(body)
                    self.users += user
                    self._connect(client_id, bool(body[7] & 2), writer)
                elif head >> 4 == DISCONNECT:
                    break
                else:
                    self._take(client_id, head, body, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.pop(client_id, None)
            writer.close()

    def _identity(self, body: bytes) -> list[str]:
        """Client id and, where there is one, user name."""
        rest = body[10 + (1 + body[10] if self._version == VERSION_5 else 0) :]
        texts = []
        while rest:
            size = int.from_bytes(rest[:2], "big")
            texts.append(rest[2 : 2 + size].decode())
            rest = rest[2 + size :]
        return texts

    def _connect(self, client_id: str, is_clean: bool, writer: asyncio.StreamWriter) -> None:
        # Receive maximum of 3, which a publisher has to keep to.
        properties = b"\x03\x21\x00\x03" if self._version == VERSION_5 else b""
        writer.write(packet(0x20, bytes([0, self._code]) + properties))
        if is_clean:
            self._filters.pop(client_id, None)
            self._kept.pop(client_id, None)
        self._writers[client_id] = writer
        for delivery in self._kept.pop(client_id, []):
            writer.write(delivery)

    def _take(self, client_id: str, head: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        kind = head >> 4
        if kind == SUBSCRIBE:
            text = body[4 + (self._version == VERSION_5) :]
            self._filters[client_id] = text[:-1].decode().lstrip("\0"), text[-1]
            granted = body[:2] + (b"\0" if self._version == VERSION_5 else b"") + text[-1:]
            writer.write(packet(0x90, granted))
        elif kind == PUBLISH:
            self._relay(head, body, writer)
        elif kind == PUBREC:
            writer.write(packet(0x62, body))
        elif kind == PUBREL:
            writer.write(packet(0x70, body))

    def _relay(self, head: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        topic_size = int.from_bytes(body[:2], "big")
        topic = body[2 : 2 + topic_size].decode()
        qos = head >> 1 & 3
        self.published.append((topic, body[2 + topic_size + 2 * (qos > 0) :]))
        for client_id, (wanted, _) in self._filters.items():
            if wanted not in (topic, "bench/+/up"):
                continue
            for delivery in self._spoil(next(self._numbers), packet(head, body)):
                if client_id in self._writers:
                    self._writers[client_id].write(delivery)
                else:
                    self._kept.setdefault(client_id, []).append(delivery)
        if qos and self._acknowledges:
            packet_id = body[2 + topic_size : 4 + topic_size]
            writer.write(packet(0x40 if qos == 1 else 0x50, packet_id))


@asynccontextmanager
async def small_broker(
    spoil: Spoil = right,
    version: int = VERSION_3_1_1,
    code: int = 0,
    acknowledges: bool = True,
) -> AsyncIterator[Line]:
    async with served(SmallBroker(version, spoil, code, acknowledges)) as line:
        yield line


@asynccontextmanager
async def served(broker: SmallBroker) -> AsyncIterator[Line]:
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    async with server:
        yield Line(server.sockets[0].getsockname()[1])


async def load(line: Line, work: Work) -> MqttLoad:
    needed_program("cc")
    run = partial(run_load, line, work, lambda: [os.getpid()])
    return await asyncio.to_thread(run, warm_s=0.05, run_s=0.2, settle_s=0.4)


def pairs(qos: int, version: int = VERSION_3_1_1) -> Work:
    return Work("pairs", 2, 2, qos, window=8, version=version)


@pytest.mark.parametrize("version", [VERSION_3_1_1, VERSION_5])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_right_broker_has_nothing_lost_and_nothing_bad(qos: int, version: int) -> None:
    async with small_broker(version=version) as line:
        seen = await load(line, pairs(qos, version))
    assert (seen.lost, seen.bad) == (0, 0)
    assert seen.delivered > 100
    assert (seen.acknowledged > 100) == (qos > 0)
    assert seen.broker_cpu_s > 0
    assert seen.generator_share < 1


@pytest.mark.parametrize(("topology", "subscribers"), [("in", 1), ("out", 5)])
async def test_each_topology_counts_every_delivery(topology: str, subscribers: int) -> None:
    publishers = 3 if topology == "in" else 1
    async with small_broker() as line:
        seen = await load(line, Work(topology, publishers, subscribers, 0, window=8))
    assert (seen.lost, seen.bad) == (0, 0)
    assert seen.delivered > 100
    assert abs(seen.delivered - subscribers * seen.sent) <= 8 * publishers * subscribers


async def test_messages_at_a_fixed_rate_keep_it_and_are_timed() -> None:
    async with small_broker() as line:
        seen = await load(line, pairs(1)._replace(rate=500, window=100))
    assert 0.5 < seen.per_second / 500 < 1.2  # a busy machine is late
    assert 0 < seen.p50_us <= seen.p99_us <= seen.max_us


def every_tenth(change: Callable[[bytes], list[bytes]]) -> Spoil:
    return lambda number, delivery: change(delivery) if number % 10 == 9 else [delivery]


SPOILED: dict[str, Spoil] = {
    "loses": every_tenth(lambda delivery: []),
    "repeats": every_tenth(lambda delivery: [delivery, delivery]),
    "changes the end": lambda number, delivery: [delivery[:-1] + b"!"],
    "changes the topic": lambda number, delivery: [delivery.replace(b"/up", b"/UP")],
    "cuts": every_tenth(lambda delivery: [packet(delivery[0], delivery[2:-1])]),
    "adds a byte": every_tenth(lambda delivery: [packet(delivery[0], delivery[2:] + b"!")]),
    "lowers the QoS": every_tenth(
        lambda delivery: [packet(0x30, delivery[2:14] + delivery[16:])]  # without its packet id
    ),
}


@pytest.mark.parametrize("how", SPOILED)
async def test_what_a_broker_does_to_messages_shows(how: str) -> None:
    async with small_broker(SPOILED[how]) as line:
        seen = await load(line, pairs(1))
    assert seen.bad > 0
    assert seen.failures > 0
    if how == "loses":
        assert seen.lost > 0
    if how == "repeats":
        assert seen.lost < 0


async def test_run_in_which_nothing_was_done_fails_though_all_came_after_it() -> None:
    async with small_broker() as line:
        seen = await load(line, pairs(1))
    assert seen.failures == 0
    assert replace(seen, delivered=0, acknowledged=0).failures == 1


async def test_message_without_acknowledgement_is_lost() -> None:
    async with small_broker(acknowledges=False) as line:
        seen = await load(line, pairs(1))
    assert (seen.acknowledged, seen.lost) == (0, 16)


async def test_publisher_keeps_to_the_brokers_receive_maximum() -> None:
    async with small_broker(version=VERSION_5, acknowledges=False) as line:
        seen = await load(line, pairs(1, VERSION_5)._replace(batch=1))
    assert seen.lost == 6


async def test_subscriber_that_was_away_gets_what_was_published() -> None:
    needed_program("cc")
    work = Work("in", 2, 1, 1, window=8)
    run = partial(publish_to_absent, settle_s=0.4)
    async with small_broker() as line:
        seen = await asyncio.to_thread(run, line, work, 300, lambda: [os.getpid()])
    assert (seen.acknowledged, seen.lost, seen.bad) == (300, 0, 0)
    assert seen.drain_s > 0


async def test_what_is_lost_of_a_subscriber_that_was_away_shows() -> None:
    needed_program("cc")
    run = partial(publish_to_absent, settle_s=0.4)
    async with small_broker(SPOILED["loses"]) as line:
        seen = await asyncio.to_thread(
            run, line, Work("in", 2, 1, 1, window=8), 300, lambda: [os.getpid()]
        )
    assert seen.lost == 30


async def test_devices_write_rows_to_their_feeds_each_with_its_key(tmp_path: Path) -> None:
    needed_program("cc")
    clients = tmp_path / "devices"
    clients.write_text("key-a /v2/feeds/11.csv\nkey-b /v2/feeds/12.csv\n")
    more = {"clients": clients, "datastream": "heat", "base_us": 1_795_732_199_999_500}
    broker = SmallBroker(VERSION_3_1_1, right, 0, True)
    async with served(broker) as line:
        run = partial(run_load, more=more, warm_s=0.05, run_s=0.2, settle_s=0.4)
        seen = await asyncio.to_thread(
            run, line, Work("pairs", 2, 0, 1, window=8), lambda: [os.getpid()]
        )
    rows = [payload for topic, payload in broker.published if topic == "/v2/feeds/12.csv"]
    assert broker.users == ["key-a", "key-b"]
    assert rows[:2] == [
        b"heat,2026-11-26T22:29:59.999500Z,0",
        b"heat,2026-11-26T22:30:00.000500Z,1",
    ]
    assert len(set(broker.published)) == seen.total
    assert seen.lost == 0
    assert seen.done == seen.acknowledged > 100


async def test_refusal_is_told() -> None:
    async with small_broker(code=5) as line:
        with pytest.raises(LoadRefused, match="refused a connection: code 5"):
            await load(line, pairs(0))
