"""CONNECT in 3.1, 3.1.1 and 5.0, clause by clause (3.1 of each)."""

import pytest

from thingtank.protocols.mqtt.errors import MqttError
from thingtank.protocols.mqtt.packets import Connect, ConnectWill
from thingtank.protocols.mqtt.parser import parse_connect
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode, connack_return_code

V3 = b"\0\6MQIsdp\3"
V4 = b"\0\4MQTT\4"
V5 = b"\0\4MQTT\5"
MINUTE = b"\0\x3c"
CLIENT = b"\0\1c"
WILL_1_AND_CREDENTIALS = 0xEE  # all flags, will QoS 1
TAIL = b"\0\1t\0\2hi\0\1u\0\2\0\xff"  # will topic, will message, user name, password


def refusal(body: bytes, flags: int = 0) -> MqttError:
    with pytest.raises(MqttError) as caught:
        parse_connect(flags, body)
    return caught.value


@pytest.mark.parametrize(("version", "head"), [(3, V3), (4, V4)])
def test_all_fields_are_read_in_3_1_and_3_1_1(version: int, head: bytes) -> None:
    packet = parse_connect(0, head + b"\xee" + MINUTE + CLIENT + TAIL)
    assert packet == Connect(
        version, "c", True, 60, ConnectWill("t", b"hi", 1, True), "u", b"\0\xff"
    )


def test_all_fields_are_read_in_5_0() -> None:
    will = b"\5\x18\0\0\0\7"
    packet = parse_connect(0, V5 + b"\xee" + MINUTE + b"\3\x21\0\5" + CLIENT + will + TAIL)
    assert packet == Connect(
        protocol_version=5,
        client_id="c",
        clean_start=True,
        keep_alive_s=60,
        will=ConnectWill("t", b"hi", 1, True, Properties(will_delay_interval=7)),
        user_name="u",
        password=b"\0\xff",
        properties=Properties(receive_maximum=5),
    )


def test_least_connect_of_each_version() -> None:
    assert parse_connect(0, V3 + b"\0\0\0" + CLIENT) == Connect(3, "c", clean_start=False)
    assert parse_connect(0, V4 + b"\2\0\0\0\0") == Connect(4, "")
    assert parse_connect(0, V5 + b"\0\0\0\0\0\0") == Connect(5, "", clean_start=False)


def test_password_stays_out_of_what_may_be_logged() -> None:
    packet = parse_connect(0, V4 + b"\xc2" + MINUTE + CLIENT + b"\0\1u\0\6hunter")
    assert packet.password == b"hunter"
    assert "hunter" not in repr(packet)


# Octets, then version and reason of CONNACK; None where the connection is closed without one.
REFUSED = [
    ("3.1.2-1 other protocol", b"\0\4HTTP\4\2\0\0\0\0", None),
    ("3.1.2-1 short name", b"\0\3MQT\4\2\0\0\0\0", None),
    ("3.1.2-1 blank name", b"\0\0\4\2\0\0\0\0", None),
    ("3.1.2-1 other case", b"\0\4mqtt\4\2\0\0\0\0", None),
    ("3.1.2-1 name ill-formed", b"\0\1\xff\4\2\0\0\0\0", None),
    (
        "3.1.2-2 MQTT of version 6",
        b"\0\4MQTT\6\2\0\0\0\0",
        (5, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ),
    (
        "3.1.2-2 MQTT of version 3",
        b"\0\4MQTT\3\2\0\0\0\0",
        (3, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ),
    (
        "3.1.2-2 MQIsdp of version 4 without a user name",
        b"\0\6MQIsdp\4\2\0\0\0\0",
        (4, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ),
    (
        "3.1.2-2 MQIsdp of version 4 cut off",
        b"\0\6MQIsdp\4",
        (4, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ),
    (
        "3.1.2-2 MQIsdp of version 5",
        b"\0\6MQIsdp\5\2\0\0\0\0",
        (5, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ),
    (
        "3.1.2-2 MQIsdp of version 2",
        b"\0\6MQIsdp\2\2\0\0\0\0",
        (5, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ),
    (
        "Mosquitto's bridge bit, MQIsdp",
        b"\0\6MQIsdp\x83\2\0\0\0\0",
        (3, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ),
    (
        "Mosquitto's bridge bit, MQTT",
        b"\0\4MQTT\x84\2\0\0\0\0",
        (4, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
    ),
    ("3.1.2-3 reserved flag, 3.1.1", V4 + b"\3" + MINUTE + CLIENT, None),
    ("3.1.2-3 reserved flag, 5", V5 + b"\3" + MINUTE + b"\0" + CLIENT, None),
    ("3.1.2-11 will QoS without will", V4 + b"\x0a" + MINUTE + CLIENT, None),
    ("3.1.2-11 will retain without will", V5 + b"\x22" + MINUTE + b"\0" + CLIENT, None),
    ("3.1.2-12 will QoS 3", V5 + b"\x1e" + MINUTE + b"\0" + CLIENT + b"\0\0\1t\0\0", None),
    ("3.1.2-22 password without user name, 3.1.1", V4 + b"\x42" + MINUTE + CLIENT + b"\0\1p", None),
    (
        "3.1.3-7 blank client id, 3.1",
        V3 + b"\2" + MINUTE + b"\0\0",
        (3, ReasonCode.CLIENT_IDENTIFIER_NOT_VALID),
    ),
    (
        "3.1.3-7 blank client id kept, 3.1.1",
        V4 + b"\0" + MINUTE + b"\0\0",
        (4, ReasonCode.CLIENT_IDENTIFIER_NOT_VALID),
    ),
    ("3.1.3-4 client id ill-formed, 3.1.1", V4 + b"\2" + MINUTE + b"\0\1\xff", None),
    (
        "3.1.3-4 client id ill-formed, 5",
        V5 + b"\2" + MINUTE + b"\0\0\1\xff",
        (5, ReasonCode.CLIENT_IDENTIFIER_NOT_VALID),
    ),
    ("3.1.3 no client id, 5", V5 + b"\2" + MINUTE + b"\0", (5, ReasonCode.MALFORMED_PACKET)),
    (
        "3.1.3-11 will topic with wildcard, 5",
        V5 + b"\6" + MINUTE + b"\0" + CLIENT + b"\0\0\1#\0\0",
        (5, ReasonCode.MALFORMED_PACKET),
    ),
    ("4.7.3-1 blank will topic, 3.1.1", V4 + b"\6" + MINUTE + CLIENT + b"\0\0\0\0", None),
    ("octets after the end, 3.1.1", V4 + b"\2" + MINUTE + CLIENT + b"\0", None),
    (
        "octets after the end, 5",
        V5 + b"\2" + MINUTE + b"\0" + CLIENT + b"\0",
        (5, ReasonCode.MALFORMED_PACKET),
    ),
    (
        "3.1.2.11 property of others, 5",
        V5 + b"\2" + MINUTE + b"\3\x23\0\1" + CLIENT,
        (5, ReasonCode.PROTOCOL_ERROR),
    ),
]


@pytest.mark.parametrize(("clause", "body", "connack"), REFUSED, ids=[each[0] for each in REFUSED])
def test_connect_is_refused(
    clause: str, body: bytes, connack: tuple[int, ReasonCode] | None
) -> None:
    error = refusal(body)
    assert error.is_told is (connack is not None)
    if connack:
        assert (error.version, error.reason_code) == connack
        assert error.version == 5 or connack_return_code(error.reason_code)


def test_header_flags_are_refused_but_in_3_1() -> None:
    """[MQTT-2.1.3-1]; MQTT 3.1 says that they are not used."""
    for flags in (1, 2, 4, 8, 15):
        assert not refusal(V4 + b"\2" + MINUTE + CLIENT, flags).is_told
        assert not refusal(V5 + b"\2" + MINUTE + b"\0" + CLIENT, flags).is_told
        assert parse_connect(flags, V3 + b"\2" + MINUTE + CLIENT) == Connect(3, "c", True, 60)


def test_password_without_user_name_is_taken_in_5_0() -> None:
    """MQTT 5, 3.1.2.9: "This version of the protocol allows" it."""
    packet = parse_connect(0, V5 + b"\x42" + MINUTE + b"\0" + CLIENT + b"\0\1p")
    assert packet == Connect(5, "c", True, 60, password=b"p")


def test_what_3_1_disregards_is_disregarded() -> None:
    """MQTT 3.1, 3.1: bit 0, will QoS and retain without a will, and missing credentials."""
    wanted = Connect(3, "c", True, 60)
    assert parse_connect(0, V3 + b"\x3b" + MINUTE + CLIENT) == wanted
    assert parse_connect(0, V3 + b"\xc2" + MINUTE + CLIENT) == wanted
    with_user = parse_connect(0, V3 + b"\xc2" + MINUTE + CLIENT + b"\0\1u")
    assert with_user == Connect(3, "c", True, 60, user_name="u")


WHOLE = [
    V3 + b"\xee" + MINUTE + CLIENT + TAIL,
    V4 + b"\xee" + MINUTE + CLIENT + TAIL,
    V5 + b"\xee" + MINUTE + b"\3\x21\0\5" + CLIENT + b"\5\x18\0\0\0\7" + TAIL,
]


@pytest.mark.parametrize("body", WHOLE, ids=["3.1", "3.1.1", "5.0"])
def test_connect_is_refused_at_each_place_where_it_can_be_cut_off(body: bytes) -> None:
    parse_connect(0, body)
    # 3.1 takes a CONNECT whose credentials, or only whose password, are missing.
    missing = {len(body) - len(TAIL) + 7, len(body) - 4} if body.startswith(V3) else set()
    for end in range(len(body)):
        if end not in missing:
            refusal(body[:end])
    for end in missing:
        assert parse_connect(0, body[:end]).password is None
