"""Makes a backup: from the copies that an instance writes to a complete file."""

import contextlib
import datetime
import shutil
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from thingtank.local.places import files_of
from thingtank.server.backup.package import (
    FORMAT,
    Manifest,
    Progress,
    may_hold,
    packed_files,
    write_package,
)
from thingtank.server.backup.parts import CannotBackUp, Copied
from thingtank.server.backup.whole_files import write_file
from thingtank.server.config import FILE_NAME as SETTINGS
from thingtank.server.hooks.signing_key import FILE_NAME as SIGNING_KEY
from thingtank.server.secret import FILE_NAME as SECRET
from thingtank.web.database.url import (
    DATABASE_FILE,
    BadDatabaseUrl,
    DatabaseSource,
    database_of,
)


def default_name(now: datetime.datetime) -> str:
    """A backup's file name where only its folder is given; names sort by time."""
    return f"thingtank-{now:%Y%m%dT%H%M%SZ}.tar.gz"


def sizes_of(folder: Path) -> tuple[int, int]:
    """What copies of a data folder take at most, in bytes: of files, and by links to others."""
    copied = {path for kept in _kept_files(folder) for path in kept.parent.glob(f"{kept.name}*")}
    linked = (path for path in (folder / "cold").rglob("*") if path.is_file())
    return _bytes_of(copied), _bytes_of(linked)


def _kept_files(folder: Path) -> Iterator[Path]:
    """What is copied, by whose names those of their logs begin."""
    yield from folder.glob("*.sqlite3")
    yield from files_of(folder)
    for name in ("hot.duckdb", SECRET, SIGNING_KEY, SETTINGS, DATABASE_FILE):
        yield folder / name
    with contextlib.suppress(FileNotFoundError, BadDatabaseUrl):
        # The directory's may have another name, or be further below.
        noted = DatabaseSource((folder / DATABASE_FILE).read_text().strip())
        file = Path(database_of(noted, folder).settings["NAME"])
        if file.is_relative_to(folder):
            yield file


def _bytes_of(files: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in files)


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
    """What is in a folder of copies.

    Raises:
        CannotBackUp: a file's name is none that could be restored.
        OSError.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    files = tuple(packed_files(parts, progress))
    for each in files:
        if not may_hold(each.path):
            raise CannotBackUp(f"a backup cannot hold a file called {each.path!r}; rename it")
    made_at = now.replace("+00:00", "Z")
    return Manifest(FORMAT, version("thingtank"), made_at, files, copied.database, copied.cold)


def pack(parts: Path, manifest: Manifest, target: Path, progress: Progress) -> int:
    """Write the backup's file; returns its size in bytes. Raise OSError."""
    write_file(target, lambda file: write_package(parts, manifest, file, progress))
    return target.stat().st_size
