"""Runs, which are files of sorted lines; and the order in which lines are sorted.

Lines are in the order of their keys' bytes, and those of one key in the order of their own, as
`LC_ALL=C sort` has them.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

BLOCK_BYTES = 1 << 20
LINE_BYTES_MAX = 64 << 20
_BELOW_TAB = bytes(range(9))

Key = Callable[[bytes], Any]


class Run(msgspec.Struct, frozen=True):
    """A file of sorted lines.

    Attributes:
        has_low_bytes: whether a byte below tab occurs; such lines are compared by key and value,
            as they are not in their keys' order by themselves.
    """

    path: str
    partition: int
    has_low_bytes: bool


class LineTooLong(Exception):
    """What should be lines has no end of one for very long."""


def has_low_bytes(block: bytes) -> bool:
    """Whether a byte that comes before tab is in it."""
    return len(block.translate(None, _BELOW_TAB)) != len(block)


def key_of(line: bytes) -> bytes:
    """What stands before the first tab; the whole line where there is none."""
    return line.partition(b"\t")[0]


def _key_and_value(line: bytes) -> tuple[bytes, bytes]:
    key, _, value = line.partition(b"\t")
    return key, value


def order_of(has_low_bytes: bool) -> Key | None:
    """How lines are compared: by themselves, unless a key may have a byte that comes before tab.

    With none, no other key's line can stand between two lines of one key.
    """
    return _key_and_value if has_low_bytes else None


def whole_lines(blocks: Iterable[bytes], line_bytes_max: int = LINE_BYTES_MAX) -> Iterator[bytes]:
    """Blocks as they come, as blocks of whole lines; what ends without a line end gets one.

    Raises:
        LineTooLong.
    """
    rest: list[bytes] = []
    rest_bytes = 0
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if end:
            yield b"".join((*rest, block[:end]))
            rest, rest_bytes = [], 0
        if end < len(block):
            rest.append(block[end:])
            rest_bytes += len(block) - end
        if rest_bytes > line_bytes_max:
            raise LineTooLong(f"a line of more than {line_bytes_max:,} bytes")
    if rest:
        yield b"".join((*rest, b"\n"))


def read_run(path: str) -> Iterator[bytes]:
    """A run's blocks, of any size."""
    with open(path, "rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def write_run(path: Path, blocks: Iterable[bytes]) -> None:
    """Make a file of blocks."""
    with path.open("xb") as file:
        for block in blocks:
            file.write(block)
