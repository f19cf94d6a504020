"""What a client receives, clause by clause (MQTT 5 and 3.1.1, 3)."""

import pytest

from thingtank.protocols.mqtt.client_parser import parse_from_server
from thingtank.protocols.mqtt.errors import MqttError
from thingtank.protocols.mqtt.packets import (
    Auth,
    Connack,
    Disconnect,
    Pingresp,
    Publish,
    Suback,
    Unsuback,
)
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode

VERSIONS = (3, 4, 5)
OLD = (3, 4)

TAKEN = [
    (0x20, b"\0\0", OLD, Connack()),
    (0x20, b"\1\0", (4,), Connack(session_present=True)),
    (0x20, b"\1\0", (3,), Connack()),
    (0x20, b"\0\5", OLD, Connack(reason_code=ReasonCode.NOT_AUTHORIZED)),
    (0x20, b"\0\1", (5,), Connack(reason_code=ReasonCode.UNSUPPORTED_PROTOCOL_VERSION)),
    (0x20, b"\1\0\3\x21\0\5", (5,), Connack(True, properties=Properties(receive_maximum=5))),
    (0x20, b"\0\x87\0", (5,), Connack(reason_code=ReasonCode.NOT_AUTHORIZED)),
    (
        0x30,
        b"\0\1t\4\x0b\1\x0b\2",
        (5,),
        Publish("t", b"", properties=Properties(subscription_identifiers=(1, 2))),
    ),
    (
        0x90,
        b"\0\1\0\2\x80",
        OLD,
        Suback(1, (ReasonCode.SUCCESS, ReasonCode.GRANTED_QOS_2, ReasonCode.UNSPECIFIED_ERROR)),
    ),
    (0x90, b"\0\1\0\x8f", (5,), Suback(1, (ReasonCode.TOPIC_FILTER_INVALID,))),
    (0xB0, b"\0\1", OLD, Unsuback(1)),
    (0xB0, b"\0\1\0\x11", (5,), Unsuback(1, (ReasonCode.NO_SUBSCRIPTION_EXISTED,))),
    (0xD0, b"", VERSIONS, Pingresp()),
    (0xE0, b"\x8b", (5,), Disconnect(ReasonCode.SERVER_SHUTTING_DOWN)),
    (0xE0, b"", (5,), Disconnect()),
    (0xF0, b"", (5,), Auth()),
]


@pytest.mark.parametrize(
    ("first_octet", "body", "version", "packet"),
    [(row[0], row[1], version, row[3]) for row in TAKEN for version in row[2]],
)
def test_packet_is_read(first_octet: int, body: bytes, version: int, packet: object) -> None:
    found = parse_from_server(first_octet, body, version)
    assert found == packet
    assert type(found) is type(packet)


REFUSED = [
    ("2.1.2 reserved type", 0x00, b"", VERSIONS),
    ("2.1.2 CONNECT", 0x10, b"\0\4MQTT\4\2\0\0\0\1c", VERSIONS),
    ("2.1.2 SUBSCRIBE", 0x82, b"\0\1\0\1a\0", VERSIONS),
    ("2.1.2 UNSUBSCRIBE", 0xA2, b"\0\1\0\1a", VERSIONS),
    ("2.1.2 PINGREQ", 0xC0, b"", VERSIONS),
    ("2.1.3-1 flags of CONNACK", 0x21, b"\0\0", VERSIONS),
    ("3.2 long CONNACK", 0x20, b"\0\0\0", OLD),
    ("3.2 short CONNACK", 0x20, b"\0", VERSIONS),
    ("3.2.2-1 reserved flags", 0x20, b"\2\0", (4, 5)),
    ("3.2.2-6 session present in a refusal", 0x20, b"\1\5", (4,)),
    ("3.2.2.3 reserved return code", 0x20, b"\0\6", OLD),
    ("3.2.2.2 no reason code", 0x20, b"\0\1\0", (5,)),
    ("3.2.2.3 no properties", 0x20, b"\0\0", (5,)),
    ("3.9.3 no codes", 0x90, b"\0\1", OLD),
    ("3.9.3 no codes", 0x90, b"\0\1\0", (5,)),
    ("3.9.3 code of 5.0", 0x90, b"\0\1\x87", OLD),
    ("3.9.3 no code", 0x90, b"\0\1\0\3", (5,)),
    ("2.2.1 packet id 0", 0x90, b"\0\0\0", OLD),
    ("3.11 codes before 5.0", 0xB0, b"\0\1\0", OLD),
    ("3.11.3 no codes", 0xB0, b"\0\1\0", (5,)),
    ("3.13 PINGRESP with octets", 0xD0, b"\0", VERSIONS),
    ("3.14 DISCONNECT before 5.0", 0xE0, b"", OLD),
    ("3.15 AUTH before 5.0", 0xF0, b"", OLD),
]


@pytest.mark.parametrize(
    ("clause", "first_octet", "body", "version"),
    [(*row[:3], version) for row in REFUSED for version in row[3]],
)
def test_packet_is_refused(clause: str, first_octet: int, body: bytes, version: int) -> None:
    with pytest.raises(MqttError):
        parse_from_server(first_octet, body, version)
