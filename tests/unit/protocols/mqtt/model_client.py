"""A client that keeps all the rules, a disk that takes its time, and the two on a broker.

Nothing here waits: a client answers what it was sent when it is told to, the disk has what it was
given when it is told to, and a crash leaves what the disk has.
"""

import copy
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.conformance.mqtt.octets import Kind, Version
from tests.conformance.mqtt.reading import Packet, read_packet
from tests.unit.protocols.mqtt.brokers import Clock, Everybody, OpenGate, QuietLink

from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.keeping import Found
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packets import Connect, Puback, Pubcomp, Publish, Pubrec, Pubrel
from thingtank.protocols.mqtt.packets import Subscribe as SubscribePacket
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties
from thingtank.protocols.mqtt.retained import Retained
from thingtank.protocols.mqtt.serializer import serialize
from thingtank.stores.memory_mqtt_sessions import MemoryMqttSessions

RECEIVE_MAXIMUM = 4
BOUNDS = Bounds(receive_maximum=RECEIVE_MAXIMUM, inflight_max=3, queue_messages_max=10_000)
FILTER = "t/#"


class SlowDisk(MemoryMqttSessions):
    """Has what it is told when `sync` is called."""

    def __init__(self) -> None:
        self._sessions = {}
        self._retained = {}
        self._calls: list[Callable[[Exception | None], None]] = []
        self._on_disk = self._copy()

    def _copy(self) -> Any:
        return {name: _copied(each) for name, each in self._sessions.items()}, dict(self._retained)

    def when_kept(self, call: Callable[[Exception | None], None]) -> None:
        self._calls.append(call)

    def sync(self) -> None:
        self._on_disk = self._copy()
        calls, self._calls = self._calls, []
        for call in calls:
            call(None)

    def crash(self) -> None:
        """All that is not on the disk is gone."""
        self._sessions, self._retained = self._on_disk
        self._on_disk = self._copy()
        self._calls = []

    @property
    def content(self) -> Found:
        return Found([each.found() for each in self._sessions.values()], dict(self._retained))


def _copied(session: Any) -> Any:
    """With dicts of its own; what is in them does not change."""
    made = copy.copy(session)
    made.subscriptions = dict(session.subscriptions)
    made.deliveries = dict(session.deliveries)
    made.received = dict(session.received)
    return made


class World:
    """The broker there is, on the disk there is."""

    def __init__(self) -> None:
        self.disk = SlowDisk()
        self.broker = self._make_broker()
        self.clients: list[Client] = []

    def _make_broker(self) -> Broker:
        gate = OpenGate()
        made = Broker(self.disk, gate, BOUNDS, Retained(1000, 2**20), Clock().now_us, lambda: "x")
        gate.broker = made
        return made

    def turn(self) -> None:
        """What the door does when something has come."""
        self.broker.resume()
        self.broker.settle()
        self.broker.dirty.clear()
        for client in self.clients:
            client.collect()

    def sync(self) -> None:
        self.disk.sync()
        for client in self.clients:
            client.has_session_on_disk = client.has_session
        self.turn()

    def crash(self) -> None:
        for client in self.clients:
            client.connection = None
            client.has_session = client.has_session_on_disk
        self.disk.crash()
        self.broker = self._make_broker()
        self.broker.kept_principals = Everybody()
        self.broker.restore(self.disk.content)
        self.turn()


class Sent(NamedTuple):
    """A message that a client has published."""

    publisher: str
    number: int
    topic: str
    qos: int


class Outgoing:
    """How far a client has come with a message of QoS 1 or 2."""

    def __init__(self, sent: Sent, is_retain: bool) -> None:
        self.sent = sent
        self.is_retain = is_retain
        self.is_released = False


class Client:
    """A client with a persistent session.

    Attributes:
        got: what it was given, in order, without repetitions of QoS 2.
        is_subscribed: the broker has said so.
        has_session, has_session_on_disk: what the broker should know.
    """

    def __init__(self, world: World, name: str, version: Version, qos: int) -> None:
        self.world, self.name, self.version, self.qos = world, name, version, qos
        self.connection: Connection | None = None
        self.inbox: deque[bytes] = deque()
        self.outgoing: dict[int, Outgoing] = {}
        self.incoming: dict[int, bytes] = {}
        self.unacked: dict[int, bytes] = {}
        self.receive_maximum = 0
        self.got: list[tuple[int, int]] = []
        self.is_subscribed = False
        self.has_session = self.has_session_on_disk = False
        world.clients.append(self)

    # --- octets ---

    def send(self, packet: Any) -> None:
        if self.connection is not None:
            self.connection.receive_data(serialize(packet, self.version))
            self.world.turn()

    def collect(self) -> None:
        """Take over what the broker has written."""
        if self.connection is None:
            return
        data = b"".join(self.connection.out)
        self.connection.out.clear()
        while data:
            size, shift, at = 0, 0, 1
            while True:
                size |= (data[at] & 127) << shift
                shift, at = shift + 7, at + 1
                if data[at - 1] < 128:
                    break
            self.inbox.append(data[: at + size])
            data = data[at + size :]
        assert not self.connection.is_closed, "ended without cause"

    # --- what a test has it do ---

    def connect(self, receive_maximum: int) -> None:
        self.inbox.clear()
        self.unacked.clear()
        self.receive_maximum = min(receive_maximum, BOUNDS.inflight_max)
        properties = NO_PROPERTIES
        if self.version == 5:
            properties = Properties(session_expiry_interval=3600, receive_maximum=receive_maximum)
        else:
            self.receive_maximum = BOUNDS.inflight_max
        before, self.connection = self.connection, None
        assert before is None
        self.connection = Connection(self.world.broker, QuietLink(), "127.0.0.1")
        self.send(Connect(self.version, self.name, False, properties=properties))
        connack = self._next()
        assert connack.kind == Kind.CONNACK
        assert connack.session_present == (self.has_session and self.version > 3)
        if not self.has_session:
            self.is_subscribed = False
            self.incoming.clear()
            for each in self.outgoing.values():
                each.is_released = False
        self.has_session = True
        for packet_id, outgoing in list(self.outgoing.items()):
            self._send_again(packet_id, outgoing)
        if not self.is_subscribed:
            self.send(SubscribePacket(1000, (Subscription(FILTER, self.qos),)))

    def _send_again(self, packet_id: int, outgoing: Outgoing) -> None:
        if outgoing.is_released:
            self.send(Pubrel(packet_id))
        else:
            self._send_publish(packet_id, outgoing, is_dup=True)

    def lose_connection(self) -> None:
        assert self.connection is not None
        connection, self.connection = self.connection, None
        connection.close()
        self.world.turn()

    def publish(self, sent: Sent, *, is_retain: bool) -> None:
        packet_id = 0
        outgoing = Outgoing(sent, is_retain)
        if sent.qos:
            packet_id = next(each for each in range(1, 100) if each not in self.outgoing)
            self.outgoing[packet_id] = outgoing
        self._send_publish(packet_id, outgoing, is_dup=False)

    def _send_publish(self, packet_id: int, outgoing: Outgoing, *, is_dup: bool) -> None:
        sent = outgoing.sent
        payload = b"%d" % sent.number
        self.send(Publish(sent.topic, payload, sent.qos, outgoing.is_retain, is_dup, packet_id))

    def _next(self) -> Packet:
        return read_packet(self.inbox.popleft(), self.version)

    def read(self) -> None:
        """Take the next packet, and answer it."""
        packet = self._next()
        _TAKERS[packet.kind](self, packet)

    def _take_publish(self, packet: Packet) -> None:
        packet_id, payload = packet.packet_id, packet.payload
        assert not packet.retain
        if packet.qos:
            assert packet_id not in self.unacked, "a packet id that is in use"
            self.unacked[packet_id] = payload
            assert len(self.unacked) <= self.receive_maximum, "more at once than it takes"
        if packet.qos == 2 and packet_id in self.incoming:
            assert self.incoming[packet_id] == payload, "another message by a packet id in use"
            assert packet.dup
        else:
            self.got.append((int(payload), packet.qos))
        if packet.qos == 1:
            del self.unacked[packet_id]
            self.send(Puback(packet_id))
        elif packet.qos == 2:
            self.incoming[packet_id] = payload
            self.send(Pubrec(packet_id))

    def _take_pubrel(self, packet: Packet) -> None:
        self.incoming.pop(packet.packet_id, None)
        self.unacked.pop(packet.packet_id, None)
        self.send(Pubcomp(packet.packet_id))

    def _take_puback(self, packet: Packet) -> None:
        assert self.outgoing.pop(packet.packet_id).sent.qos == 1

    def _take_pubrec(self, packet: Packet) -> None:
        outgoing = self.outgoing[packet.packet_id]
        assert outgoing.sent.qos == 2
        outgoing.is_released = True
        self.send(Pubrel(packet.packet_id))

    def _take_pubcomp(self, packet: Packet) -> None:
        assert self.outgoing.pop(packet.packet_id).is_released

    def _take_suback(self, packet: Packet) -> None:
        assert packet.reason_codes == [self.qos]
        self.is_subscribed = True


_TAKERS: dict[Kind, Callable[[Client, Packet], None]] = {
    Kind.PUBLISH: Client._take_publish,
    Kind.PUBREL: Client._take_pubrel,
    Kind.PUBACK: Client._take_puback,
    Kind.PUBREC: Client._take_pubrec,
    Kind.PUBCOMP: Client._take_pubcomp,
    Kind.SUBACK: Client._take_suback,
}
