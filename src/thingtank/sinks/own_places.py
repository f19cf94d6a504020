"""Places that are the tank's own: no rule may write there, but where its data folder has them."""

import os
import socket
from pathlib import Path
from typing import NamedTuple

OBJECTS = Path("sinks", "objects")
_BESIDE = ("", "-wal", "-shm", "-journal")  # files of a SQLite database
_THIS_MACHINE = {"", "localhost", "localhost.localdomain", "127.0.0.1", "::1", "0.0.0.0", "::"}  # noqa: S104 - compared, not listened on


class DatabaseAt(NamedTuple):
    """Where a database is, without who may use it; of SQLite `name` is the file."""

    kind: str
    host: str
    port: int
    name: str


class OwnPlaces(NamedTuple):
    """What a tank has.

    Attributes:
        folder: the data folder.
        database: that of the directory; None if no rule can send to its kind, or it is not known.
    """

    folder: Path
    database: DatabaseAt | None = None


def whole_path(base: Path, asked: str) -> Path:
    """A path of the settings; one that is not whole is below `base`.

    Raises:
        ValueError: it would be elsewhere, or names the home of nobody.
    """
    try:
        path = Path(asked).expanduser()
    except RuntimeError:
        raise ValueError(f"{asked}: there is no such user") from None
    if not path.is_absolute() and ".." in path.parts:
        raise ValueError(
            f"{asked} leads out of `{base}` in the data folder, which a path that is not whole is"
            " below; write the whole path, such as /srv/readings"
        )
    return base / path


def path_problem(path: Path, own: OwnPlaces, allowed: Path) -> str:
    """Why nothing may be written to a path; blank if it may be.

    Links are followed as they are now.

    Args:
        allowed: below the data folder, where its writer has a place in it.
    """
    real, folder = Path(os.path.realpath(path)), Path(os.path.realpath(own.folder))
    mend = f"write a path that is not whole, which is below `{allowed}` there, or one elsewhere"
    if real.is_relative_to(folder) and not _is_below(real, folder / allowed):
        return f"{path} is in the tank's own data folder, whose files are its own: {mend}"
    if own.database is not None and own.database.kind == "sqlite" and _is_of(real, own):
        return f"{path} is the tank's own database: {mend}"
    return ""


def database_problem(at: DatabaseAt, own: OwnPlaces) -> str:
    """Why nothing may be written to a server's database; blank if it may be."""
    mine = own.database
    if mine is None or (at.kind, at.port, at.name) != (mine.kind, mine.port, mine.name):
        return ""
    if _server(at.host) != _server(mine.host):
        return ""
    return (
        f"database {at.name} of {at.host} is the tank's own, whose tables are its own:"
        " make another one on that server, such as `CREATE DATABASE readings`, and name that"
    )


def _is_below(path: Path, folder: Path) -> bool:
    return path != folder and path.is_relative_to(folder)


def _is_of(path: Path, own: OwnPlaces) -> bool:
    """Whether a path is one of the files of the tank's own SQLite database."""
    assert own.database is not None, "asked before"
    database = Path(os.path.realpath(own.folder / own.database.name))
    if any(str(path) == f"{database}{suffix}" for suffix in _BESIDE):
        return True
    try:
        return path.samefile(database)  # another name of the same file
    except OSError:
        return False


def _server(host: str) -> str:
    """A host, by one name where it is this machine; a path is a Unix socket's."""
    name = host.lower().rstrip(".")
    is_here = name in _THIS_MACHINE or name.startswith(("/", "127."))
    return "" if is_here or name == socket.gethostname().lower() else name
