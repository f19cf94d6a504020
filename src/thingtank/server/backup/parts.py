"""What backups and restores under way have in a data folder, and who may be at it."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

PARTS = "backup-parts"  # below the data folder: the same disk, and nobody else's
RESTORING = "restoring"
_LOCK = "backup.lock"


class CannotBackUp(Exception):
    """There is no backup. The message is a sentence for people."""


class Copied(msgspec.Struct, frozen=True):
    """What was copied.

    Attributes:
        database: the kind of the database outside of the folder that keeps the directory, of which
            there is no copy; blank where there is one.
        cold: the bucket of the archive's cold tier, whose files are not copied; blank without one.
    """

    database: str = ""
    cold: str = ""


@contextlib.contextmanager
def parts_of(folder: Path) -> Iterator[Path]:
    """An empty place for copies below a data folder, which is gone afterwards.

    Raises:
        CannotBackUp: another backup is being made.
        OSError: the folder cannot be written to.
    """
    with _lock(folder):
        parts = folder / PARTS
        shutil.rmtree(parts, ignore_errors=True)  # of one that was killed
        parts.mkdir(0o700)
        try:
            yield parts
        finally:
            shutil.rmtree(parts, ignore_errors=True)


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with (folder / _LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotBackUp("another backup of this folder is being made") from None
        yield


def clear_leftovers(folder: Path) -> None:
    """Remove the copies of a backup that was killed; those of one that is being made stay."""
    if (folder / PARTS).exists():
        with contextlib.suppress(CannotBackUp, OSError), _lock(folder):
            shutil.rmtree(folder / PARTS, ignore_errors=True)


def is_unfinished(folder: Path) -> bool:
    """Whether a restore to a folder did not come to its end."""
    return (folder / RESTORING).exists()
