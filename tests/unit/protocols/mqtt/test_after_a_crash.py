"""What a broker does that begins with what another has left on disk."""

from tests.conformance.mqtt.octets import Kind
from tests.unit.protocols.mqtt.brokers import QuietLink
from tests.unit.protocols.mqtt.model_client import Client, Sent, World

from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.packets import Connect, ConnectWill, Pubrel
from thingtank.protocols.mqtt.properties import Properties


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


def read_all(client: Client) -> None:
    while client.inbox:
        client.read()


def kind_of(octets: bytes) -> Kind:
    return Kind(octets[0] >> 4)
