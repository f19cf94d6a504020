"""Options that say which job, over what, and where; and what they come to."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from thingtank.cloud.defaults import EMR_INSTANCE_COUNT, EMR_INSTANCE_TYPE, EMR_RELEASE

if TYPE_CHECKING:
    from thingtank.batch.shipped import Shipped

EMR, SERVERLESS = "emr", "emr-serverless"
_MEMORY_DEFAULT_MIB = 512


def _not_blank(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not text.strip():
        raise click.BadParameter("it is blank: name the folder to make")
    return text


_JOB_OPTIONS = (
    click.option(
        "--mapper", metavar="PROGRAM", help="Reads lines, writes lines: KEY, a tab, VALUE."
    ),
    click.option("--reducer", metavar="PROGRAM", help="Reads such lines, sorted by key."),
    click.option(
        "--combiner", metavar="PROGRAM", help="Sums up before the shuffle; often REDUCER."
    ),
    click.option("--job", help="One that comes along, instead of programs: sequence-count."),
    click.option(
        "--sql",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help="A query of DuckDB over `lines`, instead of programs.",
    ),
    click.option(
        "--form",
        type=click.Choice(("auto", "programs", "sql")),
        default="auto",
        show_default=True,
        help="How to run a --job: quickly, as its programs stand, or as its query.",
    ),
    click.option(
        "--input",
        "inputs",
        multiple=True,
        required=True,
        metavar="WHERE",
        help="A file, a folder, a pattern such as 'logs/*.txt', or archive:feed/7/temperature;"
        " several may be.",
    ),
    click.option("--output", required=True, callback=_not_blank, help="The folder to make."),
    click.option(
        "--env", "variables", multiple=True, metavar="NAME=VALUE", help="For the programs."
    ),
    click.option(
        "--reducers",
        type=click.IntRange(1, 1000),
        default=1,
        show_default=True,
        help="How many, and so how many files of output.",
    ),
    click.option("--workers", type=click.IntRange(1, 256), help="Tasks at a time; default: cores."),
    click.option(
        "--memory",
        "memory_mib",
        type=click.IntRange(16),
        default=_MEMORY_DEFAULT_MIB,
        metavar="MIB",
        show_default=True,
        help="What may be held in memory; more goes to disk.",
    ),
    click.option(
        "--on",
        "place",
        type=click.Choice(("here", EMR, SERVERLESS)),
        default="here",
        show_default=True,
        help="This machine, or AWS, where input and output are s3://….",
    ),
    click.option(
        "--cluster", default="", help="EMR: an id; default: one is made, and ends with it."
    ),
    click.option("--application", default="", help="EMR Serverless: an id; default: one is made."),
    click.option(
        "--role", default="", metavar="ARN", help="EMR Serverless: as which the job runs."
    ),
    click.option(
        "--instances", type=click.IntRange(1, 500), default=EMR_INSTANCE_COUNT, show_default=True
    ),
    click.option("--instance-type", default=EMR_INSTANCE_TYPE, show_default=True),
    click.option("--subnet", default="", help="EMR: of the cluster that is made."),
    click.option("--release", default=EMR_RELEASE, show_default=True, help="Of EMR."),
    click.option("--logs", default="", metavar="S3", help="Where EMR keeps its logs."),
)


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which job, over what, and where."""
    for option in reversed(_JOB_OPTIONS):
        command = option(command)
    return command


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


def shipped_job(name: str) -> "Shipped":
    """A job that comes along, by name."""
    from thingtank.batch.shipped import SHIPPED

    if name not in SHIPPED:
        raise click.UsageError(f"{name!r} does not come along; there is: {', '.join(SHIPPED)}")
    return SHIPPED[name]


def is_query(asked: Any) -> bool:
    """Whether a query is asked for, and no programs."""
    if asked["sql"] and any(asked[name] for name in ("job", "mapper", "reducer", "combiner")):
        raise click.UsageError("--sql is instead of programs: leave the others out")
    if asked["form"] == "sql" and not asked["job"]:
        raise click.UsageError("--form sql is for a --job that comes along; for your own: --sql")
    return asked["sql"] is not None or asked["form"] == "sql"


def words_of(command: click.Command, asked: dict[str, Any]) -> list[str]:
    """A job's options as words, to be given again; without inputs and output, which are each run's.

    Raises:
        click.UsageError: there could be no such job.
    """
    if not is_query(asked):
        programs_of(asked["job"], asked)
    environment_of(asked["variables"])
    words = []
    for param in command.params:
        value = asked.get(str(param.name))
        if param.name in ("inputs", "output") or value in (None, "", ()):
            continue
        for each in value if isinstance(value, tuple) else (value,):
            words += [param.opts[0], str(each)]
    return words
