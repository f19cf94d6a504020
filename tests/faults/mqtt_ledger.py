"""Clients with persistent sessions that publish all the time, and remember what was said to them."""

import asyncio
from collections import Counter
from typing import NamedTuple

from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind, Version
from tests.conformance.mqtt.reading import Packet, read_packet

WINDOW = 8  # messages on the way at once
RETAINED_EVERY = 5


class OnTheWay(NamedTuple):
    """A message that was published and not acknowledged to the end."""

    number: int
    topic: str
    qos: int
    is_retain: bool
    is_released: bool = False


class LedgerClient(asyncio.Protocol):
    """Publishes to its own topic, and hears all.

    Attributes:
        acknowledged: numbers of messages that the broker has taken, by QoS.
        got: numbers by publisher, in order; of QoS 2 without repetitions.
        retained_number: of its retained message that was acknowledged last.
        is_finishing: it publishes nothing new.
    """

    def __init__(self, name: str, version: Version, qos: int) -> None:
        self.name, self.version, self.qos = name, version, qos
        self.acknowledged: list[int] = []
        self.got: dict[str, list[int]] = {}
        self.retained_number = 0
        self.is_finishing = False
        self.is_subscribed = self.is_in = False
        self.problems: list[str] = []
        self.on_the_way: dict[int, OnTheWay] = {}
        self.number = 0
        self._incoming: dict[int, bytes] = {}
        self._data = bytearray()
        self.transport: asyncio.Transport | None = None
        self.is_gone = asyncio.Event()
        self.is_gone.set()

    # --- connections ---

    async def connect(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.is_gone.clear()
        self._data.clear()
        expiry = {"session_expiry_interval": 3600} if self.version == 5 else {}
        transport.write(octets.connect(self.name, self.version, clean=False, props=expiry))

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.is_gone.set()
        self.is_in = False

    def drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    # --- packets ---

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (size := self._packet_size()) and len(self._data) >= size:
            raw = bytes(self._data[:size])
            del self._data[:size]
            self._take(read_packet(raw, self.version))

    def _packet_size(self) -> int:
        length = 0
        for at, octet in enumerate(self._data[1:5]):
            length |= (octet & 127) << 7 * at
            if octet < 128:
                return 2 + at + length
        return 0

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def acknowledge(self, kind: Kind, packet_id: int) -> None:
        self.write(octets.acknowledgement(kind, self.version, packet_id))

    def _take(self, packet: Packet) -> None:
        packet_id = packet.packet_id
        if packet.kind == Kind.CONNACK:
            self._come_in(packet)
        elif packet.kind == Kind.SUBACK:
            self.is_subscribed = True
        elif packet.kind == Kind.PUBLISH:
            self._take_publish(packet)
        elif packet.kind == Kind.PUBREL:
            self._incoming.pop(packet_id, None)
            self.acknowledge(Kind.PUBCOMP, packet_id)
        elif packet.kind == Kind.PUBREC:
            self.on_the_way[packet_id] = self.on_the_way[packet_id]._replace(is_released=True)
            self.acknowledge(Kind.PUBREL, packet_id)
        elif packet.kind in (Kind.PUBACK, Kind.PUBCOMP):
            done = self.on_the_way.pop(packet_id)
            self.acknowledged.append(done.number)
            if done.is_retain:
                self.retained_number = max(self.retained_number, done.number)
            self.go_on()
        else:
            self.problems.append(f"{packet.kind.name} was not expected")

    def _come_in(self, connack: Packet) -> None:
        # MQTT 3.1 does not tell.
        is_present = self.is_subscribed if self.version == 3 else connack.session_present
        if self.is_subscribed and not is_present:
            self.problems.append("its session is lost")
        if not is_present:
            self._incoming.clear()
            on_the_way = self.on_the_way.items()
            self.on_the_way = {at: each._replace(is_released=False) for at, each in on_the_way}
        self.is_in = True
        for packet_id, each in self.on_the_way.items():
            if each.is_released:
                self.acknowledge(Kind.PUBREL, packet_id)
            else:
                self._send(packet_id, each, is_dup=True)
        if not self.is_subscribed:
            self.write(octets.subscribe(self.version, 60_000, [("t/#", 2)]))
        self.go_on()

    def go_on(self) -> None:
        """Publish as much as may be on the way."""
        while self.is_in and self.is_subscribed and not self.is_finishing:
            if len(self.on_the_way) >= WINDOW:
                return
            self.number += 1
            is_retain = self.number % RETAINED_EVERY == 0
            topic, qos = (f"r/{self.name}", 1) if is_retain else (f"t/{self.name}", self.qos)
            packet_id = next(each for each in range(1, 100) if each not in self.on_the_way)
            self.on_the_way[packet_id] = OnTheWay(self.number, topic, qos, is_retain)
            self._send(packet_id, self.on_the_way[packet_id], is_dup=False)

    def _send(self, packet_id: int, each: OnTheWay, *, is_dup: bool) -> None:
        self.write(
            octets.publish(
                self.version, each.topic, b"%d" % each.number,
                qos=each.qos, retain=each.is_retain, dup=is_dup, packet_id=packet_id,
            )
        )  # fmt: skip

    def _take_publish(self, packet: Packet) -> None:
        packet_id, payload = packet.packet_id, packet.payload
        if packet.qos == 1 or packet_id not in self._incoming:
            self.got.setdefault(packet.topic, []).append(int(payload))
        elif self._incoming[packet_id] != payload:
            self.problems.append("another message by a packet id that is in use")
        if packet.qos == 1:
            self.acknowledge(Kind.PUBACK, packet_id)
        else:
            self._incoming[packet_id] = payload
            self.acknowledge(Kind.PUBREC, packet_id)

    # --- in the end ---

    def is_quiet(self) -> bool:
        return self.is_in and not self.on_the_way and not self._incoming

    def check_heard(self, publisher: "LedgerClient") -> None:
        """It has all that a publisher was told is taken, as often as its QoS says."""
        got = self.got.get(f"t/{publisher.name}", [])
        wanted = {each for each in publisher.acknowledged if each % RETAINED_EVERY}
        counts = Counter(got)
        assert not wanted - counts.keys(), f"lost: {sorted(wanted - counts.keys())[:9]}"
        assert not counts.keys() - wanted, "never acknowledged"
        firsts = list(dict.fromkeys(got))
        assert firsts == sorted(firsts), "out of order"
        if publisher.qos == 2:
            assert max(counts.values(), default=1) == 1, "a message of QoS 2 came twice"


class Looker(asyncio.Protocol):
    """Looks at what is retained, once; `found` by name."""

    def __init__(self) -> None:
        self.found: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
        self._seen: dict[str, int] = {}
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(
            octets.connect("looker", 4) + octets.subscribe(4, 1, [("r/#", 0)]) + octets.PINGREQ
        )
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._data.endswith(octets.PINGRESP):
            return
        rest = self._data
        while rest:
            size = 2 + rest[1]  # all are short
            packet = read_packet(rest[:size], 4)
            rest = rest[size:]
            if packet.kind == Kind.PUBLISH and packet.retain:
                self._seen[packet.topic.removeprefix("r/")] = int(packet.payload)
        self._transport.abort()
        self.found.set_result(self._seen)
