"""JSON of clients: bounded in depth and number of parts, lenient where JavaScript is."""

import re
from typing import Any, Final, TypeVar

import msgspec

from thingtank.protocols.json_bounds import has_more_items, is_deeper

DEPTH_MAX: Final = 64
ITEMS_MAX: Final = 100_000

T = TypeVar("T")

_ANY: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder()
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE: Final = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"  # a pair
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"  # alone
    rb"|\\.",
    re.DOTALL,
)


class NotJson(Exception):
    """It is no JSON, or beyond the bounds."""


def decode(text: bytes) -> Any:
    """Read a value.

    Raises:
        NotJson.
    """
    return decode_with(_ANY, text)


def decode_with(decoder: "msgspec.json.Decoder[T]", text: bytes) -> T:
    """Read a value of a type.

    A surrogate that stands alone, which JavaScript writes as an escape, is read as U+FFFD.

    Raises:
        NotJson: also when it is of another type.
    """
    try:
        value = decoder.decode(text)
    except (ValueError, RecursionError):
        if not _SURROGATE.search(text):
            raise NotJson from None
        value = _decode_mended(decoder, text)
    if is_deeper(text, DEPTH_MAX) or has_more_items(text, ITEMS_MAX):
        raise NotJson
    return value


def _decode_mended(decoder: "msgspec.json.Decoder[T]", text: bytes) -> T:
    try:
        return decoder.decode(_ESCAPE.sub(_mended, text))
    except (ValueError, RecursionError):
        raise NotJson from None


def _mended(found: "re.Match[bytes]") -> bytes:
    return rb"\ufffd" if found[2] else found[0]
