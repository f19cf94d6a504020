"""What is done to folders so that files in them last."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have a folder's list of files on disk: a file that is not in it is lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
