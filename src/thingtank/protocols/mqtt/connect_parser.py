"""CONNECT, which decides the version that everything after it is read in.

Where the connection is closed without a CONNACK, errors say `is_told=False`: always in 3.1 and
3.1.1 but for the two refusals that have a return code, and in 5.0 where Mosquitto stays silent.

Source: MQTT 5, 3.1; MQTT 3.1.1, 3.1; MQTT V3.1 Protocol Specification, 3.1.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from thingtank.protocols.mqtt.errors import (
    ClientIdentifierNotValid,
    MalformedPacket,
    MqttError,
    ProtocolError,
    UnsupportedVersion,
)
from thingtank.protocols.mqtt.octets import (
    read_binary,
    read_byte,
    read_name,
    read_text,
    read_two_byte_integer,
)
from thingtank.protocols.mqtt.packet_types import PacketType
from thingtank.protocols.mqtt.packets import Connect, ConnectWill
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, parse_properties
from thingtank.protocols.mqtt.topics import check_topic_name

_NAMES = {3: "MQIsdp", 4: "MQTT", 5: "MQTT"}
# meshblu-mqtt: 3.1.1 with the name of 3.1, and always a user name. [MQTT-3.1.2-1]: the server may
# go on all the same. Without a user name it is refused, as by Mosquitto.
_ALSO = ("MQIsdp", 4)

# The connect flags (3.1.2.3).
_RESERVED = 0x01
_CLEAN_START = 0x02
_WILL = 0x04
_WILL_QOS_AND_RETAIN = 0x38
_WILL_RETAIN = 0x20
_PASSWORD = 0x40
_USER_NAME = 0x80


def parse_connect(flags: int, body: bytes) -> Connect:
    """Read a CONNECT.

    Args:
        flags: the lower four bits of the first octet.
        body: all after the remaining length.

    Raises:
        MqttError: of any kind; its `version` is for CONNACK.
    """
    version, at = _read_version(body)
    with _refusals_in(version):
        if flags and version > 3:  # MQTT 3.1, 3.1: they "are not used in the CONNECT message"
            raise MalformedPacket("flags of the fixed header [MQTT-2.1.3-1]", is_told=False)
        return _parse_rest(body, at, version)


@contextmanager
def _refusals_in(version: int) -> Iterator[None]:
    """Let errors say which version they are of, and whether that has a way to tell them."""
    try:
        yield
    except MqttError as error:
        error.version = version
        if version < 5 and not isinstance(error, ClientIdentifierNotValid):
            error.is_told = False  # MQTT 3.1.1, 4.8 and 3.2.2.3: there is no return code for it
        raise


def _read_version(body: bytes) -> tuple[int, int]:
    try:
        name, at = read_text(body, 0, len(body))
        version, at = read_byte(body, at, len(body))
    except MalformedPacket as error:
        error.is_told = False  # in which version?
        raise
    if name not in _NAMES.values():
        raise ProtocolError(f"protocol name {name[:20]!r} [MQTT-3.1.2-1]", is_told=False)
    if _NAMES.get(version) == name:
        return version, at
    if (name, version) == _ALSO and body[at : at + 1] and body[at] & _USER_NAME:
        return version, at
    # Bridges of Mosquitto ask for 0x83 and 0x84 first, and for 3 and 4 once told return code 1.
    spoken = version & 0x7F
    raise UnsupportedVersion(
        f"{name} of version {version} [MQTT-3.1.2-2]", version=spoken if spoken in _NAMES else 5
    )


def _parse_rest(body: bytes, at: int, version: int) -> Connect:
    end = len(body)
    flags, keep_alive_s, at = _read_flags_and_keep_alive(body, at, version)
    properties = NO_PROPERTIES
    if version == 5:
        properties, at = parse_properties(body, at, PacketType.CONNECT)
    client_id, at = _read_client_id(body, at, version, flags)
    will = None
    if flags & _WILL:
        will, at = _read_will(body, at, version, flags)
    user_name, password, at = _read_credentials(body, at, version, flags)
    if at != end:
        raise MalformedPacket(f"{end - at} octets after the end of CONNECT")
    is_clean = bool(flags & _CLEAN_START)
    return Connect(
        version, client_id, is_clean, keep_alive_s, will, user_name, password, properties
    )


def _read_flags_and_keep_alive(body: bytes, at: int, version: int) -> tuple[int, int, int]:
    try:
        flags, at = read_byte(body, at, len(body))
        if version == 3:
            flags = _known_flags_of_3_1(flags)
        _check_flags(flags, version)
        keep_alive_s, at = read_two_byte_integer(body, at, len(body))
    except MalformedPacket as error:
        error.is_told = False
        raise
    return flags, keep_alive_s, at


def _known_flags_of_3_1(flags: int) -> int:
    """Leave out what MQTT 3.1 says is disregarded: bit 0, and the will's QoS without a will."""
    return flags & ~_RESERVED if flags & _WILL else flags & ~(_RESERVED | _WILL_QOS_AND_RETAIN)


def _check_flags(flags: int, version: int) -> None:
    if flags & _RESERVED:
        raise MalformedPacket("reserved connect flag [MQTT-3.1.2-3]")
    if not flags & _WILL and flags & _WILL_QOS_AND_RETAIN:
        raise MalformedPacket("will QoS or retain without a will [MQTT-3.1.2-11]")
    if _will_qos(flags) == 3:
        raise MalformedPacket("will QoS 3 [MQTT-3.1.2-12]")
    if version < 5 and flags & _PASSWORD and not flags & _USER_NAME:
        raise MalformedPacket("password without user name [MQTT-3.1.2-22]")


def _will_qos(flags: int) -> int:
    return flags >> 3 & 3


def _read_client_id(body: bytes, at: int, version: int, flags: int) -> tuple[str, int]:
    octets, after = read_binary(body, at, len(body))
    try:
        client_id, _ = read_name(body, at, len(body))
    except MalformedPacket as error:
        if version < 5:
            raise  # no return code tells it from a blank one: just closed
        raise ClientIdentifierNotValid(f"client identifier: {error}") from None
    if not octets and (version == 3 or (version == 4 and not flags & _CLEAN_START)):
        raise ClientIdentifierNotValid("blank client identifier [MQTT-3.1.3-7]")
    return client_id, after


def _read_will(body: bytes, at: int, version: int, flags: int) -> tuple[ConnectWill, int]:
    end = len(body)
    properties = NO_PROPERTIES
    if version == 5:
        properties, at = parse_properties(body, at, PacketType.WILL)
    topic, at = read_text(body, at, end)
    check_topic_name(topic)
    payload, at = read_binary(body, at, end)
    retain = bool(flags & _WILL_RETAIN)
    return ConnectWill(topic, payload, _will_qos(flags), retain, properties), at


def _read_credentials(
    body: bytes, at: int, version: int, flags: int
) -> tuple[str | None, bytes | None, int]:
    end = len(body)
    user_name = password = None
    # MQTT 3.1, 3.1: "the Remaining Length field … takes precedence over the User Name flag".
    if version == 3 and at == end:
        return None, None, at
    try:
        if flags & _USER_NAME:
            user_name, at = read_name(body, at, end)
        if flags & _PASSWORD and not (version == 3 and at == end):
            password, at = read_binary(body, at, end)
    except MalformedPacket as error:
        error.is_told = False
        raise
    return user_name, password, at
