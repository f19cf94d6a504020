"""What a broker does that begins with what another has left on disk."""

from tests.conformance.mqtt.octets import Kind
from tests.unit.protocols.mqtt.brokers import (
    AllRights,
    OpenGate,
    QuietLink,
    connect,
    make_broker,
    taken,
)
from tests.unit.protocols.mqtt.model_client import Client, Sent, World

from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.keeping import Found, FoundSession, KeptSession
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packets import Connect, ConnectWill, Publish, Pubrel
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.serializer import serialize


def test_will_of_a_lost_client_reaches_those_whose_sessions_were_restored_after_its() -> None:
    world = World()
    dying, heir = Client(world, "a", 5, 2), Client(world, "b", 5, 1)
    properties = Properties(session_expiry_interval=3600)
    connect = Connect(5, "a", will=ConnectWill("t/will", b"7", 1), properties=properties)
    dying.connection = Connection(world.broker, QuietLink(), "127.0.0.1")
    dying.send(connect)
    heir.connect(10)
    world.sync()
    read_all(heir)
    world.crash()
    heir.connect(10)
    world.sync()
    read_all(heir)
    assert heir.got == [(7, 1)]


def test_pubcomp_waits_for_the_disk_however_often_pubrel_comes() -> None:
    """Else the packet id is used again, and the disk knows it as that of the last message."""
    world = World()
    client = Client(world, "a", 5, 0)
    client.connect(10)
    client.publish(Sent("a", 1, "t/a", 2), is_retain=False)
    world.sync()
    client.inbox.clear()
    client.send(Pubrel(1))
    client.lose_connection()
    client.outgoing[1].is_released = True
    client.connect(10)
    assert [kind_of(each) for each in client.inbox] == []
    world.sync()
    assert Kind.PUBCOMP in [kind_of(each) for each in client.inbox]


def test_released_messages_count_among_those_that_a_client_takes_at_once() -> None:
    """MQTT-3.3.4-9."""
    world = World()
    client, source = Client(world, "a", 5, 2), Client(world, "b", 5, 0)
    client.connect(2)
    source.connect(10)
    world.sync()
    read_all(client)
    for number in range(6):
        source.publish(Sent("b", number, "t/a", 2), is_retain=False)
        world.sync()
        read_all(source)
    world.sync()
    read_all(client)
    world.sync()
    client.inbox.clear()  # PUBREL is lost
    client.lose_connection()
    client.connect(2)
    world.sync()
    read_all(client)  # which checks how many come at once
    for _ in range(8):
        world.sync()
        read_all(client)
    assert [number for number, _ in client.got] == list(range(6))


class NoSecrets(AllRights):
    """Of somebody who may have all messages but those of one topic."""

    def may_receive(self, topic: str) -> bool:
        return topic != "secret"


class StrictGate(OpenGate):
    """Lets everybody in with fewer rights."""

    def enter(self, connection: Connection, connect: Connect) -> None:
        assert self.broker is not None
        self.broker.reception.admit(connection, "local", NoSecrets())


async def test_client_that_is_back_gets_nothing_by_routes_found_before_its_rights_were_known() -> (
    None
):
    broker = make_broker()
    session = KeptSession("c", "local", 5, 60, True, 0, None)
    found = FoundSession(session, [Subscription("#", 1)], [], [])
    broker.restore(Found([found], {}))
    source = connect(broker, "source")
    publish = Publish("secret", b"x", 1, packet_id=1)
    source.receive_data(serialize(publish, 4))
    broker.gate = gate = StrictGate()
    gate.broker = broker
    properties = Properties(session_expiry_interval=60)
    client = connect(broker, "c", 5, clean_start=False, properties=properties)
    assert client.session is not None
    source.receive_data(serialize(publish, 4))
    source.receive_data(serialize(Publish("open", b"x", 1, packet_id=2), 4))
    octets = taken(client)
    assert b"open" in octets
    assert b"secret" not in octets


def read_all(client: Client) -> None:
    while client.inbox:
        client.read()


def kind_of(octets: bytes) -> Kind:
    return Kind(octets[0] >> 4)
