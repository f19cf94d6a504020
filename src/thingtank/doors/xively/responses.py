"""Answers on the wire: short headers, always a length, never chunked.

Small clients read a whole reply into 512 bytes and know at most 16 headers, so each header has to
earn its place.
"""

import gzip

import msgspec

JAVASCRIPT_TYPE = b"application/javascript; charset=utf-8"
GZIP_BYTES_MIN = 512  # below this, compressing costs more than it saves


class ExactName(bytes):
    """A header's name that keeps its spelling: uvicorn writes all names in lower case otherwise."""

    def lower(self) -> bytes:
        """The name as it is spelled."""
        return self


# Two clients look this header up by exactly this spelling.
_LOCATION = ExactName(b"Location")
_CORS = (b"access-control-allow-origin", b"*")
_EMPTY_HEADERS = [(b"content-length", b"0"), _CORS]
PREFLIGHT_HEADERS = [
    (b"content-length", b"0"),
    _CORS,
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE, OPTIONS"),
    (b"access-control-allow-headers", b"X-ApiKey, X-PachubeApiKey, Content-Type, Authorization"),
    (b"access-control-max-age", b"86400"),
]


class Reply(msgspec.Struct, gc=False):
    """An answer that a handler gives.

    Attributes:
        content_type: blank for that of the request's format.
    """

    status: int = 200
    body: bytes = b""
    location: str = ""
    retry_after_s: int = 0
    content_type: bytes = b""


DONE = Reply()


def headers_of(
    reply: Reply, content_type: bytes, accepts_gzip: bool
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and the body as it is sent.

    Args:
        content_type: of the request's format, for a reply that names none.
    """
    if not reply.body and not reply.location and not reply.retry_after_s:
        return _EMPTY_HEADERS, b""
    body = reply.body
    headers = [_CORS]
    if body:
        headers.append((b"content-type", reply.content_type or content_type))
        if accepts_gzip and len(body) >= GZIP_BYTES_MIN:
            body = gzip.compress(body, compresslevel=5, mtime=0)
            headers.append((b"content-encoding", b"gzip"))
            headers.append((b"vary", b"Accept-Encoding"))
    headers.append((b"content-length", str(len(body)).encode()))
    if reply.location:
        headers.append((_LOCATION, reply.location.encode("ascii", "replace")))
        headers.append((b"access-control-expose-headers", b"Location"))
    if reply.retry_after_s:
        headers.append((b"retry-after", str(reply.retry_after_s).encode()))
    return headers, body
