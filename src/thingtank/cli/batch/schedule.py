"""`thingtank batch schedule`: jobs that the server runs again and again."""

import time
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
                _next(row),
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
def show(data: Path, as_json: bool, name: str) -> None:
    """Show what came of a schedule's last runs, newest first, and its alerts."""
    from thingtank.cli.output import print_json, print_table, time_of

    with Session(data) as session:
        row = session.call("batch.schedule_show", name=name)
    runs, alerts = _runs(row), _alerts(row)
    if as_json:
        print_json({**_worded(row), "runs": runs, "alerts": alerts})
        return
    if row["begun_us"] is not None:
        run = "A run" if runs else "The first run"
        click.echo(f"{run} is under way since {time_of(row['begun_us'])}.")
        if not runs:
            return
    print_table(
        ("run", "took", "lines in", "lines out", "count", "output or problem"),
        [
            (
                run["at"], f"{run['duration_s']:.1f} s", run["input_lines"], run["output_lines"],
                run["count"], run["problem"] or run["output"],
            )
            for run in runs
        ],
        _no_run_yet(row),
    )  # fmt: skip
    if alerts:
        click.echo()
        columns = ("alert", "count", "above")
        rows = [(alert["at"], alert["count"], alert["above"]) for alert in alerts]
        print_table(columns, rows, "")


def _next(row: dict[str, Any]) -> str:
    """When a worded row runs next; what there is instead while it runs, or is paused."""
    if row["begun_at"] is not None:
        return "running"
    return "paused" if row["is_paused"] else str(row["due_at"])


def _no_run_yet(row: dict[str, Any]) -> str:
    schedule = row["schedule"]
    may_run = schedule["is_asked"] or not schedule["is_paused"]
    if may_run and row["due_us"] <= time.time_ns() // 1000:
        return "No run yet. It is due: a server begins it when no other job is under way."
    return f"No run yet. Run it at once with: thingtank batch schedule run {schedule['name']}"


def _runs(row: dict[str, Any]) -> list[dict[str, Any]]:
    from thingtank.cli.output import time_of

    schedule = row["schedule"]
    found = [] if schedule["last"] is None else [schedule["last"], *schedule["earlier"]]
    return [
        {
            **{key: value for key, value in run.items() if key not in ("at_us", "span")},
            "at": time_of(run["at_us"]),
            "start": time_of(run["span"]["start_us"]),
            "end": time_of(run["span"]["end_us"]),
        }
        for run in found
    ]


def _alerts(row: dict[str, Any]) -> list[dict[str, Any]]:
    from thingtank.cli.output import time_of

    return [
        {
            "at": time_of(alert["at_us"]),
            "until": time_of(alert["until_us"]),
            "count": alert["count"],
            "above": alert["above"],
        }
        for alert in row["schedule"]["alerts"]
    ]


@schedule.command()
@click.argument("name")
@json_option
@data_option
def pause(data: Path, as_json: bool, name: str) -> None:
    """Have a schedule run no more, but for `schedule run`, until it is resumed."""
    said = f"Paused schedule {name}; go on with: thingtank batch schedule resume {name}"
    _changed(data, as_json, "batch.schedule_pause", name, said, is_paused=True)


@schedule.command()
@click.argument("name")
@json_option
@data_option
def resume(data: Path, as_json: bool, name: str) -> None:
    """Have a paused schedule go on, first for the newest span of time that is over."""
    said = f"Schedule {name} goes on."
    _changed(data, as_json, "batch.schedule_pause", name, said, is_paused=False)


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


def _changed(
    data: Path, as_json: bool, operation: str, name: str, said: str, **asked: bool
) -> None:
    from thingtank.cli.output import print_json

    with Session(data) as session:
        row = session.call(operation, name=name, **asked)
    if as_json:
        print_json(_worded(row))
    else:
        click.echo(said)


def _worded(row: dict[str, Any]) -> dict[str, Any]:
    """A row as people and programs read it: flat, with times in ISO 8601."""
    from thingtank.cli.output import time_of

    found = dict(row["schedule"])
    last = found.pop("last") or {}
    for inner in ("made_us", "done_us", "begun", "is_asked", "earlier", "result", "alerts"):
        found.pop(inner)
    return {
        **found,
        "due_at": time_of(row["due_us"]),
        "begun_at": time_of(row["begun_us"]),
        "last_at": time_of(last.get("at_us")),
        "last_output": last.get("output"),
        "problem": last.get("problem", ""),
        "count": last.get("count"),
    }
