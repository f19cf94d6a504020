"""Merging: sorted runs of one partition as one sorted stream for its reducer."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

from thingtank.batch import system_sort
from thingtank.batch.runs import BLOCK_BYTES, Key, Run, order_of, read_run, write_run

RUNS_MERGE_MAX = 64
_BLOCK_BYTES_MIN = 16 << 10


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
        write_run(path, merged(together, folder, memory_bytes))
        for run in together:
            Path(run.path).unlink()
        is_low = any(run.has_low_bytes for run in together)
        runs = [*runs, Run(str(path), together[0].partition, is_low)]
    if len(runs) == 1:
        yield from read_run(runs[0].path)
    elif runs and system_sort.has_system_sort() and not any(run.has_low_bytes for run in runs):
        yield from system_sort.merge(runs)
    elif runs:
        block_bytes = memory_bytes // (8 * len(runs))
        yield from merge(runs, min(max(block_bytes, _BLOCK_BYTES_MIN), BLOCK_BYTES))


def merge(runs: Sequence[Run], block_bytes: int) -> Iterator[bytes]:
    """Merge by sorting: what is known to come before all that is not read yet, block after block.

    Python's sort finds runs that are sorted already, and merges them at the speed of C.
    """
    key = order_of(any(run.has_low_bytes for run in runs))
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
