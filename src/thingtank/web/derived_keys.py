"""Keys for many purposes from the instance's one secret."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive_key(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose; they tell nothing of the secret or of another purpose's."""
    return HKDF(SHA256(), 32, salt=None, info=f"thingtank {purpose}".encode()).derive(secret)
