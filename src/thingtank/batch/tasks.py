"""The tasks of a job, as a worker does them: map a split, reduce a partition."""

import contextlib
import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from thingtank.batch import sequence_count
from thingtank.batch.inputs import InputLineTooLong, Split, read_split
from thingtank.batch.merging import merged
from thingtank.batch.notes import Notes
from thingtank.batch.piping import Program, ProgramFailed
from thingtank.batch.runs import LineTooLong, Run, whole_lines
from thingtank.batch.shuffle import Shuffle

OnStatus = Callable[[str], object]


class MapTask(msgspec.Struct, frozen=True, tag="map"):
    """Run the mapper over one split.

    Attributes:
        is_shipped: whether to do what the sequence count's mapper and combiner do, without them.
    """

    number: int
    split: Split
    command: Sequence[str]
    combiner: Sequence[str]
    environment: dict[str, str]
    folder: str
    partitions: int
    memory_bytes: int
    is_shipped: bool = False


class ReduceTask(msgspec.Struct, frozen=True, tag="reduce"):
    """Run the reducer over one partition, into one file.

    Attributes:
        is_shipped: whether to do what the sequence count's reducer does, without it.
    """

    number: int
    runs: Sequence[Run]
    command: Sequence[str]
    environment: dict[str, str]
    folder: str
    output: str
    memory_bytes: int
    is_shipped: bool = False


Task = MapTask | ReduceTask


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A task that succeeded.

    Attributes:
        lines_in, lines_out: of a mapper; of a reducer only those that it read.
        notes: what its programs wrote to standard error, the newest of it.
    """

    number: int
    runs: list[Run] = []
    lines_in: int = 0
    lines_out: int = 0
    spill_count: int = 0
    counters: dict[str, int] = {}
    notes: str = ""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A task that did not."""

    number: int
    message: str


class Status(msgspec.Struct, frozen=True, tag="status"):
    """What a program reports while it runs."""

    text: str


Answer = Done | Failed | Status


def do(task: Task, on_status: OnStatus) -> Done | Failed:
    """Do a task."""
    try:
        return _map(task, on_status) if isinstance(task, MapTask) else _reduce(task, on_status)
    except ProgramFailed as error:
        return Failed(task.number, str(error))
    except InputLineTooLong as error:
        return Failed(task.number, f"{error}; is it text?")
    except LineTooLong as error:
        return Failed(task.number, f"{' '.join(task.command)} wrote {error}; is it text?")
    except gzip.BadGzipFile as error:
        if str(error).startswith("Not a gzipped file"):
            return Failed(
                task.number, f"{_input_of(task)} is not gzip: name it without .gz, or pack it"
            )
        return Failed(task.number, f"{_input_of(task)} is damaged: {error}")
    except (EOFError, zlib.error) as error:
        return Failed(task.number, f"{_input_of(task)} is damaged or cut off: {error}")
    except OSError as error:
        beside = Path(task.folder).parent.parent.absolute()
        where = error.filename or f"writing beside the output, in {beside}"
        return Failed(task.number, f"{where}: {error.strerror or error}")


def _input_of(task: Task) -> str:
    return task.split.path if isinstance(task, MapTask) else task.folder


class _Counted:
    """Blocks on their way, and their lines."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self.line_count = 0
        self._ends_line = True

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self.line_count += block.count(b"\n")
            self._ends_line = block.endswith(b"\n")
            yield block
        self.line_count += not self._ends_line


def _map(task: MapTask, on_status: OnStatus) -> Done:
    notes = Notes(on_status)
    environment = {
        "mapreduce_task_ismap": "true",
        "mapreduce_task_partition": str(task.number),
        "mapreduce_map_input_file": task.split.path,
        "mapreduce_map_input_start": str(task.split.start),
        **task.environment,
    }

    def combine(blocks: Iterator[bytes]) -> Iterator[bytes]:
        with Program(task.combiner, environment, notes) as combiner:
            combiner.feed(blocks)
            yield from combiner.read()
            combiner.finish()

    stem = Path(task.folder) / f"map-{task.number:06}"
    combining = combine if task.combiner else None
    shuffle = Shuffle(stem, task.partitions, task.memory_bytes, combining)
    counted = _Counted(read_split(task.split))
    with contextlib.closing(shuffle):
        for block in whole_lines(_mapped(task, counted, environment, notes)):
            shuffle.add(block)
        runs = shuffle.finish()
    return Done(
        task.number,
        runs,
        counted.line_count,
        shuffle.line_count,
        shuffle.spill_count,
        notes.counters,
        notes.text,
    )


def _mapped(
    task: MapTask, blocks: Iterable[bytes], environment: dict[str, str], notes: Notes
) -> Iterator[bytes]:
    if task.is_shipped:
        yield from sequence_count.mapped(whole_lines(blocks), {**os.environ, **environment})
        return
    with Program(task.command, environment, notes) as mapper:
        mapper.feed(blocks)
        yield from mapper.read()
        mapper.finish()


def _reduce(task: ReduceTask, on_status: OnStatus) -> Done:
    notes = Notes(on_status)
    environment = {
        "mapreduce_task_ismap": "false",
        "mapreduce_task_partition": str(task.number),
        **task.environment,
    }
    counted = _Counted(merged(task.runs, Path(task.folder), task.memory_bytes))
    with open(task.output, "xb") as output:
        if task.is_shipped:
            output.writelines(sequence_count.reduced(whole_lines(counted)))
        else:
            with Program(task.command, environment, notes, output.fileno()) as reducer:
                reducer.pour(counted)
                reducer.finish()
    for run in task.runs:
        Path(run.path).unlink(missing_ok=True)
    return Done(task.number, lines_in=counted.line_count, counters=notes.counters, notes=notes.text)
