"""JSON in and out, strictly: UTF-8, no NaN, no depth that would exhaust the stack."""

import re
from typing import Any

import msgspec
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from thingtank.protocols.json_bounds import has_more_items, is_deeper

DEPTH_MAX = 40
ITEMS_MAX = 100_000


# One half without the other, which is said to be cut off where nothing of six bytes follows.
_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_NO_UTF8 = "the body is not UTF-8, which JSON is written in"


class JsonRenderer(BaseRenderer):
    """JSON of plain values."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        """The bytes; none for no content."""
        return b"" if data is None else msgspec.json.encode(data)


class JsonParser(BaseParser):
    """JSON to plain values."""

    media_type = "application/json"

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        """The values; the body has been read and bounded."""
        text: bytes = stream.read()
        try:
            value = msgspec.json.decode(text)
            if is_deeper(text, DEPTH_MAX) or has_more_items(text, ITEMS_MAX):
                raise ParseError("the JSON has too many parts, or is too deep")
        except UnicodeDecodeError:
            raise ParseError(_NO_UTF8) from None
        except msgspec.DecodeError as error:
            raise ParseError(_why_no_json(text, str(error))) from None
        except RecursionError:
            raise ParseError("the JSON is too deep") from None
        return value


class MergePatchParser(JsonParser):
    """A JSON merge patch (RFC 7396), which PATCH takes under either name."""

    media_type = "application/merge-patch+json"


def _why_no_json(text: bytes, words: str) -> str:
    try:
        text.decode()  # else it is said to be cut off, where a byte asks for others behind it
    except UnicodeDecodeError:
        return _NO_UTF8
    if _HALF.search(text):
        words = "an escape \\ud800 to \\udfff is half of a character; write both halves"
    return f"the body is not JSON: {words}"
