"""`thingtank batch run`: run a job now."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from thingtank.cli.batch.on_emr import EMR, SERVERLESS, run_on_emr
from thingtank.cli.options import config_option, data_option, json_option, set_option
from thingtank.cli.session import Refusal, Session

if TYPE_CHECKING:
    from thingtank.batch.archive_input import ArchiveInput
    from thingtank.batch.job import Job, Report
    from thingtank.batch.shipped import Shipped
    from thingtank.cloud.emr_job import Finished

_MEMORY_DEFAULT_MIB = 512


@click.command()
@click.option("--mapper", metavar="PROGRAM", help="Reads lines, writes lines: KEY, a tab, VALUE.")
@click.option("--reducer", metavar="PROGRAM", help="Reads such lines, sorted by key.")
@click.option("--combiner", metavar="PROGRAM", help="Sums up before the shuffle; often REDUCER.")
@click.option("--job", help="One that comes along, instead of programs: sequence-count.")
@click.option(
    "--sql", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A query of DuckDB over `lines`, instead of programs.",
)  # fmt: skip
@click.option(
    "--form", type=click.Choice(("auto", "programs", "sql")), default="auto", show_default=True,
    help="How to run a --job: quickly, as its programs stand, or as its query.",
)  # fmt: skip
@click.option(
    "--input", "inputs", multiple=True, required=True, metavar="WHERE",
    help="A file, a folder, a pattern such as 'logs/*.txt', or archive:feed/7/temperature;"
    " several may be.",
)  # fmt: skip
@click.option("--output", required=True, help="The folder to make.")
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="For the programs.")
@click.option(
    "--reducers", type=click.IntRange(1, 1000), default=1, show_default=True,
    help="How many, and so how many files of output.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 256), help="Tasks at a time; default: cores.")
@click.option(
    "--memory", "memory_mib", type=click.IntRange(16), default=_MEMORY_DEFAULT_MIB, metavar="MIB",
    show_default=True, help="What may be held in memory; more goes to disk.",
)  # fmt: skip
@click.option(
    "--on", "place", type=click.Choice(("here", EMR, SERVERLESS)), default="here",
    show_default=True, help="This machine, or AWS, where input and output are s3://….",
)  # fmt: skip
@click.option("--cluster", default="", help="EMR: an id; default: one is made, and ends with it.")
@click.option("--application", default="", help="EMR Serverless: an id; default: one is made.")
@click.option("--role", default="", metavar="ARN", help="EMR Serverless: as which the job runs.")
@click.option("--instances", type=click.IntRange(1, 500), default=3, show_default=True)
@click.option("--instance-type", default="m5.xlarge", show_default=True)
@click.option("--subnet", default="", help="EMR: of the cluster that is made.")
@click.option("--release", default="emr-7.14.0", show_default=True, help="Of EMR.")
@click.option("--logs", default="", metavar="S3", help="Where EMR keeps its logs.")
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

    if asked["place"] != "here":
        if _is_query(asked):
            raise click.UsageError("a query runs here only: leave out --on")
        _tell_finished(run_on_emr(data, file, sets, **asked), as_json)
        return
    try:
        with _local_inputs(data, asked["inputs"]) as files:
            report = _run_query(files, **asked) if _is_query(asked) else _run_here(files, **asked)
    except BatchFailed as error:
        raise Refusal(str(error)) from None
    _tell(report, as_json)


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


def _is_query(asked: Any) -> bool:
    if asked["sql"] and any(asked[name] for name in ("job", "mapper", "reducer", "combiner")):
        raise click.UsageError("--sql is instead of programs: leave the others out")
    if asked["form"] == "sql" and not asked["job"]:
        raise click.UsageError("--form sql is for a --job that comes along; for your own: --sql")
    return asked["sql"] is not None or asked["form"] == "sql"


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
        path.read_text(encoding="utf-8"),
        files_of(files),
        Path(asked["output"]),
        variables,
        asked["workers"] or cores(),
        asked["memory_mib"] << 20,
    )
    return run_query(query)


def shipped_job(name: str) -> "Shipped":
    """A job that comes along, by name."""
    from thingtank.batch.shipped import SHIPPED

    if name not in SHIPPED:
        raise click.UsageError(f"{name!r} does not come along; there is: {', '.join(SHIPPED)}")
    return SHIPPED[name]


def programs_of(name: str | None, asked: Any) -> tuple[str, str, str]:
    """Mapper, reducer and combiner; the last may be blank."""
    named = [asked["mapper"], asked["reducer"], asked["combiner"]]
    if name is None:
        if not asked["mapper"] or not asked["reducer"]:
            raise click.UsageError("name --mapper and --reducer, or a --job that comes along")
        return asked["mapper"], asked["reducer"], asked["combiner"] or ""
    if any(named):
        raise click.UsageError("--job has its programs; leave out --mapper, --reducer, --combiner")
    shipped = shipped_job(name)
    return str(shipped.mapper), str(shipped.reducer), str(shipped.combiner)


def environment_of(variables: tuple[str, ...]) -> dict[str, str]:
    """Variables as `NAME=VALUE` each."""
    pairs = [variable.partition("=") for variable in variables]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise click.UsageError(f"--env takes NAME=VALUE, not {name!r}")
    return {name: value for name, _, value in pairs}


@contextlib.contextmanager
def _local_inputs(data: Path, inputs: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Inputs with what is the archive's written to a file, for as long as it is needed."""
    from thingtank.batch.archive_input import SCHEME, archive_input

    of_archive = {text: archive_input(text) for text in inputs if text.startswith(SCHEME)}
    if not of_archive:
        yield inputs
        return
    with tempfile.TemporaryDirectory(prefix="thingtank-batch-") as folder, Session(data) as session:
        yield tuple(
            str(_of_archive(session, of_archive[text], Path(folder) / f"archive-{number:03}.tsv"))
            if text in of_archive
            else text
            for number, text in enumerate(inputs)
        )


def _of_archive(session: Session, asked: "ArchiveInput", file: Path) -> Path:
    from thingtank.batch.archive_input import line_of
    from thingtank.cli.transfer import export_rows

    feeds = (asked.feed,) if asked.feed else ()
    channels = (asked.channel,) if asked.channel else ()
    with file.open("w", encoding="utf-8", newline="") as opened:
        for rows in export_rows(session, feeds, channels, asked.start, asked.end):
            opened.writelines(map(line_of, rows))
    return file


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

    from thingtank.batch.results import local_lines, top_counts
    from thingtank.cli.output import counted, print_facts, print_json

    top = top_counts(local_lines(Path(report.output)))
    if as_json:
        print_json({**msgspec.to_builtins(report), "top": top})
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
            )
            if count is not None
        ),
        ("took", f"{report.duration_s:.1f} s"),
        *report.counters.items(),
    ])  # fmt: skip
    if report.tasks_with_notes:
        where = Path(report.output) / "_logs"
        click.echo(f"What programs wrote to standard error is in {where}")
    _print_top(top)


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
