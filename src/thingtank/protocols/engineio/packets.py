"""Engine.IO packets, as one WebSocket frame or one part of a payload holds them.

```
4hello        text: the type's digit, then data
b4AQI=        revisions 2 and 3: binary data in text, base64
bAQI=         revision 4: the same
04 01 02      revisions 2 and 3, binary frame: the type's number, then data
01 02         revision 4, binary frame: the data of a message
```

Only messages can be binary.

Source: Engine.IO protocol, Packet encoding; its revision 3, Encoding.
"""

import binascii
from base64 import b64decode
from enum import IntEnum
from typing import Final

from msgspec import Struct

from thingtank.protocols.engineio.errors import MalformedPacket

REVISIONS: Final = (2, 3, 4)


class PacketType(IntEnum):
    """What a packet is for."""

    OPEN = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6


class Packet(Struct, frozen=True, gc=False):
    """One packet.

    Attributes:
        data: UTF-8 if it is text, as far as parsed; readers of JSON check it.
    """

    type: PacketType
    data: bytes = b""
    is_binary: bool = False


_OF_DIGIT: Final = {ord("0") + packet_type: packet_type for packet_type in PacketType}
_MESSAGE_OCTET: Final = b"\x04"


def parse_text(text: bytes, revision: int) -> Packet:
    """Read a packet from a text frame, or a part of a text payload.

    Raises:
        MalformedPacket.
    """
    if not text:
        raise MalformedPacket("an empty packet")
    packet_type = _OF_DIGIT.get(text[0])
    if packet_type is not None:
        return Packet(packet_type, text[1:])
    if text[0] == ord("b"):
        return _parse_base64(text, revision)
    raise MalformedPacket(f"a packet of type {text[:1]!r}")


def parse_binary(data: bytes, revision: int) -> Packet:
    """Read a packet from a binary frame, or a binary part of a payload.

    Raises:
        MalformedPacket.
    """
    if revision >= 4:
        return Packet(PacketType.MESSAGE, data, is_binary=True)
    if data[:1] != _MESSAGE_OCTET:
        raise MalformedPacket("a binary packet that is no message")
    return Packet(PacketType.MESSAGE, data[1:], is_binary=True)


def _parse_base64(text: bytes, revision: int) -> Packet:
    if revision < 4 and text[1:2] != b"4":
        raise MalformedPacket("a base64 packet that is no message")
    try:
        data = b64decode(text[2 if revision < 4 else 1 :], validate=True)
    except (binascii.Error, ValueError):
        raise MalformedPacket("not base64") from None
    return Packet(PacketType.MESSAGE, data, is_binary=True)
