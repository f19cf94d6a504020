"""DISCONNECT, and how errors end a connection. Source: MQTT 5, 3.14 and 4.13; MQTT 3.1.1, 3.14, 4.8."""

import pytest
from tests.conformance.mqtt.keeping import each_version
from tests.conformance.mqtt.octets import (
    PINGREQ,
    disconnect,
    packet,
    properties,
    property_octets,
    publish,
    sized,
    subscribe,
)
from tests.conformance.mqtt.wire import Broker, Client, Closed, Kind, Will

MALFORMED, PROTOCOL_ERROR = 0x81, 0x82
FROM_CLIENT = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]
ONLY_FROM_SERVER = [0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F]
UNDEFINED = [0x01, 0x02, 0x03, 0x05, 0x10, 0x18, 0x7F, 0x84, 0x8A, 0x8C, 0xA3, 0xFF]
WILL = b"the will"


def with_will(broker: Broker, version: int) -> tuple[Client, Client]:
    """Who will be gone, and who sees what is published then."""
    witness = broker.connect(version)
    witness.subscribe(broker.topic, qos=1)
    return broker.connect(version, will=Will(broker.topic, WILL, qos=1)), witness


def gone(client: Client) -> None:
    """See the broker close."""
    try:
        while True:
            assert client.read().kind in (Kind.DISCONNECT, Kind.PUBACK)
    except Closed:
        client.close()


@each_version
def test_after_disconnect_the_server_closes_and_says_nothing(broker: Broker, version: int) -> None:
    """[MQTT-3.14.4-2] of the client, which this one leaves to the server; 3.1.1: 3.14.4-1."""
    client = broker.connect(version)
    client.write(disconnect(version))
    with pytest.raises(Closed):
        client.read()


@each_version
def test_disconnect_deletes_the_will(broker: Broker, version: int) -> None:
    """[MQTT-3.14.4-3] [MQTT-3.1.2-10]; 3.1.1: 3.14.4-3."""
    client, witness = with_will(broker, version)
    client.write(disconnect(version))
    gone(client)
    witness.expect_nothing()


@pytest.mark.parametrize("data", [b"\xe0\x00", b"\xe0\x01\x00", b"\xe0\x02\x00\x00"])
def test_each_form_of_a_normal_disconnect_deletes_the_will(broker: Broker, data: bytes) -> None:
    """MQTT 5, 3.14.2.1: the reason code may be left out, and the properties' length."""
    client, witness = with_will(broker, 5)
    client.write(data)
    gone(client)
    witness.expect_nothing()


@pytest.mark.parametrize("reason_code", FROM_CLIENT[1:])
def test_another_reason_code_has_the_will_published(broker: Broker, reason_code: int) -> None:
    """[MQTT-3.14.4-3]: only with 0x00 it is discarded; [MQTT-3.14.2-1]."""
    client, witness = with_will(broker, 5)
    client.write(disconnect(5, reason_code, {"reason_string": "so", "user_property": ("a", "b")}))
    with pytest.raises(Closed):
        client.read()
    assert witness.take().payload == WILL


@pytest.mark.parametrize("reason_code", UNDEFINED)
def test_a_reason_code_that_there_is_not_ends_the_connection_badly(
    broker: Broker, reason_code: int
) -> None:
    """[MQTT-3.14.2-1]: it is not a normal disconnection."""
    client, witness = with_will(broker, 5)
    client.write(disconnect(5, reason_code))
    gone(client)
    assert witness.take().payload == WILL


@pytest.mark.parametrize("reason_code", ONLY_FROM_SERVER)
def test_a_reason_code_of_servers_ends_the_connection_badly(
    broker: Broker, reason_code: int
) -> None:
    """MQTT 5, 3.14.2.1, "Sent by"."""
    client, witness = with_will(broker, 5)
    client.write(disconnect(5, reason_code))
    gone(client)
    assert witness.take().payload == WILL


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("flags", [1, 2, 4, 8, 15])
def test_reserved_bits_of_disconnect_are_0(broker: Broker, version: int, flags: int) -> None:
    """[MQTT-3.14.1-1]; it is not a DISCONNECT, so the will is published.

    Mosquitto says 0x82 here, and so do exchanges that are held to in `test_packet_suite.py`.
    """
    client, witness = with_will(broker, version)
    client.write(bytes((0xE0 | flags, 0)))
    client.expect_closed(MALFORMED, PROTOCOL_ERROR)
    assert witness.take().payload == WILL


def test_disconnect_of_3_1_1_has_no_body(broker: Broker) -> None:
    """3.1.1: 3.14.1, the Remaining Length is 0."""
    client, witness = with_will(broker, 4)
    client.write(b"\xe0\x01\x00")
    client.expect_closed()
    assert witness.take().payload == WILL


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x01",
        b"\x00\x05\x11\x00\x00\x00",
        b"\x00\x00\x00",
        b"\x00\x80\x80\x80\x80\x01",
        b"\x00" + properties(5, property_octets("reason_string", b"\xff")),
        b"\x00" + properties(5, property_octets("reason_string", ["a", "b"])),
        b"\x00" + properties(5, property_octets("session_expiry_interval", [0, 0])),
        b"\x00" + properties(5, property_octets("receive_maximum", 9)),
        b"\x00" + properties(5, property_octets("authentication_method", "x")),
    ],
)
def test_a_malformed_disconnect_is_not_a_normal_one(broker: Broker, body: bytes) -> None:
    """[MQTT-4.13.1-1]; MQTT 5, 3.14.2.2."""
    client, witness = with_will(broker, 5)
    client.write(packet(0xE0, body))
    said = client.expect_closed()
    assert said is None or said.reason_code in (MALFORMED, PROTOCOL_ERROR)
    assert witness.take().payload == WILL


@each_version
def test_nothing_after_disconnect_is_looked_at(broker: Broker, version: int) -> None:
    """[MQTT-3.14.4-1]; 3.1.1: 3.14.4-2."""
    client, witness = with_will(broker, version)
    after = publish(version, broker.topic, b"after", qos=1, packet_id=1)
    client.write(
        publish(version, broker.topic, b"before", qos=1, packet_id=2) + disconnect(version) + after
    )
    gone(client)
    assert [came.payload for came in witness.take_all()] == [b"before"]


@each_version
def test_nothing_after_an_error_is_looked_at(broker: Broker, version: int) -> None:
    """[MQTT-4.13.1-1]: what came before in the same segment counts."""
    client, witness = with_will(broker, version)
    before = publish(version, broker.topic, b"before", qos=1, packet_id=2)
    after = publish(version, broker.topic, b"after", qos=1, packet_id=1)
    client.write(before + b"\x00\x00" + after)
    gone(client)
    payloads = [came.payload for came in witness.take_all()]
    assert payloads == [b"before", WILL]


@each_version
def test_before_connack_there_is_no_disconnect(broker: Broker, version: int) -> None:
    """[MQTT-3.14.0-1]."""
    for data in (PINGREQ, disconnect(version), publish(version, "a"), b"\xf0\x00", b"\x00\x00"):
        client = broker.open(version)
        client.write(data)
        with pytest.raises(Closed):
            client.read_raw()


@pytest.mark.parametrize("version", [3, 4])
def test_a_server_of_3_1_1_says_nothing_when_it_closes(broker: Broker, version: int) -> None:
    """3.1.1: 4.8.0-1; only version 5 has a DISCONNECT from servers."""
    for data in (
        b"\x00\x00",
        b"\xf0\x00",
        publish(version, "a/#"),
        publish(version, "", b"x"),
        packet(0x36, sized("a") + b"\0\1"),
        b"\x30\xff\xff\xff\xff\x01",
        packet(0x60, b"\0\1"),
        packet(0x10, b""),
    ):
        client = broker.connect(version)
        client.write(data)
        assert client.expect_closed() is None


@pytest.mark.parametrize(
    ("data", "reason_codes"),
    [
        (b"\x00\x00", (MALFORMED, PROTOCOL_ERROR)),
        (packet(0x36, sized("a") + b"\0\1\0"), (MALFORMED,)),
        (packet(0x60, b"\0\1"), (MALFORMED, PROTOCOL_ERROR)),
        (packet(0x40, b"\0"), (MALFORMED,)),
        (packet(0x40, b"\0\0"), (MALFORMED, PROTOCOL_ERROR)),
        (packet(0x40, b"\0\1\1"), (MALFORMED, PROTOCOL_ERROR)),
        (publish(5, "", b"x"), (MALFORMED, PROTOCOL_ERROR, 0x90)),
        (publish(5, "a", props={"topic_alias": 0}), (PROTOCOL_ERROR, 0x94)),
        (publish(5, "a", props={"topic_alias": 65_535}), (0x94,)),
        (publish(5, "", props={"topic_alias": 1}), (PROTOCOL_ERROR, 0x94)),
        (publish(5, "a", props={"subscription_identifier": 1}), (MALFORMED, PROTOCOL_ERROR)),
        (publish(5, "a", props=b"\x01\x02"), (MALFORMED, PROTOCOL_ERROR, 0x99)),
        (subscribe(5, 1, [("a", 3)]), (MALFORMED, PROTOCOL_ERROR)),
        (packet(0x10, sized("MQTT") + b"\5\2\0\0\0" + sized("x")), (PROTOCOL_ERROR,)),
    ],
)
def test_a_server_of_5_says_why_it_closes(
    broker: Broker, data: bytes, reason_codes: tuple[int, ...]
) -> None:
    """[MQTT-4.13.1-1] [MQTT-4.13.2-1] [MQTT-3.14.2-1] [MQTT-3.14.2-2] [MQTT-3.14.4-1]."""
    client = broker.connect()
    client.write(data + PINGREQ)
    client.expect_closed(*reason_codes)


def test_disconnect_of_the_server_is_not_larger_than_the_client_takes(broker: Broker) -> None:
    """[MQTT-3.14.2-3] [MQTT-3.14.2-4] [MQTT-3.1.2-24]."""
    for size in (2, 3, 4, 5, 12):
        client = broker.open()
        client.send_connect(props={"maximum_packet_size": size})
        client.write(b"\x00\x00")
        try:
            while True:
                raw = client.read_raw()
                assert len(raw) <= size, raw.hex()
        except Closed:
            pass


def test_a_packet_larger_than_the_server_takes_is_refused_at_its_header(broker: Broker) -> None:
    """[MQTT-3.2.2-15]; MQTT 5, 3.2.2.3.6: DISCONNECT with 0x95, before it has all come."""
    client = broker.connect()
    assert client.connack is not None
    maximum = client.connack.properties.get("maximum_packet_size")
    if maximum is None:
        pytest.skip("this server takes packets of any size")
    client.write(packet(0x30, b"")[:1] + b"\xff\xff\xff\x7f" + sized("a"))
    client.expect_closed(0x95)


@each_version
def test_a_remaining_length_of_five_octets_is_the_end(broker: Broker, version: int) -> None:
    """[MQTT-4.13.1-1]; MQTT 5, 1.5.5 and 2.1.4."""
    client = broker.connect(version)
    client.write(b"\x30\xff\xff\xff\xff\x01")
    said = client.expect_closed()
    assert said is None or said.reason_code in (MALFORMED, 0x95)


@each_version
def test_one_clients_error_leaves_others_alone(broker: Broker, version: int) -> None:
    """MQTT 5, 4.13: it is the Network Connection with the error that is closed."""
    client, other = broker.connect(version), broker.connect(version)
    other.subscribe(broker.topic, qos=1)
    client.write(b"\x00\x00")
    gone(client)
    broker.connect(version).publish(broker.topic, b"x", qos=1)
    assert other.take().payload == b"x"


@pytest.mark.parametrize(("asks", "count"), [(1, 1), (0, 0), (None, 0)])
def test_who_states_that_it_wants_words_is_told_in_words(
    broker: Broker, asks: int | None, count: int
) -> None:
    """3.1.2.11.7: a server may always send them; without being asked this one sends the code."""
    props = {} if asks is None else {"request_problem_information": asks}
    client = broker.connect(props=props)
    client.write(b"\x00\x00")
    answer = client.read()
    assert (answer.kind, answer.reason_code) == (Kind.DISCONNECT, PROTOCOL_ERROR)
    assert len(answer.properties) == count


def test_who_is_not_let_in_is_told_why(broker: Broker) -> None:
    client = broker.open(5)
    answer = client.connect(0x86, user_name="k" * 48)  # as keys look
    assert answer.properties["reason_string"]
