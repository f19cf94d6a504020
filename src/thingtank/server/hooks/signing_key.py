"""The key that requests of hooks are signed with, in the data folder."""

import asyncio
import os
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from thingtank.tank.errors import StorageFailed

FILE_NAME = "hook_signing_key.pem"
_BITS = 2048


class SigningKey:
    """An RSA key, read or made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._key: rsa.RSAPrivateKey | None = None
        self._turn = asyncio.Lock()

    async def sign(self, text: bytes) -> bytes:
        """Sign with PKCS #1 1.5 and SHA-256.

        Raises:
            StorageFailed: the key cannot be read, or made.
        """
        key = await self._loaded()
        return key.sign(text, padding.PKCS1v15(), hashes.SHA256())

    async def public_pem(self) -> str:
        """The public key. Raise as `sign`."""
        key = (await self._loaded()).public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return key.public_bytes(serialization.Encoding.PEM, form).decode()

    async def _loaded(self) -> rsa.RSAPrivateKey:
        async with self._turn:
            if self._key is None:
                try:
                    self._key = await asyncio.to_thread(_load, self._path)
                except (OSError, ValueError) as error:
                    raise StorageFailed(f"{FILE_NAME} cannot be used", details=error) from error
            return self._key


def _load(path: Path) -> rsa.RSAPrivateKey:
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        return _make(path)
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{path} holds no RSA key")
    return key


def _make(path: Path) -> rsa.RSAPrivateKey:
    key = rsa.generate_private_key(65537, _BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    return key
