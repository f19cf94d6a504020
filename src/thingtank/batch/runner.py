"""Runs a job on this machine: map, shuffle, sort, reduce, over all its cores."""

import os
import sys
import time
from collections import Counter
from collections.abc import Sequence

from thingtank.batch.crew import Crew
from thingtank.batch.inputs import Split, splits_of
from thingtank.batch.job import (
    MEMORY_BYTES_MIN,
    REDUCERS_MAX,
    WORKERS_MAX,
    BatchFailed,
    Job,
    Progress,
    Report,
    Watch,
)
from thingtank.batch.runs import Run
from thingtank.batch.sequence_count import may_map
from thingtank.batch.shipped import SHIPPED
from thingtank.batch.tasks import Done, MapTask, ReduceTask
from thingtank.batch.workspace import Workspace, workspace


def run(job: Job, watch: Watch = lambda _: None) -> Report:
    """Run a job; its output is there whole, or not at all.

    Args:
        watch: told how far it is; from several threads, one at a time.

    Raises:
        BatchFailed: with what to do, and the last that a program that failed has said.
    """
    _check(job)
    begin_s = time.monotonic()
    splits = splits_of(job.inputs, job.workers)
    try:
        with workspace(job.output) as place, Crew(job.workers, job.task_s_max) as crew:
            mapped = _phase(crew, place, "map", _map_tasks(job, splits, place), watch)
            runs = [run for done in mapped for run in done.runs]
            reduced = _phase(crew, place, "reduce", _reduce_tasks(job, runs, place), watch)
            report = _report(job, place, mapped, reduced, time.monotonic() - begin_s)
            place.publish(job.output)
    except OSError as error:  # no room for notes, or for another process
        raise BatchFailed(f"the job cannot go on: {error.strerror or error}") from None
    return report


def _check(job: Job) -> None:
    for name, value, low, high in (
        ("reducers", job.reducers, 1, REDUCERS_MAX),
        ("workers", job.workers, 1, WORKERS_MAX),
    ):
        if not low <= value <= high:
            raise BatchFailed(f"{name} must be within {low} and {high}, not {value}")
    if job.memory_bytes < MEMORY_BYTES_MIN:
        raise BatchFailed(f"a job needs {MEMORY_BYTES_MIN >> 20} MiB of memory at least")
    for name in job.environment:
        if not name or "=" in name:
            raise BatchFailed(f"{name!r} is no name of an environment variable")


def _map_tasks(job: Job, splits: Sequence[Split], place: Workspace) -> list[MapTask]:
    environment = {**job.environment, "mapreduce_job_reduces": str(job.reducers)}
    is_shipped = _is_shipped(job)
    return [
        MapTask(
            number,
            split,
            job.mapper,
            job.combiner,
            environment,
            str(place.runs),
            job.reducers,
            job.memory_bytes // job.workers // 2,  # the other half is for blocks on their way
            is_shipped,
        )
        for number, split in enumerate(splits)
    ]


def _is_shipped(job: Job) -> bool:
    """Whether its programs are the sequence count's, which need not be run line by line."""
    shipped = SHIPPED["sequence-count"]
    paths = (shipped.mapper, shipped.combiner, shipped.reducer)
    programs = [(sys.executable, str(path)) for path in paths]
    return (
        not job.is_plain
        and [tuple(each) for each in (job.mapper, job.combiner, job.reducer)] == programs
        and may_map({**os.environ, **job.environment})
    )


def _reduce_tasks(job: Job, runs: Sequence[Run], place: Workspace) -> list[ReduceTask]:
    environment = {**job.environment, "mapreduce_job_reduces": str(job.reducers)}
    is_shipped = _is_shipped(job)
    return [
        ReduceTask(
            number,
            sorted((run for run in runs if run.partition == number), key=lambda run: run.path),
            job.reducer,
            environment,
            str(place.runs),
            str(place.output / f"part-{number:05}"),
            job.memory_bytes // job.workers // 2,
            is_shipped,
        )
        for number in range(job.reducers)
    ]


def _phase(
    crew: Crew,
    place: Workspace,
    phase: str,
    tasks: Sequence[MapTask] | Sequence[ReduceTask],
    watch: Watch,
) -> list[Done]:
    done: list[Done] = []

    def told(status: str = "") -> None:
        watch(Progress(phase, len(done), len(tasks), status))

    told()
    for each in crew.work_off(tasks, told):
        done.append(each)
        if each.notes:
            place.keep_notes(f"{phase}-{each.number:05}.txt", each.notes)
        told()
    return done


def _report(
    job: Job, place: Workspace, mapped: list[Done], reduced: list[Done], duration_s: float
) -> Report:
    counters: Counter[str] = Counter()
    for done in (*mapped, *reduced):
        counters.update(done.counters)
    notes = [
        f"{phase}-{done.number:05}.txt"
        for phase, dones in (("map", mapped), ("reduce", reduced))
        for done in dones
        if done.notes
    ]
    return Report(
        output=str(job.output),
        parts=sorted(path.name for path in place.output.glob("part-*")),
        input_lines=sum(done.lines_in for done in mapped),
        map_lines=sum(done.lines_out for done in mapped),
        reduce_lines=sum(done.lines_in for done in reduced),
        spill_count=sum(done.spill_count for done in mapped),
        duration_s=duration_s,
        counters=dict(sorted(counters.items())),
        tasks_with_notes=sorted(notes),
    )
