"""Files that are whole or not there."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from thingtank.stores.folders import sync_folder


def write_file(target: Path, write: Callable[[BinaryIO], object]) -> None:
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
