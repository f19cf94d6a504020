"""Lengths of text as JavaScript counts them, and as others do.

JavaScript's `String.length` counts UTF-16 code units: an emoji has two. Python's `len` counts
characters: it has one. Both kinds of clients write such lengths, and nothing tells which kind one
is. So payloads are read as JavaScript counts, and if that does not come out even, as Python does;
what is sent has such lengths of ASCII alone, of which there is only one count.
"""

import json
import re

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_NOT_ASCII = re.compile("[^\x00-\x7f]+")


def has_astral(text: str) -> bool:
    """Whether the two counts differ."""
    return bool(text) and not text.isascii() and _ASTRAL.search(text) is not None


def in_units(text: str) -> str:
    """The same with each character beyond U+FFFF as its two surrogates."""
    return _ASTRAL.sub(lambda found: _surrogates(found[0]), text)


def from_units(units: str) -> str:
    """The same with each pair of surrogates as the character that it is.

    Raises:
        UnicodeDecodeError: a surrogate is alone.
    """
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def in_ascii(packet: bytes) -> bytes:
    """The same with everything that is not ASCII as JSON escapes; it must stand in JSON strings."""
    if packet.isascii():
        return packet
    text = packet.decode()
    return _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text).encode("ascii")


def _surrogates(character: str) -> str:
    offset = ord(character) - 0x10000
    return chr(0xD800 + (offset >> 10)) + chr(0xDC00 + (offset & 0x3FF))
