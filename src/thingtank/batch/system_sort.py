"""The system's `sort`, which sorts and merges lines with files of its own where memory ends."""

import contextlib
import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from thingtank.batch.piping import ended
from thingtank.batch.runs import BLOCK_BYTES, Run, key_of

PARTITIONS_MAX = 16  # with a process each
MEMORY_BYTES_MIN = 1 << 20
_ENVIRONMENT = {**os.environ, "LC_ALL": "C"}


@cache
def _program() -> str | None:
    return shutil.which("sort")


def has_system_sort() -> bool:
    """Whether there is one."""
    return _program() is not None


def _started(
    words: Sequence[str], stdin: int | None = None, stdout: int | None = None
) -> "subprocess.Popen[bytes]":
    program = _program()
    assert program is not None, "asked for before"
    return subprocess.Popen(  # noqa: S603 - the system's own program, and our own files
        [program, *words],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=_ENVIRONMENT,
        bufsize=0,
    )


class SystemSort:
    """Sorts lines without bytes below tab, into one run for each partition that has any."""

    def __init__(self, stem: Path, partitions: int, memory_bytes: int) -> None:
        self._paths = [stem.with_name(f"{stem.name}-{i:05}") for i in range(partitions)]
        each_bytes = max(memory_bytes // partitions, MEMORY_BYTES_MIN)
        self._processes = [_sort(path, each_bytes) for path in self._paths]

    def add(self, block: bytes) -> int:
        """Take whole lines; returns their number."""
        count = len(self._processes)
        if count == 1:
            self._write(0, block)
            return block.count(b"\n")
        lines = block.split(b"\n")
        lines.pop()
        parts: list[list[bytes]] = [[] for _ in range(count)]
        for line in lines:
            parts[zlib.crc32(key_of(line)) % count].append(line)
        for number, part in enumerate(parts):
            if part:
                self._write(number, b"\n".join((*part, b"")))
        return len(lines)

    def _write(self, number: int, block: bytes) -> None:
        pipe = self._processes[number].stdin
        assert pipe is not None
        view = memoryview(block)
        with contextlib.suppress(BrokenPipeError):  # it says why when it is waited for
            while view:
                view = view[os.write(pipe.fileno(), view) :]

    def finish(self) -> list[Run]:
        """Wait for the runs.

        Raises:
            OSError: one could not be written.
        """
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes:
            _await(process)
        return [
            Run(str(path), number, False)
            for number, path in enumerate(self._paths)
            if path.stat().st_size
        ]

    def close(self) -> None:
        """Let go, also in the middle."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


def merge(runs: Sequence[Run]) -> Iterator[bytes]:
    """Sorted runs without bytes below tab as one sorted stream of blocks.

    Raises:
        OSError: one could not be read.
    """
    words = ["-m", "-T", str(Path(runs[0].path).parent), *(run.path for run in runs)]
    with _started(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            while block := os.read(process.stdout.fileno(), BLOCK_BYTES):
                yield block
            _await(process)
        finally:
            process.kill()


def _sort(path: Path, memory_bytes: int) -> "subprocess.Popen[bytes]":
    words = ["-S", f"{memory_bytes >> 10}K", "-T", str(path.parent), "-o", str(path)]
    return _started(words, stdin=subprocess.PIPE)


def _await(process: "subprocess.Popen[bytes]") -> None:
    """Wait for its end, which its last block or the end of its input has begun."""
    assert process.stderr is not None
    with process.stderr as pipe:
        said = pipe.read(2000)
    status = process.wait()
    if status:
        text = (said or b"").decode(errors="replace").strip()
        raise OSError(text or f"sort {ended(status)}")
