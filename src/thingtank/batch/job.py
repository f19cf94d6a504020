"""What a batch job is, and what becomes of it."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

MEMORY_BYTES = 512 << 20
MEMORY_BYTES_MIN = 16 << 20
REDUCERS_MAX = 1000
WORKERS_MAX = 256
TASK_S_MAX = 3600.0


class BatchFailed(Exception):
    """A job did not succeed, and has left nothing behind; the message says why, for a person."""


class Job(msgspec.Struct, frozen=True):
    """A job for this machine.

    Attributes:
        mapper, reducer: commands, in words.
        combiner: one that sums up what a mapper wrote before it is shuffled; empty for none.
        inputs: files.
        output: the folder to make.
        reducers: how many partitions, and so files of output.
        workers: tasks at one time.
        memory_bytes: what all workers together may hold in memory; more goes to disk.
        environment: variables that the programs get besides those of this process.
        task_s_max: for how long one task may run.
        is_plain: whether programs that come along are run as any others are, and not as functions
            of this package that do the same.
    """

    mapper: Sequence[str]
    reducer: Sequence[str]
    inputs: Sequence[Path]
    output: Path
    combiner: Sequence[str] = ()
    reducers: int = 1
    workers: int = 1
    memory_bytes: int = MEMORY_BYTES
    environment: Mapping[str, str] = {}
    task_s_max: float = TASK_S_MAX
    is_plain: bool = False


class Progress(msgspec.Struct, frozen=True):
    """How far a job is.

    Attributes:
        phase: `map` or `reduce`.
        status: what a program said last, by `reporter:status:…`; blank for nothing.
    """

    phase: str
    done_count: int
    task_count: int
    status: str = ""


class Report(msgspec.Struct, frozen=True):
    """What a job that succeeded has done.

    Attributes:
        input_lines, map_lines, reduce_lines: None where they are not counted, as by a query.
        counters: the programs' own, `group,name` → sum.
        tasks_with_notes: names of the files in `_logs` with what programs wrote to standard error.
    """

    output: str
    parts: list[str]
    input_lines: int | None
    map_lines: int | None
    reduce_lines: int | None
    spill_count: int
    duration_s: float
    counters: dict[str, int]
    tasks_with_notes: list[str]


Watch = Callable[[Progress], object]


def command_of(text: str) -> tuple[str, ...]:
    """A program as people write it: a Python file, or a command with its words.

    Raises:
        BatchFailed: it is empty, or a quote in it does not end.
    """
    if text.endswith(".py") and Path(text).is_file():
        return (sys.executable, text)
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BatchFailed(f"{text!r} is not a command: {error}") from None
    if not words:
        raise BatchFailed("a mapper and a reducer need a command each")
    if words[0].endswith(".py") and Path(words[0]).is_file():
        return (sys.executable, *words)
    return words


def cores() -> int:
    """How many tasks this machine runs at a time."""
    if hasattr(os, "sched_getaffinity"):  # what a container or taskset leaves us
        return min(len(os.sched_getaffinity(0)), WORKERS_MAX)
    return min(os.cpu_count() or 1, WORKERS_MAX)
