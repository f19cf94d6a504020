"""`thingtank device`: make, list, show and delete devices."""

from pathlib import Path
from typing import Any

import click

from thingtank.cli.options import (
    data_option,
    json_option,
    owner_option,
    page_option,
    per_page_option,
    yes_option,
)
from thingtank.cli.session import Session


@click.group()
def device() -> None:
    """Devices; each is a feed as well."""


@device.command()
@click.argument("name")
@click.option("--description", default="", help="What it is.")
@click.option("--private/--public", default=True, help="Who sees it; default: its owner only.")
@click.option("--tag", "tags", multiple=True, help="May be given several times.")
@click.option("--lat", type=click.FloatRange(-90, 90), help="Degrees north.")
@click.option("--lon", type=click.FloatRange(-180, 180), help="Degrees east.")
@owner_option
@json_option
@data_option
def create(data: Path, as_json: bool, **asked: Any) -> None:
    """Make a device with a feed, a token and an API key of its own."""
    from thingtank.cli.output import print_facts, print_json

    if (asked["lat"] is None) != (asked["lon"] is None):
        raise click.UsageError("give both --lat and --lon, or neither")
    with Session(data, makes_folder=True) as session:
        made = session.call("device.create", **asked)
    if as_json:
        print_json(made)
        return
    click.echo(f"Made {made['title']}.")
    print_facts([(name, made[name]) for name in ("feed_id", "uuid", "token", "api_key")])
    click.echo("The token is shown only now. The key can be seen again: thingtank key show")


@device.command("list")
@click.option("--search", default="", help="Words in name, description, tags or channels.")
@page_option
@per_page_option
@click.option("--owner", default="", metavar="LOGIN", help="Only this account's.")
@json_option
@data_option
def list_all(data: Path, as_json: bool, **asked: Any) -> None:
    """List devices, newest first."""
    from thingtank.cli.output import print_json, print_rest, print_table, time_of, with_times

    with Session(data) as session:
        found = session.call("device.list", **asked)
    rows = found["devices"]
    if as_json:
        print_json(
            {
                "total_count": found["total_count"],
                "devices": [with_times(row, last_us="last_at") for row in rows],
            }
        )
        return
    print_table(
        ["feed", "title", "owner", "private", "channels", "last value"],
        [
            (
                row["feed_id"],
                row["title"],
                row["owner"],
                row["private"],
                row["channel_count"],
                time_of(row["last_us"]),
            )
            for row in rows
        ],
        "No devices. Make one with: thingtank device create NAME",
    )
    print_rest(found, asked["page"], asked["per_page"])


@device.command()
@click.argument("device")
@json_option
@data_option
def show(data: Path, as_json: bool, device: str) -> None:
    """Show a device (feed id or uuid) with its channels."""
    print_device(data, device, as_json)


def print_device(data: Path, device: str, as_json: bool) -> None:
    """Print one device with its channels."""
    from thingtank.cli.output import print_facts, print_json, print_table, time_of, with_times

    with Session(data) as session:
        found = session.call("device.show", device=device)
    if as_json:
        channels = [with_times(row, at_us="at") for row in found["channels"]]
        print_json({**with_times(found, last_us="last_at"), "channels": channels})
        return
    place = found["location"] or {}
    print_facts(
        [
            *((name, found[name]) for name in ("title", "feed_id", "uuid", "owner", "private")),
            *((name, found[name]) for name in ("description", "tags") if found[name]),
            *((name, place[name]) for name in ("name", "lat", "lon") if place.get(name)),
        ]
    )
    click.echo()
    print_table(
        ["channel", "value", "unit", "at"],
        [
            (row["name"], row["value"], row["unit"], time_of(row["at_us"]))
            for row in found["channels"]
        ],
        f"No channels yet: thingtank feed write {found['feed_id']} temperature=21.5",
    )


@device.command()
@click.argument("device")
@yes_option
@json_option
@data_option
def delete(data: Path, as_json: bool, yes: bool, device: str) -> None:
    """Delete a device (feed id or uuid) with all it has recorded."""
    from thingtank.cli.output import counted, print_json

    with Session(data) as session:
        found = session.call("device.show", device=device)
        if not yes:
            channels = counted(len(found["channels"]), "channel")
            click.confirm(
                f"Delete {found['title']} with {channels} and all recorded values?", abort=True
            )
        gone = session.call("device.delete", device=str(found["feed_id"]))
    if as_json:
        print_json({"feed_id": gone["feed_id"], "title": gone["title"]})
    else:
        click.echo(f"Deleted {gone['title']} (feed {gone['feed_id']}).")
