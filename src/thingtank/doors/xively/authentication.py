"""Who is asking: the ways in which old clients present a key.

Source: Xively API v2, keys ("X-ApiKey", `key`), OAuth (`Bearer`, `oauth_token`).
"""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import urlsplit

from thingtank.protocols.xively.query import Parameters, first
from thingtank.tank.access import Caller, caller_of_key
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.tank import Tank

KEY_CHARS_MAX = 512


def caller_of(
    tank: Tank,
    headers: Mapping[bytes, bytes],
    parameters: Parameters,
    address: str,
    reads_public: bool = False,
) -> Caller:
    """The caller of a request.

    Args:
        reads_public: let strangers in, who may then read public feeds.

    Raises:
        Unauthenticated: no key is presented, or one that opens nothing.
    """
    referer_header = headers.get(b"referer")
    referer = _host(referer_header) if referer_header else ""
    secret = _secret(headers, parameters)
    if not secret:
        if not reads_public:
            raise Unauthenticated("no API key was presented")
        return Caller(address=address, referer=referer, reads_public=True)
    return caller_of_key(
        tank.directory, secret[:KEY_CHARS_MAX], tank.clock.now_us(), address, referer
    )


def _secret(headers: Mapping[bytes, bytes], parameters: Parameters) -> str:
    header = headers.get(b"x-apikey") or headers.get(b"x-pachubeapikey")
    if header:
        return header.decode("latin-1").strip()
    if parameters:
        in_query = first(parameters, "key") or first(parameters, "oauth_token")
        if in_query:
            return in_query
    authorization = headers.get(b"authorization")
    return _authorized(authorization.decode("latin-1")) if authorization else ""


def _authorized(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(credentials, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            return ""
        return decoded.partition(":")[0]
    return ""


def _host(referer: bytes) -> str:
    try:
        return urlsplit(referer.decode("latin-1")).hostname or ""
    except ValueError:
        return ""
