"""The instance's secret: 32 random bytes in the data folder that all sealing is derived from."""

import os
import secrets
from pathlib import Path

from thingtank.stores.stored import holds_datapoints
from thingtank.web.database.url import DATABASE_FILE, DIRECTORY_FILE

FILE_NAME = "secret.key"
SECRET_BYTES = 32


def has_secret(folder: Path) -> bool:
    """Whether a folder is a Thing Tank's: each that has been started has its secret."""
    return (folder / FILE_NAME).exists()


def is_in_use(folder: Path) -> bool:
    """Whether there is a directory whose keys are sealed with the secret, or was, by what it left.

    The directory may be elsewhere, or lost, and an archive be all that is left of the folder.
    """
    return (
        (folder / DIRECTORY_FILE).exists()
        or (folder / DATABASE_FILE).exists()
        or holds_datapoints(folder)
    )


def load_secret(folder: Path) -> bytes:
    """Read `secret.key` of a data folder, made with mode 0600 when the folder is new.

    Raises:
        OSError: the folder cannot be written.
        ValueError: the file is not a secret of ours, or is missing where it has been used.
    """
    path = folder / FILE_NAME
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        if is_in_use(folder):
            raise ValueError(
                f"{path.name} is missing from {folder}; restore it from your backup, for no key in"
                " the directory works without it"
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
