"""Answers on the wire."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from thingtank.net.http_request import Headers

JSON_TYPE = b"application/json"
TEXT_TYPE = b"text/plain; charset=utf-8"
CORS = (b"access-control-allow-origin", b"*")
PREFLIGHT_HEADERS: Headers = [
    CORS,
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"Content-Type, Authorization, X-ApiKey, X-Meshblu-UUID, X-Meshblu-Token, X-Meshblu-As, "
        b"X-Meshblu-ForwardedFor, X-Meshblu-Projection, meshblu_auth_uuid, meshblu_auth_token, "
        b"skynet_auth_uuid, skynet_auth_token",
    ),
    (b"access-control-max-age", b"86400"),
]

_encode = msgspec.json.encode


class Reply(msgspec.Struct, gc=False):
    """An answer that a handler gives.

    Attributes:
        touched_id: the device that the request was about, where its path does not name it; 0.
        retry_after_s: when to ask again; 0 for nothing.
        allow: the methods there are, when there is not the one that was asked for.
    """

    status: int = 200
    body: bytes = b""
    content_type: bytes = JSON_TYPE
    touched_id: int = 0
    retry_after_s: int = 0
    location: str = ""
    allow: str = ""


def answer(value: Any, status: int = 200, *, touched_id: int = 0) -> Reply:
    """An answer in JSON."""
    return Reply(status, _encode(value), touched_id=touched_id)


NO_CONTENT = Reply(204)
CREATED = Reply(201)


@lru_cache(4096)
def _plain_headers(content_type: bytes, length: int) -> Headers:
    """Headers that most answers have, each the very list of the last one of the same length."""
    headers = [(b"content-type", content_type)] if length else []
    return [*headers, (b"content-length", str(length).encode()), CORS]


_NO_CONTENT_HEADERS: Headers = [CORS]  # RFC 9110, 8.6: 204 has no length


def headers_of(reply: Reply) -> Headers:
    """The headers of an answer."""
    if reply.status == 204:
        return _NO_CONTENT_HEADERS
    headers = _plain_headers(reply.content_type, len(reply.body))
    if not (reply.retry_after_s or reply.location or reply.allow):
        return headers
    more: Sequence[tuple[bytes, bytes]] = [
        (name, value.encode("ascii", "replace"))
        for name, value in (
            (b"retry-after", str(reply.retry_after_s or "")),
            (b"location", reply.location),
            (b"allow", reply.allow),
        )
        if value
    ]
    return [*headers, *more]
