"""A job's input: files by name, glob or folder, and their division into splits."""

import glob
import gzip
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from thingtank.batch.job import BatchFailed
from thingtank.batch.runs import LINE_BYTES_MAX, LineTooLong

SPLIT_BYTES_MIN = 4 << 20
SPLIT_BYTES_MAX = 128 << 20
SPLITS_PER_WORKER = 2  # so that none waits long for the last one; each starts programs
FILES_MAX = 100_000
_BLOCK_BYTES = 1 << 20


class InputLineTooLong(LineTooLong):
    """A line of the input has no end for very long."""


class Split(msgspec.Struct, frozen=True):
    """A part of a file, for one mapper: the lines that begin within `start` and `end`.

    Attributes:
        end: 0 for the whole of a file that cannot be divided, as it is compressed.
    """

    path: str
    start: int
    end: int


def files_of(patterns: Iterable[str]) -> list[Path]:
    """The files that names, globs and folders stand for, in order, each once.

    As Hadoop does it, a folder means the files in it, without those that begin with `_` or `.`.

    Raises:
        BatchFailed: one stands for nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        files = [file for path in _paths(pattern) for file in _files(path)]
        if not files:
            raise BatchFailed(f"there is no input at {pattern}")
        found.update(dict.fromkeys(files))
        if len(found) > FILES_MAX:
            raise BatchFailed(f"more than {FILES_MAX:,} files of input: put some together first")
    return list(found)


def _paths(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.exists():
        return [path]
    return [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(
        file for file in path.iterdir() if file.is_file() and not file.name.startswith(("_", "."))
    )


def splits_of(files: Sequence[Path], workers: int) -> list[Split]:
    """Divide files for some workers; empty files are left out.

    Raises:
        BatchFailed: one cannot be read.
    """
    try:
        found = [file.stat() for file in files]
    except OSError as error:
        raise BatchFailed(f"{error.filename} cannot be read: {error.strerror}") from None
    for file, status in zip(files, found, strict=True):
        if not stat.S_ISREG(status.st_mode):
            raise BatchFailed(f"{file} is no file: a job reads files, so write it to one first")
    sizes = [status.st_size for status in found]
    wanted = sum(sizes) // (workers * SPLITS_PER_WORKER)
    split_bytes = min(max(wanted, SPLIT_BYTES_MIN), SPLIT_BYTES_MAX)
    return [
        split
        for file, size in zip(files, sizes, strict=True)
        for split in _splits(file, size, split_bytes)
    ]


def _splits(file: Path, size: int, split_bytes: int) -> Iterator[Split]:
    if file.suffix == ".gz":
        yield Split(str(file), 0, 0)
        return
    for start in range(0, size, split_bytes):
        yield Split(str(file), start, min(start + split_bytes, size))


def read_split(split: Split) -> Iterator[bytes]:
    """The bytes of a split, in blocks: whole lines, as no line is divided between two splits.

    Raises:
        InputLineTooLong: a line has more than LINE_BYTES_MAX.
    """
    line_bytes = 0
    for block in _blocks_of(split):
        end = block.rfind(b"\n") + 1
        line_bytes = len(block) - end if end else line_bytes + len(block)
        if line_bytes > LINE_BYTES_MAX:
            raise _too_long(split.path)
        yield block


def _blocks_of(split: Split) -> Iterator[bytes]:
    if not split.end:
        with gzip.open(split.path) as packed:
            while block := packed.read(_BLOCK_BYTES):
                yield block
        return
    with open(split.path, "rb") as file:
        end = _line_begin(file, split.end)
        position = _line_begin(file, split.start)
        file.seek(position)
        while position < end:
            block = file.read(min(_BLOCK_BYTES, end - position))
            if not block:  # it has been cut off meanwhile
                return
            position += len(block)
            yield block


def _line_begin(file: IO[bytes], position: int) -> int:
    """Where the first line begins that does so at `position` or behind it."""
    if position == 0:
        return 0
    file.seek(position - 1)
    if len(file.readline(LINE_BYTES_MAX + 1)) > LINE_BYTES_MAX:
        raise _too_long(file.name)
    return file.tell()


def _too_long(path: str) -> InputLineTooLong:
    return InputLineTooLong(f"{path} has a line of more than {LINE_BYTES_MAX:,} bytes")
