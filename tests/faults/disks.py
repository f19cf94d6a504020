"""Disks that can be filled and that can become read-only, where the tests may mount (as root)."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

DISK_MB = 64


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """An ext4 file system of its own, in a file.

    Skips the test where mounting is not allowed.
    """
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("mounting a disk of its own needs root and mkfs.ext4")
    image, mounted = folder / "disk.img", folder / "disk"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(DISK_MB * 2**20)
    _run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
    try:
        _run("mount", "-o", "loop", str(image), str(mounted))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"mounting is not allowed here: {error.stderr.strip()}")
    try:
        yield mounted
    finally:
        # Lazy, so that a server which outlives a failed test does not keep it from unmounting.
        _run("umount", "-l", str(mounted))
        image.unlink()


def fill(disk: Path) -> Path:
    """Write a file that takes all the room there is; deleting it gives the room back."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            with contextlib.suppress(OSError):  # full
                while True:
                    file.write(b"\0" * size)
        with contextlib.suppress(OSError):
            os.fsync(file.fileno())
    return ballast


def turn_read_only(disk: Path) -> None:
    """Have the file system refuse writes from now on, as ext4 does after an error of the disk.

    A plain remount is refused while files are open for writing.
    """
    _run("mount", "-o", "remount,abort", str(disk))


def remount_read_only(disk: Path) -> None:
    """Mount it read-only, with no file open."""
    _run("mount", "-o", "remount,ro", str(disk))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
