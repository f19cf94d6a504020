"""What the request log shows of a request, without its secrets: queries, headers, bodies, values.

What is called like a secret is taken for one. It costs a reader little if a value is missing that
was none, and an owner much if one is there that was.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from thingtank.tank.request_log import BLOT, BODY_BYTES_MAX, PATH_CHARS_MAX

QUERY_BYTES_MAX = 512
HEADERS_MAX = 24
HEADER_CHARS_MAX = 200
PARSED_BYTES_MAX = 65_536  # of a body that may hold a secret; of longer ones nothing is shown
DEPTH_MAX = 32

_SECRET_NAMES = frozenset({"key", "api_key", "apikey", "signature", "sig", "meshblu"})
_SECRET_PARTS = ("token", "secret", "password", "passwd", "credential", "authorization", "cookie")
# Where none of these is, no name is a secret's: the last two are how a name may be hidden.
_SUSPICIOUS = (
    *(part.encode() for part in _SECRET_PARTS),
    *(b"key", b"sig", b"meshblu", b"\\u", b"%"),
)
_SECRET_HEADERS = ("key", "auth", "signature", *_SECRET_PARTS)
_OPEN_HEADERS = frozenset({"meshblu_auth_uuid", "skynet_auth_uuid"})
_encode = msgspec.json.Encoder(enc_hook=str).encode


def is_secret(name: str) -> bool:
    """Whether a parameter or a member of this name may hold a secret."""
    lowered = name.strip().lower()
    return lowered in _SECRET_NAMES or any(part in lowered for part in _SECRET_PARTS)


def shown_path(raw_path: str, query: bytes) -> str:
    """A path with its query, its beginning, as the client wrote them."""
    path = raw_path[:PATH_CHARS_MAX]
    if not query:
        return path
    parameters = query[:QUERY_BYTES_MAX].decode("latin-1").split("&")
    return f"{path}?{'&'.join(map(_shown_parameter, parameters))}"


def _shown_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")  # the name may be percent-encoded
    return f"{name}={BLOT}" if equals and is_secret(unquote_plus(name)) else parameter


def shown_headers(headers: Mapping[bytes, bytes]) -> tuple[tuple[str, str], ...]:
    """A request's headers, the first HEADERS_MAX of them."""
    return tuple(
        _shown_header(name.decode("latin-1")[:HEADER_CHARS_MAX], value)
        for name, value in list(headers.items())[:HEADERS_MAX]
    )


def _shown_header(name: str, value: bytes) -> tuple[str, str]:
    text = value[:HEADER_CHARS_MAX].decode("latin-1")
    if name in _OPEN_HEADERS:
        return name, text
    if any(part in name for part in _SECRET_HEADERS):
        scheme, space, _ = text.partition(" ")  # as in `Basic dXNlcjpwYXNz`
        is_scheme = space and name.endswith("authorization") and scheme.isalpha()
        return name, f"{scheme} {BLOT}" if is_scheme else BLOT
    if name == "referer":
        return name, text.partition("?")[0]
    return name, text


def shown_body(body: bytes) -> bytes:
    """The first bytes of a body; of JSON and forms without secrets, of nothing else that has any.

    Returns:
        At most BODY_BYTES_MAX bytes.
    """
    head = body[:BODY_BYTES_MAX]
    lowered = head.lower()  # a name comes before its value
    if not any(part in lowered for part in _SUSPICIOUS):
        return head
    if len(body) > PARSED_BYTES_MAX:
        return b""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _shown_form(body)
    if not _holds_secret(value, DEPTH_MAX):
        return head  # as it was written
    return _encode(_blotted(value, DEPTH_MAX))[:BODY_BYTES_MAX]


def _shown_form(body: bytes) -> bytes:
    """A form, or a text that looks like none, which may still hold a broken document's secret."""
    text = body.decode("utf-8", "replace")
    parameters = text.split("&")
    is_form = all("=" in each for each in parameters) and not any(c in body for c in b"{[<\n")
    if is_form:
        return "&".join(map(_shown_parameter, parameters)).encode()[:BODY_BYTES_MAX]
    text = unquote_plus(text).lower()
    has_secret = any(part in text for part in (*_SECRET_PARTS, *_SECRET_NAMES)) or "\\u" in text
    return b"" if has_secret else body[:BODY_BYTES_MAX]


def shown_value(value: object) -> bytes:
    """The first bytes of a decoded value in JSON, without what is called like a secret."""
    return shown_body(_written(value))


def shown_harmless(value: object) -> bytes:
    """The first bytes of a decoded value in JSON, of which it is known that it has no secrets."""
    return _written(value)[:BODY_BYTES_MAX]


def _written(value: object) -> bytes:
    """A value in JSON; none of what JSON does not have, as CBOR and MessagePack do."""
    try:
        return _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return b""


def _blotted(value: Any, depth: int) -> Any:
    if not depth:
        return BLOT
    if isinstance(value, Mapping):
        return {
            name: BLOT if isinstance(name, str) and is_secret(name) else _blotted(each, depth - 1)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_blotted(each, depth - 1) for each in value]
    return value


def _holds_secret(value: Any, depth: int) -> bool:
    """Whether a decoded document has a secret in it; one below `depth` levels is taken for one."""
    if not depth:
        return True
    if isinstance(value, dict):
        return any(
            is_secret(name) or _holds_secret(each, depth - 1) for name, each in value.items()
        )
    return isinstance(value, list) and any(_holds_secret(each, depth - 1) for each in value)
