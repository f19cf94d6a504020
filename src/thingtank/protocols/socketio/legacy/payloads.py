"""Bodies of xhr-polling and jsonp-polling, and of the handshake.

```
5:::{"name":"a"}                                     one packet
U+FFFD 16 U+FFFD 5:::{"name":"a"} U+FFFD 3 U+FFFD 2::       several: each with its length
io.j[0]("2::");                                      JSONP: the body as a string of JavaScript
```

Lengths are in characters. The original and browsers count UTF-16 code units, Python's
socketIO_client characters; both are read (`engineio.text_units`). What is sent is ASCII in between
the U+FFFD, by JSON escapes, which is the same in all counts. That also keeps U+FFFD out of the
packets, where socketIO_client would cut them.
"""

import json
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from thingtank.protocols.engineio.text_units import from_units, has_astral, in_ascii, in_units
from thingtank.protocols.socketio.legacy.bounds import Bounds
from thingtank.protocols.socketio.legacy.packets import MalformedPacket

POLLING_TYPE: Final = "text/plain; charset=UTF-8"
JSONP_TYPE: Final = "text/javascript; charset=UTF-8"
HANDSHAKE_TYPE: Final = "text/plain"
JSONP_HANDSHAKE_TYPE: Final = "application/javascript"
WELCOME: Final = b"Welcome to socket.io."
VERSION_NOT_SUPPORTED: Final = b"Protocol version not supported."
TAKEN: Final = b"1"  # answers POST

_MARK: Final = "\ufffd"
_LENGTH_DIGITS_MAX: Final = 9
_INDEX: Final = re.compile(r"[0-9]{1,15}")


def handshake_body(sid: str, transports: Sequence[str], bounds: Bounds) -> bytes:
    """The answer to a handshake: `sid:heartbeat timeout:close timeout:transports`."""
    times = f"{bounds.heartbeat_timeout_s}:{bounds.close_timeout_s}"
    return f"{sid}:{times}:{','.join(transports)}".encode("ascii")


def wrap_jsonp(body: bytes, index: str) -> bytes:
    """Make a call of JavaScript of a body.

    Args:
        index: the query's `i`, or a handshake's `jsonp`; 0 is taken for what is no number.
    """
    number = index if _INDEX.fullmatch(index) else "0"
    # U+FFFD stays as it is: socketIO_client looks for it before it reads the string.
    return f"io.j[{number}]({json.dumps(body.decode(), ensure_ascii=False)});".encode()


def parse_jsonp_post(body: bytes) -> bytes:
    """The payload in the form of a jsonp-polling POST: field `d`, a string of JSON.

    Raises:
        MalformedPacket.
    """
    try:
        fields = dict(parse_qsl(body.decode("ascii"), max_num_fields=4, errors="strict"))
        text = json.loads(fields.get("d", ""))
        if isinstance(text, str):
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    except (ValueError, RecursionError):
        pass
    raise MalformedPacket("no form with a string of JSON in d")


def serialize_payload(packets: Sequence[bytes]) -> bytes:
    """Write packets into one body.

    Args:
        packets: n >= 1. What is not ASCII in them stands in JSON strings.
    """
    parts = [in_ascii(packet).decode("ascii") for packet in packets]
    if len(parts) == 1:
        return parts[0].encode()
    return "".join(f"{_MARK}{len(part)}{_MARK}{part}" for part in parts).encode()


def parse_payload(body: bytes, packets_max: int) -> list[bytes]:
    """Read the packets of one body, in order.

    Raises:
        MalformedPacket: none of it is taken then.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise MalformedPacket("text that is not UTF-8") from None
    if not text.startswith(_MARK):
        return [body]
    parts = _split_in_units(text, packets_max) if has_astral(text) else None
    if parts is None:
        parts = _split(text, packets_max)
    return [part.encode() for part in parts]


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
            raise MalformedPacket(f"a payload may have at most {packets_max} packets")
        start = text.find(_MARK, at + 1, at + 2 + _LENGTH_DIGITS_MAX) + 1
        digits = text[at + 1 : start - 1]
        if text[at] != _MARK or not start or not (digits.isascii() and digits.isdigit()):
            raise MalformedPacket("a payload has a length that is no number")
        at = start + int(digits)
        if at > len(text):
            raise MalformedPacket("a part of a payload is not whole")
        parts.append(text[start:at])
    return parts
