"""What the request log shows of a request, without its secrets: queries, headers, bodies, values.

What is called like a secret is taken for one, and what looks like a key of ours. It costs a reader
little if a value is missing that was none, and an owner much if one is there that was. Every door
blots here, whatever became of the request, and before the log keeps it. A body without anything
suspicious, as nearly all of a device's are, costs about a microsecond.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from thingtank.net.blotting_texts import (
    blotted_form,
    blotted_string,
    blotted_text,
    is_form,
    names_secret,
)
from thingtank.net.secret_names import is_secret
from thingtank.tank.request_log import BLOT, BODY_BYTES_MAX, PATH_CHARS_MAX

QUERY_BYTES_MAX = 512
HEADERS_MAX = 24
HEADER_CHARS_MAX = 200
PARSED_BYTES_MAX = 16_384  # of a JSON body that may hold a secret; longer ones are taken for text
DEPTH_MAX = 32

_CONTEXT_BYTES = 256  # behind what is shown: a secret that is cut there is known by what follows
# Where none of these is, no name is a secret's; the last of them are how a name may be hidden, and
# how a password stands in an address.
_SUSPICIOUS = (
    *(b"key", b"token", b"secret", b"pass", b"pw", b"auth", b"cred", b"cookie", b"sig"),
    *(b"meshblu", b"jwt", b"psk", b"session", b"otp", b"\\u", b"%", b"&#", b"://", b"\x00"),
)
_RUN_BYTES = 40  # the shortest of our keys and tokens
_RUN = b"a" * _RUN_BYTES
_IN_RUNS = bytes(
    ord("a") if chr(octet).isascii() and (chr(octet).isalnum() or octet in b"-_") else ord(" ")
    for octet in range(256)
)
_SECRET_HEADERS = ("key", "auth", "signature")
_OPEN_HEADERS = frozenset({"meshblu_auth_uuid", "skynet_auth_uuid"})
_encode = msgspec.json.Encoder(enc_hook=str).encode


def shown_path(raw_path: str, query: bytes) -> str:
    """A path with its query, its beginning, as the client wrote them."""
    path = raw_path[: PATH_CHARS_MAX + _CONTEXT_BYTES]
    if _has_run(path.encode("utf-8", "replace")):
        path = blotted_string(path)
    path = path[:PATH_CHARS_MAX]
    if not query:
        return path
    text = query[: QUERY_BYTES_MAX + _CONTEXT_BYTES].decode("latin-1")
    parameters = text.split("&")
    if _is_suspicious(query):
        parameters = blotted_form(text).split("&")
    return f"{path}?{'&'.join(parameters)[:QUERY_BYTES_MAX]}"


def shown_headers(headers: Mapping[bytes, bytes]) -> tuple[tuple[str, str], ...]:
    """A request's headers, the first HEADERS_MAX of them."""
    return tuple(
        _shown_header(name.decode("latin-1")[:HEADER_CHARS_MAX], value)
        for name, value in list(headers.items())[:HEADERS_MAX]
    )


def _shown_header(name: str, value: bytes) -> tuple[str, str]:
    text = value[:HEADER_CHARS_MAX].decode("latin-1")
    is_named = is_secret(name) or any(part in name for part in _SECRET_HEADERS)
    if name in _OPEN_HEADERS:
        return name, text
    if is_named:
        scheme, space, _ = text.partition(" ")  # as in `Basic dXNlcjpwYXNz`
        is_scheme = space and name.endswith("authorization") and scheme.isalpha()
        return name, f"{scheme} {BLOT}" if is_scheme else BLOT
    if name == "referer":
        text = text.partition("?")[0]
    is_open = b"=" not in value and b"://" not in value and not _has_run(value)
    return name, text if is_open else blotted_string(text)


def shown_body(body: bytes) -> bytes:
    """The first bytes of a body, without its secrets.

    Returns:
        At most BODY_BYTES_MAX bytes, as they were written where there is no secret in them; only
        BLOT where they cannot be searched.
    """
    if not body:
        return body
    head = body[: BODY_BYTES_MAX + _CONTEXT_BYTES]
    if not _is_suspicious(head):  # a name comes before its value
        return head[:BODY_BYTES_MAX]
    if len(body) > PARSED_BYTES_MAX:
        return _shown_text(head)
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _shown_text(head)
    blotted = _blotted(value, DEPTH_MAX)
    if blotted == value:
        return head[:BODY_BYTES_MAX]  # as it was written
    return _encode(blotted)[:BODY_BYTES_MAX]


def _is_suspicious(octets: bytes) -> bool:
    """Whether there may be a secret; never no where there is one that would be found."""
    return any(map(octets.lower().__contains__, _SUSPICIOUS)) or _has_run(octets)


def _has_run(octets: bytes) -> bool:
    """Whether so many letters and digits follow one another as in a key."""
    return _RUN in octets.translate(_IN_RUNS)


def _shown_text(head: bytes) -> bytes:
    """What is no JSON: a form, CSV, XML, a broken document."""
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.end < len(head) - 3:  # not only cut at its end
            return _shown_octets(head)
        text = head[: error.start].decode()
    if "\x00" in text:
        return _shown_octets(head)
    return (blotted_form if is_form(text) else blotted_text)(text).encode()[:BODY_BYTES_MAX]


def _shown_octets(head: bytes) -> bytes:
    """Of bytes of any form all or nothing."""
    text = head.replace(b"\x00", b"").decode("ascii", "replace")
    is_open = not names_secret(text) and blotted_text(text) == text
    return head[:BODY_BYTES_MAX] if is_open else BLOT.encode()


def shown_value(value: object) -> bytes:
    """The first bytes of a decoded value in JSON, without what is called like a secret."""
    return shown_body(_written(value))


def _written(value: object) -> bytes:
    """A value in JSON; none of what JSON does not have, as CBOR and MessagePack do."""
    try:
        return _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return b""


def _blotted(value: Any, depth: int) -> Any:
    """A decoded document without its secrets; what is below `depth` levels is taken for one."""
    if isinstance(value, str):
        return blotted_string(value)
    if not isinstance(value, dict | list):
        return value
    if not depth:
        return BLOT
    if isinstance(value, list):
        return [_blotted(each, depth - 1) for each in value]
    named = value.get("name")
    is_pair = isinstance(named, str) and is_secret(named)  # as in {"name": "token", "value": "…"}
    return {
        blotted_string(name): BLOT
        if is_secret(name) or (is_pair and name == "value")
        else _blotted(each, depth - 1)
        for name, each in value.items()
    }
