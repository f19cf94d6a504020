"""WAMP in JSON.

A byte string is the string NUL and base64 (standard alphabet, padded); nothing else in WAMP is
special to JSON. Half of a surrogate pair, which JavaScript writes as an escape, is read and passed
on as U+FFFD: it has no UTF-8, and many a receiver would choke on it.

Source: WAMP, Serializations, JSON; Binary conversion of JSON Strings. RFC 8259, 8.2.
"""

import binascii
import re
from base64 import b64decode, b64encode
from typing import Any, ClassVar

import msgspec
from msgspec.structs import astuple

from thingtank.protocols.json_bounds import has_more_items, is_deeper
from thingtank.protocols.wamp.errors import ProtocolViolation, UnconvertiblePayload
from thingtank.protocols.wamp.malformed import malformed
from thingtank.protocols.wamp.messages import Message
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.serializer import (
    ANY_ON_WIRE,
    DEPTH_MAX,
    ITEMS_MAX,
    LIST,
    MAP,
    MESSAGE_BYTES_MAX,
    OTHER,
    PAYLOAD_MESSAGE_OF,
    TEXT,
    Serializer,
    out_of_bounds,
    too_long,
)

_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(ANY_ON_WIRE)
_VALUES: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[Any])
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_ENCODE = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NO_UTF_8 = b"\xff"
_HALF_PAIR = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)


class JsonSerializer(Serializer):
    """Reads and writes messages in JSON."""

    name = "json"
    is_binary = False
    rawsocket_id = 1
    _kinds = bytes({0x5B: LIST, 0x7B: MAP, 0x22: TEXT}.get(first, OTHER) for first in range(256))
    _between: ClassVar[bytes] = b","

    def decode(self, data: bytes) -> Message:
        """Read one message.

        Raises:
            ProtocolViolation.
        """
        if len(data) > MESSAGE_BYTES_MAX:
            raise too_long()
        try:
            if not data.isascii():
                str(data, "utf-8")  # what stays raw is not looked at below
            message = _DECODER.decode(data)
        except _UNREADABLE as error:
            mended = _without_half_pairs(data)
            if mended != data:
                return self.decode(mended)
            raise malformed(error, data, msgspec.json.decode, "JSON") from None
        if len(data) > 2 * DEPTH_MAX:  # less cannot be too deep: each level has two brackets
            _check_bounds(data)
        message_type = PAYLOAD_MESSAGE_OF.get(type(message))
        if message_type is None:
            return message  # type: ignore[no-any-return] # one of ANY_ON_WIRE
        values = astuple(message)
        return message_type(*values[:-2], self.payload(bytes(values[-2]), bytes(values[-1])))

    def encode_with(self, head: tuple[Any, ...], payload: Payload) -> bytes:
        """Write a message's head and its payload, which is converted if need be.

        Raises:
            UnconvertiblePayload.
        """
        encoded = _ENCODE(head)
        if not payload.count:
            return encoded
        if payload.serializer is not self:
            payload = payload.converted(self)
        return b"%b,%b]" % (encoded[:-1], payload.data)

    def parse_elements(self, payload: Payload) -> list[Any]:
        """Read a payload's elements.

        Raises:
            UnconvertiblePayload: a number that no double holds.
        """
        try:
            elements = _VALUES.decode(b"[%b]" % payload.data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise UnconvertiblePayload(f"this JSON cannot be converted: {error}") from None
        return _with_bytes(elements) if b"\\u0000" in payload.data else elements

    def serialize_elements(self, elements: list[Any]) -> bytes:
        """Write a payload's elements.

        Raises:
            UnconvertiblePayload: a key, or a value of a type, that JSON does not have.
        """
        try:
            return _ENCODE(_jsonable(elements))[1:-1]
        except (TypeError, ValueError, RecursionError) as error:
            raise UnconvertiblePayload(f"no form in JSON: {error}") from None

    def parse_document(self, data: bytes) -> Any:
        """Read a JSON text that came by another way, with the bounds of a message.

        Raises:
            ProtocolViolation: it is none, or beyond the bounds.
        """
        try:
            value = _ANY.decode(data)
        except _UNREADABLE as error:
            mended = _without_half_pairs(data)
            if mended != data:
                return self.parse_document(mended)
            raise ProtocolViolation(f"not JSON: {error}") from None
        _check_bounds(data)
        return _with_bytes(value) if b"\\u0000" in data else value

    def _is_empty(self, element: bytes) -> bool:
        return len(element) == 2 or element[1:-1].isspace()


JSON = JsonSerializer()


def _without_half_pairs(data: bytes) -> bytes:
    """The same JSON with U+FFFD for each half of a surrogate pair that stands alone."""
    if _NO_UTF_8 in data:
        return data
    # An escaped backslash begins no escape with what follows it, so it is put out of the way.
    mended = _HALF_PAIR.sub(rb"\\ufffd", data.replace(rb"\\", _NO_UTF_8))
    return mended.replace(_NO_UTF_8, rb"\\")


def _check_bounds(data: bytes) -> None:
    """Refuse well-formed JSON that is too deep or of too many parts."""
    if is_deeper(data, DEPTH_MAX):
        raise out_of_bounds(DEPTH_MAX + 1)
    if has_more_items(data, ITEMS_MAX):
        raise out_of_bounds(0)


def _with_bytes(value: Any) -> Any:
    """The same value with byte strings for those strings that stand for them."""
    if isinstance(value, str):
        return _bytes_of(value) if value[:1] == "\0" else value
    if isinstance(value, list):
        return [_with_bytes(element) for element in value]
    if isinstance(value, dict):
        return {name: _with_bytes(member) for name, member in value.items()}
    return value


def _bytes_of(text: str) -> bytes | str:
    try:
        return b64decode(text[1:], validate=True)
    except (binascii.Error, ValueError):
        return text


def _jsonable(value: Any) -> Any:
    """The same value of what JSON has."""
    if isinstance(value, bytes):
        return "\0" + b64encode(value).decode()
    if isinstance(value, list):
        return [_jsonable(element) for element in value]
    if isinstance(value, dict):
        return {_name_of(key): _jsonable(member) for key, member in value.items()}
    return value


def _name_of(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise UnconvertiblePayload(f"no form in JSON: a key of type {type(key).__name__}")
