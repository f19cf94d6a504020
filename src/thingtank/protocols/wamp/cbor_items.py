"""Where CBOR items end, and whether they are what the router passes on.

Nothing is built of what is passed over, so that neither size nor keys of a stranger's choice cost
more than their bytes; tags mean nothing here.

Source: RFC 8949, 3 (items), 3.2 (indefinite lengths), 3.4 (tags), 5.3.1 (validity of text).
"""

from thingtank.protocols.wamp.errors import ProtocolViolation, UnconvertiblePayload
from thingtank.protocols.wamp.serializer import DEPTH_MAX, ITEMS_MAX, out_of_bounds

PLAIN_TAGS = frozenset({0, 1, 2, 3})
"""Dates and big integers: RFC 8949, 3.4.1 to 3.4.3."""

_BYTES, _TEXT, _LIST, _MAP, _TAG, _SIMPLE = range(2, 8)
_BREAK = 0xFF
_INDEFINITE = 31
# What is left of a container of indefinite length; odd behind a key, as with those of known length.
_ANY, _KEY, _VALUE = -1, -2, -3


def _size_of(first: int) -> int:
    """How many bytes an item has, by its first one; negative for short text, 0 for others."""
    major, info = first >> 5, first & 0x1F
    if major in (0, 1):
        return 1 if info < 24 else {24: 2, 25: 3, 26: 5, 27: 9}.get(info, 0)
    if major == _SIMPLE:
        return 1 if 20 <= info < 24 else {25: 3, 26: 5, 27: 9}.get(info, 0)
    if major == _BYTES and info < 24:
        return 1 + info
    return -(1 + info) if major == _TEXT and info < 24 else 0


_SIZES = tuple(_size_of(first) for first in range(256))


def scan(
    data: bytes,
    at: int,
    count: int,
    *,
    depth: int = 1,
    text_keys: bool = False,
    is_opaque: bool = True,
) -> int:
    """Pass over items.

    Args:
        at: where the first one begins.
        count: how many there are, keys and values counted each.
        depth: of what is around them.
        text_keys: keys of the outermost maps must be strings.
        is_opaque: nobody here will look into them.

    Returns:
        Where the last one ends.

    Raises:
        ProtocolViolation: they are malformed, or too deep, or too many.
        UnconvertiblePayload: `is_opaque` is False, and there is a tag or a simple value that
            Python has nothing for, or a key that is neither a number nor a string.
    """
    outer: list[tuple[int, bool]] = []
    is_map, item_count = False, count
    try:
        while True:
            if count > 0:
                count -= 1
            elif count == 0:
                if not outer:
                    break
                count, is_map = outer.pop()
                continue
            else:
                if data[at] == _BREAK:
                    if count == _VALUE:
                        raise ProtocolViolation("a map ends behind a key")
                    at += 1
                    count, is_map = outer.pop()
                    continue
                if is_map:
                    count = _KEY + _VALUE - count
                item_count += count & 1
                if item_count > ITEMS_MAX:
                    raise out_of_bounds(0)
            first = data[at]
            size = _SIZES[first]
            if text_keys and is_map and count & 1 and len(outer) == 1 and first >> 5 != _TEXT:
                raise ProtocolViolation("ArgumentsKw must be a dict with string keys")
            if size > 0:
                at += size
                continue
            if size < 0:
                start, at = at + 1, at - size
                if not (text := data[start:at]).isascii():
                    str(text, "utf-8")
                continue
            if 0x80 <= first < 0x98 and is_opaque:  # a short list
                outer.append((count, is_map))
                is_map, count, at = False, first - 0x80, at + 1
                item_count += count
                if depth + len(outer) > DEPTH_MAX or item_count > ITEMS_MAX:
                    raise out_of_bounds(depth + len(outer))
                continue
            major = first >> 5
            if major == _SIMPLE:
                at = _simple_end(data, at, is_opaque)
            elif major in (_BYTES, _TEXT):
                at = _string_end(data, at)
            else:
                if not is_opaque and is_map and count & 1:
                    raise UnconvertiblePayload("a list, map or tag as a key")
                length, at = parse_length(data, at)
                outer.append((count, is_map))
                is_map = major == _MAP
                if major == _TAG:
                    if not is_opaque and length not in PLAIN_TAGS:
                        raise UnconvertiblePayload(f"tag {length}")
                    count = 1
                elif length < 0:
                    count = _KEY if is_map else _ANY
                else:
                    count = 2 * length if is_map else length
                    item_count += length
                if depth + len(outer) > DEPTH_MAX or item_count > ITEMS_MAX:
                    raise out_of_bounds(depth + len(outer))
    except IndexError:
        at = len(data) + 1
    except UnicodeDecodeError as error:
        raise ProtocolViolation(f"a string is not UTF-8: {error.reason}") from None
    if at > len(data):
        raise ProtocolViolation("the message ends within an item")
    return at


def parse_length(data: bytes, at: int) -> tuple[int, int]:
    """The number in an item's head, -1 for an indefinite length, and where the head ends.

    Raises:
        ProtocolViolation: there is no such head.
    """
    first = data[at]
    info = first & 0x1F
    if info < 24:
        return info, at + 1
    if info < 28:
        end = at + 1 + (1 << (info - 24))
        return int.from_bytes(data[at + 1 : end], "big"), end
    if info == _INDEFINITE and first >> 5 in (_BYTES, _TEXT, _LIST, _MAP):
        return -1, at + 1
    raise ProtocolViolation(f"no CBOR item begins with {first:#x}")


def _string_end(data: bytes, at: int) -> int:
    major = data[at] >> 5
    length, start = parse_length(data, at)
    if length >= 0:
        end = start + length
        if major == _TEXT and not (text := data[start:end]).isascii():
            str(text, "utf-8")
        return end
    at = start
    while data[at] != _BREAK:
        if data[at] >> 5 != major or data[at] & 0x1F == _INDEFINITE:
            raise ProtocolViolation("a string of indefinite length has parts of its own type only")
        at = _string_end(data, at)
    return at + 1


def _simple_end(data: bytes, at: int, is_opaque: bool) -> int:
    info = data[at] & 0x1F
    if info > 24 or (info == 24 and data[at + 1] < 32):
        raise ProtocolViolation(f"no CBOR item begins with {data[at]:#x}")
    if not is_opaque:
        raise UnconvertiblePayload("a simple value that nothing is assigned to")
    return at + 1 + (info == 24)
