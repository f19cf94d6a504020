"""`thingtank sink`: rules that send on what is written, and what the other side refused."""

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

_CHOICES = "NUMBERS, or --all"
VALUE_CHARS_MAX = 100


@click.group()
def sink() -> None:
    """Sinks: rules that send on what is written; a server is at work on them."""


@sink.command("list")
@json_option
@data_option
def list_all(data: Path, as_json: bool) -> None:
    """List the rules with how they are doing."""
    from thingtank.cli.output import print_json, print_table

    with Session(data) as session:
        rows = session.call("sink.list")["sinks"]
    if as_json:
        print_json({"sinks": [worded_trouble(row) for row in rows]})
        return
    print_table(
        ["rule", "sends", "to", "state", "behind", "delivered", "dead letters", "trouble"],
        [
            (
                row["name"], row["what"], row["where"], row["state"], f"{row['behind_s']:.0f} s",
                row["delivered_count"], row["letter_count"], what_fails(row),
            )
            for row in rows
        ],
        "No rules. Each is a [[sinks.rules]] in thingtank.toml of the data folder, or made in the"
        " workbench.",
    )  # fmt: skip


@sink.command()
@click.argument("name")
@json_option
@data_option
def show(data: Path, as_json: bool, name: str) -> None:
    """Show a rule and how it is doing."""
    from thingtank.cli.output import print_facts, print_json

    with Session(data) as session:
        rule = worded_trouble(session.call("sink.show", name=name))
    if as_json:
        print_json(rule)
        return
    failures = [f"{kind} {count}" for kind, count in rule.pop("failures").items()]
    rule["trouble"] = what_fails(rule)
    print_facts([*rule.items(), ("failures", failures)])


@sink.command()
@click.argument("name")
@before_option
@limit_option
@json_option
@data_option
def letters(data: Path, as_json: bool, **asked: Any) -> None:
    """List dead letters, newest first."""
    from thingtank.cli.output import print_json, print_table, time_of, with_times

    with Session(data) as session:
        found = session.call("sink.letters", **asked)
    rows = found["letters"]
    if as_json:
        worded = [with_times(row, at_us="at", refused_us="refused_at") for row in rows]
        print_json({**found, "letters": worded})
        return
    print_table(
        ["number", "refused", "feed", "channel or topic", "at", "value", "sent again", "reason"],
        [
            (
                row["letter_id"], time_of(row["refused_us"]), row["device_id"] or None,
                (row["datastream"] or row["topic"])[:VALUE_CHARS_MAX], time_of(row["at_us"]),
                row["value"][:VALUE_CHARS_MAX],
                "soon" if row["is_asked"] else None, row["reason"],
            )
            for row in rows
        ],
        "None. What the other side refuses for good is kept here.",
    )  # fmt: skip
    if found["next_before"] is not None:
        click.echo(f"More with --before {found['next_before']}")


@sink.command()
@click.argument("name")
@numbers_argument
@all_option
@json_option
@data_option
def retry(data: Path, as_json: bool, name: str, numbers: tuple[int, ...], is_all: bool) -> None:
    """Have dead letters sent again, when what was wrong is mended."""
    require_one_choice(numbers, is_all, names=_CHOICES)
    done = "{letters} of {name} {are} sent again; what is refused once more stays one."
    _change_letters(data, as_json, "sink.retry", name, numbers, done)


@sink.command()
@click.argument("name")
@numbers_argument
@all_option
@yes_option
@json_option
@data_option
def discard(
    data: Path, as_json: bool, name: str, numbers: tuple[int, ...], is_all: bool, yes: bool
) -> None:
    """Discard dead letters; the values stay in the tank."""
    require_one_choice(numbers, is_all, names=_CHOICES)
    if not yes and is_all:
        click.confirm(f"Discard all dead letters of {name}?", abort=True)
    done = "Discarded {letters} of {name}."
    _change_letters(data, as_json, "sink.discard", name, numbers, done)


@sink.command()
@click.argument("name")
@json_option
@data_option
def pause(data: Path, as_json: bool, name: str) -> None:
    """Pause a rule; what is written meanwhile is kept for it."""
    _changed(data, as_json, f"{name} is paused.", "sink.pause", name=name, is_paused=True)


@sink.command()
@click.argument("name")
@json_option
@data_option
def resume(data: Path, as_json: bool, name: str) -> None:
    """Let a paused rule go on where it had stopped."""
    _changed(data, as_json, f"{name} goes on.", "sink.pause", name=name, is_paused=False)


def _change_letters(
    data: Path, as_json: bool, operation: str, name: str, numbers: tuple[int, ...], done: str
) -> None:
    """Do something to dead letters of these numbers, or to all, and say what of it was done.

    Args:
        done: is told when there were some, with `{letters}` counted, `{name}`, and `{are}` or `is`.
    """
    from thingtank.cli.output import counted, print_json

    with Session(data) as session:
        changed = session.call(operation, name=name, numbers=list(numbers) or None)
    count, missing = changed["chosen_count"], changed["missing_numbers"]
    if as_json:
        rule = worded_trouble(changed.pop("sink"))
        print_json({**rule, **changed})
    elif count:
        letters, are = counted(count, "dead letter"), "is" if count == 1 else "are"
        click.echo(done.format(letters=letters, name=name, are=are))
    elif not numbers:
        click.echo(f"{name} has no dead letters.")
    refuse_missing(missing, "dead letter", name, "sink letters")


def _changed(data: Path, as_json: bool, done: str, operation: str, **asked: Any) -> None:
    from thingtank.cli.output import print_json

    with Session(data) as session:
        rule = session.call(operation, **asked)
    if as_json:
        print_json(worded_trouble(rule))
    else:
        click.echo(done)
