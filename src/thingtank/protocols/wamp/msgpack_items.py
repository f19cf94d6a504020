"""Where MessagePack items end, and whether they are what the router passes on.

Nothing is built of what is passed over, so that neither size nor keys of a stranger's choice cost
more than their bytes.

Source: the MessagePack specification of 2013 (str and bin differ).
"""

from thingtank.protocols.wamp.errors import ProtocolViolation, UnconvertiblePayload
from thingtank.protocols.wamp.serializer import DEPTH_MAX, ITEMS_MAX, out_of_bounds

_TIMESTAMP = 0xFF  # extension -1, which the specification predefines

_LIST, _MAP, _STR, _BIN, _EXT = range(5)
_SIZED = {  # first byte: what it is, and how many bytes say its length
    **{0xC4 + power: (_BIN, 1 << power) for power in range(3)},
    **{0xC7 + power: (_EXT, 1 << power) for power in range(3)},
    **{0xD9 + power: (_STR, 1 << power) for power in range(3)},
    0xDC: (_LIST, 2),
    0xDD: (_LIST, 4),
    0xDE: (_MAP, 2),
    0xDF: (_MAP, 4),
}
_FIXED = {0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}


def _size_of(first: int) -> int:
    """How many bytes an item has, by its first one; negative for a short string, 0 for others."""
    if first < 0x80 or first >= 0xE0 or first in (0xC0, 0xC2, 0xC3):
        return 1
    if 0xA0 <= first < 0xC0:
        return -(1 + (first & 0x1F))
    return _FIXED.get(first, 0)


_SIZES = tuple(_size_of(first) for first in range(256))
_STRINGS = frozenset({*range(0xA0, 0xC0), 0xD9, 0xDA, 0xDB})


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
        UnconvertiblePayload: `is_opaque` is False, and there is an extension, or a list or map as
            a key.
    """
    outer: list[tuple[int, bool]] = []
    is_map, item_count = False, count
    try:
        while True:
            if not count:
                if not outer:
                    break
                count, is_map = outer.pop()
                continue
            first = data[at]
            size = _SIZES[first]
            count -= 1
            if text_keys and is_map and count & 1 and len(outer) == 1 and first not in _STRINGS:
                raise ProtocolViolation("ArgumentsKw must be a dict with string keys")
            if size > 0:
                at += size
            elif size < 0:
                start, at = at + 1, at - size
                if not (text := data[start:at]).isascii():
                    str(text, "utf-8")
            else:
                kind, length, at = _sized(data, at)
                if kind == _STR:
                    start, at = at, at + length
                    if not (text := data[start:at]).isascii():
                        str(text, "utf-8")
                elif kind == _BIN:
                    at += length
                elif kind == _EXT:
                    if not is_opaque and data[at] != _TIMESTAMP:
                        raise UnconvertiblePayload(f"extension type {data[at]}")
                    at += 1 + length
                else:
                    if not is_opaque and is_map and count & 1:
                        raise UnconvertiblePayload("a list or map as a key")
                    outer.append((count, is_map))
                    is_map = kind == _MAP
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


def _sized(data: bytes, at: int) -> tuple[int, int, int]:
    """What begins here, its length, and where its content does."""
    first = data[at]
    if first < 0xA0:  # short maps, then short lists
        return (_MAP if first < 0x90 else _LIST), first & 0x0F, at + 1
    if 0xD4 <= first <= 0xD8:
        return _EXT, 1 << (first - 0xD4), at + 1
    if first not in _SIZED:
        raise ProtocolViolation(f"no MessagePack item begins with {first:#x}")
    kind, width = _SIZED[first]
    start = at + 1 + width
    return kind, int.from_bytes(data[at + 1 : start], "big"), start
