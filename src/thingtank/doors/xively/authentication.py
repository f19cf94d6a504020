"""Who is asking: the ways in which old clients present a key.

Source: Xively API v2, keys ("X-ApiKey", `key`), OAuth (`Bearer`, `oauth_token`).
"""

import base64
import binascii
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from thingtank.protocols.xively.query import Parameters, first
from thingtank.tank.access import Caller, caller_of_key
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.tank import Tank

KEY_CHARS_MAX = 512


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """What a request says of its sender.

    Attributes:
        secret: the key presented, blank for none.
        referer: host name of the Referer header, blank when there is none.
    """

    secret: str
    referer: str


def credentials_of(headers: Mapping[bytes, bytes], parameters: Parameters) -> Credentials:
    """Read what is presented; whether it opens anything is asked anew for each request."""
    referer = headers.get(b"referer")
    secret = _secret(headers, parameters)
    return Credentials(secret[:KEY_CHARS_MAX], _host(referer) if referer else "")


def caller_of(
    tank: Tank,
    credentials: Credentials,
    address: str,
    reads_public: bool = False,
    is_counted: bool = True,
) -> Caller:
    """The caller of a request.

    A neighbour's wrong keys do not keep out who has a right one behind the same address.

    Args:
        reads_public: let strangers in, who may then read public feeds.
        is_counted: count a request against the rate of its key, or of the address without one;
            false when nobody makes a request, as before each push.

    Raises:
        Unauthenticated: no key is presented, or one that opens nothing.
        RateExceeded: this request is one too many.
    """
    secret, referer, rates = credentials.secret, credentials.referer, tank.request_rates
    if not secret:
        if is_counted:
            rates.count_stranger(address, time.monotonic_ns())
        if not reads_public:
            raise Unauthenticated("no API key was presented")
        return Caller(address=address, referer=referer, reads_public=True)
    try:
        caller = caller_of_key(tank.directory, secret, tank.clock.now_us(), address, referer)
    except Unauthenticated:
        if is_counted:
            rates.count_stranger(address, time.monotonic_ns())
        raise
    if rates.counts_keys and is_counted and caller.key is not None:
        rates.count_key(caller.key.key_id, time.monotonic_ns())
    return caller


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
