"""What a job's output says, where it counts: the largest counts; else how it begins."""

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

TOP_COUNT = 20
HEAD_LINES = 10
HEAD_CHARS_MAX = 200
_KEY_CHARS_MAX = 200
LINE_BYTES_MAX = 64 << 10  # what is longer is cut: it counts nothing


class Summary(msgspec.Struct, frozen=True):
    """An output in short.

    Attributes:
        top: as `top_counts`.
        head: the first lines where there are no counts, each shortened.
    """

    line_count: int
    top: list[tuple[str, int]]
    head: list[str]


def summary_of(output: Path) -> Summary:
    """A look at all parts of an output on this machine. Raise OSError."""
    line_count = 0

    def counted() -> Iterator[bytes]:
        nonlocal line_count
        for line in local_lines(output):
            line_count += 1
            yield line

    top = top_counts(counted())
    return Summary(line_count, top, [] if top else _head(output))


def _head(output: Path) -> list[str]:
    return [
        line.rstrip(b"\r\n")[: 4 * HEAD_CHARS_MAX].decode(errors="replace")[:HEAD_CHARS_MAX]
        for line in islice(local_lines(output), HEAD_LINES)
    ]


def local_lines(output: Path) -> Iterator[bytes]:
    """The lines of all parts; of those that are longer than LINE_BYTES_MAX, so much."""
    for part in sorted(output.glob("part-*")):
        with part.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                rest = line
                while len(rest) == LINE_BYTES_MAX and not rest.endswith(b"\n"):
                    rest = file.readline(LINE_BYTES_MAX)
                yield line


def top_counts(lines: Iterable[bytes], count: int = TOP_COUNT) -> list[tuple[str, int]]:
    """The keys with the largest counts, largest first; lines that are no count are left out."""
    return heapq.nlargest(count, _counts(lines), key=lambda pair: pair[1])


def _counts(lines: Iterable[bytes]) -> Iterator[tuple[str, int]]:
    for line in lines:
        key, _, value = line.rstrip(b"\r\n").partition(b"\t")
        if len(value) < 20 and value.strip().isdigit():
            yield key.decode(errors="replace")[:_KEY_CHARS_MAX], int(value)
