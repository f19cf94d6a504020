"""Reason codes: what they are called, which packets may carry them, what 3.1.1 says instead.

Source: MQTT 5, 2.4, and the table of each packet's section; MQTT 3.1.1, 3.2.2.3 and 3.9.3.
"""

from enum import IntEnum

from thingtank.protocols.mqtt.packet_types import PacketType


class ReasonCode(IntEnum):
    """How an operation went; 0x80 and above mean that it failed (MQTT 5, 2.4)."""

    SUCCESS = 0x00
    NORMAL_DISCONNECTION = 0x00
    GRANTED_QOS_0 = 0x00
    GRANTED_QOS_1 = 0x01
    GRANTED_QOS_2 = 0x02
    DISCONNECT_WITH_WILL_MESSAGE = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    CONTINUE_AUTHENTICATION = 0x18
    RE_AUTHENTICATE = 0x19
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BANNED = 0x8A
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    MESSAGE_RATE_TOO_HIGH = 0x96
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    PAYLOAD_FORMAT_INVALID = 0x99
    RETAIN_NOT_SUPPORTED = 0x9A
    QOS_NOT_SUPPORTED = 0x9B
    USE_ANOTHER_SERVER = 0x9C
    SERVER_MOVED = 0x9D
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    CONNECTION_RATE_EXCEEDED = 0x9F
    MAXIMUM_CONNECT_TIME = 0xA0
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2


def _codes(text: str) -> dict[int, ReasonCode]:
    return {code: ReasonCode(code) for code in bytes.fromhex(text)}


# By packet type, each reason code by its octet.
REASON_CODES: dict[PacketType, dict[int, ReasonCode]] = {
    # 3.2.2.2
    PacketType.CONNACK: _codes("00 80 81 82 83 84 85 86 87 88 89 8A 8C 90 95 97 99 9A 9B 9C 9D 9F"),
    PacketType.PUBACK: _codes("00 10 80 83 87 90 91 97 99"),  # 3.4.2.1
    PacketType.PUBREC: _codes("00 10 80 83 87 90 91 97 99"),  # 3.5.2.1
    PacketType.PUBREL: _codes("00 92"),  # 3.6.2.1
    PacketType.PUBCOMP: _codes("00 92"),  # 3.7.2.1
    PacketType.SUBACK: _codes("00 01 02 80 83 87 8F 91 97 9E A1 A2"),  # 3.9.3
    PacketType.UNSUBACK: _codes("00 11 80 83 87 8F 91"),  # 3.11.3
    # 3.14.2.1
    PacketType.DISCONNECT: _codes(
        "00 04 80 81 82 83 87 89 8B 8D 8E 8F 90 93 94 95 96 97 98 99 9A 9B 9C 9D 9E 9F A0 A1 A2"
    ),
    PacketType.AUTH: _codes("00 18 19"),  # 3.15.2.1
}

# 3.14.2.1, column "Sent by": what a server may be told.
DISCONNECT_CODES_OF_CLIENTS = _codes("00 04 80 81 82 83 90 93 94 95 96 97 98 99")
# 3.15.2.1: only the server says that authentication has succeeded.
AUTH_CODES_OF_CLIENTS = _codes("18 19")

_CONNACK_RETURN_CODES = {
    ReasonCode.SUCCESS: 0,
    ReasonCode.UNSUPPORTED_PROTOCOL_VERSION: 1,
    ReasonCode.CLIENT_IDENTIFIER_NOT_VALID: 2,
    ReasonCode.SERVER_UNAVAILABLE: 3,
    ReasonCode.SERVER_BUSY: 3,
    ReasonCode.QUOTA_EXCEEDED: 3,
    ReasonCode.USE_ANOTHER_SERVER: 3,
    ReasonCode.SERVER_MOVED: 3,
    ReasonCode.CONNECTION_RATE_EXCEEDED: 3,
    ReasonCode.BAD_USER_NAME_OR_PASSWORD: 4,
    ReasonCode.NOT_AUTHORIZED: 5,
    ReasonCode.BANNED: 5,
}


def allowed_reason(packet_type: PacketType, reason_code: ReasonCode) -> ReasonCode:
    """Say a reason code as a packet may carry it: an unspecified error where it may not."""
    is_allowed = reason_code in REASON_CODES[packet_type]
    return reason_code if is_allowed else ReasonCode.UNSPECIFIED_ERROR


def connack_return_code(reason_code: ReasonCode) -> int | None:
    """Say what CONNACK of 3.1 and 3.1.1 has for a reason code.

    Returns:
        None where it has nothing: the connection is then closed without a CONNACK.

    Source: MQTT 3.1.1, 3.2.2.3: "If none of the return codes … are deemed applicable".
    """
    return _CONNACK_RETURN_CODES.get(reason_code)


_CONNACK_REASON_CODES = {
    0: ReasonCode.SUCCESS,
    1: ReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
    2: ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
    3: ReasonCode.SERVER_UNAVAILABLE,
    4: ReasonCode.BAD_USER_NAME_OR_PASSWORD,
    5: ReasonCode.NOT_AUTHORIZED,
}


def connack_reason_code(return_code: int) -> ReasonCode | None:
    """Say in words of MQTT 5 what CONNACK of 3.1 and 3.1.1 says; None for a reserved code."""
    return _CONNACK_REASON_CODES.get(return_code)


_WORDS = {code: f"0x{code:02x} {code.name.replace('_', ' ').lower()}" for code in ReasonCode}


def code_words(code: ReasonCode) -> str:
    """A reason code for people: `0x87 not authorized`."""
    return _WORDS[code]
