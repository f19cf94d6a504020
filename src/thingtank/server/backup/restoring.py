"""Makes a data folder of a backup.

All is written to RESTORING below the folder and compared with the manifest first; then each thing
gets its place, and RESTORING goes last. While that is there no server starts on the folder, and
another restore begins anew.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from thingtank.server.backup.package import Manifest, Package, Progress
from thingtank.server.backup.parts import RESTORING
from thingtank.server.folder_lock import FolderIsOwned, FolderLock
from thingtank.stores.folders import sync_folder

_PLAN = "restoring/manifest.json"
_CONTENT = "restoring/content"


class CannotRestore(Exception):
    """Nothing was restored. The message is a sentence for people."""


def restore(package: Package, folder: Path, progress: Progress) -> None:
    """Make a data folder.

    Raises:
        CannotRestore: the folder is not empty, or has no room.
        DamagedBackup: the folder is as it was.
        OSError: likewise.
    """
    manifest = package.manifest
    is_new = not folder.exists()
    folder.mkdir(0o700, parents=True, exist_ok=True)
    try:
        with _emptied(folder):
            _check_room(folder, manifest)
            content = folder / _CONTENT
            content.mkdir(0o700, parents=True)
            package.read(lambda path: _opened(content / path), progress)
            _sync_folders(content)
            _write_plan(folder, manifest)
            _move_up(folder)
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()  # unless something is in it
        raise
    sync_folder(folder.parent)


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    """Have a folder with nothing in it but what comes within the block; all of it if that ends."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRestore(f"another restore to {folder} is under way") from None
        _clear_leftovers(folder)
        if any(folder.iterdir()):
            raise CannotRestore(_why_not_empty(folder))
        try:
            yield
        except BaseException:
            _clear_leftovers(folder)
            raise
    finally:
        os.close(descriptor)


def _why_not_empty(folder: Path) -> str:
    if (folder / "tank.lock").exists():
        try:
            FolderLock(folder).release()
        except FolderIsOwned as error:
            return f"{error}; a backup is restored to a folder of its own"
    return f"{folder} is not empty; choose a new folder with --data"


def _clear_leftovers(folder: Path) -> None:
    """Take away what an unfinished restore has left; nothing else was in the folder then."""
    if not (folder / RESTORING).exists():
        return
    with contextlib.suppress(OSError, msgspec.DecodeError):
        manifest = msgspec.json.decode((folder / _PLAN).read_bytes(), type=Manifest)
        for name in {file.path.partition("/")[0] for file in manifest.files}:
            _remove(folder / name)
    shutil.rmtree(folder / RESTORING)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _check_room(folder: Path, manifest: Manifest) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < manifest.bytes:
        raise CannotRestore(
            f"{folder} has {free_bytes:,} bytes free, and the backup needs {manifest.bytes:,};"
            " make room, or choose a folder on another disk with --data"
        )


class _Synced:
    """A new file, for this user only, that is on disk when it is closed."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self.write = self._file.write

    def __enter__(self) -> "_Synced":
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())


def _opened(path: Path) -> BinaryIO:
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    return _Synced(path)  # type: ignore[return-value] # as much of one as is used


def _sync_folders(top: Path) -> None:
    for folder in [*(path for path in top.rglob("*") if path.is_dir()), top]:
        sync_folder(folder)


def _write_plan(folder: Path, manifest: Manifest) -> None:
    with _opened(folder / _PLAN) as file:
        file.write(msgspec.json.encode(manifest))
    sync_folder(folder / RESTORING)


def _move_up(folder: Path) -> None:
    for path in sorted((folder / _CONTENT).iterdir()):
        path.rename(folder / path.name)
    sync_folder(folder)
    shutil.rmtree(folder / RESTORING)
    sync_folder(folder)
