"""A device's tokens, and the names and tokens that clients choose for devices themselves.

Every device has one root token and any number of others up to a limit. Each opens the device alike;
the root token can be replaced, the others can be revoked. Only digests are kept.

Source: SkyNet, tokens: root token and session tokens.
"""

import hmac
import re

import msgspec

from thingtank.tank.things import TEXT_CHARS_MAX, text_problems

DIGEST_BYTES = 32
TOKEN_CHARS_MAX = 255
UUID_CHARS_MAX = 64

_UUID = re.compile(r"[A-Za-z0-9\-_.:@]+")
_RESERVED = frozenset({".", "..", "all"})  # path steps, RFC 3986, 5.2.4; SkyNet's broadcast
_GROUPS = "tag:"  # how messages name all devices of a tag
# SkyNet's topics of what a device broadcasts, and of its texts, are its uuid with these.
_BROADCASTS_ENDS = ("_bc", "_tb")


class DeviceToken(msgspec.Struct, frozen=True, gc=False):
    """One of a device's tokens besides its root token; never the secret.

    Attributes:
        token_id: the row's number.
        tag: what its maker calls it; blank for none. Several may have the same.
        created_us: microseconds since the epoch, UTC.
    """

    token_id: int
    device_id: int
    tag: str
    created_us: int


def is_among(digests: bytes, digest: bytes) -> bool:
    """Whether a token's digest is one of several, as long as it takes for any wrong one.

    Args:
        digests: of a device, one behind the other, DIGEST_BYTES each.
    """
    is_found = False
    for start in range(0, len(digests), DIGEST_BYTES):
        is_found |= hmac.compare_digest(digests[start : start + DIGEST_BYTES], digest)
    return is_found


def uuid_key(uuid: str) -> str:
    """What two uuids have in common that are taken for the same: case does not matter."""
    return uuid.lower()


def uuid_problems(uuid: str) -> list[tuple[str, str]]:
    """What is wrong with a uuid that a client chose: (field, message) pairs."""
    if not 1 <= len(uuid) <= UUID_CHARS_MAX:
        return [("uuid", f"must have 1 to {UUID_CHARS_MAX} characters")]
    if _UUID.fullmatch(uuid) is None:
        return [("uuid", "may have letters, digits and - _ . : @ only")]
    key = uuid_key(uuid)
    if key in _RESERVED or key.startswith(_GROUPS) or key.endswith(_BROADCASTS_ENDS):
        return [("uuid", "is reserved")]
    return []


def token_problems(token: str) -> list[tuple[str, str]]:
    """What is wrong with a token that a client chose: (field, message) pairs."""
    if not 1 <= len(token) <= TOKEN_CHARS_MAX:
        return [("token", f"must have 1 to {TOKEN_CHARS_MAX} characters")]
    return []


def tag_problems(tag: str) -> list[tuple[str, str]]:
    """What is wrong with a token's tag: (field, message) pairs."""
    return text_problems({"tag": tag}, TEXT_CHARS_MAX)
