"""The shuffle: what a mapper wrote, divided by key and sorted into runs, in bounded memory.

A mapper often writes the same lines again and again (`device-7<tab>1`). So equal ones are held
once, with their count, and only the different ones are sorted. Where most lines differ, that is
given up, and the system's own `sort` takes them, which is quicker at it than Python.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from thingtank.batch.runs import (
    BLOCK_BYTES,
    Run,
    has_low_bytes,
    key_of,
    order_of,
    read_run,
    whole_lines,
    write_run,
)
from thingtank.batch.system_sort import PARTITIONS_MAX, SystemSort, has_system_sort

LINE_OVERHEAD_BYTES = 160  # of a short `bytes` in a dict and a list: Python 3.11 to 3.14
LOOK_LINES = 20_000  # after so many it is judged whether most lines differ

Combine = Callable[[Iterator[bytes]], Iterator[bytes]]


class Shuffle:
    """Takes the output of one mapper, and keeps it in sorted runs.

    Attributes:
        line_count: lines taken.
        spill_count: how often what was held was written to disk.
    """

    def __init__(
        self, stem: Path, partitions: int, memory_bytes: int, combine: Combine | None = None
    ) -> None:
        """Hold nothing yet.

        Args:
            stem: how names of files of runs begin.
            memory_bytes: when to write what is held.
            combine: sorted blocks of lines in, fewer lines out; in blocks of any size.
        """
        self._stem = stem
        self._partitions = partitions
        self._memory_bytes = memory_bytes
        self._combine = combine
        self._can_sort = has_system_sort() and partitions <= PARTITIONS_MAX
        self._has_looked = False
        self._sort: SystemSort | None = None
        self._counts: Counter[bytes] = Counter()
        self._counted_lines = 0
        self._held_bytes = 0
        self._runs: list[Run] = []
        self.line_count = 0
        self.spill_count = 0

    def add(self, block: bytes) -> None:
        """Take whole lines; the last one ends with a line end as well."""
        if not block:
            return
        if self._sort is not None and not has_low_bytes(block):
            self.line_count += self._sort.add(block)
            return
        self._count(block)
        if self._looks_again():
            self._begin_sort()
        if self._is_full:
            self._spill()

    def _count(self, block: bytes) -> None:
        lines = block.split(b"\n")
        lines.pop()
        self.line_count += len(lines)
        self._counted_lines += len(lines)
        known = len(self._counts)
        self._counts.update(lines)
        new = len(self._counts) - known
        self._held_bytes += new * LINE_OVERHEAD_BYTES
        self._held_bytes += sum(map(len, islice(reversed(self._counts), new)))

    def _looks_again(self) -> bool:
        """Whether it is time to judge: once early, and whenever memory is full."""
        is_early = not self._has_looked and self._counted_lines >= LOOK_LINES
        return is_early or self._is_full

    @property
    def _is_full(self) -> bool:
        return self._held_bytes > self._memory_bytes

    def _begin_sort(self) -> None:
        """Give the next lines to `sort`, if most of those that are held differ."""
        self._has_looked = True
        if self._can_sort and self._sort is None and 2 * len(self._counts) > self._counted_lines:
            path = self._stem.with_name(f"{self._stem.name}-sorted")
            self._sort = SystemSort(path, self._partitions, self._memory_bytes)
            self._spill()

    def finish(self) -> list[Run]:
        """Write the rest; returns all runs."""
        if self._counts:
            self._spill()
        if self._sort is not None:
            self.spill_count += 1
            for run in self._sort.finish():
                self._runs += self._combined(read_run(run.path)) if self._combine else [run]
        return self._runs

    def close(self) -> None:
        """Let go, also in the middle."""
        if self._sort is not None:
            self._sort.close()

    def _spill(self) -> None:
        counts, is_low = self._counts, any(map(has_low_bytes, self._counts))
        self._counts, self._counted_lines, self._held_bytes = Counter(), 0, 0
        self.spill_count += 1
        if self._combine is not None:
            self._runs += self._combined(sorted_blocks(counts, is_low))
            return
        for partition, part in enumerate(self._parts(counts)):
            if part:
                name = f"{self._stem.name}-{self.spill_count:05}-{partition:05}"
                path = self._stem.with_name(name)
                write_run(path, sorted_blocks(part, is_low))
                self._runs.append(Run(str(path), partition, is_low))

    def _combined(self, blocks: Iterator[bytes]) -> list[Run]:
        """What the combiner makes of sorted lines, shuffled anew: it may write any keys."""
        assert self._combine is not None
        stem = self._stem.with_name(f"{self._stem.name}-combined-{len(self._runs):05}")
        inner = Shuffle(stem, self._partitions, self._memory_bytes // 2)
        try:
            for block in whole_lines(self._combine(blocks)):
                inner.add(block)
            return inner.finish()
        finally:
            inner.close()

    def _parts(self, counts: Counter[bytes]) -> Sequence[Counter[bytes]]:
        if self._partitions == 1:
            return (counts,)
        parts: list[Counter[bytes]] = [Counter() for _ in range(self._partitions)]
        for line, count in counts.items():
            parts[partition_of(line, self._partitions)][line] = count
        return parts


def partition_of(line: bytes, partitions: int) -> int:
    """Which reducer a line is for, by its key."""
    return zlib.crc32(key_of(line)) % partitions


def sorted_blocks(counts: Counter[bytes], is_low: bool) -> Iterator[bytes]:
    """Sorted lines, as often as each occurs, in blocks."""
    pieces: list[bytes] = []
    size = 0
    for line in sorted(counts, key=order_of(is_low)):
        piece = line + b"\n"
        count = counts[line]
        at_once = max(1, BLOCK_BYTES // len(piece))
        while count > at_once:
            yield b"".join((*pieces, piece * at_once))
            pieces, size = [], 0
            count -= at_once
        pieces.append(piece * count)
        size += len(piece) * count
        if size >= BLOCK_BYTES:
            yield b"".join(pieces)
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)
