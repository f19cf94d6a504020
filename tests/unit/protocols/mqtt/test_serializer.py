"""What is written, to the octet, and what is not written."""

import pytest

from thingtank.protocols.mqtt.errors import LocalProtocolError
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packets import (
    Auth,
    Connack,
    Connect,
    ConnectWill,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.reason_codes import REASON_CODES, ReasonCode
from thingtank.protocols.mqtt.serializer import (
    PUBACK_OCTET,
    PUBCOMP_OCTET,
    PUBREC_OCTET,
    PUBREL_OCTET,
    acknowledgement,
    publish_octet,
    serialize,
    serialize_publish,
)

VERSIONS = (3, 4, 5)
OLD = (3, 4)
DENIED = ReasonCode.NOT_AUTHORIZED
TOLD = Properties(reason_string="no")

WRITTEN = [
    (Connect(3, "c", keep_alive_s=60), (3,), "100F 00064D5149736470 03 02 003C 000163"),
    (Connect(4, "c", False), (4,), "100D 00044D515454 04 00 0000 000163"),
    (
        Connect(5, "", will=ConnectWill("t", b"", 2, True), password=b"p"),
        (5,),
        "1016 00044D515454 05 76 0000 00 0000 00 000174 0000 000170",
    ),
    (Connack(), VERSIONS[:2], "2002 00 00"),
    (Connack(session_present=True), (3,), "2002 00 00"),
    (Connack(session_present=True), (4,), "2002 01 00"),
    (Connack(reason_code=DENIED), OLD, "2002 00 05"),
    (Connack(reason_code=DENIED), (5,), "2003 00 87 00"),
    (
        Connack(
            True,
            properties=Properties(
                topic_alias_maximum=10, maximum_packet_size=2_000_000, receive_maximum=20
            ),
        ),
        (5,),
        "200E 01 00 0B 22000A 27001E8480 210014",
    ),
    (Publish("t", b"hi"), OLD, "3005 000174 6869"),
    (Publish("t", b"hi", 1, True, True, 258), OLD, "3B07 000174 0102 6869"),
    (
        Publish("t", b"hi", properties=Properties(payload_format_indicator=1)),
        (5,),
        "3008 000174 02 0101 6869",
    ),
    (Puback(258), VERSIONS, "4002 0102"),
    (Puback(1, DENIED), (5,), "4003 0001 87"),
    (Puback(1, properties=TOLD), (5,), "4009 0001 00 05 1F00026E6F"),
    (Pubrec(258), VERSIONS, "5002 0102"),
    (Pubrel(258), VERSIONS, "6202 0102"),
    (Pubcomp(1, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND), (5,), "7003 0001 92"),
    (Subscribe(1, (Subscription("a", 1, True, True),)), OLD, "8206 0001 000161 01"),
    (Subscribe(1, (Subscription("a", 1, True, True),)), (5,), "8207 0001 00 000161 0D"),
    (Suback(1, (ReasonCode.GRANTED_QOS_1, DENIED)), OLD, "9004 0001 01 80"),
    (Suback(1, (ReasonCode.GRANTED_QOS_1, DENIED)), (5,), "9005 0001 00 01 87"),
    (Unsubscribe(1, ("a", "#")), OLD, "A208 0001 000161 000123"),
    (Unsuback(1, (ReasonCode.SUCCESS,)), OLD, "B002 0001"),
    (Unsuback(1, (ReasonCode.SUCCESS,)), (5,), "B004 0001 00 00"),
    (Pingreq(), VERSIONS, "C000"),
    (Pingresp(), VERSIONS, "D000"),
    (Disconnect(), VERSIONS, "E000"),
    (Disconnect(ReasonCode.PROTOCOL_ERROR), (5,), "E001 82"),
    (
        Disconnect(ReasonCode.SERVER_MOVED, Properties(server_reference="b")),
        (5,),
        "E006 9D 04 1C000162",
    ),
    (Auth(), (5,), "F000"),
    (
        Auth(ReasonCode.CONTINUE_AUTHENTICATION, Properties(authentication_method="m")),
        (5,),
        "F006 18 04 1500016D",
    ),
]


@pytest.mark.parametrize(
    ("packet", "version", "octets"),
    [(row[0], version, row[2]) for row in WRITTEN for version in row[1]],
)
def test_packet_is_written(packet: Packet, version: int, octets: str) -> None:
    assert serialize(packet, version) == bytes.fromhex(octets)


NOT_WRITTEN = [
    ("AUTH before 5.0", Auth(), OLD),
    ("3.14 DISCONNECT with a reason before 5.0", Disconnect(DENIED), OLD),
    ("3.14.2.1 reason code of CONNACK", Disconnect(ReasonCode.BAD_AUTHENTICATION_METHOD), (5,)),
    (
        "3.2.2.2 reason code of DISCONNECT",
        Connack(reason_code=ReasonCode.SESSION_TAKEN_OVER),
        VERSIONS,
    ),
    ("3.2.2-6 session present in a refusal", Connack(True, DENIED), VERSIONS),
    ("3.2.2.3 no return code", Connack(reason_code=ReasonCode.MALFORMED_PACKET), OLD),
    ("2.2.2 properties before 5.0", Publish("t", b"", properties=TOLD), OLD),
    ("2.2.2.2 property of others", Publish("t", b"", properties=TOLD), (5,)),
    ("2.2.1-2 no packet id", Publish("t", b"", 1), VERSIONS),
    ("2.2.1-3 packet id 0", Puback(0), VERSIONS),
    ("packet id of 17 bits", Subscribe(65536, (Subscription("a"),)), VERSIONS),
    ("3.3.1-4 QoS 3", Publish("t", b"", 3, packet_id=1), VERSIONS),
    ("3.3.2.1 topic too long", Publish("t" * 65536, b""), VERSIONS),
    ("3.4.2.1 failure before 5.0", Pubrec(1, DENIED), OLD),
    ("3.4.2.1 reason code of others", Puback(1, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND), (5,)),
    ("3.8.3-2 no filter", Subscribe(1, ()), VERSIONS),
    ("3.10.3-2 no filter", Unsubscribe(1, ()), VERSIONS),
    ("3.9.3 reason code of others", Suback(1, (ReasonCode.NO_SUBSCRIPTION_EXISTED,)), VERSIONS),
    ("3.11.3 reason code of others", Unsuback(1, (ReasonCode.GRANTED_QOS_1,)), (5,)),
    ("3.1.2-22 password alone before 5.0", Connect(4, "c", password=b"p"), (4,)),
    ("no such version", Connect(6, "c"), (5,)),
]


@pytest.mark.parametrize(
    ("clause", "packet", "version"),
    [(row[0], row[1], version) for row in NOT_WRITTEN for version in row[2]],
)
def test_packet_is_not_written(clause: str, packet: Packet, version: int) -> None:
    with pytest.raises(LocalProtocolError):
        serialize(packet, version)


@pytest.mark.parametrize("size", [0, 1, 100, 123, 124, 16_379, 16_380, 2_097_147, 2_097_148])
def test_short_way_of_publish_writes_what_the_long_way_does(size: int) -> None:
    payload = b"x" * size
    quick = serialize_publish(b"t", payload, publish_octet(0), 0, None)
    assert quick == serialize(Publish("t", payload), 4)
    quick = serialize_publish(b"t", payload, publish_octet(2, True, True), 7, b"\1\1")
    properties = Properties(payload_format_indicator=1)
    assert quick == serialize(Publish("t", payload, 2, True, True, 7, properties), 5)


@pytest.mark.parametrize("size", [0, 1, 124, 125, 16_380, 16_381])
def test_short_way_of_publish_writes_the_length_of_properties(size: int) -> None:
    properties = Properties(correlation_data=b"x" * size)
    octets = b"\x09" + size.to_bytes(2, "big") + b"x" * size
    assert serialize_publish(b"t", b"", 0x30, 0, octets) == serialize(
        Publish("t", b"", properties=properties), 5
    )


@pytest.mark.parametrize("packet_id", [1, 255, 256, 65535])
def test_short_way_of_acknowledgements_writes_what_the_long_way_does(packet_id: int) -> None:
    for made, first_octet in [
        (Puback, PUBACK_OCTET),
        (Pubrec, PUBREC_OCTET),
        (Pubrel, PUBREL_OCTET),
        (Pubcomp, PUBCOMP_OCTET),
    ]:
        assert acknowledgement(first_octet, packet_id) == serialize(made(packet_id), 5)


def test_every_reason_code_is_of_some_packet() -> None:
    used = {code for codes in REASON_CODES.values() for code in codes.values()}
    assert used == set(ReasonCode)
