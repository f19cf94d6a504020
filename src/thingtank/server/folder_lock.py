"""One process owns a data folder at a time."""

import fcntl
import os
from pathlib import Path
from types import TracebackType


class FolderIsOwned(Exception):
    """Another process has the folder open. The message names it."""


class FolderLock:
    """Holds `tank.lock` of a data folder until it is released, or the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            FolderIsOwned: another process holds it.
            OSError: the folder cannot be written.
        """
        self._file = (folder / "tank.lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            owner = self._file.read(32).strip()
            self._file.close()
            raise FolderIsOwned(
                f"{folder} is in use by another Thing Tank, process {owner}; stop it, or choose"
                " another folder with --data"
            ) from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let another process have the folder."""
        self._file.close()

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
