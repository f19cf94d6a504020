"""What is done to folders so that files in them last."""

import contextlib
import os
import shutil
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have a folder's list of files on disk: a file that is not in it is lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, target: Path) -> None:
    """Have a file at another place too, its folder made when missing.

    By a hard link where it can be, which takes no room; only for files that are not written to.

    Raises:
        OSError.
    """
    target.parent.mkdir(0o700, parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # another disk, or one that knows no links
        target.hardlink_to(source)
        return
    shutil.copyfile(source, target)
