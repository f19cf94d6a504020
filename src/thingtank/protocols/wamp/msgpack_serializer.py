"""WAMP in MessagePack, where strings and byte strings differ.

Source: WAMP, Serializations, MsgPack.
"""

from typing import Any, ClassVar

import msgspec
from msgspec.structs import astuple

from thingtank.protocols.wamp.errors import ProtocolViolation, UnconvertiblePayload
from thingtank.protocols.wamp.malformed import malformed
from thingtank.protocols.wamp.messages import Message
from thingtank.protocols.wamp.msgpack_items import scan
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.serializer import (
    ANY_ON_WIRE,
    DEPTH_MAX,
    HEAD_ELEMENTS,
    LIST,
    MAP,
    MESSAGE_BYTES_MAX,
    OTHER,
    PAYLOAD_MESSAGE_OF,
    TEXT,
    Serializer,
    too_long,
)

_BUILT_BYTES_MAX = 1024  # longer payloads are scanned: what they would be built into costs more
_CONTAINERS = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])
_NOTHING = frozenset({b"\x80", b"\xde\0\0", b"\xdf\0\0\0\0", b"\x90", b"\xdc\0\0", b"\xdd\0\0\0\0"})
_UNDEFINED_OCTETS = b"\xd4\0\0"  # msgpackr's way of writing JavaScript's `undefined`; see below
_UNDEFINED = msgspec.msgpack.Ext(0, b"\0")
_PAYLOAD_CODES = frozenset(bytes((code,)) for code in HEAD_ELEMENTS)

_DECODER: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(ANY_ON_WIRE)
_VALUE = msgspec.msgpack.Decoder()
_ELEMENTS_MAX = 7  # ERROR with Arguments and ArgumentsKw
_KWARGS = msgspec.msgpack.Decoder(dict[str, Any])
_ENCODE = msgspec.msgpack.Encoder().encode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _kind_of(first: int) -> int:
    if 0x80 <= first < 0x90 or first in (0xDE, 0xDF):
        return MAP
    if 0x90 <= first < 0xA0 or first in (0xDC, 0xDD):
        return LIST
    if 0xA0 <= first < 0xC0 or first in (0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB):
        return TEXT
    return OTHER


class MsgpackSerializer(Serializer):
    """Reads and writes messages in MessagePack."""

    name = "msgpack"
    is_binary = True
    rawsocket_id = 2
    _kinds = bytes(_kind_of(first) for first in range(256))
    _between: ClassVar[bytes] = b""

    def decode(self, data: bytes) -> Message:
        """Read one message.

        Raises:
            ProtocolViolation.
        """
        if len(data) > MESSAGE_BYTES_MAX:
            raise too_long()
        try:
            return self._decode(data)
        except (ProtocolViolation, *_UNREADABLE):
            # wampy.js sends options that are not set as undefined.
            if _UNDEFINED_OCTETS in data:
                data = _without_undefined(data)
        try:
            return self._decode(data)
        except _UNREADABLE as error:
            raise malformed(error, data, msgspec.msgpack.decode, "MessagePack") from None

    def _decode(self, data: bytes) -> Message:
        if data[1:2] not in _PAYLOAD_CODES:
            _check_bare(data)
        message = _DECODER.decode(data)
        message_type = PAYLOAD_MESSAGE_OF.get(type(message))
        if message_type is None:
            return message  # type: ignore[no-any-return] # one of ANY_ON_WIRE
        values = astuple(message)
        args, kwargs = bytes(values[-2]), bytes(values[-1])
        if not _is_built(args, kwargs):
            _scan(args, kwargs)
        return message_type(*values[:-2], self.payload(args, kwargs))

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
        return b"%c%b%b" % (encoded[0] + payload.count, encoded[1:], payload.data)

    def parse_elements(self, payload: Payload) -> list[Any]:
        """Read a payload's elements.

        Raises:
            UnconvertiblePayload: an extension, or a list or map as a key.
        """
        scan(payload.data, 0, payload.count, is_opaque=False)
        try:
            return _VALUE.decode(b"%c%b" % (0x90 + payload.count, payload.data))  # type: ignore[no-any-return] # a list was put around it
        except msgspec.DecodeError as error:
            raise UnconvertiblePayload(f"this cannot be converted: {error}") from None

    def serialize_elements(self, elements: list[Any]) -> bytes:
        """Write a payload's elements.

        Raises:
            UnconvertiblePayload: an integer, or a type, that MessagePack does not have.
        """
        try:
            return _ENCODE(elements)[1:]
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise UnconvertiblePayload(f"no form in MessagePack: {error}") from None

    def _is_empty(self, element: bytes) -> bool:
        return element in _NOTHING


MSGPACK = MsgpackSerializer()


def decode_on_wire(data: bytes, serializer_name: str) -> Any:
    """Read one message up to its payload, of another serializer's that was written anew.

    Raises:
        ProtocolViolation.
    """
    try:
        return _DECODER.decode(data)
    except _UNREADABLE as error:
        raise malformed(error, data, msgspec.msgpack.decode, serializer_name) from None


def _is_built(args: bytes, kwargs: bytes) -> bool:
    """Whether values could be built of a short payload at once, which shows that it is good.

    False says nothing: there are good ones that Python has no values for.
    """
    size = len(args) + len(kwargs)
    if size > _BUILT_BYTES_MAX or (
        size >= DEPTH_MAX and _container_count(args + kwargs) >= DEPTH_MAX
    ):
        return False
    try:
        if args:
            _VALUE.decode(args)
        if kwargs:
            _KWARGS.decode(kwargs)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _container_count(data: bytes) -> int:
    """How many lists and maps there are at most: bytes of other items count too."""
    return len(data) - len(data.translate(None, _CONTAINERS))


def _scan(args: bytes, kwargs: bytes) -> None:
    if args:
        scan(args, 0, 1)
    if kwargs:
        scan(kwargs, 0, 1, text_keys=True)


def _check_bare(data: bytes) -> None:
    """Look at a message all of which values are built of, before they are."""
    try:
        scan(data, 0, 1, depth=0, is_opaque=False)
    except UnconvertiblePayload as error:
        raise ProtocolViolation(f"in options or details: {error}") from None


def _without_undefined(data: bytes) -> bytes:
    """The same message, its options or details without members that are undefined."""
    at, elements = 1, []
    for _ in range(min(data[0] & 0x0F, HEAD_ELEMENTS.get(data[1], _ELEMENTS_MAX))):
        start, at = at, scan(data, at, 1)
        elements.append(_defined(data[start:at]))
    return data[:1] + b"".join(elements) + data[at:]


def _defined(element: bytes) -> bytes:
    if _UNDEFINED_OCTETS not in element:
        return element
    try:
        return _ENCODE(_leave_out(_VALUE.decode(element)))
    except (msgspec.DecodeError, TypeError, ValueError, RecursionError):
        return element  # the message is wrong in another way too


def _leave_out(value: Any) -> Any:
    if isinstance(value, list):
        return [_leave_out(element) for element in value]
    if isinstance(value, dict):
        return {key: _leave_out(member) for key, member in value.items() if member != _UNDEFINED}
    return value
