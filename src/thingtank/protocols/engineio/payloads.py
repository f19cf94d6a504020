"""Bodies of long polling: several packets in one.

```
revisions 2 and 3, text     11:4hello world1:2         lengths in characters
          3, binary         00 06 FF 34 68 65 6c 6c 6f 01 03 FF 04 01 02
                            0 text, 1 binary; the length a digit an octet; FF; that many octets
revision 4                  4hello 1E 2 1E bAQI=
```

Which characters those are: see `text_units`. To that, JavaScript clients of socket.io 1.x write
text payloads in UTF-8 twice, those of 2.x do not, and both call it revision 3. A packet that can
be read as the former is; so text of a 2.x client that happens to look like UTF-8 read as Latin-1
("Ã©") is taken for what it would be ("é"). WebSocket and binary payloads do not have this.

What is sent to revisions 2 and 3 is ASCII, whatever stands in it (JSON escapes), so that all of
them read the same; revision 2 gets text, revision 3 what it asks for by `b64=1`. Binary packets
are not sent.

Source: Engine.IO protocol, Packet encoding, HTTP long-polling; its revision 3, Payload.
"""

from collections.abc import Sequence
from typing import Final

from thingtank.protocols.engineio.errors import MalformedPacket, PayloadTooLong
from thingtank.protocols.engineio.packets import Packet, parse_binary, parse_text
from thingtank.protocols.engineio.text_units import from_units, has_astral, in_ascii, in_units

TEXT_TYPE: Final = "text/plain; charset=UTF-8"
BINARY_TYPE: Final = "application/octet-stream"

_SEPARATOR: Final = b"\x1e"
_LENGTH_DIGITS_MAX: Final = 9
_BINARY_STARTS: Final = (b"\x00", b"\x01")
_END_OF_LENGTH: Final = 0xFF


def parse_payload(
    body: bytes, revision: int, packets_max: int, *, is_binary: bool = False
) -> list[Packet]:
    """Read the packets of one body, in order.

    Args:
        revision: 2, 3 or 4.
        is_binary: its content type is application/octet-stream.

    Raises:
        MalformedPacket: none of it is taken then.
        PayloadTooLong: it has more than packets_max packets.
    """
    if not body:
        raise MalformedPacket("an empty payload")
    if revision >= 4:
        return _parse_separated(body, revision, packets_max)
    if is_binary or body[:1] in _BINARY_STARTS:
        return _parse_binary_payload(body, revision, packets_max)
    return _parse_text_payload(_decoded(body), revision, packets_max)


def content_type(revision: int, *, is_base64: bool) -> str:
    """What `serialize_payload` writes."""
    return BINARY_TYPE if _is_sent_binary(revision, is_base64) else TEXT_TYPE


def serialize_payload(packets: Sequence[bytes], revision: int, *, is_base64: bool) -> bytes:
    """Write text packets into one body.

    Args:
        packets: n >= 1, each as one text frame would hold it. What is not ASCII in it stands in
            JSON strings.
        is_base64: the client has asked for text by `b64=1`.
    """
    if revision >= 4:
        return _SEPARATOR.join(packets)
    if _is_sent_binary(revision, is_base64):
        return b"".join(_with_binary_length(in_ascii(packet)) for packet in packets)
    return b"".join(b"%d:%b" % (len(text), text) for text in map(in_ascii, packets))


def _is_sent_binary(revision: int, is_base64: bool) -> bool:
    return revision == 3 and not is_base64


def _with_binary_length(packet: bytes) -> bytes:
    digits = bytes(int(digit) for digit in str(len(packet)))
    return b"\x00%b\xff%b" % (digits, packet)


def _parse_separated(body: bytes, revision: int, packets_max: int) -> list[Packet]:
    _decoded(body)
    parts = body.split(_SEPARATOR, packets_max)
    if len(parts) > packets_max:
        raise _too_many(packets_max)
    return [parse_text(part, revision) for part in parts]


def _parse_binary_payload(body: bytes, revision: int, packets_max: int) -> list[Packet]:
    packets: list[Packet] = []
    at = 0
    while at < len(body):
        if len(packets) == packets_max:
            raise _too_many(packets_max)
        kind = body[at]
        if kind > 1:
            raise MalformedPacket(f"a part of a payload begins with {kind}")
        start = body.find(_END_OF_LENGTH, at + 1, at + 2 + _LENGTH_DIGITS_MAX) + 1
        end = start + _binary_length(body[at + 1 : start - 1])
        if not start or end > len(body):
            raise MalformedPacket("a part of a payload is not whole")
        part = body[start:end]
        packets.append(parse_binary(part, revision) if kind else _parse_utf8(part, revision))
        at = end
    return packets


def _binary_length(digits: bytes) -> int:
    if not digits or max(digits) > 9:
        raise MalformedPacket("a payload has a length that is no number")
    length = 0
    for digit in digits:
        length = length * 10 + digit
    return length


def _parse_utf8(part: bytes, revision: int) -> Packet:
    _decoded(part)
    return parse_text(part, revision)


def _parse_text_payload(text: str, revision: int, packets_max: int) -> list[Packet]:
    parts = None
    if has_astral(text):
        parts = _split_in_units(text, packets_max)
    if parts is None:
        parts = _split(text, packets_max)
    # "0:" is what JavaScript makes of no packets.
    return [parse_text(_encoded_once(part), revision) for part in parts if part]


def _split_in_units(text: str, packets_max: int) -> list[str] | None:
    try:
        return [from_units(part) for part in _split(in_units(text), packets_max)]
    except (MalformedPacket, UnicodeDecodeError):
        return None


def _split(text: str, packets_max: int) -> list[str]:
    parts: list[str] = []
    at = 0
    while at < len(text):
        if len(parts) == packets_max:
            raise _too_many(packets_max)
        colon = text.find(":", at, at + _LENGTH_DIGITS_MAX + 1)
        digits = text[at:colon]
        if colon < 0 or not (digits.isascii() and digits.isdigit()):
            raise MalformedPacket("a payload has a length that is no number")
        at = colon + 1 + int(digits)
        if at > len(text):
            raise MalformedPacket("a part of a payload is not whole")
        parts.append(text[colon + 1 : at])
    return parts


def _encoded_once(part: str) -> bytes:
    """UTF-8 of a part that may have been written in UTF-8 before."""
    if not part.isascii() and max(part) <= "\xff":
        once = part.encode("latin-1")
        try:
            once.decode()
        except UnicodeDecodeError:
            pass
        else:
            return once
    return part.encode()


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise MalformedPacket("text that is not UTF-8") from None


def _too_many(packets_max: int) -> PayloadTooLong:
    return PayloadTooLong(f"a payload may have at most {packets_max} packets")
