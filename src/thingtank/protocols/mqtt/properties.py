"""Properties: what they are called, where they may stand, how they are read and written.

Source: MQTT 5, 2.2.2, and the section "Properties" of each packet.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import msgspec

from thingtank.protocols.mqtt.errors import LocalProtocolError, MalformedPacket, ProtocolError
from thingtank.protocols.mqtt.octets import (
    Reader,
    read_binary,
    read_byte,
    read_four_byte_integer,
    read_name,
    read_pair,
    read_text,
    read_two_byte_integer,
    read_variable,
    serialize_binary,
    serialize_byte,
    serialize_four_byte_integer,
    serialize_pair,
    serialize_text,
    serialize_two_byte_integer,
    serialize_variable,
)
from thingtank.protocols.mqtt.packet_types import PacketType
from thingtank.protocols.mqtt.reason_codes import ReasonCode


class Properties(msgspec.Struct, frozen=True, gc=False):
    """The properties of one packet; None and () where they were not sent."""

    payload_format_indicator: int | None = None
    message_expiry_interval: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    subscription_identifiers: tuple[int, ...] = ()
    session_expiry_interval: int | None = None
    assigned_client_identifier: str | None = None
    server_keep_alive: int | None = None
    authentication_method: str | None = None
    authentication_data: bytes | None = None
    request_problem_information: int | None = None
    will_delay_interval: int | None = None
    request_response_information: int | None = None
    response_information: str | None = None
    server_reference: str | None = None
    reason_string: str | None = None
    receive_maximum: int | None = None
    topic_alias_maximum: int | None = None
    topic_alias: int | None = None
    maximum_qos: int | None = None
    retain_available: int | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    maximum_packet_size: int | None = None
    wildcard_subscription_available: int | None = None
    subscription_identifier_available: int | None = None
    shared_subscription_available: int | None = None


NO_PROPERTIES = Properties()

# A packet can carry some 50,000 of them in the 256 MB that it may have.
USER_PROPERTIES_MAX = 1000

_SUBSCRIPTION_IDENTIFIERS = "subscription_identifiers"
_USER_PROPERTIES = "user_properties"


class _Property(NamedTuple):
    identifier: int
    field: str
    packets: frozenset[PacketType]
    read: Reader[Any]
    serialize: Callable[[Any], bytes]
    is_in_range: Callable[[Any], bool] | None


def _is_bit(value: int) -> bool:
    return value <= 1


def _is_positive(value: int) -> bool:
    return value > 0


def _is_response_topic(topic: str) -> bool:
    return bool(topic) and "+" not in topic and "#" not in topic  # [MQTT-3.3.2-14]


_TYPES: dict[str, tuple[Reader[Any], Callable[[Any], bytes]]] = {
    "byte": (read_byte, serialize_byte),
    "two": (read_two_byte_integer, serialize_two_byte_integer),
    "four": (read_four_byte_integer, serialize_four_byte_integer),
    "variable": (read_variable, serialize_variable),
    "binary": (read_binary, serialize_binary),
    "text": (read_text, serialize_text),
    "name": (read_name, serialize_text),
    "pair": (read_pair, serialize_pair),
}

_ALL = (
    "CONNECT CONNACK PUBLISH WILL PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE "
    "UNSUBACK DISCONNECT AUTH"
)
_TELLING = "CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH"


def _property(
    identifier: int,
    field: str,
    type_name: str,
    packets: str,
    is_in_range: Callable[[Any], bool] | None = None,
) -> _Property:
    places = frozenset(PacketType[name] for name in packets.split())
    return _Property(identifier, field, places, *_TYPES[type_name], is_in_range)


# 2.2.2.2, table 2-4; in the order they are written in.
_PROPERTIES = (
    _property(0x11, "session_expiry_interval", "four", "CONNECT CONNACK DISCONNECT"),
    _property(0x12, "assigned_client_identifier", "name", "CONNACK"),
    _property(0x13, "server_keep_alive", "two", "CONNACK"),
    _property(0x22, "topic_alias_maximum", "two", "CONNECT CONNACK"),
    _property(0x27, "maximum_packet_size", "four", "CONNECT CONNACK", _is_positive),
    _property(0x21, "receive_maximum", "two", "CONNECT CONNACK", _is_positive),
    _property(0x24, "maximum_qos", "byte", "CONNACK", _is_bit),
    _property(0x25, "retain_available", "byte", "CONNACK", _is_bit),
    _property(0x28, "wildcard_subscription_available", "byte", "CONNACK", _is_bit),
    _property(0x29, "subscription_identifier_available", "byte", "CONNACK", _is_bit),
    _property(0x2A, "shared_subscription_available", "byte", "CONNACK", _is_bit),
    _property(0x17, "request_problem_information", "byte", "CONNECT", _is_bit),
    _property(0x19, "request_response_information", "byte", "CONNECT", _is_bit),
    _property(0x1A, "response_information", "text", "CONNACK"),
    _property(0x1C, "server_reference", "text", "CONNACK DISCONNECT"),
    _property(0x15, "authentication_method", "text", "CONNECT CONNACK AUTH"),
    _property(0x16, "authentication_data", "binary", "CONNECT CONNACK AUTH"),
    _property(0x18, "will_delay_interval", "four", "WILL"),
    _property(0x23, "topic_alias", "two", "PUBLISH", _is_positive),
    _property(0x02, "message_expiry_interval", "four", "PUBLISH WILL"),
    _property(0x0B, _SUBSCRIPTION_IDENTIFIERS, "variable", "PUBLISH SUBSCRIBE", _is_positive),
    _property(0x01, "payload_format_indicator", "byte", "PUBLISH WILL", _is_bit),
    _property(0x03, "content_type", "text", "PUBLISH WILL"),
    _property(0x08, "response_topic", "name", "PUBLISH WILL", _is_response_topic),
    _property(0x09, "correlation_data", "binary", "PUBLISH WILL"),
    _property(0x1F, "reason_string", "text", _TELLING),
    _property(0x26, _USER_PROPERTIES, "pair", _ALL),
)
_BY_IDENTIFIER = {each.identifier: each for each in _PROPERTIES}
# All identifiers are below 0x80, so that their first octet is all of them.
_ALLOWED = {
    packet: {each.identifier: each for each in _PROPERTIES if packet in each.packets}
    for packet in PacketType
}
_REPEATED = frozenset({_USER_PROPERTIES, _SUBSCRIPTION_IDENTIFIERS})
# 3.3.2.3: what is passed on unaltered; the expiry interval is lowered, the rest is for one hop.
_FORWARDED = tuple(_BY_IDENTIFIER[each] for each in (0x01, 0x03, 0x08, 0x09, 0x26))

# 2.2.2.2 calls a property that its packet may not have malformed. Mosquitto answers so for
# these, and with Protocol Error for the rest; its packet suite asks for both.
_STRICT_PACKETS = frozenset({PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE})


def parse_properties(data: bytes, at: int, packet: PacketType) -> tuple[Properties, int]:
    """Read property length and properties.

    Args:
        at: where the length begins.
        packet: whose they are, or WILL.

    Returns:
        Them, and where what follows begins.

    Raises:
        MalformedPacket: cut off, unknown, or of wrong form.
        ProtocolError: twice, out of range, or not for this packet.

    Source: MQTT 5, 2.2.2.
    """
    if at < len(data) and not data[at]:
        return NO_PROPERTIES, at + 1
    length, at = read_variable(data, at, len(data))
    end = at + length
    if end > len(data):
        raise MalformedPacket(f"properties of {length} octets are cut off (2.2.2.1)")
    return _parse_fields(data, at, end, packet), end


def _parse_fields(data: bytes, at: int, end: int, packet: PacketType) -> Properties:
    allowed = _ALLOWED[packet]
    found: dict[str, Any] = {}
    while at < end:
        known = allowed.get(data[at])
        if known is None:
            _refuse(data, at, end, packet)
        _, field, _, read, _, is_in_range = known
        value, at = read(data, at + 1, end)
        if is_in_range is not None and not is_in_range(value):
            raise ProtocolError(f"property {field} may not be {value!r}")
        if field in _REPEATED:
            found.setdefault(field, []).append(value)
        elif field in found:
            raise ProtocolError(f"property {field} twice (2.2.2.2)")
        else:
            found[field] = value
    _finish(found, packet)
    return Properties(**found)


def _refuse(data: bytes, at: int, end: int, packet: PacketType) -> NoReturn:
    """Say what is wrong with a property that this packet may not have."""
    identifier, at = read_variable(data, at, end)
    known = _BY_IDENTIFIER.get(identifier)
    if known is None:
        raise MalformedPacket(f"unknown property 0x{identifier:02X} (2.2.2.2)")
    known.read(data, at, end)  # what is cut off is malformed, whatever it is
    text = f"property {known.field} in {packet.name} (2.2.2.2)"
    raise MalformedPacket(text) if packet in _STRICT_PACKETS else ProtocolError(text)


def _finish(found: dict[str, Any], packet: PacketType) -> None:
    if (pairs := found.get(_USER_PROPERTIES)) is not None:
        if len(pairs) > USER_PROPERTIES_MAX:
            text = f"more than {USER_PROPERTIES_MAX} user properties"
            raise ProtocolError(text, reason_code=ReasonCode.QUOTA_EXCEEDED)
        found[_USER_PROPERTIES] = tuple(pairs)
    if (identifiers := found.get(_SUBSCRIPTION_IDENTIFIERS)) is not None:
        if len(identifiers) > 1 and packet is PacketType.SUBSCRIBE:
            raise ProtocolError("property subscription_identifiers twice (3.8.2.1.2)")
        found[_SUBSCRIPTION_IDENTIFIERS] = tuple(identifiers)
    if "authentication_data" in found and "authentication_method" not in found:
        raise ProtocolError("authentication_data without authentication_method (3.1.2.11.10)")


def serialize_properties(properties: Properties, packet: PacketType) -> bytes:
    """Write property length and properties.

    Raises:
        LocalProtocolError: one is out of range, or not for this packet.
    """
    if properties is NO_PROPERTIES:
        return b"\0"
    octets = b"".join(_serialized(properties, _PROPERTIES, packet))
    return serialize_variable(len(octets)) + octets


def forwarded_properties(properties: Properties) -> bytes:
    """Write what every receiver of a message gets unaltered, without a length.

    That is what `Message.properties` holds: payload format indicator, content type, response
    topic, correlation data, and user properties in their order.

    Source: MQTT 5, 3.3.2.3; [MQTT-3.3.2-4], [MQTT-3.3.2-15] to [MQTT-3.3.2-20].
    """
    if properties is NO_PROPERTIES:
        return b""
    return b"".join(_serialized(properties, _FORWARDED, PacketType.PUBLISH))


def parse_forwarded_properties(octets: bytes) -> Properties:
    """Read what `forwarded_properties` has written."""
    if not octets:
        return NO_PROPERTIES
    return _parse_fields(octets, 0, len(octets), PacketType.PUBLISH)


def _serialized(
    properties: Properties, which: tuple[_Property, ...], packet: PacketType
) -> list[bytes]:
    octets: list[bytes] = []
    for known in which:
        value = getattr(properties, known.field)
        if value is None:
            continue
        for each in value if known.field in _REPEATED else (value,):
            is_in_range = known.is_in_range is None or known.is_in_range(each)
            if packet not in known.packets or not is_in_range:
                raise LocalProtocolError(f"{packet.name} may not have {known.field}={each!r}")
            octets += (serialize_byte(known.identifier), known.serialize(each))
    return octets
