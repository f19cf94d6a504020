"""What a server receives after CONNECT, clause by clause (MQTT 5 and 3.1.1, 2 and 3)."""

import pytest

from thingtank.protocols.mqtt.errors import MqttError
from thingtank.protocols.mqtt.messages import RetainHandling, Subscription
from thingtank.protocols.mqtt.packets import (
    Auth,
    Disconnect,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Unsubscribe,
)
from thingtank.protocols.mqtt.parser import check_first_octet, parse
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode

MALFORMED = ReasonCode.MALFORMED_PACKET
WRONG = ReasonCode.PROTOCOL_ERROR
SILENT = None
DENIED = ReasonCode.NOT_AUTHORIZED
TOLD = Properties(reason_string="no")
VERSIONS = (3, 4, 5)
OLD = (3, 4)

# First octet, body, versions, packet.
TAKEN = [
    (0x30, b"\0\1thi", OLD, Publish("t", b"hi")),
    (0x30, b"\0\1t\0hi", (5,), Publish("t", b"hi")),
    (0x31, b"\0\1t", OLD, Publish("t", b"", retain=True)),
    (0x3B, b"\0\1t\1\2", OLD, Publish("t", b"", 1, True, True, 258)),
    (0x34, b"\0\1t\xff\xff\0", (5,), Publish("t", b"", 2, packet_id=65535)),
    (
        0x32,
        b"\0\0\0\1\3\x23\0\1",
        (5,),
        Publish("", b"", 1, packet_id=1, properties=Properties(topic_alias=1)),
    ),
    (0x38, b"\0\1t", (3,), Publish("t", b"", dup=True)),
    (0x40, b"\1\2", VERSIONS, Puback(258)),
    (0x40, b"\0\1\x10", (5,), Puback(1, ReasonCode.NO_MATCHING_SUBSCRIBERS)),
    (0x40, b"\0\1\x87\0", (5,), Puback(1, DENIED)),
    (0x40, b"\0\1\x87\5\x1f\0\2no", (5,), Puback(1, DENIED, TOLD)),
    (0x50, b"\1\2", VERSIONS, Pubrec(258)),
    (0x50, b"\0\1\x87\5\x1f\0\2no", (5,), Pubrec(1, DENIED, TOLD)),
    (0x62, b"\1\2", VERSIONS, Pubrel(258)),
    (0x6A, b"\1\2", (3,), Pubrel(258)),
    (0x62, b"\0\1\x92", (5,), Pubrel(1, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND)),
    (0x70, b"\1\2", VERSIONS, Pubcomp(258)),
    (0x70, b"\0\1\x92\5\x1f\0\2no", (5,), Pubcomp(1, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND, TOLD)),
    (
        0x82,
        b"\0\1\0\3a/b\1\0\1#\2",
        OLD,
        Subscribe(1, (Subscription("a/b", 1), Subscription("#", 2))),
    ),
    (0x8A, b"\0\1\0\1#\0", (3,), Subscribe(1, (Subscription("#"),))),
    (
        0x82,
        b"\0\1\2\x0b\7\0\1#\x2d",
        (5,),
        Subscribe(
            1,
            (Subscription("#", 1, True, True, RetainHandling.DO_NOT_SEND, 7),),
            Properties(subscription_identifiers=(7,)),
        ),
    ),
    (0x82, b"\0\1\0\0\x0c$share/g/a/#\2", (5,), Subscribe(1, (Subscription("$share/g/a/#", 2),))),
    (0xA2, b"\0\1\0\3a/b\0\1#", OLD, Unsubscribe(1, ("a/b", "#"))),
    (0xAA, b"\0\1\0\1#", (3,), Unsubscribe(1, ("#",))),
    (0xA2, b"\0\1\0\0\1#", (5,), Unsubscribe(1, ("#",))),
    (0xC0, b"", VERSIONS, Pingreq()),
    (0xE0, b"", VERSIONS, Disconnect()),
    (0xE0, b"\4", (5,), Disconnect(ReasonCode.DISCONNECT_WITH_WILL_MESSAGE)),
    (0xE0, b"\0\5\x11\0\0\0\7", (5,), Disconnect(properties=Properties(session_expiry_interval=7))),
    (
        0xF0,
        b"\x18\4\x15\0\1m",
        (5,),
        Auth(ReasonCode.CONTINUE_AUTHENTICATION, Properties(authentication_method="m")),
    ),
]


@pytest.mark.parametrize(
    ("first_octet", "body", "version", "packet"),
    [(row[0], row[1], version, row[3]) for row in TAKEN for version in row[2]],
)
def test_packet_is_read(first_octet: int, body: bytes, version: int, packet: object) -> None:
    found = parse(first_octet, body, version)
    assert found == packet
    assert type(found) is type(packet)


# Clause, first octet, body, versions, and the reason code of DISCONNECT (silent: none is sent).
REFUSED = [
    ("2.1.2 reserved type", 0x00, b"", VERSIONS, WRONG),
    ("3.1.0-2 second CONNECT", 0x10, b"\0\4MQTT\4\2\0\0\0\1c", VERSIONS, WRONG),
    ("2.1.2 CONNACK", 0x20, b"\0\0", VERSIONS, WRONG),
    ("2.1.2 SUBACK", 0x90, b"\0\1\0", VERSIONS, WRONG),
    ("2.1.3-1 flags of SUBACK", 0x91, b"\0\1\0", VERSIONS, MALFORMED),
    ("2.1.2 UNSUBACK", 0xB0, b"\0\1", VERSIONS, WRONG),
    ("2.1.2 PINGRESP", 0xD0, b"", VERSIONS, WRONG),
    ("3.13 PINGRESP with octets", 0xD0, b"\0", VERSIONS, SILENT),
    ("2.1.3-1 flags of PINGRESP", 0xD8, b"", VERSIONS, MALFORMED),
    ("3.15 AUTH before 5.0", 0xF0, b"", OLD, WRONG),
    ("3.3.1-4 QoS 3", 0x36, b"\0\1t\0\1\0", VERSIONS, MALFORMED),
    ("3.3.1-2 DUP with QoS 0", 0x38, b"\0\1t\0", (4, 5), MALFORMED),
    ("3.3.2.1 no topic", 0x30, b"", VERSIONS, MALFORMED),
    ("3.3.2.1 topic cut off", 0x30, b"\0\2t", VERSIONS, MALFORMED),
    ("4.7.3-1 blank topic", 0x30, b"\0\0\0", VERSIONS, MALFORMED),
    ("3.3.2-2 wildcard", 0x30, b"\0\1#\0", VERSIONS, MALFORMED),
    ("3.3.2-1 ill-formed", 0x30, b"\0\1\xff\0", VERSIONS, MALFORMED),
    ("1.5.4-2 U+0000", 0x30, b"\0\1\0\0", VERSIONS, MALFORMED),
    ("levels", 0x30, b"\0\xc8" + b"/" * 200 + b"\0", VERSIONS, ReasonCode.TOPIC_NAME_INVALID),
    ("2.2.1-2 packet id cut off", 0x32, b"\0\1t\1", VERSIONS, MALFORMED),
    ("2.2.1-3 packet id 0", 0x34, b"\0\1t\0\0\0", VERSIONS, WRONG),
    ("3.3.2.3 no property length", 0x30, b"\0\1t", (5,), MALFORMED),
    ("3.3.4-6 subscription identifier", 0x30, b"\0\1t\2\x0b\1", (5,), WRONG),
    ("2.1.3-1 flags of PUBACK", 0x41, b"\0\1", VERSIONS, MALFORMED),
    ("2.1.3-1 flags of PUBREC", 0x52, b"\0\1", VERSIONS, MALFORMED),
    ("3.6.1-1 flags of PUBREL", 0x60, b"\0\1", VERSIONS, WRONG),
    ("3.6.1-1 DUP of PUBREL", 0x6A, b"\0\1", (4, 5), WRONG),
    ("2.1.3-1 flags of PUBCOMP", 0x78, b"\0\1", VERSIONS, MALFORMED),
    *(
        (f"3.4.2.1 reason {octet:02X}", octet, b"\0\1\x01", (5,), WRONG)
        for octet in (0x40, 0x50, 0x62, 0x70)
    ),
    ("3.6.2.1 reason of PUBREC in PUBREL", 0x62, b"\0\1\x10", (5,), WRONG),
    *(
        (f"2.2.1-3 packet id 0 in {octet:02X}", octet, b"\0\0", VERSIONS, WRONG)
        for octet in (0x40, 0x50, 0x62, 0x70)
    ),
    *(
        (f"3.4 one octet in {octet:02X}", octet, b"\1", VERSIONS, MALFORMED)
        for octet in (0x40, 0x50, 0x62, 0x70)
    ),
    *(
        (f"3.4 none in {octet:02X}", octet, b"", VERSIONS, MALFORMED)
        for octet in (0x40, 0x50, 0x62, 0x70)
    ),
    *(
        (f"3.4 three in {octet:02X}", octet, b"\0\1\0", OLD, MALFORMED)
        for octet in (0x40, 0x50, 0x62, 0x70)
    ),
    *(
        (f"octets after {octet:02X}", octet, b"\0\1\0\0\0", (5,), MALFORMED)
        for octet in (0x40, 0x50, 0x62, 0x70)
    ),
    ("3.8.1-1 flags of SUBSCRIBE", 0x80, b"\0\1\0\1a\0", OLD, MALFORMED),
    ("3.8.1-1 DUP of SUBSCRIBE", 0x8A, b"\0\1\0\1a\0", (4,), MALFORMED),
    ("3.8.3-2 no filter", 0x82, b"\0\1", OLD, MALFORMED),
    ("3.8.3-2 no filter", 0x82, b"\0\1\0", (5,), MALFORMED),
    ("2.2.1-3 packet id 0", 0x82, b"\0\0\0\1a\0", OLD, MALFORMED),
    ("3.8.3 no options", 0x82, b"\0\1\0\1a", OLD, MALFORMED),
    ("3.8.3-5 reserved options", 0x82, b"\0\1\0\1a\4", OLD, MALFORMED),
    ("3.8.3-5 reserved options", 0x82, b"\0\1\0\0\1a\x40", (5,), MALFORMED),
    ("3.8.3.1 QoS 3", 0x82, b"\0\1\0\1a\3", OLD, MALFORMED),
    ("3.8.3.1 QoS 3", 0x82, b"\0\1\0\0\1a\3", (5,), MALFORMED),
    ("3.8.3.1 retain handling 3", 0x82, b"\0\1\0\0\1a\x30", (5,), MALFORMED),
    ("3.8.3-4 No Local and shared", 0x82, b"\0\1\0\0\x0a$share/g/a\4", (5,), WRONG),
    ("4.8.2-2 shared without filter", 0x82, b"\0\1\0\x08$share/g\0", OLD, MALFORMED),
    ("3.8.3-1 ill-formed", 0x82, b"\0\1\0\1\xff\0", OLD, MALFORMED),
    ("4.7.1-1 # not last", 0x82, b"\0\1\0\3#/a\0", OLD, MALFORMED),
    ("4.7.1-1 second # not last", 0x82, b"\0\1\0\1a\0\0\3#/a\0", OLD, MALFORMED),
    ("levels", 0x82, b"\0\1\0\xc8" + b"/" * 200 + b"\0", OLD, ReasonCode.TOPIC_FILTER_INVALID),
    ("3.10.1-1 flags of UNSUBSCRIBE", 0xA0, b"\0\1\0\1a", OLD, MALFORMED),
    ("3.10.3-2 no filter", 0xA2, b"\0\1", OLD, MALFORMED),
    ("3.10.3-2 no filter", 0xA2, b"\0\1\0", (5,), MALFORMED),
    ("2.2.1-3 packet id 0", 0xA2, b"\0\0\0\1a", OLD, MALFORMED),
    ("4.7.3-1 blank filter", 0xA2, b"\0\1\0\0", OLD, MALFORMED),
    ("2.1.3-1 flags of PINGREQ", 0xC1, b"", VERSIONS, MALFORMED),
    ("3.12 PINGREQ with octets", 0xC0, b"\0", VERSIONS, SILENT),
    ("3.14.1-1 flags of DISCONNECT", 0xE1, b"", VERSIONS, WRONG),
    ("3.14 DISCONNECT with octets", 0xE0, b"\0", OLD, MALFORMED),
    ("3.14.2.1 reason of servers", 0xE0, b"\x8b", (5,), SILENT),
    ("3.14.2.1 no reason", 0xE0, b"\5", (5,), SILENT),
    ("3.14 octets after the end", 0xE0, b"\0\0\0", (5,), MALFORMED),
    ("3.15.1-1 flags of AUTH", 0xF1, b"\x18\4\x15\0\1m", (5,), WRONG),
    ("3.15.2.1 AUTH of success", 0xF0, b"\0\4\x15\0\1m", (5,), WRONG),
    ("3.15.2.1 AUTH without reason", 0xF0, b"", (5,), WRONG),
    ("3.15.2.2.2 AUTH without method", 0xF0, b"\x18\0", (5,), WRONG),
]
REFUSED_CASES = [(*row[:3], version, row[4]) for row in REFUSED for version in row[3]]


@pytest.mark.parametrize(
    ("clause", "first_octet", "body", "version", "reason_code"),
    REFUSED_CASES,
    ids=[f"{row[0]} in {row[3]}" for row in REFUSED_CASES],
)
def test_packet_is_refused(
    clause: str, first_octet: int, body: bytes, version: int, reason_code: ReasonCode | None
) -> None:
    with pytest.raises(MqttError) as caught:
        parse(first_octet, body, version)
    assert caught.value.is_told is (reason_code is not SILENT)
    if reason_code is not SILENT:
        assert caught.value.reason_code == reason_code


@pytest.mark.parametrize(
    ("first_octet", "body", "version"),
    [(row[0], row[1], version) for row in TAKEN for version in row[2]],
)
def test_packet_is_refused_at_each_place_where_it_can_be_cut_off(
    first_octet: int, body: bytes, version: int
) -> None:
    """Or it is a shorter one, of less: of payload, of topic filters, of reason and properties."""
    whole = parse(first_octet, body, version)
    for end in range(len(body)):
        try:
            found = parse(first_octet, body[:end], version)
        except MqttError:
            continue
        assert type(found) is type(whole)
        assert found != whole or body[end:] == b"\0"  # a property length of 0 may be left out


def test_only_connect_comes_first_and_type_0_never() -> None:
    """[MQTT-3.1.0-1]; known from the first octet, so that nobody waits for the rest."""
    for first_octet in range(256):
        if first_octet >> 4 != 1:
            with pytest.raises(MqttError) as caught:
                check_first_octet(first_octet, None)
            assert not caught.value.is_told
    check_first_octet(0x10, None)
    for first_octet in range(16):
        with pytest.raises(MqttError) as caught:
            check_first_octet(first_octet, 5)
        assert caught.value.reason_code == ReasonCode.PROTOCOL_ERROR
    for first_octet in range(16, 256):
        check_first_octet(first_octet, 4)


def test_topic_that_was_refused_is_refused_again() -> None:
    """Good topic names are remembered."""
    for _ in range(2):
        with pytest.raises(MqttError):
            parse(0x30, b"\0\3a/#", 4)
        assert parse(0x30, b"\0\3a/b", 4) == Publish("a/b", b"")


def test_long_topic_is_read_and_checked_as_well() -> None:
    longest = "é" * 32767 + "e"
    assert parse(0x30, b"\xff\xff" + longest.encode() + b"x", 4) == Publish(longest, b"x")
    with pytest.raises(MqttError):
        parse(0x30, b"\xff\xff" + longest.encode()[:-1] + b"+", 4)
