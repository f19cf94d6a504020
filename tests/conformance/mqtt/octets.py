"""MQTT packets as octets, written and read by the tests' own hand.

Nothing here knows the broker's codec, so that it can judge it. What is built may be wrong on
purpose; what is read must be right, and fails the test if it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

Version = int  # the protocol level: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0
Given = Mapping[str, Any] | bytes  # properties by name, or octets without their length


class Kind(IntEnum):
    """Control packet types. Source: MQTT 5, 2.1.2."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


# name: (identifier, type, packets that a server may send it in). Source: MQTT 5, 2.2.2.2.
_REASONED = frozenset(
    {
        Kind.CONNACK,
        Kind.PUBACK,
        Kind.PUBREC,
        Kind.PUBREL,
        Kind.PUBCOMP,
        Kind.SUBACK,
        Kind.UNSUBACK,
        Kind.DISCONNECT,
        Kind.AUTH,
    }
)
_CONNACK = frozenset({Kind.CONNACK})
_PUBLISH = frozenset({Kind.PUBLISH})
_NEVER: frozenset[Kind] = frozenset()
PROPERTIES: Final[dict[str, tuple[int, str, frozenset[Kind]]]] = {
    "payload_format_indicator": (0x01, "byte", _PUBLISH),
    "message_expiry_interval": (0x02, "four", _PUBLISH),
    "content_type": (0x03, "string", _PUBLISH),
    "response_topic": (0x08, "string", _PUBLISH),
    "correlation_data": (0x09, "binary", _PUBLISH),
    "subscription_identifier": (0x0B, "varint", _PUBLISH),
    "session_expiry_interval": (0x11, "four", _CONNACK),
    "assigned_client_identifier": (0x12, "string", _CONNACK),
    "server_keep_alive": (0x13, "two", _CONNACK),
    "authentication_method": (0x15, "string", frozenset({Kind.CONNACK, Kind.AUTH})),
    "authentication_data": (0x16, "binary", frozenset({Kind.CONNACK, Kind.AUTH})),
    "request_problem_information": (0x17, "byte", _NEVER),
    "will_delay_interval": (0x18, "four", _NEVER),
    "request_response_information": (0x19, "byte", _NEVER),
    "response_information": (0x1A, "string", _CONNACK),
    "server_reference": (0x1C, "string", frozenset({Kind.CONNACK, Kind.DISCONNECT})),
    "reason_string": (0x1F, "string", _REASONED),
    "receive_maximum": (0x21, "two", _CONNACK),
    "topic_alias_maximum": (0x22, "two", _CONNACK),
    "topic_alias": (0x23, "two", _PUBLISH),
    "maximum_qos": (0x24, "byte", _CONNACK),
    "retain_available": (0x25, "byte", _CONNACK),
    "user_property": (0x26, "pair", _REASONED | _PUBLISH),
    "maximum_packet_size": (0x27, "four", _CONNACK),
    "wildcard_subscription_available": (0x28, "byte", _CONNACK),
    "subscription_identifier_available": (0x29, "byte", _CONNACK),
    "shared_subscription_available": (0x2A, "byte", _CONNACK),
}
NAMES: Final = {number: name for name, (number, _, _) in PROPERTIES.items()}


def varint(number: int) -> bytes:
    """A Variable Byte Integer. Source: MQTT 5, 1.5.5."""
    out = bytearray()
    while True:
        number, digit = number >> 7, number & 127
        out.append(digit | 128 if number else digit)
        if not number:
            return bytes(out)


def two(number: int) -> bytes:
    """A Two Byte Integer."""
    return number.to_bytes(2, "big")


def sized(data: bytes | str) -> bytes:
    """Binary Data, or a UTF-8 Encoded String."""
    octets = data.encode() if isinstance(data, str) else data
    return two(len(octets)) + octets


def packet(first: int, body: bytes) -> bytes:
    """A fixed header and what follows it."""
    return bytes((first,)) + varint(len(body)) + body


def property_octets(name: str, value: Any) -> bytes:
    """One property; a list is that property several times, except that pairs are listed anyhow."""
    if isinstance(value, list):
        return b"".join(property_octets(name, each) for each in value)
    number, kind, _ = PROPERTIES[name]
    written: dict[str, Callable[[], bytes]] = {
        "byte": lambda: bytes((value,)),
        "two": lambda: two(value),
        "four": lambda: value.to_bytes(4, "big"),
        "varint": lambda: varint(value),
        "string": lambda: sized(value),
        "binary": lambda: sized(value),
        "pair": lambda: sized(value[0]) + sized(value[1]),
    }
    return varint(number) + written[kind]()


def properties(version: Version, given: Given) -> bytes:
    """Properties with their length before them; nothing at all before version 5."""
    if version < 5:
        assert not given, "there are no properties before version 5"
        return b""
    if not isinstance(given, bytes):
        given = b"".join(property_octets(name, value) for name, value in given.items())
    return varint(len(given)) + given


@dataclass(frozen=True)
class Will:
    """The will in a CONNECT."""

    topic: str | bytes
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    properties: Given = field(default_factory=dict)


def connect(
    client_id: str | bytes,
    version: Version = 5,
    *,
    clean: bool = True,
    keep_alive_s: int = 0,
    will: Will | None = None,
    user_name: str | bytes | None = None,
    password: bytes | None = None,
    props: Given = b"",
    flags: int | None = None,
    name: str | bytes | None = None,
    level: int | None = None,
) -> bytes:
    """A CONNECT; `flags`, `name` and `level` take the place of what would be right."""
    right = clean << 1 | (user_name is not None) << 7 | (password is not None) << 6
    payload = sized(client_id)
    if will is not None:
        right |= 4 | will.qos << 3 | will.retain << 5
        payload += properties(version, will.properties) + sized(will.topic) + sized(will.payload)
    for text in (user_name, password):
        payload += b"" if text is None else sized(text)
    if name is None:
        name = "MQIsdp" if version == 3 else "MQTT"
    head = sized(name) + bytes((version if level is None else level,))
    head += bytes((right if flags is None else flags,)) + two(keep_alive_s)
    return packet(0x10, head + properties(version, props) + payload)


def publish(
    version: Version,
    topic: str | bytes,
    payload: bytes = b"",
    *,
    qos: int = 0,
    retain: bool = False,
    dup: bool = False,
    packet_id: int = 0,
    props: Given = b"",
) -> bytes:
    """A PUBLISH; it has a packet identifier if its QoS is not 0."""
    head = sized(topic) + (two(packet_id) if qos else b"") + properties(version, props)
    return packet(0x30 | dup << 3 | qos << 1 | retain, head + payload)


def acknowledgement(
    kind: Kind, version: Version, packet_id: int, reason_code: int | None = None, props: Given = b""
) -> bytes:
    """A PUBACK, PUBREC, PUBREL or PUBCOMP; the short form unless there is a reason code."""
    body = two(packet_id)
    if reason_code is not None:
        body += bytes((reason_code,)) + (properties(version, props) if props else b"")
    return packet(kind << 4 | (2 if kind == Kind.PUBREL else 0), body)


def options(
    qos: int = 0,
    *,
    no_local: bool = False,
    retain_as_published: bool = False,
    retain_handling: int = 0,
) -> int:
    """Subscription Options. Source: MQTT 5, 3.8.3.1."""
    return qos | no_local << 2 | retain_as_published << 3 | retain_handling << 4


def subscribe(
    version: Version,
    packet_id: int,
    filters: Iterable[tuple[str | bytes, int]],
    props: Given = b"",
) -> bytes:
    """A SUBSCRIBE: topic filters, each with its options."""
    payload = b"".join(sized(topic_filter) + bytes((octet,)) for topic_filter, octet in filters)
    return packet(0x82, two(packet_id) + properties(version, props) + payload)


def unsubscribe(
    version: Version, packet_id: int, filters: Iterable[str | bytes], props: Given = b""
) -> bytes:
    """An UNSUBSCRIBE."""
    payload = b"".join(map(sized, filters))
    return packet(0xA2, two(packet_id) + properties(version, props) + payload)


PINGREQ: Final = b"\xc0\x00"
PINGRESP: Final = b"\xd0\x00"


def disconnect(version: Version, reason_code: int | None = None, props: Given = b"") -> bytes:
    """A DISCONNECT; the short form unless there is a reason code."""
    if reason_code is None:
        return b"\xe0\x00"
    return packet(0xE0, bytes((reason_code,)) + (properties(version, props) if props else b""))


def auth(reason_code: int, props: Given = b"") -> bytes:
    """An AUTH, which only version 5 has."""
    return packet(0xF0, bytes((reason_code,)) + properties(5, props))
