"""`thingtank cloud table`: tables in DynamoDB."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from thingtank.cli.cloud.session import aws_command, say
from thingtank.cli.json_text import escaped
from thingtank.cli.options import json_option, yes_option
from thingtank.cli.session import Refusal

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients
    from thingtank.aws.items import Item
    from thingtank.cloud.tables import Key

ITEM_CHARS_MAX = 1_000_000  # of one line; an item has at most 400 KiB


@click.group()
def table() -> None:
    """DynamoDB: tables of items that are found by their key."""


@table.command()
@click.argument("name")
@click.option(
    "--hash",
    "hash_key",
    default="msgid",
    show_default=True,
    metavar="KEY[:S|N|B]",
    help="The key that items are spread by; :S text, :N number, :B bytes.",
)
@click.option(
    "--range",
    "range_key",
    default="date",
    show_default=True,
    metavar="KEY[:S|N|B]",
    help="The key that items of one hash key are sorted by; '' for none.",
)
@click.option(
    "--units",
    type=click.IntRange(1),
    nargs=2,
    metavar="READ WRITE",
    help="Reads and writes per second to pay for; without it each call is paid for.",
)
@click.option(
    "--expires",
    default="",
    metavar="NAME",
    help="The attribute with the second after which an item is deleted.",
)
@click.option("--backed-up", is_flag=True, help="Any instant of the last 35 days can be restored.")
@click.option("--protected", is_flag=True, help="It cannot be deleted.")
@aws_command
def create(
    clients: "AwsClients", name: str, hash_key: str, range_key: str,
    units: tuple[int, int] | None, expires: str, backed_up: bool, protected: bool,
) -> None:  # fmt: skip
    """Make a table and wait until it can be used.

    One that is there with the same keys is taken as it is.
    """
    from thingtank.cli.cloud.progress import on_interrupt
    from thingtank.cloud import tables

    design = tables.TableDesign(
        name, _key(hash_key), _key(range_key) if range_key else None, units, expires, backed_up,
        protected,
    )  # fmt: skip
    goes_on = f"If it was begun it goes on, and costs: thingtank cloud table delete {name}"
    with on_interrupt(say, goes_on):
        is_new = tables.create(clients, design, say)
    click.echo(f"table {name} is {'ready' if is_new else 'there already, with these keys'}")


@table.command("list")
@json_option
@aws_command
def list_tables(clients: "AwsClients", as_json: bool) -> None:
    """List the tables of the region."""
    from thingtank.cli.output import print_json, print_table
    from thingtank.cloud.tables import names

    found = names(clients)
    if as_json:
        print_json(found)
    else:
        print_table(("table",), [(name,) for name in found],
                    "There is no table; make one: thingtank cloud table create NAME")  # fmt: skip


@table.command()
@click.argument("name")
@json_option
@aws_command
def show(clients: "AwsClients", name: str, as_json: bool) -> None:
    """Show what a table is: its keys, its size, what it costs by."""
    from thingtank.cli.output import print_facts, print_json
    from thingtank.cloud.tables import get

    found = get(clients, name)
    if as_json:
        print_json({
            "name": found.name, "state": found.state, "hash_key": found.hash_key._asdict(),
            "range_key": found.range_key and found.range_key._asdict(), "units": found.units,
            "item_count": found.item_count, "byte_count": found.byte_count,
            "expires": found.expires or None, "is_protected": found.is_protected,
        })  # fmt: skip
        return
    reads, writes = found.units or (0, 0)
    print_facts([
        ("table", found.name),
        ("state", found.state),
        ("hash key", ":".join(found.hash_key)),
        ("range key", ":".join(found.range_key) if found.range_key else None),
        ("paid for", f"{reads} reads/s, {writes} writes/s" if found.units else "each call"),
        ("items", f"{found.item_count:,} in {found.byte_count:,} bytes, counted every six hours"),
        ("expires by", found.expires or None),
        ("protected", found.is_protected),
    ])  # fmt: skip


@table.command()
@click.argument("name")
@click.argument("item")
@click.option("--if-absent", is_flag=True, help="Only if there is no item with this key.")
@aws_command
def put(clients: "AwsClients", name: str, item: str, if_absent: bool) -> None:
    """Put an item, a JSON object: '{"msgid": "a", "date": "2026-01-31"}'.

    With - for ITEM they are read from standard input, one a line.
    """
    from thingtank.aws.items import BadItem, parse_item
    from thingtank.cli.output import counted
    from thingtank.cloud import tables

    found = tables.get(clients, name)
    try:
        if not if_absent:
            items = _items_of_input() if item == "-" else iter([parse_item(item)])
            click.echo(f"put {counted(tables.put(clients, found, items, say), 'item')}")
        elif item == "-":
            raise click.UsageError("--if-absent takes one item, not those of standard input")
        elif not tables.put_if_absent(clients, found, parse_item(item)):
            raise Refusal("there is an item with this key already; it is as it was")
        else:
            click.echo("put 1 item")
    except BadItem as error:
        raise Refusal(str(error)) from None


@table.command("get")
@click.argument("name")
@click.argument("hash_value", metavar="HASH")
@click.argument("range_value", metavar="[RANGE]", required=False)
@aws_command
def get_item(clients: "AwsClients", name: str, hash_value: str, range_value: str | None) -> None:
    """Print the item of a key, as it is now, as JSON."""
    from thingtank.cloud import tables

    item = tables.find(clients, tables.get(clients, name), hash_value, range_value)
    if item is None:
        raise Refusal(f"{name} has no item with this key")
    click.echo(_line(item))


@table.command()
@click.argument("name")
@click.argument("hash_value", metavar="HASH")
@click.option("--from", "start", metavar="RANGE", help="From this range key on.")
@click.option("--to", "end", metavar="RANGE", help="Up to this one, with it.")
@click.option("--prefix", help="Only range keys that begin so.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True)
@click.option("--newest-first", is_flag=True, help="From the last range key backwards.")
@aws_command
def query(
    clients: "AwsClients", name: str, hash_value: str, start: str | None, end: str | None,
    prefix: str | None, limit: int, newest_first: bool,
) -> None:  # fmt: skip
    """Print the items of one hash key in order, a line of JSON each."""
    from thingtank.cloud import tables

    if prefix is not None and (start, end) != (None, None):
        raise click.UsageError("--prefix goes without --from and --to")
    within = tables.KeyRange(start, end, prefix)
    found = tables.get(clients, name)
    is_empty = True
    for item in tables.query(
        clients, found, hash_value, within, limit, is_newest_first=newest_first
    ):
        click.echo(_line(item))
        is_empty = False
    if is_empty:
        say(f"{name} has no such item")


@table.command()
@click.argument("name")
@yes_option
@aws_command
def delete(clients: "AwsClients", name: str, yes: bool) -> None:
    """Delete a table and all that is in it."""
    from thingtank.cloud import tables

    found = tables.get(clients, name)
    if not yes:
        click.confirm(f"Delete {name} with all its items ({found.item_count:,} when last counted)?",
                      abort=True, err=True)  # fmt: skip
    tables.delete(clients, name, say)
    click.echo(f"table {name} is deleted")


def _key(text: str) -> "Key":
    from thingtank.cloud.tables import parse_key

    try:
        return parse_key(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _items_of_input() -> "Iterator[Item]":
    from thingtank.aws.items import BadItem, parse_item

    place = 0
    while line := sys.stdin.readline(ITEM_CHARS_MAX):
        place += 1
        if not line.strip():
            continue
        try:
            yield parse_item(line)
        except BadItem as error:
            raise BadItem(f"line {place}: {error}") from None


def _line(item: "Item") -> str:
    """JSON in which a number keeps all its digits."""
    import msgspec

    return escaped(msgspec.json.Encoder(decimal_format="number").encode(item).decode())
