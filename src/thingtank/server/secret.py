"""The instance's secret: 32 random bytes in the data folder that all sealing is derived from."""

import os
import secrets
from pathlib import Path

SECRET_BYTES = 32
_DIRECTORY = "directory.sqlite3"  # its keys are sealed with the secret


def load_secret(folder: Path) -> bytes:
    """Read `secret.key` of a data folder, made with mode 0600 when the folder is new.

    Raises:
        OSError: the folder cannot be written.
        ValueError: the file is not a secret of ours, or is missing where it has been used.
    """
    path = folder / "secret.key"
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        if (folder / _DIRECTORY).exists():
            raise ValueError(
                f"{path.name} is missing from {folder}; restore it from your backup, for without"
                f" it no key in {_DIRECTORY} works"
            ) from None
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
