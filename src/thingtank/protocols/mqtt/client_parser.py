"""From the octets of one packet to what it says, as a client receives it.

Source: MQTT 5, 2 and 3; MQTT 3.1.1, 2 and 3.
"""

from collections.abc import Callable
from typing import NoReturn

from thingtank.protocols.mqtt.errors import MalformedPacket, ProtocolError
from thingtank.protocols.mqtt.packet_types import PacketType
from thingtank.protocols.mqtt.packets import (
    Auth,
    Connack,
    Disconnect,
    Pingresp,
    Publish,
    ServerPacket,
    Suback,
    Unsuback,
)
from thingtank.protocols.mqtt.parser import (
    parse_puback,
    parse_pubcomp,
    parse_publish,
    parse_pubrec,
    parse_pubrel,
    read_last_properties,
    read_packet_id,
    read_reason_code,
)
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties, parse_properties
from thingtank.protocols.mqtt.reason_codes import REASON_CODES, ReasonCode, connack_reason_code

# MQTT 3.1.1, 3.9.3.
_SUBACK_CODES_OF_3_1_1 = {
    code: ReasonCode(code) for code in (0, 1, 2, int(ReasonCode.UNSPECIFIED_ERROR))
}


def parse_from_server(first_octet: int, body: bytes, version: int) -> ServerPacket:
    """Read a packet that a server has sent.

    Args:
        first_octet: packet type and flags.
        body: all after the remaining length.
        version: that CONNECT asked for.

    Raises:
        MqttError: it may not be received by a client, or not like this.
    """
    return _PARSERS[first_octet >> 4](first_octet & 0x0F, body, version)


def _check_flags(flags: int, packet_type: PacketType) -> None:
    if flags:
        raise MalformedPacket(f"flags {flags:04b} of {packet_type.name} [MQTT-2.1.3-1]")


def _parse_connack(flags: int, body: bytes, version: int) -> Connack:
    _check_flags(flags, PacketType.CONNACK)
    if len(body) < 2 or (version < 5 and len(body) > 2):
        raise MalformedPacket(f"CONNACK of {len(body)} octets (3.2)")
    if version > 3 and body[0] > 1:
        raise MalformedPacket("reserved acknowledge flags (3.2.2.1)")
    reason_code, properties = _connack_outcome(body, version)
    is_present = version > 3 and bool(body[0])
    if is_present and reason_code:
        raise ProtocolError("session present in a refusal [MQTT-3.2.2-6]")
    return Connack(is_present, reason_code, properties)


def _connack_outcome(body: bytes, version: int) -> tuple[ReasonCode, Properties]:
    # A server that does not speak this version may answer in the form of another.
    if version < 5 or len(body) == 2:
        reason_code = connack_reason_code(body[1])
        if reason_code is None:
            raise ProtocolError(f"return code {body[1]} in CONNACK (3.1.1, 3.2.2.3)")
        if version == 5 and not reason_code:
            raise MalformedPacket("CONNACK without properties (3.2.2.3)")
        return reason_code, NO_PROPERTIES
    reason_code = read_reason_code(body[1], REASON_CODES[PacketType.CONNACK], "CONNACK")
    return reason_code, read_last_properties(body, 2, PacketType.CONNACK)


def _read_head(
    flags: int, body: bytes, version: int, packet_type: PacketType
) -> tuple[int, Properties, int]:
    _check_flags(flags, packet_type)
    packet_id, at = read_packet_id(body, 0)
    if not packet_id:
        raise ProtocolError("packet identifier 0 [MQTT-2.2.1-3]")
    properties = NO_PROPERTIES
    if version == 5:
        properties, at = parse_properties(body, at, packet_type)
    return packet_id, properties, at


def _parse_publish(flags: int, body: bytes, version: int) -> Publish:
    return parse_publish(flags, body, version, is_from_client=False)


def _parse_suback(flags: int, body: bytes, version: int) -> Suback:
    packet_id, properties, at = _read_head(flags, body, version, PacketType.SUBACK)
    if at == len(body):
        raise MalformedPacket("SUBACK without a reason code (3.9.3)")
    allowed = REASON_CODES[PacketType.SUBACK] if version == 5 else _SUBACK_CODES_OF_3_1_1
    codes = tuple(read_reason_code(each, allowed, "SUBACK") for each in body[at:])
    return Suback(packet_id, codes, properties)


def _parse_unsuback(flags: int, body: bytes, version: int) -> Unsuback:
    packet_id, properties, at = _read_head(flags, body, version, PacketType.UNSUBACK)
    if (at == len(body)) is (version == 5):
        raise MalformedPacket(f"UNSUBACK of {len(body)} octets (3.11)")
    allowed = REASON_CODES[PacketType.UNSUBACK]
    codes = tuple(read_reason_code(each, allowed, "UNSUBACK") for each in body[at:])
    return Unsuback(packet_id, codes, properties)


def _parse_pingresp(flags: int, body: bytes, version: int) -> Pingresp:
    _check_flags(flags, PacketType.PINGRESP)
    if body:
        raise MalformedPacket("PINGRESP has no octets (3.13)")
    return Pingresp()


def _parse_disconnect(flags: int, body: bytes, version: int) -> Disconnect:
    _check_flags(flags, PacketType.DISCONNECT)
    if version < 5:
        raise ProtocolError("DISCONNECT is not for clients (3.1.1, 3.14)")
    if not body:
        return Disconnect()
    reason_code = read_reason_code(body[0], REASON_CODES[PacketType.DISCONNECT], "DISCONNECT")
    return Disconnect(reason_code, read_last_properties(body, 1, PacketType.DISCONNECT))


def _parse_auth(flags: int, body: bytes, version: int) -> Auth:
    _check_flags(flags, PacketType.AUTH)
    if version < 5:
        raise ProtocolError("AUTH is of MQTT 5")
    if not body:
        return Auth()
    reason_code = read_reason_code(body[0], REASON_CODES[PacketType.AUTH], "AUTH")
    return Auth(reason_code, read_last_properties(body, 1, PacketType.AUTH))


def _refuse(flags: int, body: bytes, version: int) -> NoReturn:
    raise ProtocolError("a packet that is not for clients (2.1.2)")


_PARSERS: tuple[Callable[[int, bytes, int], ServerPacket], ...] = (
    _refuse,
    _refuse,
    _parse_connack,
    _parse_publish,
    parse_puback,
    parse_pubrec,
    parse_pubrel,
    parse_pubcomp,
    _refuse,
    _parse_suback,
    _refuse,
    _parse_unsuback,
    _refuse,
    _parse_pingresp,
    _parse_disconnect,
    _parse_auth,
)
