"""The folder a job works in, which becomes its output, or goes."""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from thingtank.batch.job import BatchFailed

SUCCESS = "_SUCCESS"
LOGS = "_logs"
_RUNS = "runs"
_LOCK = "lock"
_LEFT = re.compile(r"\..+\.[0-9a-f]{8}\.part")


class Workspace:
    """Where runs, logs and parts are until the job has succeeded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.runs = folder / _RUNS
        self.output = folder / "output"
        self.runs.mkdir()
        self.output.mkdir()

    def keep_notes(self, name: str, text: str) -> None:
        """Write down what a program said."""
        logs = self.output / LOGS
        logs.mkdir(exist_ok=True)
        (logs / name).write_text(text + "\n")

    def publish(self, output: Path) -> None:
        """Make the parts the output, all at once, and for as long as the disk lasts."""
        try:
            (self.output / SUCCESS).touch()
            for folder, _, files in os.walk(self.output):
                for name in files:
                    _sync(Path(folder, name))
                _sync(Path(folder))
            self.output.rename(output)
            _sync(output.parent)
        except OSError as error:
            is_there = error.errno in (errno.ENOTEMPTY, errno.EEXIST)
            why = "another job has made it meanwhile" if is_there else error.strerror
            raise BatchFailed(f"{output} cannot be made: {why}") from None


@contextlib.contextmanager
def workspace(output: Path) -> Iterator[Workspace]:
    """A workspace beside the output, which is gone at the end; also those that a crash left there.

    Raises:
        BatchFailed: the output exists, or cannot be made.
    """
    if output.exists() or output.is_symlink():
        raise BatchFailed(f"{output} exists already; name another output, or remove it first")
    with contextlib.ExitStack() as stack:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(part_folder(output))
        except OSError as error:
            raise BatchFailed(f"{output} cannot be made: {error.strerror}") from None
        yield Workspace(folder)


@contextlib.contextmanager
def part_folder(place: Path) -> Iterator[Path]:
    """A folder beside a place, for its owner only, which is gone at the end.

    Those that a crash left there are removed first.

    Raises:
        OSError: it cannot be made.
    """
    _sweep(place.parent)
    folder, descriptor = _made(place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _made(place: Path) -> tuple[Path, int]:
    """A folder that is ours as long as its lock is held; that is where others sweep not."""
    while True:
        folder = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
        folder.mkdir(0o700)
        with contextlib.suppress(FileNotFoundError):  # another job has swept it meanwhile
            descriptor = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return folder, descriptor
            os.close(descriptor)


def _sync(path: Path) -> None:
    """Have a file, or a folder's list of files, on disk: else a power cut may leave less of it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(parent: Path) -> None:
    """Remove what jobs that were killed left there, whatever their output: nobody has its lock."""
    for left in parent.iterdir():
        if not _LEFT.fullmatch(left.name):
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(left / _LOCK, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)
