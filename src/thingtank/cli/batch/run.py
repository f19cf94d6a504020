"""`thingtank batch run`: run a job now."""

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from thingtank.cli.batch.on_emr import run_on_emr
from thingtank.cli.batch.options import (
    environment_of,
    is_query,
    job_options,
    programs_of,
    shipped_job,
)
from thingtank.cli.options import config_option, data_option, json_option, set_option
from thingtank.cli.session import Refusal, Session

if TYPE_CHECKING:
    from thingtank.batch.archive_input import ArchiveInput
    from thingtank.batch.job import Job, Report
    from thingtank.cloud.emr_job import Finished


@click.command()
@job_options
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input does.")
@json_option
@data_option
@config_option
@set_option
def run(data: Path, file: Path | None, sets: tuple[str, ...], as_json: bool, **asked: Any) -> None:
    """Run a mapper and a reducer over lines, as Hadoop streaming does.

    A program is a Python file or a command, in any language. The output is there whole or not at
    all: part-00000 and so on, _SUCCESS, and in _logs what programs wrote to standard error.
    """
    from thingtank.batch.job import BatchFailed

    for ending in (signal.SIGTERM, signal.SIGHUP):  # to leave nothing, as by Ctrl-C
        if signal.getsignal(ending) is not signal.SIG_IGN:  # as by nohup
            signal.signal(ending, signal.default_int_handler)
    if asked.pop("with_parent"):
        # Ctrl-C at a terminal is the server's. Not a session of its own, in which its niceness
        # would mean nothing beside the server.
        os.setpgid(0, 0)
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if asked["place"] != "here":
        if is_query(asked):
            raise click.UsageError("a query runs here only: leave out --on")
        _tell_finished(run_on_emr(data, file, sets, **asked), as_json)
        return
    try:
        with _local_inputs(data, asked["inputs"]) as files:
            report = _run_query(files, **asked) if is_query(asked) else _run_here(files, **asked)
    except BatchFailed as error:
        raise Refusal(str(error)) from None
    _tell(report, as_json)


def _end_with_parent() -> None:
    """Wait until whoever started this is gone, and end as by Ctrl-C."""
    while os.read(0, 1):  # not by sys.stdin, whose lock a thread must not hold as Python ends
        pass
    os.kill(os.getpid(), signal.SIGINT)


def _job(files: tuple[str, ...], **asked: Any) -> "Job":
    from thingtank.batch.inputs import files_of
    from thingtank.batch.job import Job, command_of, cores

    mapper, reducer, combiner = programs_of(asked["job"], asked)
    return Job(
        mapper=command_of(mapper),
        reducer=command_of(reducer),
        combiner=command_of(combiner) if combiner else (),
        inputs=files_of(files),
        output=Path(asked["output"]),
        reducers=asked["reducers"],
        workers=asked["workers"] or cores(),
        memory_bytes=asked["memory_mib"] << 20,
        environment=environment_of(asked["variables"]),
        is_plain=asked["form"] == "programs",
    )


def _run_query(files: tuple[str, ...], **asked: Any) -> "Report":
    from thingtank.batch.inputs import files_of
    from thingtank.batch.job import cores
    from thingtank.batch.sql import Query, run_query

    variables = environment_of(asked["variables"])
    path = asked["sql"]
    if path is None:
        shipped = shipped_job(asked["job"])
        path, variables = shipped.sql, {**shipped.variables, **variables}
    query = Query(
        _text_of(path),
        files_of(files),
        Path(asked["output"]),
        variables,
        asked["workers"] or cores(),
        asked["memory_mib"] << 20,
        str(path),
    )
    return run_query(query)


def _text_of(path: Path) -> str:
    from thingtank.batch.job import BatchFailed

    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BatchFailed(f"{path} is not UTF-8, as a query must be") from None
    except OSError as error:
        raise BatchFailed(f"{path} cannot be read: {error.strerror}") from None


@contextlib.contextmanager
def _local_inputs(data: Path, inputs: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Inputs with what is the archive's written to a file, for as long as it is needed."""
    from thingtank.batch.archive_input import SCHEME, archive_input
    from thingtank.batch.workspace import part_folder

    of_archive = {text: archive_input(text) for text in inputs if text.startswith(SCHEME)}
    if not of_archive:
        yield inputs
        return
    place = Path(tempfile.gettempdir(), "thingtank-batch")
    with part_folder(place) as folder, Session(data) as session:
        yield tuple(
            str(_of_archive(session, of_archive[text], folder / f"archive-{number:03}.tsv"))
            if text in of_archive
            else text
            for number, text in enumerate(inputs)
        )


def _of_archive(session: Session, asked: "ArchiveInput", file: Path) -> Path:
    from thingtank.batch.archive_input import line_of
    from thingtank.cli.transfer import export_rows

    _refuse_unknown(session, asked)
    feeds = (asked.feed,) if asked.feed else ()
    channels = (asked.channel,) if asked.channel else ()
    with file.open("w", encoding="utf-8", newline="") as opened:
        for rows in export_rows(session, feeds, channels, asked.start, asked.end):
            opened.writelines(map(line_of, rows))
    return file


def _refuse_unknown(session: Session, asked: "ArchiveInput") -> None:
    if not asked.channel:
        return
    channels = session.call("device.show", device=asked.feed)["channels"]
    if asked.channel not in [channel["name"] for channel in channels]:
        raise Refusal(
            f"feed {asked.feed} has no channel {asked.channel!r}; `thingtank device show"
            f" {asked.feed}` lists those that it has"
        )


def _run_here(files: tuple[str, ...], **asked: Any) -> "Report":
    from thingtank.batch import runner
    from thingtank.cli.transfer import progress_bar

    job = _job(files, **asked)
    with progress_bar() as progress:
        bars = {name: progress.add_task(name, total=None) for name in ("map", "reduce")}

        def watch(now: Any) -> None:
            said = f"{now.phase}: {now.status}" if now.status else now.phase
            progress.update(
                bars[now.phase], completed=now.done_count, total=now.task_count, description=said
            )

        return runner.run(job, watch)


def _tell(report: "Report", as_json: bool) -> None:
    import msgspec

    from thingtank.batch.results import summary_of
    from thingtank.cli.output import counted, print_facts, print_json

    found = summary_of(Path(report.output))
    if as_json:
        print_json({
            **msgspec.to_builtins(report),
            "output_lines": found.line_count,
            "top": found.top,
            "head": found.head,
        })  # fmt: skip
        return
    print_facts([
        ("output", report.output),
        ("files", report.parts),
        *(
            (word, counted(count, "line"))
            for word, count in (
                ("read", report.input_lines),
                ("mapped to", report.map_lines),
                ("reduced from", report.reduce_lines),
                ("written", found.line_count),
            )
            if count is not None
        ),
        ("took", f"{report.duration_s:.1f} s"),
        *report.counters.items(),
    ])  # fmt: skip
    if report.tasks_with_notes:
        where = Path(report.output) / "_logs"
        click.echo(f"What programs wrote to standard error is in {where}")
    _print_top(found.top)


def _tell_finished(finished: "Finished", as_json: bool) -> None:
    from thingtank.cli.output import print_facts, print_json

    if as_json:
        print_json({"output": finished.output, "top": finished.top})
        return
    print_facts([("output", finished.output)])
    _print_top(finished.top)


def _print_top(top: list[tuple[str, int]]) -> None:
    from thingtank.cli.output import print_table

    if top:
        click.echo()
        print_table(("key", "count"), [(key, f"{count:,}") for key, count in top], "")
