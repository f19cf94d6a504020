"""From the octets of one packet to what it says, as a server receives it.

The length comes first (`read_length`), then the packet as soon as all of it is there:
`parse_connect` for the first one, `parse` for those after it. What a client receives is for
`client_parser`.

Which of Malformed Packet and Protocol Error is answered follows the standard where it decides,
and Mosquitto where it leaves the choice (MQTT 5, 4.13.1 and 2.1.3): its packet suite asks for it.

Source: MQTT 5, 2 and 3; MQTT 3.1.1, 2 and 3.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn

from thingtank.protocols.mqtt.connect_parser import parse_connect
from thingtank.protocols.mqtt.errors import MalformedPacket, MqttError, ProtocolError
from thingtank.protocols.mqtt.messages import RetainHandling, Subscription
from thingtank.protocols.mqtt.octets import read_byte, read_text, text_of
from thingtank.protocols.mqtt.packet_types import PacketType
from thingtank.protocols.mqtt.packets import (
    Auth,
    ClientPacket,
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
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties, parse_properties
from thingtank.protocols.mqtt.reason_codes import (
    AUTH_CODES_OF_CLIENTS,
    DISCONNECT_CODES_OF_CLIENTS,
    REASON_CODES,
    ReasonCode,
)
from thingtank.protocols.mqtt.topics import check_topic_filter, check_topic_name

__all__ = [
    "check_first_octet",
    "parse",
    "parse_connect",
    "parse_puback",
    "parse_pubcomp",
    "parse_publish",
    "parse_pubrec",
    "parse_pubrel",
    "read_last_properties",
    "read_length",
    "read_packet_id",
    "read_reason_code",
]

Acknowledgement = Puback | Pubrec | Pubrel | Pubcomp

_PINGREQ = Pingreq()


def read_length(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Read the remaining length.

    Args:
        data: what has been received.
        at: the octet after the first of the packet.

    Returns:
        The length and where the body begins; None where more has to be received to know.

    Raises:
        MalformedPacket: it has more than four octets.

    Source: MQTT 5, 2.1.4; MQTT 3.1.1, 2.2.3. Longer encodings than needed are taken: 3.1 and
    3.1.1 allow them, and there are modems that leave room for the largest.
    """
    end = len(data)
    if at >= end:
        return None
    octet = data[at]
    if octet < 0x80:
        return octet, at + 1
    length = octet & 0x7F
    for place in range(1, 4):
        if at + place >= end:
            return None
        octet = data[at + place]
        length |= (octet & 0x7F) << 7 * place
        if octet < 0x80:
            return length, at + place + 1
    raise MalformedPacket("remaining length of more than 4 octets (2.1.4)", is_told=False)


def check_first_octet(first_octet: int, version: int | None) -> None:
    """Refuse what no packet can begin with, before its length is known.

    Args:
        version: None before CONNECT.

    Raises:
        ProtocolError: it is the reserved type 0, or anything but CONNECT comes first.

    Source: MQTT 5, 2.1.2; [MQTT-3.1.0-1].
    """
    if version is None:
        if first_octet >> 4 != PacketType.CONNECT:
            raise ProtocolError("the first packet is not CONNECT [MQTT-3.1.0-1]", is_told=False)
    elif first_octet < 0x10:
        raise ProtocolError("packet type 0 is reserved (2.1.2)")


def parse(first_octet: int, body: bytes, version: int) -> ClientPacket:
    """Read a packet after CONNECT.

    Args:
        first_octet: packet type and flags.
        body: all after the remaining length.
        version: as CONNECT had it.

    Raises:
        MqttError: it may not be received by a server, or not like this.
    """
    return _PARSERS[first_octet >> 4](first_octet & 0x0F, body, version)


def parse_publish(flags: int, body: bytes, version: int, is_from_client: bool = True) -> Publish:
    """Read a PUBLISH (3.3).

    This is the one packet whose cost counts, so that what has calls elsewhere is written out here.
    """
    qos = flags >> 1 & 3
    if qos == 3:
        raise MalformedPacket("QoS 3 [MQTT-3.3.1-4]")
    if flags > 7 and not qos and version > 3:
        raise MalformedPacket("DUP with QoS 0 [MQTT-3.3.1-2]")
    size = len(body)
    if size < 2 or size < (at := (body[0] << 8 | body[1]) + 2):
        raise MalformedPacket("topic name is cut off (3.3.2.1)")
    topic_octets = body[2:at]
    packet_id = 0
    if qos:
        packet_id, at = read_packet_id(body, at)
        if not packet_id:
            raise ProtocolError("packet identifier 0 [MQTT-2.2.1-3]")
    properties = NO_PROPERTIES
    if version == 5:
        if at < size and not body[at]:
            at += 1
        else:
            properties, at = parse_properties(body, at, PacketType.PUBLISH)
            if is_from_client and properties.subscription_identifiers:
                raise ProtocolError("subscription identifier from a client [MQTT-3.3.4-6]")
    if not topic_octets and properties.topic_alias is not None:
        topic = ""
    elif len(topic_octets) > _REMEMBERED_BYTES_MAX:
        topic = _topic_name(topic_octets)
    else:
        topic = _remembered_topic_name(topic_octets)
    return Publish(topic, body[at:], qos, flags & 1 == 1, flags > 7, packet_id, properties)


def _topic_name(octets: bytes) -> str:
    topic = text_of(octets)
    check_topic_name(topic)
    return topic


# A device publishes to the same few topics again and again: they are decoded and checked once, and
# the tables that they are looked up in find their hashes made. At most 2 MB.
_REMEMBERED_BYTES_MAX = 128
_remembered_topic_name = lru_cache(maxsize=8192)(_topic_name)


def read_packet_id(body: bytes, at: int) -> tuple[int, int]:
    """Read a packet identifier (2.2.1); whoever calls says what 0 is."""
    if at + 2 > len(body):
        raise MalformedPacket("packet identifier is cut off (2.2.1)")
    return body[at] << 8 | body[at + 1], at + 2


def _acknowledgement_parser(
    packet_type: PacketType,
    made: Callable[[int, ReasonCode, Properties], Acknowledgement],
    flags_error: type[MqttError],
) -> Callable[[int, bytes, int], Acknowledgement]:
    codes = REASON_CODES[packet_type]
    name = packet_type.name
    wanted = 2 if packet_type is PacketType.PUBREL else 0

    def parse_this(flags: int, body: bytes, version: int) -> Acknowledgement:
        # MQTT 3.1 sends PUBREL again with DUP set.
        if flags != wanted and not (version == 3 and wanted and flags == 10):
            raise flags_error(f"flags {flags:04b} of {name} [MQTT-2.1.3-1]")
        if len(body) == 2:
            packet_id = body[0] << 8 | body[1]
            reason_code, properties = ReasonCode.SUCCESS, NO_PROPERTIES
        else:
            packet_id, reason_code, properties = rest(body, version)
        if not packet_id:
            raise ProtocolError("packet identifier 0 [MQTT-2.2.1-3]")
        return made(packet_id, reason_code, properties)

    def rest(body: bytes, version: int) -> tuple[int, ReasonCode, Properties]:
        packet_id, at = read_packet_id(body, 0)
        if version < 5:
            raise MalformedPacket(f"{len(body)} octets in {name}, which has 2")
        reason_code = read_reason_code(body[at], codes, name)
        properties = read_last_properties(body, at + 1, packet_type)
        return packet_id, reason_code, properties

    return parse_this


def read_reason_code(octet: int, codes: dict[int, ReasonCode], name: str) -> ReasonCode:
    """Look a reason code up among those that a packet may have (2.4).

    Raises:
        ProtocolError: it is none of them.
    """
    reason_code = codes.get(octet)
    if reason_code is None:
        raise ProtocolError(f"reason code 0x{octet:02X} in {name} (2.4)")
    return reason_code


def read_last_properties(body: bytes, at: int, packet_type: PacketType) -> Properties:
    """Read the properties that a packet ends with, and may leave out (3.4.2.2.1).

    Raises:
        MqttError: of the properties, or where something follows them.
    """
    if at == len(body):
        return NO_PROPERTIES
    properties, at = parse_properties(body, at, packet_type)
    if at != len(body):
        raise MalformedPacket(f"{len(body) - at} octets after the end of {packet_type.name}")
    return properties


def _read_request_head(
    flags: int, body: bytes, version: int, packet_type: PacketType
) -> tuple[int, Properties, int]:
    """Read what SUBSCRIBE and UNSUBSCRIBE begin with."""
    name = packet_type.name
    # MQTT 3.1 sends them again with DUP set.
    if flags != 2 and not (version == 3 and flags == 10):
        raise MalformedPacket(f"flags {flags:04b} of {name} [MQTT-3.8.1-1], [MQTT-3.10.1-1]")
    packet_id, at = read_packet_id(body, 0)
    if not packet_id:
        raise MalformedPacket("packet identifier 0 [MQTT-2.2.1-3]")
    properties = NO_PROPERTIES
    if version == 5:
        properties, at = parse_properties(body, at, packet_type)
    if at == len(body):
        raise MalformedPacket(f"{name} without a topic filter [MQTT-3.8.3-2], [MQTT-3.10.3-2]")
    return packet_id, properties, at


def _read_topic_filter(body: bytes, at: int) -> tuple[str, int]:
    topic_filter, at = read_text(body, at, len(body))
    check_topic_filter(topic_filter)
    return topic_filter, at


def _parse_subscribe(flags: int, body: bytes, version: int) -> Subscribe:
    packet_id, properties, at = _read_request_head(flags, body, version, PacketType.SUBSCRIBE)
    identifier = (properties.subscription_identifiers or (0,))[0]
    filters = []
    while at < len(body):
        topic_filter, at = _read_topic_filter(body, at)
        options, at = read_byte(body, at, len(body))
        filters.append(_subscription(topic_filter, options, identifier, version))
    return Subscribe(packet_id, tuple(filters), properties)


def _subscription(topic_filter: str, options: int, identifier: int, version: int) -> Subscription:
    qos = options & 3
    retain_handling = options >> 4 & 3
    if options & (0xC0 if version == 5 else 0xFC):
        raise MalformedPacket(f"reserved subscription options 0x{options:02X} [MQTT-3.8.3-5]")
    if qos == 3 or retain_handling == 3:
        raise MalformedPacket("QoS 3 or retain handling 3 (3.8.3.1)")
    no_local = bool(options & 4)
    if no_local and topic_filter.startswith("$share/"):
        raise ProtocolError("No Local on a shared subscription [MQTT-3.8.3-4]")
    return Subscription(
        topic_filter,
        qos,
        no_local,
        bool(options & 8),
        _RETAIN_HANDLINGS[retain_handling],
        identifier,
    )


_RETAIN_HANDLINGS = tuple(RetainHandling)


def _parse_unsubscribe(flags: int, body: bytes, version: int) -> Unsubscribe:
    packet_id, properties, at = _read_request_head(flags, body, version, PacketType.UNSUBSCRIBE)
    topic_filters = []
    while at < len(body):
        topic_filter, at = _read_topic_filter(body, at)
        topic_filters.append(topic_filter)
    return Unsubscribe(packet_id, tuple(topic_filters), properties)


def _parse_pingreq(flags: int, body: bytes, version: int) -> Pingreq:
    if flags:
        raise MalformedPacket("flags of PINGREQ [MQTT-2.1.3-1]")
    if body:
        raise MalformedPacket("PINGREQ has no octets (3.12)", is_told=False)
    return _PINGREQ


def _parse_disconnect(flags: int, body: bytes, version: int) -> Disconnect:
    if flags:
        raise ProtocolError("flags of DISCONNECT [MQTT-3.14.1-1]")
    if not body:
        return Disconnect()
    if version < 5:
        raise MalformedPacket("DISCONNECT has no octets (3.14)")
    reason_code = DISCONNECT_CODES_OF_CLIENTS.get(body[0])
    if reason_code is None:
        text = f"reason code 0x{body[0]:02X} in DISCONNECT of a client (3.14.2.1)"
        raise ProtocolError(text, is_told=False)
    return Disconnect(reason_code, read_last_properties(body, 1, PacketType.DISCONNECT))


def _parse_auth(flags: int, body: bytes, version: int) -> Auth:
    if flags:
        raise ProtocolError("flags of AUTH [MQTT-3.15.1-1]")
    if version < 5:
        raise ProtocolError("AUTH is of MQTT 5")
    if not body:
        raise ProtocolError("AUTH of a client without a reason code (3.15.2.1)")
    reason_code = read_reason_code(body[0], AUTH_CODES_OF_CLIENTS, "AUTH of a client")
    properties = read_last_properties(body, 1, PacketType.AUTH)
    if properties.authentication_method is None:
        raise ProtocolError("AUTH without an authentication method (3.15.2.2.2)")
    return Auth(reason_code, properties)


def _refusal(packet_type: PacketType) -> Callable[[int, bytes, int], NoReturn]:
    """Refuse what only servers send."""

    def parse_this(flags: int, body: bytes, version: int) -> NoReturn:
        if flags and packet_type is not PacketType.CONNACK:
            raise MalformedPacket(f"flags of {packet_type.name} [MQTT-2.1.3-1]")
        is_told = not body or packet_type is not PacketType.PINGRESP
        raise ProtocolError(f"{packet_type.name} is not for servers (2.1.2)", is_told=is_told)

    return parse_this


def _parse_second_connect(flags: int, body: bytes, version: int) -> NoReturn:
    raise ProtocolError("a second CONNECT [MQTT-3.1.0-2]")


def _parse_reserved(flags: int, body: bytes, version: int) -> NoReturn:
    raise ProtocolError("packet type 0 is reserved (2.1.2)")


parse_puback = _acknowledgement_parser(PacketType.PUBACK, Puback, MalformedPacket)
parse_pubrec = _acknowledgement_parser(PacketType.PUBREC, Pubrec, MalformedPacket)
parse_pubrel = _acknowledgement_parser(PacketType.PUBREL, Pubrel, ProtocolError)
parse_pubcomp = _acknowledgement_parser(PacketType.PUBCOMP, Pubcomp, MalformedPacket)

_PARSERS: tuple[Callable[[int, bytes, int], ClientPacket], ...] = (
    _parse_reserved,
    _parse_second_connect,
    _refusal(PacketType.CONNACK),
    parse_publish,
    parse_puback,
    parse_pubrec,
    parse_pubrel,
    parse_pubcomp,
    _parse_subscribe,
    _refusal(PacketType.SUBACK),
    _parse_unsubscribe,
    _refusal(PacketType.UNSUBACK),
    _parse_pingreq,
    _refusal(PacketType.PINGRESP),
    _parse_disconnect,
    _parse_auth,
)
