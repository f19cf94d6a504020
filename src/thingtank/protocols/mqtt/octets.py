"""The data types that packets are made of, read and written.

Readers take the octets, where to begin and where they end, and return the value and where the
next begins. What is cut off or ill-formed raises MalformedPacket.

Source: MQTT 5, 1.5; MQTT 3.1.1, 1.5.
"""

import re
from collections.abc import Callable
from typing import TypeVar

from thingtank.protocols.mqtt.errors import LocalProtocolError, MalformedPacket

Value = TypeVar("Value")
Reader = Callable[[bytes, int, int], tuple[Value, int]]

VARIABLE_MAX = 268_435_455
STRING_BYTES_MAX = 65_535

# 1.5.4: "SHOULD NOT include": control characters and non-characters.
_DISALLOWED = re.compile(
    "[\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr(plane << 16 | end) for plane in range(1, 17) for end in (0xFFFE, 0xFFFF))
    + "]"
)


def read_byte(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read one octet."""
    if at >= end:
        raise MalformedPacket(f"octet {at} is missing")
    return data[at], at + 1


def read_two_byte_integer(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a Two Byte Integer (1.5.2)."""
    if at + 2 > end:
        raise MalformedPacket(f"two byte integer at octet {at} is cut off")
    return data[at] << 8 | data[at + 1], at + 2


def read_four_byte_integer(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a Four Byte Integer (1.5.3)."""
    if at + 4 > end:
        raise MalformedPacket(f"four byte integer at octet {at} is cut off")
    return int.from_bytes(data[at : at + 4], "big"), at + 4


def read_variable(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a Variable Byte Integer (1.5.5).

    Raises:
        MalformedPacket: more than four octets, or more than are needed, so that the last is zero
            [MQTT-1.5.5-1].
    """
    value = 0
    for place in range(4):
        if at + place >= end:
            raise MalformedPacket(f"variable byte integer at octet {at} is cut off")
        octet = data[at + place]
        value |= (octet & 0x7F) << 7 * place
        if octet < 0x80:
            if place and not octet:
                raise MalformedPacket(f"variable byte integer at octet {at} is too long (1.5.5)")
            return value, at + place + 1
    raise MalformedPacket(f"variable byte integer at octet {at} has more than 4 octets (1.5.5)")


def read_binary(data: bytes, at: int, end: int) -> tuple[bytes, int]:
    """Read Binary Data (1.5.6)."""
    if at + 2 > end:
        raise MalformedPacket(f"length at octet {at} is cut off")
    stop = at + 2 + (data[at] << 8 | data[at + 1])
    if stop > end:
        raise MalformedPacket(f"the {stop - at - 2} octets of octet {at} are cut off")
    return data[at + 2 : stop], stop


def text_of(octets: bytes) -> str:
    """Decode a UTF-8 Encoded String.

    Raises:
        MalformedPacket: ill-formed or with a surrogate [MQTT-1.5.4-1], or with U+0000
            [MQTT-1.5.4-2].
    """
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        raise MalformedPacket(f"ill-formed UTF-8: {error.reason} (1.5.4)") from None
    if "\0" in text:
        raise MalformedPacket("U+0000 in a UTF-8 string [MQTT-1.5.4-2]")
    return text


def check_characters(text: str) -> None:
    """Refuse control characters and non-characters in what names something.

    Free text of user properties may have line breaks, and is not checked so.

    Raises:
        MalformedPacket: one of them is there, as 1.5.4 allows to say.
    """
    if not text.isprintable() and (found := _DISALLOWED.search(text)):
        raise MalformedPacket(f"U+{ord(found[0]):04X} in a name (1.5.4)")


def read_text(data: bytes, at: int, end: int) -> tuple[str, int]:
    """Read a UTF-8 Encoded String (1.5.4)."""
    octets, at = read_binary(data, at, end)
    return text_of(octets), at


def read_name(data: bytes, at: int, end: int) -> tuple[str, int]:
    """Read a UTF-8 Encoded String that names something."""
    text, at = read_text(data, at, end)
    check_characters(text)
    return text, at


def read_pair(data: bytes, at: int, end: int) -> tuple[tuple[str, str], int]:
    """Read a UTF-8 String Pair (1.5.7)."""
    name, at = read_text(data, at, end)
    value, at = read_text(data, at, end)
    return (name, value), at


def serialize_byte(value: int) -> bytes:
    """Write one octet."""
    return value.to_bytes(1, "big")


def serialize_two_byte_integer(value: int) -> bytes:
    """Write a Two Byte Integer."""
    return value.to_bytes(2, "big")


def serialize_four_byte_integer(value: int) -> bytes:
    """Write a Four Byte Integer."""
    return value.to_bytes(4, "big")


def serialize_variable(value: int) -> bytes:
    """Write a Variable Byte Integer, as short as can be [MQTT-1.5.5-1]."""
    if value < 0x80:
        return value.to_bytes(1, "big")
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    if value > VARIABLE_MAX:
        raise LocalProtocolError(f"{value} is more than {VARIABLE_MAX}")
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def serialize_binary(value: bytes) -> bytes:
    """Write Binary Data with its length."""
    if len(value) > STRING_BYTES_MAX:
        raise LocalProtocolError(f"{len(value)} octets are more than {STRING_BYTES_MAX}")
    return len(value).to_bytes(2, "big") + value


def serialize_text(value: str) -> bytes:
    """Write a UTF-8 Encoded String with its length."""
    return serialize_binary(value.encode())


def serialize_pair(value: tuple[str, str]) -> bytes:
    """Write a UTF-8 String Pair."""
    return serialize_text(value[0]) + serialize_text(value[1])
