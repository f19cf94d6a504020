"""MQTT 5, 2 and 3.1.1, 2: fixed headers, packet identifiers, and the length of properties."""

import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind, Version
from tests.conformance.mqtt.wire import VERSIONS, Broker

each_version = pytest.mark.parametrize("version", VERSIONS)

ACKNOWLEDGEMENTS = [Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP]


def right_packet(kind: Kind, version: Version) -> bytes:
    """A packet that a client may send."""
    if kind in ACKNOWLEDGEMENTS:
        return octets.acknowledgement(kind, version, 1)
    return {
        Kind.SUBSCRIBE: octets.subscribe(version, 1, [("t", 0)]),
        Kind.UNSUBSCRIBE: octets.unsubscribe(version, 1, ["t"]),
        Kind.PINGREQ: octets.PINGREQ,
        Kind.DISCONNECT: octets.disconnect(version),
    }[kind]


FLAGS = {
    **dict.fromkeys([*ACKNOWLEDGEMENTS, Kind.PINGREQ, Kind.DISCONNECT], 0),
    **dict.fromkeys([Kind.PUBREL, Kind.SUBSCRIBE, Kind.UNSUBSCRIBE], 2),
}


# In 3.1 these bits are DUP, QoS and RETAIN of any packet, and unused where there is no meaning.
@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(
    ("kind", "flags"),
    [
        pytest.param(kind, flags, id=f"{kind.name}-{flags:04b}")
        for kind, right in FLAGS.items()
        for flags in range(16)
        if flags != right
    ],
)
def test_reserved_flags_close(broker: Broker, version: Version, kind: Kind, flags: int) -> None:
    client = broker.connect(version)
    client.write(bytes((kind << 4 | flags,)) + right_packet(kind, version)[1:])
    client.expect_closed(0x81, 0x82)


@pytest.mark.parametrize("flags", [1, 2, 4, 8])
@pytest.mark.parametrize("version", [4, 5])
def test_reserved_flags_of_connect_close(broker: Broker, version: Version, flags: int) -> None:
    client = broker.open(version)
    data = octets.connect(client.client_id, version)
    client.write(bytes((data[0] | flags,)) + data[1:])
    client.expect_refused(0x81, 0x82)


@each_version
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x00\x00", id="type 0"),
        pytest.param(b"\x20\x02\x00\x00", id="CONNACK"),
        pytest.param(b"\x90\x03\x00\x01\x00", id="SUBACK"),
        pytest.param(b"\xb0\x02\x00\x01", id="UNSUBACK"),
        pytest.param(b"\xd0\x00", id="PINGRESP"),
    ],
)
def test_packets_that_clients_do_not_send_close(
    broker: Broker, version: Version, data: bytes
) -> None:
    client = broker.connect(version)
    client.write(data)
    client.expect_closed(0x81, 0x82)


@pytest.mark.parametrize("version", [3, 4])
def test_auth_before_version_5_closes(broker: Broker, version: Version) -> None:
    client = broker.connect(version)
    client.write(b"\xf0\x00")
    client.expect_closed()


@each_version
@pytest.mark.parametrize("kind", ["PUBLISH 1", "PUBLISH 2", "SUBSCRIBE", "UNSUBSCRIBE"])
def test_packet_identifier_of_zero_closes(broker: Broker, version: Version, kind: str) -> None:
    client = broker.connect(version)
    client.write(
        {
            "PUBLISH 1": octets.publish(version, "t", qos=1, packet_id=0),
            "PUBLISH 2": octets.publish(version, "t", qos=2, packet_id=0),
            "SUBSCRIBE": octets.subscribe(version, 0, [("t", 0)]),
            "UNSUBSCRIBE": octets.unsubscribe(version, 0, ["t"]),
        }[kind]
    )
    client.expect_closed(0x81, 0x82)


@each_version
@pytest.mark.parametrize("kind", ACKNOWLEDGEMENTS)
def test_acknowledgement_of_packet_identifier_zero_closes(
    broker: Broker, version: Version, kind: Kind
) -> None:
    client = broker.connect(version)
    client.acknowledge(kind, 0)
    client.expect_closed(0x81, 0x82)


@each_version
@pytest.mark.parametrize("packet_id", [1, 255, 256, 65535])
def test_answers_have_the_packet_identifier_of_what_they_answer(
    broker: Broker, version: Version, packet_id: int
) -> None:
    client = broker.connect(version)
    exchanges = [
        (octets.subscribe(version, packet_id, [("t", 0)]), Kind.SUBACK),
        (octets.unsubscribe(version, packet_id, ["t"]), Kind.UNSUBACK),
        (octets.publish(version, broker.topic, qos=1, packet_id=packet_id), Kind.PUBACK),
        (octets.publish(version, broker.topic, qos=2, packet_id=packet_id), Kind.PUBREC),
        (octets.acknowledgement(Kind.PUBREL, version, packet_id), Kind.PUBCOMP),
    ]
    for data, kind in exchanges:
        client.write(data)
        came = client.read()
        assert (came.kind, came.packet_id) == (kind, packet_id)


@each_version
def test_broker_gives_out_packet_identifiers_that_are_free(
    broker: Broker, version: Version
) -> None:
    subscriber, publisher = broker.connect(version), broker.connect(version)
    subscriber.subscribe(broker.topic, qos=2)
    for qos in (1, 2) * 4:
        publisher.publish(broker.topic, b"", qos)
    waiting = subscriber.take_all(acknowledged=False)
    packet_ids = {came.packet_id for came in waiting}
    assert len(waiting) == len(packet_ids) == 8, "each is unacknowledged, so each has its own"
    assert 0 not in packet_ids


@each_version
def test_qos_0_has_no_packet_identifier(broker: Broker, version: Version) -> None:
    client = broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    client.publish(broker.topic, b"\x00\x01payload")
    expected = octets.publish(version, broker.topic, b"\x00\x01payload")
    assert client.take().raw == expected, "an identifier would stand before the payload"


def test_property_length_is_zero_where_there_are_no_properties(broker: Broker) -> None:
    client = broker.connect(5)
    client.subscribe(broker.topic)
    client.publish(broker.topic, b"x")
    assert client.take().raw == octets.publish(5, broker.topic, b"x")


WITHOUT_LENGTH = {
    "PUBLISH": octets.packet(0x30, octets.sized("t")),
    "SUBSCRIBE": octets.packet(0x82, b"\x00\x01"),
    "UNSUBSCRIBE": octets.packet(0xA2, b"\x00\x01"),
}


@pytest.mark.parametrize("kind", WITHOUT_LENGTH)
def test_packet_without_property_length_closes(broker: Broker, kind: str) -> None:
    client = broker.connect(5)
    client.write(WITHOUT_LENGTH[kind])
    client.expect_closed(0x81, 0x82)


@pytest.mark.parametrize(
    "props",
    [
        pytest.param(b"\x01\x00\x01\x00", id="payload format twice"),
        pytest.param(b"\x02\0\0\0\1\x02\0\0\0\1", id="expiry twice"),
        pytest.param(b"\x03\0\1a\x03\0\1a", id="content type twice"),
        pytest.param(b"\x08\0\1a\x08\0\1a", id="response topic twice"),
        pytest.param(b"\x09\0\1a\x09\0\1a", id="correlation data twice"),
        pytest.param(b"\x11\0\0\0\1", id="of another packet"),
        pytest.param(b"\x00", id="identifier 0"),
        pytest.param(b"\x7f", id="unknown identifier"),
        pytest.param(b"\x02\0\0\0", id="cut short"),
        pytest.param(b"\x26\0\1a", id="user property without value"),
        pytest.param(b"\x01\x02", id="payload format 2"),
    ],
)
def test_properties_that_are_wrong_close(broker: Broker, props: bytes) -> None:
    client = broker.connect(5)
    client.write(octets.publish(5, broker.topic, props=props))
    client.expect_closed(0x81, 0x82, 0x99)


@each_version
@pytest.mark.parametrize("size", [1, 2, 3])
def test_packets_in_small_pieces_are_packets(broker: Broker, version: Version, size: int) -> None:
    client = broker.open(version)
    data = octets.connect(client.client_id, version)
    data += octets.subscribe(version, 1, [(broker.topic, 1)])
    data += octets.publish(version, broker.topic, b"in pieces", qos=1, packet_id=2)
    for at in range(0, len(data), size):
        client.write(data[at : at + size])
    assert [client.read().kind for _ in range(2)] == [Kind.CONNACK, Kind.SUBACK]
    assert {client.read().kind for _ in range(2)} == {Kind.PUBLISH, Kind.PUBACK}
