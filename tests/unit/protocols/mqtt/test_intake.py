"""Topics that somebody owns: messages are taken, and acknowledged as the owner says."""

from typing import Any

import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind, Version, Will
from tests.conformance.mqtt.reading import Packet, read_packet

from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.intake import Done
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.outgoing import Outgoing
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.protocols.mqtt.retained import Retained
from thingtank.protocols.mqtt.session import Session
from thingtank.protocols.mqtt.topic_owners import TopicOwners
from thingtank.stores.memory_mqtt_sessions import MemoryMqttSessions

OWNED = "owned/a"
BUSY = ReasonCode.SERVER_BUSY


class Everybody:
    """A gate that lets all in, and the rights to everything but what is owned."""

    broker: Broker

    def enter(self, connection: Connection, connect: Any) -> None:
        self.broker.reception.admit(connection, "anybody", self)

    def leave(self, connection: Connection) -> None:
        pass

    def may_publish(self, topic: str) -> bool:
        return topic != OWNED  # for what is published there, the owner is asked

    def may_subscribe(self, topic_filter: str) -> bool:
        return True

    def may_receive(self, topic: str) -> bool:
        return True


class Owner:
    """Takes messages, and waits to be told what becomes of them."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, Done]] = []
        self.keeps_messages = True
        self.subscriptions: list[tuple[str, str]] = []
        self.visits: list[str] = []

    def find_intake(self, topic: str) -> "Owner | None":
        return self if topic.startswith("owned") else None

    def find_intake_of(self, session: Session, topic: str) -> "Owner | None":
        return self if topic == f"of/{session.client_id}" else None

    def connected(self, session: Session) -> None:
        self.visits.append(f"+{session.client_id}")

    def disconnected(self, session: Session) -> None:
        self.visits.append(f"-{session.client_id}")

    def take(self, session: Session, message: Message, done: Done) -> None:
        self.taken.append((message.payload, done))

    def subscribed(self, session: Session, subscription: Subscription) -> None:
        self.subscriptions.append(("+", subscription.topic_filter))

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        self.subscriptions.append(("-", subscription.topic_filter))


class Keeper(MemoryMqttSessions):
    """Says that things are on disk at once."""

    def when_kept(self, call: Any) -> None:
        call(None)


class Link:
    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass


class Client:
    """One connection, without a socket."""

    def __init__(self, broker: Broker, version: Version, client_id: str, **connect: Any) -> None:
        self.broker, self.version = broker, version
        self.connection = Connection(broker, Link(), "here")
        self.send(octets.connect(client_id, version, **connect))
        assert self.read()[0].kind == Kind.CONNACK

    def send(self, data: bytes) -> None:
        self.connection.receive_data(data)

    def publish(self, payload: bytes, qos: int, packet_id: int, **more: Any) -> None:
        self.send(
            octets.publish(self.version, OWNED, payload, qos=qos, packet_id=packet_id, **more)
        )

    def read(self) -> list[Packet]:
        """All packets that the broker has sent."""
        self.broker.settle()
        data, packets = b"".join(self.connection.out), []
        self.connection.out.clear()
        self.broker.dirty.clear()
        while data:
            size = 2 + data[1]
            packets.append(read_packet(data[:size], self.version))
            data = data[size:]
        return packets

    def told(self) -> list[tuple[Kind, int, int]]:
        return [(each.kind, each.packet_id, each.reason_code) for each in self.read()]


@pytest.fixture
async def broker() -> Broker:
    gate = Everybody()
    made = gate.broker = Broker(
        Keeper(), gate, Bounds(), Retained(10, 1000), lambda: 1_000_000, lambda: "auto"
    )
    made.owner = Owner()
    return made


def taken(broker: Broker) -> list[tuple[bytes, Done]]:
    assert isinstance(broker.owner, Owner)
    return broker.owner.taken


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize(("qos", "kind"), [(1, Kind.PUBACK), (2, Kind.PUBREC)])
async def test_acknowledgements_come_when_the_owner_is_done_and_in_order(
    broker: Broker, version: Version, qos: int, kind: Kind
) -> None:
    client = Client(broker, version, "c")
    for packet_id in (1, 2, 3):
        client.publish(b"%d" % packet_id, qos, packet_id)
    first, second, third = (done for _, done in taken(broker))
    assert client.told() == []
    second(ReasonCode.QUOTA_EXCEEDED)
    assert client.told() == []
    first(ReasonCode.SUCCESS)
    refusal = ReasonCode.QUOTA_EXCEEDED if version == 5 else 0
    assert client.told() == [(kind, 1, 0), (kind, 2, refusal)]
    third(ReasonCode.SUCCESS)
    assert client.told() == [(kind, 3, 0)]


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("clean", [True, False])
async def test_busy_ends_the_connection_and_the_message_may_come_again(
    broker: Broker, version: Version, qos: int, clean: bool
) -> None:
    props = {"session_expiry_interval": 100} if version == 5 else b""
    client = Client(broker, version, "c", clean=clean, props=props)
    client.publish(b"x", qos, 7)
    taken(broker)[0][1](BUSY)
    disconnect = [(Kind.DISCONNECT, 0, BUSY)] if version == 5 else []
    assert client.told() == disconnect
    assert client.connection.is_closed
    again = Client(broker, version, "c", clean=False, props=props)
    again.publish(b"x", qos, 7, dup=True)
    assert len(taken(broker)) == 2
    taken(broker)[1][1](ReasonCode.SUCCESS)
    assert again.told() == [(Kind.PUBACK if qos == 1 else Kind.PUBREC, 7, 0)]


@pytest.mark.parametrize("reason", [ReasonCode.SUCCESS, ReasonCode.NOT_AUTHORIZED, BUSY])
async def test_who_comes_back_before_it_is_decided_is_told_there(
    broker: Broker, reason: ReasonCode
) -> None:
    session = {"clean": False, "props": {"session_expiry_interval": 100}}
    Client(broker, 5, "c", **session).publish(b"x", 2, 7)
    again = Client(broker, 5, "c", **session)
    again.publish(b"x", 2, 7, dup=True)
    assert again.told() == []
    assert len(taken(broker)) == 1
    taken(broker)[0][1](reason)
    told = (Kind.DISCONNECT, 0, BUSY) if reason is BUSY else (Kind.PUBREC, 7, reason)
    assert again.told() == [told]


@pytest.mark.parametrize("keeps_messages", [True, False])
async def test_a_packet_id_is_kept_with_the_message_or_when_that_is_done(
    broker: Broker, keeps_messages: bool
) -> None:
    assert isinstance(broker.owner, Owner)
    assert isinstance(broker.keeper, Keeper)
    broker.owner.keeps_messages = keeps_messages
    client = Client(broker, 4, "c", clean=False)
    client.publish(b"x", 2, 7)
    kept = [list(each.received) for each in (await broker.keeper.found()).sessions]
    assert kept == [[7] if keeps_messages else []]
    taken(broker)[0][1](ReasonCode.SUCCESS)
    kept = [list(each.received) for each in (await broker.keeper.found()).sessions]
    assert kept == [[7]]
    assert client.told() == [(Kind.PUBREC, 7, 0)]


@pytest.mark.parametrize("reason", [ReasonCode.SUCCESS, ReasonCode.NOT_AUTHORIZED])
async def test_message_of_a_session_that_has_ended_changes_nothing_of_the_next(
    broker: Broker, reason: ReasonCode
) -> None:
    assert isinstance(broker.owner, Owner)
    assert isinstance(broker.keeper, Keeper)
    broker.owner.keeps_messages = False
    props = {"session_expiry_interval": 100}
    Client(broker, 5, "c", clean=False, props=props).publish(b"old", 2, 7)
    again = Client(broker, 5, "c", clean=True, props=props)
    again.publish(b"new", 2, 8)
    (_, old), (_, new) = taken(broker)
    new(ReasonCode.SUCCESS)
    old(reason)
    assert again.told() == [(Kind.PUBREC, 8, 0)]
    kept = [list(each.received) for each in (await broker.keeper.found()).sessions]
    assert kept == [[8]]


async def test_update_for_a_session_that_has_ended_is_not_kept_for_the_next(
    broker: Broker,
) -> None:
    assert isinstance(broker.keeper, Keeper)
    props = {"session_expiry_interval": 100}
    ended = Client(broker, 5, "c", clean=False, props=props).connection.session
    assert ended is not None
    Client(broker, 5, "c", clean=True, props=props)
    ended.deliver(Outgoing(Message("a", b"x", 1), b"a", 0), 1, False, ())
    assert [list(each.deliveries) for each in (await broker.keeper.found()).sessions] == [[]]


async def test_what_is_owned_is_neither_passed_on_nor_retained(broker: Broker) -> None:
    client, watcher = Client(broker, 5, "c"), Client(broker, 5, "w")
    watcher.send(octets.subscribe(5, 1, [("#", 0)]))
    watcher.read()
    client.publish(b"x", 0, 0, retain=True)
    broker.publish(Message(OWNED, b"another door's", is_retain=True))
    assert watcher.told() == []
    assert len(broker.retained) == 0
    assert [payload for payload, _ in taken(broker)] == [b"x"]


@pytest.mark.parametrize(("topic", "payloads"), [("owned/will", [b"gone"]), ("mine", [])])
async def test_wills_are_taken_too(broker: Broker, topic: str, payloads: list[bytes]) -> None:
    client = Client(broker, 4, "c", will=Will(topic, b"gone"))
    client.connection.close()
    assert [payload for payload, _ in taken(broker)] == payloads


async def test_the_owner_hears_of_subscriptions(broker: Broker) -> None:
    client = Client(broker, 4, "c")
    client.send(octets.subscribe(4, 1, [(OWNED, 0), ("other", 0)]))
    client.send(octets.unsubscribe(4, 2, [OWNED]))
    client.connection.close()
    assert isinstance(broker.owner, Owner)
    assert broker.owner.subscriptions == [
        ("+", OWNED),
        ("+", "other"),
        ("-", OWNED),
        ("-", "other"),
    ]


@pytest.mark.parametrize("version", [3, 4, 5])
async def test_a_topic_may_be_owned_for_one_client_and_like_others_for_the_rest(
    broker: Broker, version: Version
) -> None:
    client, other = Client(broker, version, "c"), Client(broker, version, "other")
    other.send(octets.subscribe(version, 1, [("of/c", 0)]))
    other.read()
    for number in range(2):
        client.send(octets.publish(version, "of/c", b"taken %d" % number))
        other.send(octets.publish(version, "of/c", b"passed on %d" % number))
        # All routes are found anew; what is taken must still be.
        other.send(octets.subscribe(version, 2, [(f"more/{number}", 0)]))
    assert [payload for payload, _ in taken(broker)] == [b"taken 0", b"taken 1"]
    got = [each.payload for each in other.read() if each.kind == Kind.PUBLISH]
    assert got == [b"passed on 0", b"passed on 1"]


async def test_a_will_is_taken_for_the_client_whose_it_is(broker: Broker) -> None:
    for client_id in ("c", "other"):
        will = Will("of/c", client_id.encode())
        Client(broker, 4, client_id, will=will).connection.close()
    assert [payload for payload, _ in taken(broker)] == [b"c"]


@pytest.mark.parametrize("clean", [True, False])
async def test_the_owner_hears_who_comes_and_goes(broker: Broker, clean: bool) -> None:
    assert isinstance(broker.owner, Owner)
    visits = broker.owner.visits
    client = Client(broker, 4, "c", clean=clean)
    assert visits == ["+c"]
    Client(broker, 4, "c", clean=clean)  # takes the session over
    assert visits == ["+c", "-c", "+c"]
    assert client.connection.is_closed
    broker.sessions["c"].connection.close()  # type: ignore[union-attr] # it has one
    assert visits == ["+c", "-c", "+c", "-c"]


async def test_several_owners_are_asked_in_turn(broker: Broker) -> None:
    first, second = Owner(), Owner()
    broker.owner = TopicOwners((first, second))
    client = Client(broker, 4, "c")
    client.send(octets.subscribe(4, 1, [("x", 0)]))
    client.publish(b"1", 0, 0)
    client.send(octets.publish(4, "of/c", b"2"))
    assert [payload for payload, _ in first.taken] == [b"1", b"2"]
    assert second.taken == []
    client.connection.close()
    for owner in (first, second):
        assert owner.subscriptions == [("+", "x"), ("-", "x")]
        assert owner.visits == ["+c", "-c"]
    assert TopicOwners(()).find_intake("owned") is None
