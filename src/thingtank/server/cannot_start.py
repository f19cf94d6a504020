"""Why an instance cannot start, each in one sentence that says what to do."""

import errno
import sqlite3
from pathlib import Path

import duckdb
from django.db import DatabaseError

from thingtank.tank.errors import TankError, reason_of


class CannotStart(Exception):
    """An instance cannot start. The message is a sentence for people."""


# What a data folder that is not ours, broken or out of reach raises.
CANNOT_OPEN = (
    OSError,
    ValueError,
    sqlite3.Error,
    duckdb.Error,
    DatabaseError,
    TankError,
)


def why_not_opened(folder: Path, error: Exception) -> str:
    """What to say of a data folder that cannot be opened; `error` is one of CANNOT_OPEN."""
    return f"the data folder {folder} cannot be opened: {_first_line(error)}"


def why_not_made(folder: Path, error: OSError) -> str:
    """What to say of a data folder that cannot be made."""
    return (
        f"the data folder {folder} cannot be made: {_first_line(error)};"
        " choose another with --data DIR"
    )


def why_unfinished(folder: Path) -> str:
    """What to say of a data folder that a restore has left half done."""
    return (
        f"a restore to {folder} did not come to its end; do it again:"
        f" thingtank restore FILE --data {folder}"
    )


def why_not_used(setting: str, file: str, error: OSError) -> str:
    """What to say of a setting that names a file that is no good."""
    return f"{setting} {file} cannot be used: {_first_line(error)}"


def why_not_listening(remedy: str, host: str, port: int, error: OSError | UnicodeError) -> str:
    """What to say of a door that cannot be opened.

    Args:
        remedy: the option of `thingtank serve` that chooses the door's port, such as `--web PORT`.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use, perhaps by another Thing Tank (`ss -ltnp` tells by"
            f" whom); choose another with {remedy}, 0 for any free one"
        )
    if number in (errno.EACCES, errno.EPERM):
        return f"port {port} of {host} is not allowed to this user; choose another with {remedy}"
    # Negative: of the resolver.
    if number is None or number < 0 or number == errno.EADDRNOTAVAIL:
        return (
            f"{host} is no address of this machine; choose with --host ADDRESS, such as 127.0.0.1,"
            " or 0.0.0.0 for all"
        )
    return f"port {port} of {host} cannot be opened: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return error.strerror + where
    lines = reason_of(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
