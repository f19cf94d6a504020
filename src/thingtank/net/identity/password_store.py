"""What the door needs of the accounts' passwords; `web/accounts/passwords.py` gives it."""

import base64
import binascii
import re
from typing import Protocol

from msgspec import Struct

_PBKDF2 = re.compile(r"pbkdf2_sha256\$([1-9]\d{0,8})\$([!-#%-~]{1,255})\$([A-Za-z0-9+/]{43}=)")


class PasswordStore(Protocol):
    """Passwords of accounts. Both questions take as long for a login that there is not.

    Attributes:
        iterations: of PBKDF2, in the hashes that are made now.
    """

    iterations: int

    async def find_password_hash(self, login: str) -> str | None:
        """The hash as Django writes it; None if there is none, or the account is inactive."""

    async def check_password(self, login: str, password: str) -> bool:
        """Whether an active account has this password. Slow on purpose."""


class SaltedPassword(Struct, frozen=True):
    """PBKDF2-HMAC-SHA256 of a password, 32 bytes: enough to check proofs, not to know it.

    Attributes:
        salt: text, used as UTF-8.
    """

    salt: str
    iterations: int
    derived: bytes

    def __repr__(self) -> str:
        return "SaltedPassword(…)"


def salted_password_of(password_hash: str) -> SaltedPassword | None:
    """Read a hash as Django writes it: `pbkdf2_sha256$iterations$salt$base64`; None for others."""
    matched = _PBKDF2.fullmatch(password_hash)
    if matched is None:
        return None
    iterations, salt, derived = matched.groups()
    try:
        return SaltedPassword(salt, int(iterations), base64.b64decode(derived, validate=True))
    except binascii.Error:
        return None
