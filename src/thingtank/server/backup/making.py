"""Makes a backup: from the copies that an instance writes to a complete file."""

import datetime
import os
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import msgspec

from thingtank.server.backup.package import (
    FORMAT,
    Manifest,
    Progress,
    packed_files,
    write_package,
)
from thingtank.server.backup.parts import CannotBackUp, Copied
from thingtank.stores.folders import sync_folder

LAST = "last-backup.json"  # for `thingtank doctor`


class LastBackup(msgspec.Struct, frozen=True):
    """The last backup that was made of a folder."""

    made_at: str
    file: str
    bytes: int


def default_name(now: datetime.datetime) -> str:
    """A backup's file name where only its folder is given; names sort by time."""
    return f"thingtank-{now:%Y%m%dT%H%M%SZ}.tar.gz"


def sizes_of(folder: Path) -> tuple[int, int]:
    """What copies of a data folder take at most, in bytes: of files, and by links to others."""
    copied_bytes = sum(
        path.stat().st_size
        for path in folder.iterdir()
        if path.is_file() and path.name.startswith(("hot.duckdb", *_names(folder)))
    )
    linked = (path for path in (folder / "cold").rglob("*") if path.is_file())
    return copied_bytes, sum(path.stat().st_size for path in linked)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*.sqlite3")]


def check_room(folder: Path, target: Path | None) -> None:
    """See to it that there is room for a backup's copies and, in a folder, for its file.

    Raises:
        CannotBackUp: there is not.
    """
    copied_bytes, linked_bytes = sizes_of(folder)
    needs = {folder: copied_bytes}
    if target is not None:
        on_same_disk = target.stat().st_dev == folder.stat().st_dev
        place = folder if on_same_disk else target
        needs[place] = needs.get(place, 0) + copied_bytes + linked_bytes
    for place, needed_bytes in needs.items():
        free_bytes = shutil.disk_usage(place).free
        if free_bytes < needed_bytes:
            raise CannotBackUp(
                f"{place} has {free_bytes:,} bytes free, and a backup may need {needed_bytes:,}"
                " there; make room, or write it to another disk"
            )


def make_manifest(parts: Path, copied: Copied, progress: Progress) -> Manifest:
    """What is in a folder of copies."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    files = tuple(packed_files(parts, progress))
    made_at = now.replace("+00:00", "Z")
    return Manifest(FORMAT, version("thingtank"), made_at, files, copied.database)


def write_file(target: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file that is there when it is complete and on disk, and not before.

    Raises:
        OSError.
    """
    draft = target.with_name(target.name + ".part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)  # it may have been there
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def pack(parts: Path, manifest: Manifest, target: Path, progress: Progress) -> int:
    """Write the backup's file; returns its size in bytes. Raise OSError."""
    write_file(target, lambda file: write_package(parts, manifest, file, progress))
    return target.stat().st_size


def note_last(folder: Path, last: LastBackup) -> None:
    """Have `thingtank doctor` know of it. Raise OSError."""
    write_file(folder / LAST, lambda file: _write_all(file, msgspec.json.encode(last)))


def _write_all(file: BinaryIO, content: bytes) -> None:
    file.write(content)


def find_last(folder: Path) -> LastBackup | None:
    """The last backup that was made of a folder; None if that is not known."""
    try:
        return msgspec.json.decode((folder / LAST).read_bytes(), type=LastBackup)
    except (OSError, msgspec.DecodeError):
        return None
