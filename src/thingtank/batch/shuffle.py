"""The shuffle: what mappers wrote, divided by key, sorted, and merged.

Lines are in the order of their keys' bytes, and those of one key in the order of their own, as
`LC_ALL=C sort` has them. A mapper often writes the same lines again and again (`device-7<tab>1`),
so equal ones are held once, with their count: what is sorted are the different ones only.
"""

import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

LINE_OVERHEAD_BYTES = 160  # of a short `bytes` in a dict and a list: Python 3.11 to 3.14
RUNS_MERGE_MAX = 64
BLOCK_BYTES = 1 << 20
_MERGE_BLOCK_BYTES_MIN = 16 << 10
_BELOW_TAB = bytes(range(9))

Combine = Callable[[Iterator[bytes]], Iterator[bytes]]
Key = Callable[[bytes], Any]


class Run(msgspec.Struct, frozen=True):
    """A file of sorted lines.

    Attributes:
        has_low_bytes: whether a byte below tab occurs, where lines are not in their keys' order.
    """

    path: str
    partition: int
    has_low_bytes: bool


class Shuffle:
    """Takes the output of one mapper, and keeps it in sorted runs."""

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
        self._counts: Counter[bytes] = Counter()
        self._held_bytes = 0
        self._has_low_bytes = False
        self._spill_count = 0
        self._runs: list[Run] = []
        self.line_count = 0

    def add(self, block: bytes) -> None:
        """Take whole lines; the last one ends with a line end as well."""
        if not block:
            return
        lines = block.split(b"\n")
        lines.pop()
        self.line_count += len(lines)
        self._has_low_bytes = self._has_low_bytes or _has_low_bytes(block)
        known = len(self._counts)
        self._counts.update(lines)
        new = len(self._counts) - known
        self._held_bytes += new * LINE_OVERHEAD_BYTES
        self._held_bytes += sum(map(len, islice(reversed(self._counts), new)))
        if self._held_bytes > self._memory_bytes:
            self._spill()

    def finish(self) -> list[Run]:
        """Write the rest; returns all runs."""
        if self._counts:
            self._spill()
        return self._runs

    @property
    def spill_count(self) -> int:
        """How often it was written."""
        return self._spill_count

    def _spill(self) -> None:
        counts, has_low_bytes = self._counts, self._has_low_bytes
        self._counts, self._held_bytes, self._has_low_bytes = Counter(), 0, False
        if self._combine is not None:
            blocks = whole_lines(self._combine(_blocks(counts, has_low_bytes)))
            counts = Counter()
            has_low_bytes = False
            for block in blocks:
                lines = block.split(b"\n")
                lines.pop()
                counts.update(lines)
                has_low_bytes = has_low_bytes or _has_low_bytes(block)
        for partition, part in enumerate(self._parts(counts)):
            if part:
                path = self._stem.with_name(
                    f"{self._stem.name}-{self._spill_count:05}-{partition:05}"
                )
                write_blocks(path, _blocks(part, has_low_bytes))
                self._runs.append(Run(str(path), partition, has_low_bytes))
        self._spill_count += 1

    def _parts(self, counts: Counter[bytes]) -> Sequence[Counter[bytes]]:
        if self._partitions == 1:
            return (counts,)
        parts: list[Counter[bytes]] = [Counter() for _ in range(self._partitions)]
        for line, count in counts.items():
            parts[zlib.crc32(line.partition(b"\t")[0]) % self._partitions][line] = count
        return parts


def whole_lines(blocks: Iterable[bytes], line_bytes_max: int = 64 << 20) -> Iterator[bytes]:
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


class LineTooLong(Exception):
    """What should be lines has no end of one for very long."""


def write_blocks(path: Path, blocks: Iterable[bytes]) -> None:
    """Make a file of blocks."""
    with path.open("xb", buffering=0) as file:
        for block in blocks:
            file.write(block)


def _has_low_bytes(block: bytes) -> bool:
    return len(block.translate(None, _BELOW_TAB)) != len(block)


def _key(line: bytes) -> tuple[bytes, bytes]:
    key, _, value = line.partition(b"\t")
    return key, value


def _key_for(has_low_bytes: bool) -> Key | None:
    """How lines are compared: by themselves, unless a key may have a byte that comes before tab.

    With none, no other key's line can stand between two lines of one key.
    """
    return _key if has_low_bytes else None


def _blocks(counts: Counter[bytes], has_low_bytes: bool) -> Iterator[bytes]:
    """Sorted lines, as often as each occurs, in blocks."""
    lines = sorted(counts, key=_key_for(has_low_bytes))
    pieces: list[bytes] = []
    size = 0
    for line in lines:
        piece = line + b"\n"
        count = counts[line]
        at_once = max(1, BLOCK_BYTES // len(piece))
        while count > at_once:
            pieces.append(piece * at_once)
            yield b"".join(pieces)
            pieces, size = [], 0
            count -= at_once
        pieces.append(piece * count)
        size += len(pieces[-1])
        if size >= BLOCK_BYTES:
            yield b"".join(pieces)
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


def merged(runs: Sequence[Run], folder: Path, memory_bytes: int) -> Iterator[bytes]:
    """The lines of sorted runs as one sorted stream of blocks.

    Args:
        folder: for what is merged on the way, where there are more runs than fit.
    """
    turn = 0
    while len(runs) > RUNS_MERGE_MAX:
        together, runs = runs[:RUNS_MERGE_MAX], runs[RUNS_MERGE_MAX:]
        path = folder / f"merged-{together[0].partition:05}-{turn:05}"
        turn += 1
        write_blocks(path, merged(together, folder, memory_bytes))
        for run in together:
            Path(run.path).unlink()
        has_low_bytes = any(run.has_low_bytes for run in together)
        runs = [*runs, Run(str(path), together[0].partition, has_low_bytes)]
    if len(runs) == 1:
        yield from _whole(runs[0])
        return
    block_bytes = memory_bytes // (8 * max(1, len(runs)))
    block_bytes = min(max(block_bytes, _MERGE_BLOCK_BYTES_MIN), BLOCK_BYTES)
    yield from _merged(runs, block_bytes)


def _whole(run: Run) -> Iterator[bytes]:
    with open(run.path, "rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def _merged(runs: Sequence[Run], block_bytes: int) -> Iterator[bytes]:
    """Merge by sorting: what is known to come before all that is not read yet, block after block.

    Python's sort finds runs that are sorted already, and merges them at the speed of C.
    """
    key = _key_for(any(run.has_low_bytes for run in runs))
    readers = [reader for run in runs if (reader := _Reader(run, block_bytes)).lines]
    while readers:
        bound = min((reader.lines[-1] for reader in readers), key=key)
        lines = [line for reader in readers for line in reader.take(bound, key)]
        lines.sort(key=key)
        lines.append(b"")
        yield b"\n".join(lines)
        readers = [reader for reader in readers if reader.lines]


class _Reader:
    """A run, of which one block is in memory."""

    def __init__(self, run: Run, block_bytes: int) -> None:
        self._file = open(run.path, "rb", buffering=block_bytes)  # noqa: SIM115 - closed at its end, or with the worker
        self._block_bytes = block_bytes
        self.lines: list[bytes] = []
        self._read()

    def _read(self) -> None:
        self.lines = [line[:-1] for line in self._file.readlines(self._block_bytes)]
        if not self.lines:
            self._file.close()

    def take(self, bound: bytes, key: Key | None) -> list[bytes]:
        """Lines up to `bound`; reads on when there are no more."""
        end = bisect_right(self.lines, key(bound) if key else bound, key=key)
        taken, self.lines = self.lines[:end], self.lines[end:]
        if not self.lines:
            self._read()
        return taken
