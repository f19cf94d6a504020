"""The instance's secret: 32 random bytes in the data folder that all sealing is derived from."""

import os
import secrets
from pathlib import Path

SECRET_BYTES = 32


def load_secret(folder: Path) -> bytes:
    """Read `secret.key`, made with mode 0600 when it is missing.

    Raises:
        OSError: the folder cannot be written.
        ValueError: the file is not a secret of ours.
    """
    path = folder / "secret.key"
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        return _make_secret(path)
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"{path} holds {len(secret)} bytes, not {SECRET_BYTES}; restore it")
    return secret


def _make_secret(path: Path) -> bytes:
    secret = secrets.token_bytes(SECRET_BYTES)
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    return secret
