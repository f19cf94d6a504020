"""Where the control socket is; imported by every command, so nothing heavy here."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

NAME = "control.sock"
_PATH_BYTES_MAX = 100  # a socket's address has room for 107


@contextlib.contextmanager
def socket_path(folder: Path) -> Iterator[str]:
    """A path to the folder's control socket that is short enough for a socket's address."""
    path = str(folder.absolute() / NAME)
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield path
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
