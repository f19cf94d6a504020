"""A request as the door's handlers see it: method, target, parameters, caller, bounded body."""

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from thingtank.net import asgi_answers
from thingtank.net.asgi_answers import BodyTooLong
from thingtank.net.http_request import RequestHead
from thingtank.protocols.xively.errors import BodyTooLarge, MalformedBody, XivelyError
from thingtank.protocols.xively.formats import FEED_CODECS, FeedCodec
from thingtank.protocols.xively.paths import Target
from thingtank.protocols.xively.query import Parameters
from thingtank.tank.access import Caller

_GZIP_WBITS = 31  # zlib's number for "a gzip header and nothing else"
_GZIP_MEMBERS_MAX = 16


class Request(msgspec.Struct, gc=False):
    """One request.

    Attributes:
        method: a HEAD is a GET here.
        format: of the body and of the answer; `codec` reads and writes it.
        public_url: where clients reach this server, as the settings say; blank for as they did.
        body: decompressed.
    """

    method: str
    target: Target
    parameters: Parameters
    caller: Caller
    head: RequestHead
    format: str = "json"
    public_url: str = ""
    body: bytes = b""

    @property
    def codec(self) -> FeedCodec:
        """Reads and writes feeds, datastreams and datapoints in the request's format."""
        return FEED_CODECS[self.target.version, self.format]

    @property
    def base_url(self) -> str:
        """What links in answers begin with, without a slash at the end."""
        if self.public_url:
            return self.public_url
        return (
            f"{self.head.scheme}://{self.head.headers.get(b'host', b'localhost').decode('latin-1')}"
        )


class UnsupportedEncoding(XivelyError):
    """The body is compressed in a way that is not spoken here."""

    status = 415
    title = "Unsupported Media Type"


async def read_body(receive: Any, headers: Mapping[bytes, bytes], bytes_max: int) -> bytes:
    """Read a request's body from ASGI.

    Raises:
        BodyTooLarge: it is larger than `bytes_max`.
        PeerLeft.
    """
    try:
        return await asgi_answers.read_body(receive, bytes_max, headers.get(b"content-length", b""))
    except BodyTooLong as error:
        raise BodyTooLarge(str(error)) from None


def plain_body(body: bytes, headers: Mapping[bytes, bytes], bytes_max: int) -> bytes:
    """A request's body as it was before its Content-Encoding.

    Raises:
        BodyTooLarge: it is larger than `bytes_max`, or would be.
        MalformedBody: broken gzip.
        UnsupportedEncoding.
    """
    if len(body) > bytes_max:
        raise BodyTooLarge(f"the body has {len(body)} bytes; {bytes_max} are allowed")
    encoding = headers.get(b"content-encoding")
    return _decompressed(body, encoding, bytes_max) if encoding else body


def _decompressed(body: bytes, encoding: bytes, bytes_max: int) -> bytes:
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return body
    if name not in (b"gzip", b"x-gzip"):
        raise UnsupportedEncoding("only gzip is read")
    plain, rest = b"", body
    for _ in range(_GZIP_MEMBERS_MAX):
        member, rest = _gzip_member(rest, bytes_max + 1 - len(plain))
        plain += member
        if len(plain) > bytes_max:
            raise BodyTooLarge(f"the body decompresses to more than {bytes_max} bytes")
        if not rest:
            return plain
    raise MalformedBody(f"the body has more than {_GZIP_MEMBERS_MAX} gzip members")


def _gzip_member(body: bytes, bytes_max: int) -> tuple[bytes, bytes]:
    """Decompress the first of a body's members (RFC 1952, 2.2); also what follows it."""
    decompressor = zlib.decompressobj(_GZIP_WBITS)
    try:
        plain = decompressor.decompress(body, bytes_max)
    except zlib.error:
        raise MalformedBody("the body is not gzip") from None
    if not decompressor.eof and len(plain) < bytes_max:
        raise MalformedBody("the gzip body ends early")
    return plain, decompressor.unused_data
