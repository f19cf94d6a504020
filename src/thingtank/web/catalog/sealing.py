"""Secrets at rest: found by a keyed digest, shown again by unsealing."""

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from thingtank.tank.errors import StorageFailed
from thingtank.web.derived_keys import derive_key

NONCE_BYTES = 12


class Sealer:
    """Digests and seals with keys derived from the instance's secret."""

    def __init__(self, secret: bytes) -> None:
        self._digest_key = derive_key(secret, "key digests")
        self._cipher = AESGCM(derive_key(secret, "sealed keys"))

    def digest(self, text: str) -> bytes:
        """32 bytes to look a secret up by; without the instance's secret they say nothing."""
        plain = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(plain, key=self._digest_key, digest_size=32).digest()

    def seal(self, text: str) -> bytes:
        """Encrypt a secret, bound to its digest, so that rows cannot be swapped."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), self.digest(text))

    def unseal(self, sealed: bytes, digest: bytes, whose: str) -> str:
        """The secret again.

        Args:
            whose: what the secret is of, for the error: `key 7`.

        Raises:
            StorageFailed: another instance's, or tampered with.
        """
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, digest).decode()
        except (InvalidTag, ValueError):  # ValueError: too short to be sealed at all
            raise StorageFailed(
                f"{whose} was sealed with another secret than this instance has; restore"
                " secret.key from your backup"
            ) from None
