"""`thingtank source`: rules that read streams and queues, and records that were rejected."""

from pathlib import Path
from typing import Any

import click

from thingtank.cli.options import data_option, json_option, yes_option
from thingtank.cli.rule_choices import (
    all_option,
    before_option,
    limit_option,
    numbers_argument,
    refuse_missing,
    require_one_choice,
    what_fails,
    worded_trouble,
)
from thingtank.cli.session import Session

_CHOICES = "NUMBERS, or --reason, or --all"
EXCERPT_CHARS_MAX = 100

reason_option = click.option(
    "--reason", metavar="TEXT", help="All of this reason, as `show` tells it."
)


@click.group()
def source() -> None:
    """Sources: rules that read streams and queues into feeds; a server is at work on them."""


@source.command("list")
@json_option
@data_option
def list_all(data: Path, as_json: bool) -> None:
    """List the rules with how they are doing."""
    from thingtank.cli.output import print_json, print_table

    with Session(data) as session:
        rows = session.call("source.list")["sources"]
    if as_json:
        print_json({"sources": [worded_trouble(row) for row in rows]})
        return
    print_table(
        ["rule", "reads", "state", "behind", "records", "values", "rejected", "kept", "trouble"],
        [
            (
                row["name"], row["where"], row["state"], f"{row['behind_s']:.0f} s",
                row["record_count"], row["datapoint_count"], row["rejected_count"],
                row["kept_count"], what_fails(row),
            )
            for row in rows
        ],
        "No rules. Each is a [[sources.rules]] in thingtank.toml of the data folder; the server"
        " reads them when it starts.",
    )  # fmt: skip


@source.command()
@click.argument("name")
@json_option
@data_option
def show(data: Path, as_json: bool, name: str) -> None:
    """Show a rule, and why records of it were rejected."""
    from thingtank.cli.output import print_facts, print_json, print_table

    with Session(data) as session:
        found = session.call("source.show", name=name)
    rule = worded_trouble(found["source"])
    if as_json:
        print_json({**found, "source": rule})
        return
    failures = [f"{kind} {count}" for kind, count in rule.pop("failures").items()]
    rule["trouble"] = what_fails(rule)
    print_facts([*rule.items(), ("failures", failures)])
    if found["reasons"]:
        rows = [(row["count"], row["reason"]) for row in found["reasons"]]
        print_table(["kept", "reason"], rows, "")
        click.echo(f"When that is mended: thingtank source retry {name} --all")


@source.command()
@click.argument("name")
@before_option
@limit_option
@json_option
@data_option
def rejected(data: Path, as_json: bool, **asked: Any) -> None:
    """List rejected records, newest first."""
    from thingtank.cli.output import print_json, print_table, time_of, with_times

    with Session(data) as session:
        found = session.call("source.rejected", **asked)
    rows = found["rejected"]
    if as_json:
        print_json({**found, "rejected": [with_times(row, at_us="at") for row in rows]})
        return
    print_table(
        ["number", "rejected", "record", "bytes", "whole", "reason", "begins with"],
        [
            (
                row["number"], time_of(row["at_us"]), row["record_id"], row["byte_count"],
                row["is_whole"], row["reason"], row["excerpt"][:EXCERPT_CHARS_MAX],
            )
            for row in rows
        ],
        "None. What a queue holds and cannot be written becomes a dead letter of the queue.",
    )  # fmt: skip
    if found["next_before"] is not None:
        click.echo(f"More with --before {found['next_before']}")


@source.command()
@click.argument("name")
@numbers_argument
@reason_option
@all_option
@json_option
@data_option
def retry(
    data: Path, as_json: bool, name: str, numbers: tuple[int, ...], reason: str | None, is_all: bool
) -> None:
    """Have rejected records written, when what was wrong is mended.

    Values get the times that they would have had: nothing is there twice.
    """
    from thingtank.cli.output import print_json

    require_one_choice(numbers, reason, is_all, names=_CHOICES)
    with Session(data) as session:
        done = session.call("source.retry", name=name, numbers=list(numbers) or None, reason=reason)
    if as_json:
        print_json(done)
    else:
        _tell_retried(name, numbers, done)
    refuse_missing(done["missing_numbers"], "rejected record", name, "source rejected")


def _tell_retried(name: str, numbers: tuple[int, ...], done: dict[str, Any]) -> None:
    from thingtank.cli.output import counted

    tried = ("written_count", "refused_count", "too_long_count", "left_count")
    if not any(done[count] for count in tried):
        if not numbers:
            click.echo(f"{name} has no rejected records.")
        return
    click.echo(f"Wrote {counted(done['written_count'], 'record')}.")
    if done["refused_count"]:
        click.echo(
            f"{counted(done['refused_count'], 'record')} refused once more; why:"
            f" thingtank source show {name}"
        )
    if done["too_long_count"]:
        click.echo(
            f"{counted(done['too_long_count'], 'record')} too long to be kept whole: these can"
            " only be discarded."
        )
    if done["left_count"]:
        click.echo(
            f"{counted(done['left_count'], 'record')} not tried: {done['trouble']}. Give the same"
            " command again."
        )


@source.command()
@click.argument("name")
@numbers_argument
@reason_option
@all_option
@yes_option
@json_option
@data_option
def discard(
    data: Path, as_json: bool, name: str, numbers: tuple[int, ...], reason: str | None,
    is_all: bool, yes: bool,
) -> None:  # fmt: skip
    """Discard rejected records; what they held cannot be written any more."""
    from thingtank.cli.output import counted, print_json

    require_one_choice(numbers, reason, is_all, names=_CHOICES)
    if not yes and not numbers:
        of_reason = "" if is_all else " that have this reason"
        click.confirm(f"Discard all rejected records of {name}{of_reason}?", abort=True)
    with Session(data) as session:
        done = session.call(
            "source.discard", name=name, numbers=list(numbers) or None, reason=reason
        )
    if as_json:
        print_json(done)
    elif done["discarded_count"]:
        click.echo(f"Discarded {counted(done['discarded_count'], 'record')}.")
    elif not numbers:
        click.echo(f"{name} has no rejected records.")
    refuse_missing(done["missing_numbers"], "rejected record", name, "source rejected")
