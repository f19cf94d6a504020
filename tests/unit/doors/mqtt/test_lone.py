"""A read that is one whole packet: what it does must be what the same octets do in pieces."""

from collections.abc import Callable

import pytest
from tests.unit.doors.mqtt.houses import House
from tests.unit.doors.mqtt.open_door import Client, OpenDoor

from thingtank.doors.mqtt.packet_tap import PacketTap
from thingtank.protocols.mqtt.broker import SENT_A_TURN_MAX
from thingtank.protocols.mqtt.lone import NOT_LONE, take_lone
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.packets import Puback, Publish, Subscribe
from thingtank.protocols.mqtt.serializer import serialize

Feed = Callable[[OpenDoor, Client, bytes], None]


def whole(opened: OpenDoor, client: Client, data: bytes) -> None:
    opened.door.receive(client.connection, data)


def by_octets(opened: OpenDoor, client: Client, data: bytes) -> None:
    for at in range(len(data)):
        opened.door.receive(client.connection, data[at : at + 1])


def together(opened: OpenDoor, client: Client, data: bytes) -> None:
    opened.door.receive(client.connection, data + b"\xc0\x00")  # and PINGREQ


@pytest.fixture
async def opened() -> OpenDoor:
    return OpenDoor(House())


def messages(client: Client) -> list[tuple[str, bytes, int, int]]:
    return [
        (each.topic, each.payload, each.qos, each.packet_id or 0)
        for each in client.packets
        if isinstance(each, Publish)
    ]


def acknowledged(client: Client) -> list[int]:
    return [each.packet_id for each in client.packets if isinstance(each, Puback)]


def pair(opened: OpenDoor, *filters: Subscription, version: int = 4) -> tuple[Client, Client]:
    publisher = Client(opened, "publisher", version=version)
    receiver = Client(opened, "receiver", version=version)
    receiver.send(Subscribe(1, filters))
    return publisher, receiver


PUBLISHES = {
    "QoS 0": Publish("a/b", b"21.5"),
    "QoS 0, empty": Publish("a/b", b""),
    "QoS 1": Publish("a/b", b"21.5", qos=1, packet_id=7),
    "QoS 1, empty": Publish("a/b", b"", qos=1, packet_id=65_535),
    "QoS 2": Publish("a/b", b"21.5", qos=2, packet_id=9),
    "retained": Publish("a/b", b"21.5", retain=True),
    "nobody listens": Publish("b/a", b"21.5", qos=1, packet_id=3),
    "longer than one octet says": Publish("a/b", b"x" * 200),
}
SUBSCRIPTIONS = {
    "QoS 0": (Subscription("a/+"),),
    "QoS 1": (Subscription("a/+", qos=1),),
    "QoS 2": (Subscription("a/+", qos=2),),
    "twice": (Subscription("a/+"), Subscription("#", qos=1)),
    "shared": (Subscription("$share/g/a/+", qos=1),),
}


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("subscribed", SUBSCRIPTIONS)
@pytest.mark.parametrize("published", PUBLISHES)
async def test_whole_packet_does_what_its_octets_do_one_by_one(
    published: str, subscribed: str, version: int
) -> None:
    packet = PUBLISHES[published]
    seen = []
    for feed in (whole, by_octets, together):
        opened = OpenDoor(House())
        publisher, receiver = pair(opened, *SUBSCRIPTIONS[subscribed], version=version)
        for _ in range(1 if packet.qos == 2 else 3):  # the first finds the route
            feed(opened, publisher, serialize(packet, version))
            opened.flush()
        seen.append((messages(receiver), acknowledged(publisher), opened.broker.sent_count))
    assert seen[0] == seen[1] == seen[2]


def is_lone(client: Client, packet: Publish | Puback) -> bool:
    """Whether a packet goes the short way; it has gone then."""
    return take_lone(client.connection, serialize(packet, client.version)) != NOT_LONE


@pytest.mark.parametrize("qos", [0, 1])
async def test_plain_messages_go_the_short_way(opened: OpenDoor, qos: int) -> None:
    publisher, receiver = pair(opened, Subscription("#", qos=1))
    packet = Publish("a", b"1", qos=qos, packet_id=qos)
    publisher.send(packet)
    assert is_lone(publisher, packet)
    assert [each[1] for each in messages(receiver)] == [b"1", b"1"]
    if qos:
        assert is_lone(receiver, Puback(2))
        assert list(receiver.connection.session.inflight) == [1]
        assert not is_lone(receiver, Puback(2))  # unknown by now


async def test_receiver_is_sent_no_more_than_it_takes(opened: OpenDoor) -> None:
    publisher, receiver = pair(opened, Subscription("#", qos=1))
    session = receiver.connection.session
    assert session is not None
    quota = session.quota
    for number in range(quota + 10):
        publisher.send(Publish("a", b"%d" % number, qos=1, packet_id=1))
    assert len(messages(receiver)) == quota
    receiver.send(Puback(1))
    assert messages(receiver)[-1][1] == b"%d" % quota
    for packet_id in range(2, quota + 1):
        receiver.send(Puback(packet_id))
    assert [each[1] for each in messages(receiver)] == [b"%d" % n for n in range(quota + 10)]


async def test_many_lone_messages_take_nothing_from_a_turn(opened: OpenDoor) -> None:
    publisher, _ = pair(opened, Subscription("#"))
    publisher.send(Publish("a", b"1"))
    left = opened.broker.sent_count_max - opened.broker.sent_count
    assert 0 < left <= SENT_A_TURN_MAX
    for _ in range(10):
        assert is_lone(publisher, Publish("a", b"1"))
    assert opened.broker.sent_count_max - opened.broker.sent_count == left


async def test_message_does_not_overtake_what_waits_to_be_written(opened: OpenDoor) -> None:
    publisher, receiver = pair(opened, Subscription("#"))
    publisher.send(Publish("a", b"1"))
    opened.broker.publish(Message("a", b"2"))
    whole(opened, publisher, serialize(Publish("a", b"3"), 4))
    assert [each[1] for each in messages(receiver)] == [b"1", b"2", b"3"]


async def test_who_looks_sees_lone_packets_too(opened: OpenDoor) -> None:
    publisher, receiver = pair(opened, Subscription("#"))
    publisher.send(Publish("a", b"1"))
    tap = PacketTap(4, b"", lambda: 0)
    opened.door.tap(receiver.connection, tap)
    whole(opened, publisher, serialize(Publish("a", b"2"), 4))
    assert [each.name for each in tap.take(10)] == ["PUBLISH"]


class Broken(Client):
    """Its link takes nothing any more."""

    is_broken = False

    def write(self, data: bytes) -> None:
        if self.is_broken:
            raise RuntimeError("the handler is closed")
        super().write(data)


async def test_broken_link_costs_the_publisher_nothing(opened: OpenDoor) -> None:
    publisher = Client(opened, "publisher", version=4)
    receiver = Broken(opened, "receiver", version=4)
    receiver.send(Subscribe(1, (Subscription("#"),)))
    publisher.send(Publish("a", b"1"))
    receiver.is_broken = True
    whole(opened, publisher, serialize(Publish("a", b"2"), 4))
    assert receiver.is_closed
    assert not publisher.is_closed
