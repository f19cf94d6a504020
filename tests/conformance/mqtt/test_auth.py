"""AUTH and enhanced authentication. Source: MQTT 5, 3.15 and 4.12."""

import pytest
from tests.conformance.mqtt.octets import Kind, auth, packet, properties, property_octets
from tests.conformance.mqtt.wire import Broker, Closed

MALFORMED, PROTOCOL_ERROR = 0x81, 0x82
NOT_AUTHORIZED, BAD_METHOD = 0x87, 0x8C
CONTINUE, AGAIN = 0x18, 0x19
UNKNOWN = {"authentication_method": "no-such-method"}


@pytest.mark.parametrize("data", [None, b"", b"\0\xff" * 100])
def test_an_unknown_method_is_refused(broker: Broker, data: bytes | None) -> None:
    """[MQTT-4.12.0-1] [MQTT-4.12.0-4] [MQTT-3.2.2-7]."""
    client = broker.open()
    given = {} if data is None else {"authentication_data": data}
    client.send_connect(props={**UNKNOWN, **given})
    came = client.read()
    assert came.kind == Kind.CONNACK
    assert came.reason_code in (BAD_METHOD, NOT_AUTHORIZED)
    assert not came.session_present
    client.expect_closed()


def test_after_a_refusal_nothing_is_looked_at(broker: Broker) -> None:
    """[MQTT-3.1.4-6] [MQTT-3.2.0-2]."""
    client = broker.open()
    client.send_connect(props=UNKNOWN)
    client.write(auth(CONTINUE, UNKNOWN))
    client.send_connect()
    assert client.read().reason_code in (BAD_METHOD, NOT_AUTHORIZED)
    client.expect_closed()


def test_data_without_a_method_is_refused(broker: Broker) -> None:
    """MQTT 5, 3.1.2.11.10: a Protocol Error."""
    client = broker.open()
    client.send_connect(props={"authentication_data": b"x"})
    try:
        came = client.read()
    except Closed:
        return
    assert (came.kind, came.reason_code) == (Kind.CONNACK, PROTOCOL_ERROR)
    client.expect_closed()


@pytest.mark.parametrize(
    "props",
    [
        property_octets("authentication_method", ["a", "a"]),
        property_octets("authentication_method", "a")
        + property_octets("authentication_data", [b"a", b"a"]),
        property_octets("authentication_method", b"\xff"),
    ],
)
def test_malformed_authentication_properties_are_refused(broker: Broker, props: bytes) -> None:
    """MQTT 5, 3.1.2.11.9 and 3.1.2.11.10."""
    client = broker.open()
    client.send_connect(props=props)
    try:
        came = client.read()
    except Closed:
        return
    assert came.reason_code in (MALFORMED, PROTOCOL_ERROR)
    client.expect_closed()


def test_without_a_method_there_is_none_in_connack(broker: Broker) -> None:
    """[MQTT-4.12.0-6]."""
    client = broker.connect(user_name=None)
    assert client.connack is not None
    assert not {"authentication_method", "authentication_data"} & set(client.connack.properties)
    client.expect_nothing()


@pytest.mark.parametrize("reason_code", [0x00, CONTINUE, AGAIN])
@pytest.mark.parametrize("props", [{}, UNKNOWN])
def test_auth_without_a_method_in_connect_is_refused(
    broker: Broker, reason_code: int, props: dict[str, str]
) -> None:
    """[MQTT-4.12.0-7] [MQTT-4.12.1-1]: a Protocol Error."""
    client = broker.connect()
    client.write(auth(reason_code, props))
    client.expect_closed(PROTOCOL_ERROR)


@pytest.mark.parametrize("flags", [1, 2, 4, 8, 15])
def test_reserved_bits_of_auth_are_0(broker: Broker, flags: int) -> None:
    """[MQTT-3.15.1-1]; 0x82 as for DISCONNECT."""
    client = broker.connect()
    client.write(packet(0xF0 | flags, bytes((AGAIN,)) + properties(5, UNKNOWN)))
    client.expect_closed(MALFORMED, PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01\x00",
        b"\x80\x00",
        b"\xff\x00",
        b"\x18\x05\x15\x00\x01",
        b"\x18\x00\x00",
        b"\x18" + properties(5, property_octets("authentication_method", ["a", "a"])),
        b"\x18" + properties(5, property_octets("receive_maximum", 1)),
    ],
)
def test_a_malformed_auth_is_refused(broker: Broker, body: bytes) -> None:
    """[MQTT-3.15.2-1]; MQTT 5, 3.15.2."""
    client = broker.connect()
    client.write(packet(0xF0, body))
    client.expect_closed(MALFORMED, PROTOCOL_ERROR)


def test_auth_before_connect_is_refused(broker: Broker) -> None:
    """[MQTT-3.1.0-1] [MQTT-3.2.0-1]."""
    client = broker.open()
    client.write(auth(CONTINUE, UNKNOWN))
    with pytest.raises(Closed):
        client.read_raw()


@pytest.mark.parametrize("version", [3, 4])
def test_before_version_5_there_is_no_auth(broker: Broker, version: int) -> None:
    """3.1.1: 2.2.1, type 15 is forbidden."""
    client = broker.connect(version)
    client.write(packet(0xF0, b""))
    assert client.expect_closed() is None
