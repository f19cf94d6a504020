"""How a request says who sends it: the header schemes of all generations.

Of several, the first of these counts: `X-Meshblu-UUID` with `X-Meshblu-Token`, `meshblu_auth_uuid`
with `…_token`, `skynet_auth_uuid` with `…_token`, `Authorization` (Basic, or Bearer with
base64 of `uuid:token`), and `X-ApiKey`, which is Thing Tank's own.

Source: Meshblu 1.18, lib/middleware, `authorizer`.
"""

import base64
import binascii
from collections.abc import Mapping

import msgspec

SECRET_CHARS_MAX = 512

_SCHEMES = (
    (b"x-meshblu-uuid", b"x-meshblu-token"),
    (b"meshblu_auth_uuid", b"meshblu_auth_token"),
    (b"skynet_auth_uuid", b"skynet_auth_token"),
)


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """What was shown: a device's uuid and token, or a key.

    Attributes:
        uuid, token: blank for a key, or where they could not be read.
        key: an API key; blank for a device.
    """

    uuid: str = ""
    token: str = ""
    key: str = ""

    def __repr__(self) -> str:
        return f"Credentials(uuid={self.uuid!r})"


def credentials_of(headers: Mapping[bytes, bytes]) -> Credentials | None:
    """What headers show; None for nothing.

    Half of a pair, and what cannot be read, are credentials that open nothing.

    Args:
        headers: names in lower case.
    """
    shown: Credentials | None = None
    for uuid_name, token_name in _SCHEMES:
        if uuid_name in headers or token_name in headers:
            found = Credentials(
                _text(headers.get(uuid_name, b"")), _text(headers.get(token_name, b""))
            )
            if found.uuid and found.token:
                return found
            shown = shown or found
    authorization = headers.get(b"authorization")
    if authorization is not None:
        found = _authorized(authorization)
        if found.uuid:
            return found
        shown = shown or found
    key = headers.get(b"x-apikey")
    if key is not None:
        return Credentials(key=_text(key))
    return shown


def _text(value: bytes) -> str:
    return value[: SECRET_CHARS_MAX * 4].decode("utf-8", "replace").strip()[:SECRET_CHARS_MAX]


def _authorized(value: bytes) -> Credentials:
    scheme, _, encoded = value.strip().partition(b" ")
    if scheme.lower() not in (b"basic", b"bearer"):
        return Credentials()
    try:
        plain = base64.b64decode(encoded.strip()[: SECRET_CHARS_MAX * 4], validate=True)
    except binascii.Error:
        return Credentials()
    uuid, _, token = _text(plain).partition(":")
    return Credentials(uuid.strip(), token.strip())
