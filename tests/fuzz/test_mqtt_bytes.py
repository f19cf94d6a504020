"""Any octets from MQTT clients: answers of the standard or the end of the connection; nothing else.

What counts as correct: whatever a server may send (`tests/conformance/mqtt/reading.py` is strict),
and a close. Nothing is raised, no more is kept than the bounds say, octets mean the same however
they were cut, and another client is served as before.
"""

from collections import Counter, deque
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind, Will
from tests.conformance.mqtt.reading import Packet, read_packet

from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.errors import ProtocolError
from thingtank.protocols.mqtt.packets import Auth, Connect
from thingtank.protocols.mqtt.retained import Retained
from thingtank.stores.memory_mqtt_sessions import NullMqttSessions

BOUNDS = Bounds(
    packet_bytes_max=400,
    receive_maximum=3,
    inflight_max=2,
    queue_messages_max=4,
    queue_bytes_max=300,
    sessions_max=5,
    subscriptions_per_session_max=4,
    subscriptions_max=10,
    topic_levels_max=5,
    client_id_bytes_max=10,
    topic_alias_max=2,
)
RETAINED_MAX, RETAINED_BYTES_MAX = 3, 200
TURNS_MAX = 100
PROPERTIES = [
    *(octets.property_octets(name, 1) for name in ("payload_format_indicator", "topic_alias")),
    octets.property_octets("message_expiry_interval", 1),
    octets.property_octets("session_expiry_interval", 100),
    octets.property_octets("receive_maximum", 1),
    octets.property_octets("maximum_packet_size", 20),
    octets.property_octets("topic_alias_maximum", 5),
    octets.property_octets("subscription_identifier", 7),
    octets.property_octets("response_topic", "r"),
    octets.property_octets("user_property", [("a", "b")] * 3),
    octets.property_octets("authentication_method", "SCRAM-SHA-256"),
    octets.property_octets("request_problem_information", 0),
]


class AnyRights:
    def may_publish(self, topic: str) -> bool:
        return not topic.startswith("$")

    def may_subscribe(self, topic_filter: str) -> bool:
        return not topic_filter.startswith("$SYS")

    def may_receive(self, topic: str) -> bool:
        return True


class OpenGate:
    """Lets everybody in; AUTH goes nowhere."""

    broker: Broker

    def enter(self, connection: Connection, connect: Connect) -> None:
        self.broker.reception.admit(connection, "anonymous", AnyRights())

    def proceed(self, connection: Connection, auth: Auth) -> None:
        raise ProtocolError("AUTH, and there is no method")

    def leave(self, connection: Connection) -> None:
        pass


class PatientKeeper(NullMqttSessions):
    """Keeps nothing, and says that it is on disk when the turn ends."""

    def __init__(self) -> None:
        self.calls: list[Callable[[Exception | None], None]] = []

    def when_kept(self, call: Callable[[Exception | None], None]) -> None:
        self.calls.append(call)


class NoLink:
    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass


class Peer:
    """A connection, and what it was sent."""

    def __init__(self, world: "World") -> None:
        self.connection = Connection(world.broker, NoLink(), "fuzz")
        self.received = b""
        self.world = world

    def send(self, data: bytes) -> None:
        self.connection.receive_data(data)
        self.world.settle()

    def packets(self) -> list[Packet]:
        """Take all that came, which must be what a server may send."""
        found, data = [], self.received
        while data:
            length = octets_of_length(data)
            found.append(read_packet(data[:length], self.connection.version))
            data = data[length:]
        self.received = b""
        return found


def octets_of_length(data: bytes) -> int:
    length = at = 0
    while True:
        length |= (data[at + 1] & 127) << 7 * at
        at += 1
        if data[at] < 128:
            return 1 + at + length


class World:
    """A broker without sockets, clocks or disks."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000
        self.keeper, gate, names = PatientKeeper(), OpenGate(), iter(range(1000))
        retained = Retained(RETAINED_MAX, RETAINED_BYTES_MAX)
        self.broker = gate.broker = Broker(
            self.keeper, gate, BOUNDS, retained, lambda: self.now_us, lambda: f"auto{next(names)}"
        )
        self.peers: dict[Connection, Peer] = {}

    def open(self) -> Peer:
        peer = Peer(self)
        self.peers[peer.connection] = peer
        return peer

    def settle(self) -> None:
        """Turns of the loop until nothing is left to be done."""
        for _ in range(TURNS_MAX):
            self.broker.resume()
            self.broker.settle()
            calls, self.keeper.calls = self.keeper.calls, []
            for call in calls:
                call(None)
            dirty, self.broker.dirty = self.broker.dirty, []
            for connection in dirty:
                peer = self.peers[connection]
                peer.received += b"".join(connection.out)
                connection.out.clear()
            if not (calls or dirty or self.broker.has_more or self.broker.awaiting):
                return
        pytest.fail("it does not come to an end")

    def check_bounds(self) -> None:
        broker = self.broker
        assert len(broker.sessions) <= BOUNDS.sessions_max
        assert len(broker.retained) <= RETAINED_MAX
        assert broker.retained.bytes <= RETAINED_BYTES_MAX
        for session in broker.sessions.values():
            assert len(session.subscriptions) <= BOUNDS.subscriptions_per_session_max
            assert session.queued_count <= BOUNDS.queue_messages_max + BOUNDS.inflight_max
            assert len(session.received) <= 10_000
        for connection in self.peers:
            rest = connection.unfinished
            assert rest is None or len(rest) <= BOUNDS.packet_bytes_max + 2**16
            assert not connection.out


def packets_of(version: int) -> st.SearchStrategy[bytes]:
    """Well-formed packets that have to do with each other, nearly all of them allowed."""
    topics = st.sampled_from(["a", "a/b", "b", "$x", "", "a/+", "é"])
    filters = st.sampled_from(["a", "a/+", "#", "+/b", "$share/g/a", "$share/g/#", "a#", ""])
    payloads = st.sampled_from([b"", b"x", b"y" * 100, b"z" * 390])
    packet_ids = st.integers(0, 4)
    qos = st.sampled_from([0, 1, 2, 2])
    no_props = st.just(b"")
    some = st.lists(st.sampled_from(PROPERTIES), max_size=2).map(b"".join)
    props = st.one_of(no_props, some) if version == 5 else no_props
    wills = st.none() | st.builds(lambda topic: Will(topic, b"will", 1, True, b""), topics)
    connects = st.builds(
        lambda name, clean, will, given: octets.connect(
            name, version, clean=clean, will=will, props=given
        ),
        st.sampled_from(["p", "q", "r", "", "much-too-long"]),
        st.booleans(),
        wills,
        props,
    )
    publishes = st.builds(
        lambda topic, payload, q, retain, dup, packet_id, given: octets.publish(
            version,
            topic,
            payload,
            qos=q,
            retain=retain,
            dup=dup,
            packet_id=packet_id,
            props=given,
        ),
        topics, payloads, qos, st.booleans(), st.booleans(), packet_ids, props,
    )  # fmt: skip
    pairs = st.lists(st.tuples(filters, st.sampled_from([0, 1, 2, 3, 4, 0x1A, 0x30])), max_size=3)
    acknowledgements = st.builds(
        lambda kind, packet_id, code: octets.acknowledgement(
            kind, version, packet_id, code if version == 5 else None
        ),
        st.sampled_from([Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP]),
        packet_ids,
        st.sampled_from([None, 0, 0x80, 0x92]),
    )
    return st.one_of(
        connects,
        publishes,
        publishes,
        acknowledgements,
        acknowledgements,
        st.builds(lambda i, p, g: octets.subscribe(version, i, p, g), packet_ids, pairs, props),
        st.builds(
            lambda i, f, g: octets.unsubscribe(version, i, f, g),
            packet_ids,
            st.lists(filters, max_size=2),
            props,
        ),
        st.sampled_from([octets.PINGREQ, octets.disconnect(version), octets.auth(0x18)]),
    )


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """A CONNECT and what follows it, with a few octets changed, left out or put in."""
    version = draw(st.sampled_from([3, 4, 5, 5]))
    name = draw(st.sampled_from(["p", "q"]))
    expiry = b"\x11\x00\x00\x00\x64" if version == 5 else b""
    begin = octets.connect(name, version, clean=draw(st.booleans()), props=expiry)
    data = bytearray(begin + b"".join(draw(st.lists(packets_of(version), max_size=8))))
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 5]))):
        at = draw(st.integers(0, len(data) - 1))
        how = draw(st.integers(0, 2))
        size = 0 if how == 0 else draw(st.integers(1, 3))
        data[at : at + size] = b"" if how == 1 else draw(st.binary(min_size=1, max_size=3))
    return bytes(data)


RUBBISH = st.binary(max_size=60)
CORPUS = [
    octets.connect("p", 5) + b"\x82\x06\x00\x01\x00\x00\x01a" + b"\x00",
    octets.connect("p", 4) + b"\x30\xff\xff\xff\xff",
    octets.connect("p", 4, clean=False) + octets.publish(4, "a", b"x", qos=2, packet_id=1) * 4,
    octets.connect("p", 5, will=Will("a/#", b"x")),
    octets.connect("p", 5, props=b"\x21\x00\x00"),
    octets.connect("p", 5) + octets.publish(5, "", b"x", props=b"\x23\x00\x01"),
    octets.connect("p", 5, props=b"\x27\x00\x00\x00\x05") + octets.auth(0x19) + octets.PINGREQ,
    octets.connect("p", 5, level=6) + octets.PINGREQ,
    octets.connect("p", 3) + octets.subscribe(3, 1, [("a" * 300, 2)]) + b"\xf0\x00",
]


@settings(max_examples=100)
@given(attacks=st.lists(streams() | RUBBISH, min_size=1, max_size=4))
@example(attacks=CORPUS)
def test_any_octets_are_answered_or_end_the_connection(attacks: list[bytes]) -> None:
    world = World()
    bystander = world.open()
    bystander.send(octets.connect("bystander", 5) + octets.subscribe(5, 1, [("by", 1)]))
    for data in attacks:
        attacker = world.open()
        attacker.send(data)
        world.check_bounds()
        attacker.packets()
    seen = Counter(packet.kind for packet in bystander.packets())
    assert (seen[Kind.CONNACK], seen[Kind.SUBACK]) == (1, 1)
    bystander.send(octets.publish(5, "by", b"still", qos=0) + octets.PINGREQ)
    assert [packet.kind for packet in bystander.packets()] == [Kind.PUBLISH, Kind.PINGRESP]
    for peer in world.peers.values():  # all of them are gone, and come again
        peer.connection.close()
    world.settle()
    for name in ("p", "q"):
        again = world.open()
        again.send(octets.connect(name, 4, clean=False))
        assert again.packets()[0].reason_code == 0
        again.connection.close()
    world.settle()
    world.now_us += 10**6 * 86_400
    world.broker.tick()
    world.settle()
    world.check_bounds()


@settings(max_examples=60)
@given(data=streams() | RUBBISH, cuts=st.lists(st.integers(1, 7), min_size=1, max_size=5))
@example(data=CORPUS[2], cuts=[1])
@example(data=CORPUS[7], cuts=[1])
def test_octets_mean_the_same_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    whole = World().open()
    whole.send(data)
    in_pieces, sizes, rest = World().open(), deque(cuts), data
    while rest:
        in_pieces.send(rest[: sizes[0]])
        rest = rest[sizes[0] :]
        sizes.rotate(-1)
    assert in_pieces.connection.is_closed == whole.connection.is_closed
    of_pieces = Counter(packet.raw for packet in in_pieces.packets())
    of_whole = Counter(packet.raw for packet in whole.packets())
    # Answers that wait for the disk do not come any more when the connection ends meanwhile.
    assert of_whole <= of_pieces
    assert whole.connection.is_closed or of_whole == of_pieces
