"""`thingtank table`: tables of this machine, which rules of the engine `table` write."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from thingtank.cli.json_text import json_text
from thingtank.cli.options import data_option, json_option
from thingtank.cli.queue import opened_file
from thingtank.cli.session import Refusal

if TYPE_CHECKING:
    from thingtank.local.table_file import TableFile


@click.group()
def table() -> None:
    """Tables of this machine; a sink's rule of the engine `table` makes them.

    They mean the same as those of DynamoDB, for which there is: thingtank cloud table.
    """


@table.command("list")
@data_option
@json_option
def list_tables(data: Path, as_json: bool) -> None:
    """List tables with how many items they have."""
    from thingtank.cli.output import print_json, print_table

    with opened(data) as file:
        found = file.counts()
    if as_json:
        print_json([{"name": name, "item_count": count} for name, count in found])
    else:
        print_table(("table", "items"), found, "There is no table yet.")


@table.command()
@click.argument("name")
@click.argument("hash_value", metavar="HASH")
@click.argument("range_value", metavar="[RANGE]", required=False, default="")
@data_option
def get(data: Path, name: str, hash_value: str, range_value: str) -> None:
    """Print the item of a key as JSON."""
    with opened(data) as file:
        item = file.find(name, hash_value, range_value, time.time())
    if item is None:
        raise Refusal(f"{name} has no item with this key")
    click.echo(json_text(item.attributes))


@table.command()
@click.argument("name")
@click.argument("hash_value", metavar="HASH")
@click.option("--from", "start", default="", metavar="RANGE", help="From this range key on.")
@click.option(
    "--to",
    "end",
    default="\U0010ffff",
    metavar="RANGE",
    show_default=False,
    help="Up to this one, with it.",
)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True)
@data_option
def query(data: Path, name: str, hash_value: str, start: str, end: str, limit: int) -> None:
    """Print the items of one hash key in order, a line of JSON each."""
    with opened(data) as file:
        found = file.query(name, hash_value, time.time(), start=start, end=end, limit=limit)
    for item in found:
        click.echo(json_text(item.attributes))
    if not found:
        click.echo(f"{name} has no such item", err=True)
    elif len(found) == limit:
        click.echo(f"there may be more: these are the first {limit:,} (--limit)", err=True)


@contextmanager
def opened(data: Path) -> Iterator["TableFile"]:
    """The file of tables; a server may have it open as well."""
    from thingtank.local.places import TABLES
    from thingtank.local.table_file import TableFile

    with opened_file(data / TABLES, TableFile, "table") as file:
        yield file
