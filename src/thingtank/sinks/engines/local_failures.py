"""What goes wrong with files of this machine, as failures of engines."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thingtank.local.queue_file import QueueFull
from thingtank.local.sqlite import WrongFile, is_full_disk
from thingtank.sinks.engine import EngineFailed
from thingtank.tank.failures import FailureKind

_MAY_WRITE = "The server's user must be able to write there, and there must be room."


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Raise EngineFailed for what a file or a folder refuses."""
    try:
        yield
    except QueueFull as error:
        advice = "Have somebody read it: nothing is lost meanwhile, and this goes on then."
        raise EngineFailed.of(FailureKind.THROTTLED, str(error), advice) from error
    except WrongFile as error:
        raise EngineFailed.of(FailureKind.EXISTS, str(error), "Name another `file`.") from error
    except sqlite3.Error as error:
        if is_full_disk(error):
            raise EngineFailed.of(
                FailureKind.QUOTA, "the disk is full", "Make room on it."
            ) from error
        raise EngineFailed.of(
            FailureKind.UNKNOWN, f"{path}: {error}", _MAY_WRITE, code=_name(error)
        ) from error
    except OSError as error:
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        advice = "A file is where a folder has to be: move it." if is_file else _MAY_WRITE
        raise EngineFailed.of(
            FailureKind.UNKNOWN, f"{error.filename or path}: {error.strerror}", advice,
            code=type(error).__name__,
        ) from error  # fmt: skip


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", type(error).__name__)
