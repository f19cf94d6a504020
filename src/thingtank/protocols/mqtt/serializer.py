"""From packets to octets: all that a server or a client sends.

`serialize` takes any packet. Messages on their way to many receivers use `serialize_publish`, which
takes what has been encoded before, and acknowledgements without a reason `acknowledgement`.

Source: MQTT 5, 2 and 3; MQTT 3.1.1, 2 and 3.
"""

from collections.abc import Callable
from typing import Any

from thingtank.protocols.mqtt.errors import LocalProtocolError
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.octets import (
    STRING_BYTES_MAX,
    serialize_binary,
    serialize_text,
    serialize_variable,
)
from thingtank.protocols.mqtt.packet_types import PacketType
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
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties, serialize_properties
from thingtank.protocols.mqtt.reason_codes import REASON_CODES, ReasonCode, connack_return_code

PUBACK_OCTET = 0x40
PUBREC_OCTET = 0x50
PUBREL_OCTET = 0x62
PUBCOMP_OCTET = 0x70
PINGREQ_OCTETS = b"\xc0\0"
PINGRESP_OCTETS = b"\xd0\0"

_NAMES = {3: b"\0\6MQIsdp\3", 4: b"\0\4MQTT\4", 5: b"\0\4MQTT\5"}


def serialize(packet: Packet, version: int) -> bytes:
    """Write a packet.

    Args:
        version: 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0; CONNECT has its own.

    Raises:
        LocalProtocolError: it has no form in this version, or holds what it may not.
    """
    return _SERIALIZERS[type(packet)](packet, version)


def acknowledgement(first_octet: int, packet_id: int) -> bytes:
    """Write PUBACK, PUBREC, PUBREL or PUBCOMP that says success, of any version.

    Args:
        first_octet: PUBACK_OCTET and so on.
    """
    return bytes((first_octet, 2, packet_id >> 8, packet_id & 0xFF))


def publish_octet(qos: int, is_retain: bool = False, is_dup: bool = False) -> int:
    """Say the first octet of a PUBLISH (3.3.1)."""
    return 0x30 | is_dup << 3 | qos << 1 | is_retain


def serialize_publish(
    topic: bytes, payload: bytes, first_octet: int, packet_id: int, properties: bytes | None
) -> bytes:
    """Write a PUBLISH of parts that have been checked.

    Args:
        topic: in UTF-8, of at most 65,535 octets.
        first_octet: as `publish_octet` says it.
        packet_id: 0 for QoS 0.
        properties: encoded without their length; None for versions 3 and 4.
    """
    head = len(topic).to_bytes(2, "big") + topic
    if packet_id:
        head += packet_id.to_bytes(2, "big")
    if properties is not None:
        size = len(properties)
        head += (bytes((size,)) if size < 0x80 else serialize_variable(size)) + properties
    length = len(head) + len(payload)
    if length < 0x80:
        return bytes((first_octet, length)) + head + payload
    if length < 0x4000:
        return bytes((first_octet, length & 0x7F | 0x80, length >> 7)) + head + payload
    return bytes((first_octet,)) + serialize_variable(length) + head + payload


def _framed(first_octet: int, body: bytes) -> bytes:
    return bytes((first_octet,)) + serialize_variable(len(body)) + body


def _serialize_connect(packet: Connect, version: int) -> bytes:
    version = packet.protocol_version
    if version not in _NAMES:
        raise LocalProtocolError(f"MQTT version {version}")
    will = packet.will
    body = [
        _NAMES[version],
        bytes((_connect_flags(packet),)),
        packet.keep_alive_s.to_bytes(2, "big"),
        _properties(packet.properties, PacketType.CONNECT, version),
        serialize_text(packet.client_id),
        _serialize_will(will, version) if will else b"",
        b"" if packet.user_name is None else serialize_text(packet.user_name),
        b"" if packet.password is None else serialize_binary(packet.password),
    ]
    return _framed(0x10, b"".join(body))


def _connect_flags(packet: Connect) -> int:
    has_user_name = packet.user_name is not None
    has_password = packet.password is not None
    if has_password and not has_user_name and packet.protocol_version < 5:
        raise LocalProtocolError("password without user name [MQTT-3.1.2-22]")
    flags = has_user_name << 7 | has_password << 6 | packet.clean_start << 1
    if packet.will:
        flags |= packet.will.retain << 5 | _checked_qos(packet.will.qos) << 3 | 4
    return flags


def _checked_qos(qos: int) -> int:
    if not 0 <= qos <= 2:
        raise LocalProtocolError(f"QoS {qos}")
    return qos


def _serialize_will(will: ConnectWill, version: int) -> bytes:
    properties = _properties(will.properties, PacketType.WILL, version)
    return properties + serialize_text(will.topic) + serialize_binary(will.payload)


def _properties(properties: Properties, packet_type: PacketType, version: int) -> bytes:
    """Write them with their length; nothing before MQTT 5, which had none."""
    if version == 5:
        return serialize_properties(properties, packet_type)
    if properties is not NO_PROPERTIES and properties != NO_PROPERTIES:
        raise LocalProtocolError(f"properties in version {version}")
    return b""


def _serialize_connack(packet: Connack, version: int) -> bytes:
    code = packet.reason_code
    if packet.session_present and code:
        raise LocalProtocolError("session present in a refusal [MQTT-3.2.2-6]")
    if version == 5:
        _check_code(code, PacketType.CONNACK)
        properties = serialize_properties(packet.properties, PacketType.CONNACK)
        return _framed(0x20, bytes((packet.session_present, code)) + properties)
    return_code = connack_return_code(code)
    if return_code is None:
        raise LocalProtocolError(f"CONNACK of version {version} for {code.name}")
    # MQTT 3.1, 3.2: the octet is reserved there, and not used.
    return bytes((0x20, 2, packet.session_present and version > 3, return_code))


def _check_code(code: int, packet_type: PacketType) -> None:
    if code not in REASON_CODES[packet_type]:
        raise LocalProtocolError(f"reason code 0x{code:02X} in {packet_type.name} (2.4)")


def _serialize_publish(packet: Publish, version: int) -> bytes:
    topic = packet.topic.encode()
    if len(topic) > STRING_BYTES_MAX:
        raise LocalProtocolError(f"topic name of {len(topic)} octets")
    if _checked_qos(packet.qos):
        _check_packet_id(packet.packet_id)
    first_octet = publish_octet(packet.qos, packet.retain, packet.dup)
    packet_id = packet.packet_id if packet.qos else 0
    octets = _properties(packet.properties, PacketType.PUBLISH, version) + packet.payload
    # `octets` begin with the property length, which is all the same to who only joins them.
    return serialize_publish(topic, octets, first_octet, packet_id, None)


def _check_packet_id(packet_id: int) -> None:
    if not 0 < packet_id < 0x10000:
        raise LocalProtocolError(f"packet identifier {packet_id} [MQTT-2.2.1-3]")


Acknowledgement = Puback | Pubrec | Pubrel | Pubcomp


def _acknowledgement_serializer(
    packet_type: PacketType, first_octet: int
) -> Callable[[Acknowledgement, int], bytes]:
    def serialize_this(packet: Acknowledgement, version: int) -> bytes:
        _check_packet_id(packet.packet_id)
        if version < 5:
            if packet.reason_code >= ReasonCode.UNSPECIFIED_ERROR:
                raise LocalProtocolError(f"{packet_type.name} of version {version} for a failure")
            return acknowledgement(first_octet, packet.packet_id)
        rest = _reason_and_properties(packet.reason_code, packet.properties, packet_type)
        return _framed(first_octet, packet.packet_id.to_bytes(2, "big") + rest)

    return serialize_this


def _reason_and_properties(
    code: ReasonCode, properties: Properties, packet_type: PacketType
) -> bytes:
    """Write both, and leave out what says nothing (3.4.2.1, 3.4.2.2.1)."""
    _check_code(code, packet_type)
    octets = serialize_properties(properties, packet_type)
    if octets == b"\0":
        return bytes((code,)) if code else b""
    return bytes((code,)) + octets


def _serialize_subscribe(packet: Subscribe, version: int) -> bytes:
    head = _request_head(packet.packet_id, packet.properties, PacketType.SUBSCRIBE, version)
    filters = b"".join(
        serialize_text(each.topic_filter) + bytes((_options(each, version),))
        for each in packet.filters
    )
    return _request(0x82, head, filters)


def _options(subscription: Subscription, version: int) -> int:
    qos = _checked_qos(subscription.qos)
    if version < 5:
        return qos
    handling = subscription.retain_handling
    published = subscription.retain_as_published
    return handling << 4 | published << 3 | subscription.no_local << 2 | qos


def _serialize_unsubscribe(packet: Unsubscribe, version: int) -> bytes:
    head = _request_head(packet.packet_id, packet.properties, PacketType.UNSUBSCRIBE, version)
    return _request(0xA2, head, b"".join(map(serialize_text, packet.topic_filters)))


def _request_head(
    packet_id: int, properties: Properties, packet_type: PacketType, version: int
) -> bytes:
    _check_packet_id(packet_id)
    return packet_id.to_bytes(2, "big") + _properties(properties, packet_type, version)


def _request(first_octet: int, head: bytes, filters: bytes) -> bytes:
    if not filters:
        raise LocalProtocolError("no topic filter [MQTT-3.8.3-2], [MQTT-3.10.3-2]")
    return _framed(first_octet, head + filters)


def _serialize_suback(packet: Suback, version: int) -> bytes:
    head = _request_head(packet.packet_id, packet.properties, PacketType.SUBACK, version)
    for code in packet.reason_codes:
        _check_code(code, PacketType.SUBACK)
    # MQTT 3.1.1, 3.9.3: 0x80 is the only failure; 3.1 had none, and its clients take it as one.
    codes = (
        packet.reason_codes if version == 5 else (min(each, 0x80) for each in packet.reason_codes)
    )
    return _framed(0x90, head + bytes(codes))


def _serialize_unsuback(packet: Unsuback, version: int) -> bytes:
    head = _request_head(packet.packet_id, packet.properties, PacketType.UNSUBACK, version)
    if version < 5:
        return _framed(0xB0, head)
    for code in packet.reason_codes:
        _check_code(code, PacketType.UNSUBACK)
    return _framed(0xB0, head + bytes(packet.reason_codes))


def _serialize_disconnect(packet: Disconnect, version: int) -> bytes:
    if version == 5:
        type_and_rest = (packet.reason_code, packet.properties, PacketType.DISCONNECT)
        return _framed(0xE0, _reason_and_properties(*type_and_rest))
    if packet.reason_code:
        raise LocalProtocolError(f"DISCONNECT of version {version} with a reason code")
    return b"\xe0\0"


def _serialize_auth(packet: Auth, version: int) -> bytes:
    if version < 5:
        raise LocalProtocolError(f"AUTH in version {version}")
    return _framed(
        0xF0, _reason_and_properties(packet.reason_code, packet.properties, PacketType.AUTH)
    )


_SERIALIZERS: dict[type, Callable[[Any, int], bytes]] = {
    Connect: _serialize_connect,
    Connack: _serialize_connack,
    Publish: _serialize_publish,
    Puback: _acknowledgement_serializer(PacketType.PUBACK, PUBACK_OCTET),
    Pubrec: _acknowledgement_serializer(PacketType.PUBREC, PUBREC_OCTET),
    Pubrel: _acknowledgement_serializer(PacketType.PUBREL, PUBREL_OCTET),
    Pubcomp: _acknowledgement_serializer(PacketType.PUBCOMP, PUBCOMP_OCTET),
    Subscribe: _serialize_subscribe,
    Suback: _serialize_suback,
    Unsubscribe: _serialize_unsubscribe,
    Unsuback: _serialize_unsuback,
    Pingreq: lambda packet, version: PINGREQ_OCTETS,
    Pingresp: lambda packet, version: PINGRESP_OCTETS,
    Disconnect: _serialize_disconnect,
    Auth: _serialize_auth,
}
