"""`thingtank feed`: look at feeds, write values, read and delete history."""

import sys
from pathlib import Path
from typing import Any

import click

from thingtank.cli.devices import list_all as list_devices
from thingtank.cli.devices import print_device
from thingtank.cli.options import data_option, json_option, yes_option
from thingtank.cli.session import Session


@click.group()
def feed() -> None:
    """Feeds: channels and their values."""


feed.add_command(list_devices, "list")


@feed.command()
@click.argument("feed")
@json_option
@data_option
def show(data: Path, as_json: bool, feed: str) -> None:
    """Show a feed's channels with their current values."""
    print_device(data, feed, as_json)


@feed.command()
@click.argument("feed")
@click.argument("values", nargs=-1, required=True, metavar="CHANNEL=VALUE...")
@click.option("--at", default="", help="ISO 8601; default: now.")
@json_option
@data_option
def write(data: Path, as_json: bool, feed: str, values: tuple[str, ...], at: str) -> None:
    """Write values; missing channels are made. Done when they are on disk."""
    from thingtank.cli.output import counted, print_json, time_of, with_times

    by_channel = {}
    for item in values:
        name, equals, value = item.partition("=")
        if not equals:
            raise click.UsageError(f"a value is CHANNEL=VALUE, not {item!r}")
        by_channel[name] = value
    with Session(data) as session:
        done = session.call("feed.write", feed=feed, values=by_channel, at=at)
    if as_json:
        print_json(with_times(done, at_us="at"))
    else:
        what = counted(len(by_channel), "value")
        click.echo(f"Wrote {what} to feed {done['feed_id']} at {time_of(done['at_us'])}.")


@feed.command()
@click.argument("feed")
@click.argument("channel")
@click.option("--start", help="ISO 8601; default: 6 hours before the end, more with --interval.")
@click.option("--end", help="ISO 8601; default: now.")
@click.option("--duration", help="6hours, 1day; counted back from the end, or on from the start.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), help="At most so many, the oldest; default: 100."
)
@click.option(
    "--interval",
    type=int,
    help="Seconds between values: 0 for all, 60, 3600, 86400, …; default: what fits the range.",
)
@click.option("--function", type=click.Choice(["average", "sum", "min", "max"]))
@click.option("--csv", "as_csv", is_flag=True, help="As CSV.")
@json_option
@data_option
def history(data: Path, as_json: bool, as_csv: bool, feed: str, channel: str, **terms: Any) -> None:
    """Read a channel's history, in the terms of Xively's API."""
    from thingtank.cli.output import print_json, print_table, time_of
    from thingtank.files.writers import CsvWriter

    if as_csv and as_json:
        raise click.UsageError("choose one of --csv and --json")
    asked = {name: str(value) for name, value in terms.items() if value is not None}
    with Session(data) as session:
        found = session.call("feed.history", feed=feed, channel=channel, terms=asked)
    times = [time_of(at_us) for at_us in found["at_us"]]
    rows = list(zip(times, found["values"], strict=True))
    if as_json:
        points = [{"at": at, "value": value} for at, value in rows]
        print_json({"feed_id": found["feed_id"], "channel": channel, "datapoints": points})
    elif as_csv:
        CsvWriter(sys.stdout, ("at", "value")).write(rows)
    else:
        print_table(["at", "value"], rows, "Nothing in this range; try --duration 1day.")


@feed.command("delete-history")
@click.argument("feed")
@click.argument("channel")
@click.option("--start", default="", help="ISO 8601, included; open when it is left out.")
@click.option("--end", default="", help="ISO 8601, included; open when it is left out.")
@yes_option
@json_option
@data_option
def delete_history(data: Path, as_json: bool, yes: bool, **asked: Any) -> None:
    """Delete a range of a channel's values; give at least one end."""
    from thingtank.cli.output import print_json

    if not (asked["start"] or asked["end"]):
        raise click.UsageError("give --start, --end or both")
    span = f"from {asked['start'] or 'the first'} to {asked['end'] or 'the last'}"
    if not yes:
        click.confirm(f"Delete {asked['channel']} of feed {asked['feed']} {span}?", abort=True)
    with Session(data) as session:
        done = session.call("feed.delete_history", **asked)
    if as_json:
        print_json(done)
    else:
        click.echo(f"Deleted {done['channel']} {span}.")
