"""MQTT 5, 3.4 to 3.7 and 3.1.1, 3.4 to 3.7: PUBACK, PUBREC, PUBREL, PUBCOMP."""

import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.keeping import begin, each_version, keeping
from tests.conformance.mqtt.octets import Kind, Version
from tests.conformance.mqtt.wire import Broker, unique

ACKNOWLEDGEMENTS = [Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP]
each_kind = pytest.mark.parametrize("kind", ACKNOWLEDGEMENTS, ids=lambda kind: kind.name)

# Reason codes that a packet may have. Source: MQTT 5, 3.4.2.1, 3.5.2.1, 3.6.2.1 and 3.7.2.1.
OF_PUBLISH = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}
OF_RELEASE = {0x00, 0x92}
REASON_CODES = {
    Kind.PUBACK: OF_PUBLISH,
    Kind.PUBREC: OF_PUBLISH,
    Kind.PUBREL: OF_RELEASE,
    Kind.PUBCOMP: OF_RELEASE,
}


@each_version
@each_kind
def test_unknown_packet_identifier_does_no_harm(
    broker: Broker, version: Version, kind: Kind
) -> None:
    client = broker.connect(version)
    client.acknowledge(kind, 4711)
    client.settle()
    answers = [came.kind for came in client.inbox]
    expected = {Kind.PUBREC: [Kind.PUBREL], Kind.PUBREL: [Kind.PUBCOMP]}.get(kind, [])
    assert answers == expected
    assert all(came.packet_id == 4711 for came in client.inbox)


@each_version
@each_kind
@pytest.mark.parametrize("size", [0, 1])
def test_acknowledgement_cut_short_closes(
    broker: Broker, version: Version, kind: Kind, size: int
) -> None:
    client = broker.connect(version)
    first = kind << 4 | (2 if kind == Kind.PUBREL else 0)
    client.write(octets.packet(first, b"\0\1"[:size]))
    client.expect_closed(0x81, 0x82)


@pytest.mark.parametrize("version", [3, 4])
@each_kind
def test_acknowledgement_with_more_octets_closes_before_version_5(
    broker: Broker, version: Version, kind: Kind
) -> None:
    client = broker.connect(version)
    client.write(octets.packet(kind << 4 | (2 if kind == Kind.PUBREL else 0), b"\0\1\0"))
    client.expect_closed()


@each_kind
def test_reason_codes_of_the_packet_are_accepted_and_no_others(broker: Broker, kind: Kind) -> None:
    client = broker.connect(5)
    for reason_code in sorted(REASON_CODES[kind]):
        client.acknowledge(kind, 4711, reason_code)
        client.settle()
    for reason_code in set(range(256)) - REASON_CODES[kind]:
        other = broker.connect(5)
        other.acknowledge(kind, 4711, reason_code)
        other.expect_closed(0x81, 0x82)


@each_kind
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\0\0", id="reason code and no properties"),
        pytest.param(b"\0\x05\x1f\0\2ok", id="reason string"),
        pytest.param(b"\0\x0e" + b"\x26\0\1a\0\1b" * 2, id="user properties"),
    ],
)
def test_longer_forms_are_accepted(broker: Broker, kind: Kind, body: bytes) -> None:
    client = broker.connect(5)
    client.write(octets.packet(kind << 4 | (2 if kind == Kind.PUBREL else 0), b"\0\1" + body))
    client.settle()


@each_kind
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\0\0\0", id="octets after the end"),
        pytest.param(b"\0\1", id="properties missing"),
        pytest.param(b"\0\x0a" + b"\x1f\0\2ok" * 2, id="reason string twice"),
        pytest.param(b"\0\x03\x21\0\1", id="property of another packet"),
        pytest.param(b"\0\x05\x1f\0\3ok", id="string too long"),
    ],
)
def test_properties_that_are_wrong_close(broker: Broker, kind: Kind, body: bytes) -> None:
    client = broker.connect(5)
    client.write(octets.packet(kind << 4 | (2 if kind == Kind.PUBREL else 0), b"\0\1" + body))
    client.expect_closed(0x81, 0x82)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("flags", [flags for flags in range(16) if flags != 2])
def test_flags_of_pubrel_are_0010(broker: Broker, version: Version, flags: int) -> None:
    client = broker.connect(version)
    client.write(bytes((0x60 | flags, 2, 0, 1)))
    client.expect_closed(0x81, 0x82)


@each_version
@pytest.mark.parametrize(
    ("qos", "kind"), [(1, Kind.PUBREC), (1, Kind.PUBCOMP), (2, Kind.PUBACK), (2, Kind.PUBCOMP)]
)
def test_acknowledgement_of_another_qos_closes(
    broker: Broker, version: Version, qos: int, kind: Kind
) -> None:
    client = broker.connect(version)
    client.subscribe(broker.topic, qos=qos)
    broker.connect(version).publish(broker.topic, b"x", qos)
    came = client.take(acknowledged=False)
    client.acknowledge(kind, came.packet_id)
    client.expect_closed(0x82)


@each_version
@pytest.mark.parametrize("qos", [1, 2])
def test_reason_codes_of_the_broker_say_whether_somebody_subscribes(
    broker: Broker, version: Version, qos: int
) -> None:
    client = broker.connect(version)
    kind = Kind.PUBACK if qos == 1 else Kind.PUBREC
    client.send_publish(unique("nobody"), b"x", qos)
    assert client.wait_for(kind).reason_code in ((0x00, 0x10) if version == 5 else (0x00,))
    client.subscribe(broker.topic)
    client.send_publish(broker.topic, b"x", qos)
    assert client.wait_for(kind).reason_code == 0x00


@pytest.mark.parametrize("reason_code", sorted(code for code in OF_PUBLISH if code >= 0x80))
@pytest.mark.parametrize(("qos", "kind"), [(1, Kind.PUBACK), (2, Kind.PUBREC)])
def test_message_that_the_client_refuses_is_done_with(
    broker: Broker, qos: int, kind: Kind, reason_code: int
) -> None:
    client = begin(broker, 5, receive_maximum=1)
    client.subscribe(broker.topic, qos=qos)
    publisher = broker.connect(5)
    publisher.publish(broker.topic, b"refused", qos)
    refused = client.take(acknowledged=False)
    client.acknowledge(kind, refused.packet_id, reason_code)
    client.expect_nothing()
    publisher.publish(broker.topic, b"next", qos)
    assert client.take().payload == b"next"
    again = broker.connect(5, client.client_id, **keeping(5))
    again.expect_nothing()


@each_version
def test_exchange_of_qos_2_with_a_subscriber(broker: Broker, version: Version) -> None:
    client = broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    broker.connect(version).publish(broker.topic, b"x", 2)
    came = client.take(acknowledged=False)
    client.acknowledge(Kind.PUBREC, came.packet_id)
    release = client.read()
    assert (release.kind, release.packet_id) == (Kind.PUBREL, came.packet_id)
    assert release.raw == octets.acknowledgement(Kind.PUBREL, version, came.packet_id)
    client.acknowledge(Kind.PUBCOMP, came.packet_id)
    client.expect_nothing()


@pytest.mark.parametrize("asked", [0, 1])
def test_problem_information_comes_only_if_it_is_wanted(broker: Broker, asked: int) -> None:
    """MQTT 5, 3.1.2.11.7: without it, reason strings and user properties stay away."""
    client = broker.connect(5, props={"request_problem_information": asked})
    client.send_publish("$SYS/not/for/clients", b"x", 1)
    client.send_publish("$SYS/not/for/clients", b"x", 2)
    client.subscribe(broker.topic)
    client.unsubscribe("never/subscribed")
    client.settle()
    for came in client.inbox:
        assert asked or not {"reason_string", "user_property"} & set(came.properties), came


def test_acknowledgements_keep_within_the_clients_maximum_packet_size(broker: Broker) -> None:
    client = broker.connect(5, props={"maximum_packet_size": 20})
    for qos in (1, 2):
        client.send_publish("$SYS/not/for/clients", b"x", qos)
        client.send_publish("nobody", b"x", qos)
    client.acknowledge(Kind.PUBREC, 4711)
    client.acknowledge(Kind.PUBREL, 4711)
    client.settle()
    assert client.inbox
    assert all(len(came.raw) <= 20 for came in client.inbox)


@each_version
@pytest.mark.parametrize("qos", [1, 2])
def test_publish_that_is_not_allowed_is_acknowledged_or_closes(
    broker: Broker, version: Version, qos: int
) -> None:
    """Before version 5 there is no way to say no but to close. Source: 3.1.1, 3.3.5."""
    client = broker.connect(version)
    client.send_publish("$SYS/not/for/clients", b"x", qos)
    answer = client.read()
    assert answer.kind == (Kind.PUBACK if qos == 1 else Kind.PUBREC)
    assert answer.reason_code == (0x87 if version == 5 else 0)
    client.expect_nothing()
