"""Properties (MQTT 5, 2.2.2): which packet may have them, how often, of what value."""

import itertools

import pytest

from thingtank.protocols.mqtt.errors import (
    LocalProtocolError,
    MalformedPacket,
    MqttError,
    ProtocolError,
)
from thingtank.protocols.mqtt.octets import serialize_variable
from thingtank.protocols.mqtt.packet_types import PacketType
from thingtank.protocols.mqtt.properties import (
    NO_PROPERTIES,
    USER_PROPERTIES_MAX,
    Properties,
    forwarded_properties,
    parse_forwarded_properties,
    parse_properties,
    serialize_properties,
)
from thingtank.protocols.mqtt.reason_codes import ReasonCode

# 2.2.2.2, table 2-4, in its order: identifier, name, an example, and the packets that may have it.
TABLE = [
    ("01", "payload_format_indicator", 1, "01", "PUBLISH WILL"),
    ("02", "message_expiry_interval", 258, "00000102", "PUBLISH WILL"),
    ("03", "content_type", "tea", "0003746561", "PUBLISH WILL"),
    ("08", "response_topic", "tea", "0003746561", "PUBLISH WILL"),
    ("09", "correlation_data", b"\0\xff", "000200FF", "PUBLISH WILL"),
    ("0B", "subscription_identifiers", (128,), "8001", "PUBLISH SUBSCRIBE"),
    ("11", "session_expiry_interval", 2**32 - 1, "FFFFFFFF", "CONNECT CONNACK DISCONNECT"),
    ("12", "assigned_client_identifier", "tea", "0003746561", "CONNACK"),
    ("13", "server_keep_alive", 258, "0102", "CONNACK"),
    ("15", "authentication_method", "tea", "0003746561", "CONNECT CONNACK AUTH"),
    ("17", "request_problem_information", 0, "00", "CONNECT"),
    ("18", "will_delay_interval", 258, "00000102", "WILL"),
    ("19", "request_response_information", 1, "01", "CONNECT"),
    ("1A", "response_information", "tea", "0003746561", "CONNACK"),
    ("1C", "server_reference", "tea", "0003746561", "CONNACK DISCONNECT"),
    (
        "1F",
        "reason_string",
        "tea",
        "0003746561",
        "CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH",
    ),
    ("21", "receive_maximum", 258, "0102", "CONNECT CONNACK"),
    ("22", "topic_alias_maximum", 0, "0000", "CONNECT CONNACK"),
    ("23", "topic_alias", 258, "0102", "PUBLISH"),
    ("24", "maximum_qos", 1, "01", "CONNACK"),
    ("25", "retain_available", 0, "00", "CONNACK"),
    (
        "26",
        "user_properties",
        (("", "é"),),
        "00000002C3A9",
        "CONNECT CONNACK PUBLISH WILL PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK DISCONNECT AUTH",
    ),
    ("27", "maximum_packet_size", 258, "00000102", "CONNECT CONNACK"),
    ("28", "wildcard_subscription_available", 0, "00", "CONNACK"),
    ("29", "subscription_identifier_available", 1, "01", "CONNACK"),
    ("2A", "shared_subscription_available", 0, "00", "CONNACK"),
]
WITHOUT_PROPERTIES = {PacketType.PINGREQ, PacketType.PINGRESP}
PACKETS = sorted(set(PacketType) - WITHOUT_PROPERTIES)
MATRIX = [(*row, packet) for row, packet in itertools.product(TABLE, PACKETS)]


def with_length(octets: str | bytes) -> bytes:
    raw = bytes.fromhex(octets) if isinstance(octets, str) else octets
    return serialize_variable(len(raw)) + raw


def refusal(octets: str | bytes, packet: PacketType) -> ReasonCode:
    with pytest.raises(MqttError) as caught:
        parse_properties(with_length(octets), 0, packet)
    return caught.value.reason_code


@pytest.mark.parametrize(
    ("identifier", "field", "value", "octets", "packets", "packet"),
    MATRIX,
    ids=[f"{row[1]}-{row[5].name}" for row in MATRIX],
)
def test_property_stands_where_table_2_4_has_it_and_nowhere_else(
    identifier: str, field: str, value: object, octets: str, packets: str, packet: PacketType
) -> None:
    wanted = Properties(**{field: value})
    data = with_length(identifier + octets)
    if packet.name in packets.split():
        assert parse_properties(b"." + data + b".", 1, packet) == (wanted, len(data) + 1)
        assert serialize_properties(wanted, packet) == data
    else:
        is_strict = packet in (PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE)
        assert refusal(identifier + octets, packet) == (0x81 if is_strict else 0x82)
        with pytest.raises(LocalProtocolError):
            serialize_properties(wanted, packet)


def test_authentication_data_comes_with_its_method_only() -> None:
    """MQTT 5, 3.1.2.11.10 and 3.15.2.2.3."""
    both = Properties(authentication_method="a", authentication_data=b"b")
    for packet in (PacketType.CONNECT, PacketType.CONNACK, PacketType.AUTH):
        data = serialize_properties(both, packet)
        assert parse_properties(data, 0, packet) == (both, len(data))
        assert refusal("16000162", packet) == ReasonCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("clause", "octets", "packet"),
    [
        ("3.1.2.11.3 receive maximum 0", "210000", PacketType.CONNECT),
        ("3.1.2.11.4 maximum packet size 0", "2700000000", PacketType.CONNECT),
        ("3.1.2.11.6 request response information 2", "1902", PacketType.CONNECT),
        ("3.1.2.11.7 request problem information 2", "1702", PacketType.CONNECT),
        ("3.2.2.3.4 maximum QoS 2", "2402", PacketType.CONNACK),
        ("3.2.2.3.5 retain available 2", "2502", PacketType.CONNACK),
        ("3.2.2.3.11 wildcard subscription available 2", "2802", PacketType.CONNACK),
        ("3.2.2.3.12 subscription identifiers available 2", "2902", PacketType.CONNACK),
        ("3.2.2.3.13 shared subscription available 2", "2AFF", PacketType.CONNACK),
        ("3.3.2.3.2 payload format indicator 2", "0102", PacketType.PUBLISH),
        ("3.3.2.3.4 topic alias 0", "230000", PacketType.PUBLISH),
        ("3.3.2.3.5 response topic with +", "0800012B", PacketType.PUBLISH),
        ("3.3.2.3.5 response topic with #", "0800012F0800032F2F23", PacketType.WILL),
        ("3.3.2.3.5 blank response topic", "080000", PacketType.WILL),
        ("3.8.2.1.2 subscription identifier 0", "0B00", PacketType.SUBSCRIBE),
        ("3.8.2.1.2 subscription identifier twice", "0B010B02", PacketType.SUBSCRIBE),
    ],
)
def test_value_or_number_not_allowed_is_a_protocol_error(
    clause: str, octets: str, packet: PacketType
) -> None:
    assert refusal(octets, packet) == ReasonCode.PROTOCOL_ERROR


@pytest.mark.parametrize("row", TABLE, ids=[row[1] for row in TABLE])
def test_property_twice_is_a_protocol_error_but_for_those_that_may_be(row) -> None:
    identifier, field, value, octets, packets = row
    packet = PacketType[packets.split()[0]]
    if field in ("user_properties", "subscription_identifiers"):
        data = with_length((identifier + octets) * 2)
        assert parse_properties(data, 0, packet)[0] == Properties(**{field: value * 2})
    else:
        assert refusal((identifier + octets) * 2, packet) == ReasonCode.PROTOCOL_ERROR


@pytest.mark.parametrize("row", TABLE, ids=[row[1] for row in TABLE])
def test_property_is_malformed_at_each_place_where_it_can_be_cut_off(row) -> None:
    identifier, _, _, octets, packets = row
    whole = bytes.fromhex(identifier + octets)
    for end in range(1, len(whole)):
        assert refusal(whole[:end], PacketType[packets.split()[0]]) == ReasonCode.MALFORMED_PACKET


def test_unknown_property_is_malformed() -> None:
    known = {int(row[0], 16) for row in TABLE}
    for identifier in [*range(256), 16_384, 2_097_152]:
        if identifier not in known:
            octets = serialize_variable(identifier) + b"\1"
            assert refusal(octets, PacketType.PUBLISH) == ReasonCode.MALFORMED_PACKET


@pytest.mark.parametrize("octets", ["", "01", "0501", "80", "8000", "8080808001"])
def test_property_length_is_malformed(octets: str) -> None:
    with pytest.raises(MalformedPacket):
        parse_properties(bytes.fromhex(octets), 0, PacketType.PUBLISH)


def test_control_characters_are_for_free_text_only() -> None:
    data = with_length("26000161000162" + "1F00030A410A")
    found = parse_properties(data, 0, PacketType.PUBACK)[0]
    assert found.reason_string == "\nA\n"
    assert refusal("0800030A410A", PacketType.PUBLISH) == ReasonCode.MALFORMED_PACKET
    assert refusal("03000100", PacketType.PUBLISH) == ReasonCode.MALFORMED_PACKET


def test_no_properties_are_one_octet_and_one_object() -> None:
    assert serialize_properties(NO_PROPERTIES, PacketType.PUBLISH) == b"\0"
    assert serialize_properties(Properties(), PacketType.PUBLISH) == b"\0"
    found, at = parse_properties(b"\0", 0, PacketType.PUBLISH)
    assert found is NO_PROPERTIES
    assert at == 1


def test_number_of_user_properties_is_limited() -> None:
    one = bytes.fromhex("26000161000162")
    data = with_length(one * USER_PROPERTIES_MAX)
    found, _ = parse_properties(data, 0, PacketType.PUBLISH)
    assert len(found.user_properties) == USER_PROPERTIES_MAX
    assert refusal(one * (USER_PROPERTIES_MAX + 1), PacketType.PUBLISH) == ReasonCode.QUOTA_EXCEEDED


EVERY_KIND = Properties(
    payload_format_indicator=1,
    message_expiry_interval=60,
    content_type="text/plain",
    response_topic="answers/7",
    correlation_data=b"7",
    topic_alias=3,
    user_properties=(("b", "1"), ("a", "2"), ("b", "0")),
)


def test_forwarded_properties_are_those_that_every_receiver_gets() -> None:
    """MQTT 5, 3.3.2-4, -15, -16, -17, -18 and -20; not the alias (3.3.2-11) nor the expiry."""
    octets = forwarded_properties(EVERY_KIND)
    assert parse_forwarded_properties(octets) == Properties(
        payload_format_indicator=1,
        content_type="text/plain",
        response_topic="answers/7",
        correlation_data=b"7",
        user_properties=(("b", "1"), ("a", "2"), ("b", "0")),
    )


def test_nothing_to_forward_is_no_octets() -> None:
    assert forwarded_properties(NO_PROPERTIES) == b""
    assert forwarded_properties(Properties(topic_alias=1)) == b""
    assert parse_forwarded_properties(b"") is NO_PROPERTIES


def test_property_out_of_range_is_not_written() -> None:
    for wrong in (Properties(topic_alias=0), Properties(response_topic="a/+")):
        with pytest.raises(LocalProtocolError):
            serialize_properties(wrong, PacketType.PUBLISH)


def test_refusals_name_property_and_place() -> None:
    with pytest.raises(ProtocolError, match="topic_alias in CONNECT"):
        parse_properties(with_length("230001"), 0, PacketType.CONNECT)
