"""`thingtank batch schedule`: jobs that the server runs again and again."""

from pathlib import Path
from typing import Any

import click

from thingtank.cli.batch.options import job_options, words_of
from thingtank.cli.options import Duration, data_option, json_option
from thingtank.cli.session import Session


@click.group()
def schedule() -> None:
    """Jobs that the server runs again and again, each hour or day for what it has brought."""


@schedule.command()
@click.argument("name")
@click.option("--every", "every_s", type=Duration(), default="1h", show_default=True)
@click.option("--keep", "keep_count", type=click.IntRange(1), default=48, show_default=True,
              help="Of how many runs to keep the output.")  # fmt: skip
@click.option("--at-most", "run_s_max", type=Duration(), default="1h", show_default=True,
              help="How long a run may take.")  # fmt: skip
@click.option("--feed", default="", help="Write the largest count of each run to this feed.")
@click.option("--channel", default="", help="Into this channel of it; default: NAME.")
@click.option("--above", type=click.IntRange(0), help="Alert when it is more than this.")
@click.option("--url", default="", help="Post the alert to this address.")
@click.option("--email", default="", help="Write the alert to this address.")
@job_options
@json_option
@data_option
def add(data: Path, as_json: bool, name: str, **asked: Any) -> None:
    """Have a job run again and again; options of the job are those of `batch run`.

    In --input stands {start} and {end} for the span of time that is over, and {day} and {hour} for
    when that began, all in UTC: --input 'archive:feed/7/state?start={start}&end={end}'. Each run
    makes a folder of its own in --output. A run that was missed is made up for when the server is
    back, the newest only.
    """
    from thingtank.cli.output import print_json

    own = ("every_s", "keep_count", "run_s_max", "feed", "channel", "above", "url", "email")
    about = {word: asked.pop(word) for word in own}
    options = words_of(click.get_current_context().command, asked)
    with Session(data) as session:
        made = session.call(
            "batch.schedule_add",
            name=name,
            options=options,
            inputs=list(asked["inputs"]),
            output=asked["output"],
            folder=str(Path.cwd()),
            **about,
        )
    if as_json:
        print_json(_worded(made))
        return
    click.echo(f"Made schedule {name}; its first run is at {_worded(made)['due_at']}.")
    click.echo(f"Run it at once with: thingtank batch schedule run {name}")


@schedule.command("list")
@json_option
@data_option
def list_all(data: Path, as_json: bool) -> None:
    """List schedules, and what came of the last run of each."""
    from thingtank.cli.output import print_json, print_table

    with Session(data) as session:
        found = [_worded(row) for row in session.call("batch.schedule_list")["schedules"]]
    if as_json:
        print_json({"schedules": found})
        return
    print_table(
        ("name", "every", "next", "last", "count", "output or problem"),
        [
            (
                row["name"],
                f"{row['every_s']} s",
                row["due_at"],
                row["last_at"] or "never",
                row["count"],
                row["problem"] or row["last_output"] or row["output"],
            )
            for row in found
        ],
        "No schedules. Make one with: thingtank batch schedule add NAME --job sequence-count …",
    )


@schedule.command()
@click.argument("name")
@json_option
@data_option
def remove(data: Path, as_json: bool, name: str) -> None:
    """Remove a schedule and its alert; what its runs have written stays."""
    _changed(data, as_json, "batch.schedule_remove", name, f"Removed schedule {name}.")


@schedule.command("run")
@click.argument("name")
@json_option
@data_option
def run_now(data: Path, as_json: bool, name: str) -> None:
    """Have the server run a schedule at once, for the newest span of time that is over."""
    said = f"Schedule {name} is due; see what comes of it: thingtank batch schedule list"
    _changed(data, as_json, "batch.schedule_run", name, said)


def _changed(data: Path, as_json: bool, operation: str, name: str, said: str) -> None:
    from thingtank.cli.output import print_json

    with Session(data) as session:
        row = session.call(operation, name=name)
    if as_json:
        print_json(_worded(row))
    else:
        click.echo(said)


def _worded(row: dict[str, Any]) -> dict[str, Any]:
    """A row as people and programs read it: flat, with times in ISO 8601."""
    from thingtank.cli.output import time_of

    found = dict(row["schedule"])
    last = found.pop("last") or {}
    found.pop("done_us")
    found.pop("begun")
    return {
        **found,
        "due_at": time_of(row["due_us"]),
        "last_at": time_of(last.get("at_us")),
        "last_output": last.get("output"),
        "problem": last.get("problem", ""),
        "count": last.get("count"),
    }
