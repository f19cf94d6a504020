"""What a job's output says, where it counts: the largest counts."""

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path

TOP_COUNT = 20
_KEY_CHARS_MAX = 200


def local_lines(output: Path) -> Iterator[bytes]:
    """The lines of all parts."""
    for part in sorted(output.glob("part-*")):
        with part.open("rb") as file:
            yield from file


def top_counts(lines: Iterable[bytes], count: int = TOP_COUNT) -> list[tuple[str, int]]:
    """The keys with the largest counts, largest first; lines that are no count are left out."""
    return heapq.nlargest(count, _counts(lines), key=lambda pair: pair[1])


def _counts(lines: Iterable[bytes]) -> Iterator[tuple[str, int]]:
    for line in lines:
        key, _, value = line.rstrip(b"\r\n").partition(b"\t")
        if len(value) < 20 and value.strip().isdigit():
            yield key.decode(errors="replace")[:_KEY_CHARS_MAX], int(value)
