"""WAMP in CBOR.

cbor2 reads and writes values; where a payload begins and ends, and that it is well-formed, is
found by `cbor_items.py`. What stands before the payload takes the way through MessagePack to the
types of the messages, since msgspec checks those there.

Source: WAMP, Serializations, CBOR; RFC 8949.
"""

from functools import lru_cache
from typing import Any, ClassVar

import cbor2
import msgspec
from msgspec.structs import astuple

from thingtank.protocols.wamp.cbor_items import parse_length, scan
from thingtank.protocols.wamp.errors import ProtocolViolation, UnconvertiblePayload
from thingtank.protocols.wamp.malformed import NO_MESSAGE, wrong_element_count
from thingtank.protocols.wamp.messages import Call, Message, Publish, Yield
from thingtank.protocols.wamp.msgpack_serializer import decode_on_wire
from thingtank.protocols.wamp.options import ID_MAX, CallOptions, PublishOptions, YieldOptions
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.serializer import (
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

_UNREADABLE = (
    cbor2.CBORDecodeError,
    UnicodeDecodeError,
    OverflowError,
    TypeError,
)
_KNOWN_OPTIONS_MAX = 1024
_KNOWN_OPTIONS_BYTES_MAX = 64
_FREQUENT: dict[bytes, tuple[Any, type[Any], int]] = {  # by their codes, as they are written
    b"\x10": (Publish, PublishOptions, 4),
    b"\x18\x30": (Call, CallOptions, 4),
    b"\x18\x46": (Yield, YieldOptions, 3),
}
_NO_OPTIONS = 0xA0
_ID_SIZES = (*(1,) * 24, 2, 3, 5, 9, *(0,) * 228)
_ELEMENTS_MAX = 7  # ERROR with Arguments and ArgumentsKw
_SMALL = tuple(bytes((n,)) if n < 24 else bytes((0x18, n)) for n in range(0x100))
_BREAK, _INDEFINITE_LIST, _LIST_MAJOR = 0xFF, 0x9F, 4
_NOTHING = frozenset(
    {
        head + b"\0" * width
        for major in (0x80, 0xA0)
        for head, width in (
            (bytes([major]), 0),
            *((bytes([major + 24 + power]), 1 << power) for power in range(4)),
        )
    }
    | {b"\x9f\xff", b"\xbf\xff"}
)
_KIND_OF = {2: TEXT, 3: TEXT, 4: LIST, 5: MAP}


def _to_null(value: Any) -> None:
    if value is not cbor2.undefined:
        raise TypeError(f"a value of type {type(value).__name__} in options or details")


_TO_MSGPACK = msgspec.msgpack.Encoder(enc_hook=_to_null).encode


class CborSerializer(Serializer):
    """Reads and writes messages in CBOR."""

    name = "cbor"
    is_binary = True
    rawsocket_id = 3
    _kinds = bytes(_KIND_OF.get(first >> 5, OTHER) for first in range(256))
    _between: ClassVar[bytes] = b""

    def decode(self, data: bytes) -> Message:
        """Read one message.

        Raises:
            ProtocolViolation.
        """
        if len(data) > MESSAGE_BYTES_MAX:
            raise too_long()
        try:
            return _decode_frequent(data) or _decode(data)
        except IndexError:
            is_empty_list = data == b"\x80"
            text = NO_MESSAGE if is_empty_list else "the message ends within an item"
            raise ProtocolViolation(text) from None
        except _UNREADABLE as error:
            raise ProtocolViolation(f"not a WAMP message in CBOR: {error}") from None
        except UnconvertiblePayload as error:
            raise ProtocolViolation(f"in options or details: {error}") from None

    def encode_with(self, head: tuple[Any, ...], payload: Payload) -> bytes:
        """Write a message's head and its payload, which is converted if need be.

        Raises:
            UnconvertiblePayload.
        """
        if payload.count and payload.serializer is not self:
            payload = payload.converted(self)
        opening = bytes((0x80 + len(head) + payload.count,))
        return opening + b"".join([_item(element) for element in head]) + payload.data

    def parse_elements(self, payload: Payload) -> list[Any]:
        """Read a payload's elements.

        Raises:
            UnconvertiblePayload: tags but those of dates and big integers, unassigned simple
                values, or a list, map or tag as a key.
        """
        scan(payload.data, 0, payload.count, is_opaque=False)
        try:
            elements: list[Any] = _values(bytes((0x80 + payload.count,)) + payload.data)
        except cbor2.CBORDecodeError as error:
            raise UnconvertiblePayload(f"this cannot be converted: {error}") from None
        return _without_undefined(elements) if b"\xf7" in payload.data else elements

    def serialize_elements(self, elements: list[Any]) -> bytes:
        """Write a payload's elements.

        Raises:
            UnconvertiblePayload: a type that CBOR does not have.
        """
        try:
            return cbor2.dumps(elements)[1:]
        except (cbor2.CBOREncodeError, RecursionError) as error:
            raise UnconvertiblePayload(f"no form in CBOR: {error}") from None

    def _is_empty(self, element: bytes) -> bool:
        return element in _NOTHING


CBOR = CborSerializer()


def _decode(data: bytes) -> Message:
    if data[0] == _INDEFINITE_LIST:
        data = _of_known_length(data)
    if data[0] >> 5 != _LIST_MAJOR:
        raise ProtocolViolation(NO_MESSAGE)
    count, at = parse_length(data, 0)
    if not count:
        raise ProtocolViolation(NO_MESSAGE)
    code = _code(data, at)
    head_count = HEAD_ELEMENTS.get(code)
    if head_count is None:
        _check_end(data, scan(data, 0, 1, depth=0, is_opaque=False))
        return decode_on_wire(_TO_MSGPACK(_defined(data)), "CBOR")  # type: ignore[no-any-return] # one of ANY_ON_WIRE
    if wrong_count := wrong_element_count(code, count):
        raise wrong_count
    args_at = scan(data, at, head_count, is_opaque=False)
    head = _defined(bytes((0x80 + head_count,)) + data[at:args_at])
    message = decode_on_wire(_TO_MSGPACK(head), "CBOR")
    payload = _payload(data, args_at, count - head_count)
    return PAYLOAD_MESSAGE_OF[type(message)](*astuple(message)[:-2], payload)


def _decode_frequent(data: bytes) -> Any:
    """Read what devices send all the time, if it is written as it usually is; None otherwise.

    That is a PUBLISH, CALL or YIELD in a list of known length with short options and a URI of at
    most 255 bytes. The other way of reading takes twice as long.
    """
    id_at = 2 if data[1] < 24 else 3
    frequent = _FREQUENT.get(data[1:id_at])
    if frequent is None or not 0x80 < data[0] <= 0x80 + _ELEMENTS_MAX:
        return None
    message_type, _, head_count = frequent
    payload_count = data[0] - 0x80 - head_count
    id_size = _ID_SIZES[data[id_at]]
    at = id_at + id_size
    request_id = int.from_bytes(data[id_at + 1 : at], "big") if id_size > 1 else data[id_at]
    if not id_size or not 0 < request_id <= ID_MAX or not 0 <= payload_count <= 2:
        return None
    options_at = at
    at = at + 1 if data[at] == _NO_OPTIONS else scan(data, at, 1, is_opaque=False)
    if at - options_at > _KNOWN_OPTIONS_BYTES_MAX:
        return None
    options = _options(data[1:id_at], data[options_at:at])
    if options is None:
        return None
    if head_count == 3:
        return message_type(request_id, options, _payload(data, at, payload_count))
    first = data[at]
    if 0x60 <= first < 0x78:
        uri_at, size = at + 1, first - 0x60
    elif first == 0x78:
        uri_at, size = at + 2, data[at + 1]
    else:
        return None
    at = uri_at + size
    uri = str(data[uri_at:at], "utf-8")
    return message_type(request_id, options, uri, _payload(data, at, payload_count))


@lru_cache(_KNOWN_OPTIONS_MAX)
def _options(code: bytes, data: bytes) -> Any:
    try:
        return msgspec.convert(_values(data), _FREQUENT[code][1])
    except msgspec.ValidationError:
        return None  # the other way of reading says where the message is wrong


def _payload(data: bytes, at: int, count: int) -> Payload:
    kwargs_at = scan(data, at, 1) if count else at
    end = scan(data, kwargs_at, 1, text_keys=True) if count == 2 else kwargs_at
    _check_end(data, end)
    return CBOR.payload(data[at:kwargs_at], data[kwargs_at:])


def _of_known_length(data: bytes) -> bytes:
    """The same message, its list being of indefinite length, with the number of its elements."""
    at, count = 1, 0
    while data[at] != _BREAK and count <= _ELEMENTS_MAX:
        at = scan(data, at, 1)
        count += 1
    _check_end(data, at + 1)
    return bytes((0x80 + count,)) + data[1:at]


def _check_end(data: bytes, end: int) -> None:
    if end != len(data):
        raise ProtocolViolation(f"{len(data) - end} bytes follow the message")


def _code(data: bytes, at: int) -> int:
    if data[at] >= 0x1C:
        raise ProtocolViolation(NO_MESSAGE)
    return parse_length(data, at)[0]


def _values(data: bytes) -> Any:
    """Values of one item that has been scanned, and not as opaque."""
    return cbor2.loads(data, max_depth=DEPTH_MAX + 1)


def _defined(data: bytes) -> Any:
    """Values of a message's head; wampy.js sends options that are not set as undefined."""
    values = _values(data)
    return _leave_out_undefined(values) if b"\xf7" in data else values


def _leave_out_undefined(value: Any) -> Any:
    if isinstance(value, list):
        return [_leave_out_undefined(element) for element in value]
    if isinstance(value, dict):
        return {
            key: _leave_out_undefined(member)
            for key, member in value.items()
            if member is not cbor2.undefined
        }
    return value


def _without_undefined(value: Any) -> Any:
    if value is cbor2.undefined:
        return None
    if isinstance(value, list):
        return [_without_undefined(element) for element in value]
    if isinstance(value, dict):
        return {key: _without_undefined(member) for key, member in value.items()}
    return value


def _item(element: Any) -> bytes:
    """One element of a message's head."""
    if type(element) is int:
        if element < 0x100:
            return _SMALL[element]
        return b"\x1b%b" % element.to_bytes(8, "big") if element > 0xFFFFFFFF else _short(element)
    return b"\xa0" if element == {} else cbor2.dumps(element)


def _short(number: int) -> bytes:
    if number > 0xFFFF:
        return b"\x1a" + number.to_bytes(4, "big")
    return b"\x19" + number.to_bytes(2, "big")
