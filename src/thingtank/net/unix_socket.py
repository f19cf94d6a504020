"""Unix sockets at a path: made in place of what a server has left, for this user's programs."""

import contextlib
import errno
import socket
import stat
from pathlib import Path


def bind_unix(path: Path) -> socket.socket:
    """Bind, in place of a socket that a server has left there."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise FileExistsError(f"{path} is there, and is no socket")
        _check_abandoned(path)
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(0o600)  # before it listens: nobody is in yet
    except OSError:
        bound.close()
        raise
    return bound


def mark_of(path: Path) -> tuple[int, int]:
    """What tells a file from another at the same place; numbers alone are used again."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def _check_abandoned(path: Path) -> None:
    """Raise OSError if somebody answers at a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
    raise OSError(errno.EADDRINUSE, "another server listens there")
