"""`thingtank cloud stream`: streams in Kinesis."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from thingtank.cli.cloud.session import aws_command, say
from thingtank.cli.input_lines import input_lines
from thingtank.cli.json_text import json_text
from thingtank.cli.options import InterruptedGroup, json_option, yes_option

if TYPE_CHECKING:
    from datetime import datetime

    from thingtank.aws.clients import AwsClients
    from thingtank.aws.streams import StreamRecord
    from thingtank.cloud.streams import ReadRecord


@click.group(cls=InterruptedGroup)
def stream() -> None:
    """Kinesis: streams of records that many can read, each at its own pace."""


@stream.command()
@click.argument("name")
@click.option(
    "--shards",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Each takes 1 MB and 1,000 records a second.",
)
@click.option("--on-demand", is_flag=True, help="AWS chooses how many shards there are.")
@aws_command
def create(clients: "AwsClients", name: str, shards: int, on_demand: bool) -> None:
    """Make a stream and wait until it can be used.

    One that is there is taken as it is.
    """
    from thingtank.cli.cloud.progress import on_interrupt
    from thingtank.cli.output import counted
    from thingtank.cloud import streams

    goes_on = f"If it was begun it goes on, and costs: thingtank cloud stream delete {name}"
    with on_interrupt(say, goes_on):
        is_new = streams.create(clients, name, None if on_demand else shards, say)
        found = streams.get(clients, name)
    had = f"{counted(found.shard_count, 'open shard')}, kept for {found.keeps_hours} hours"
    click.echo(f"stream {name} is {'ready' if is_new else 'there already'}: {had}")


@stream.command("list")
@json_option
@aws_command
def list_streams(clients: "AwsClients", as_json: bool) -> None:
    """List the streams of the region."""
    from thingtank.cli.output import print_json, print_table
    from thingtank.cloud.streams import names

    found = names(clients)
    if as_json:
        print_json(found)
    else:
        print_table(("stream",), [(name,) for name in found],
                    "There is no stream; make one: thingtank cloud stream create NAME")  # fmt: skip


@stream.command()
@click.argument("name")
@click.argument("key")
@click.argument("text", metavar="DATA")
@aws_command
def put(clients: "AwsClients", name: str, key: str, text: str) -> None:
    """Put a record; those of one KEY are in one shard.

    With - for DATA the records are the lines of standard input.
    """
    from thingtank.aws.streams import StreamRecord
    from thingtank.cli.output import counted
    from thingtank.cloud import streams

    records = _lines(key) if text == "-" else iter([StreamRecord(key, text.encode())])
    click.echo(f"put {counted(streams.put(clients, name, records), 'record')}")


@stream.command()
@click.argument("name")
@click.option(
    "--from",
    "start",
    default="latest",
    show_default=True,
    metavar="PLACE",
    help="latest, oldest, or an instant such as 2026-01-31T12:00:00Z.",
)
@click.option("--count", type=click.IntRange(1), help="End after so many records.")
@click.option("--once", is_flag=True, help="End when all that is there has been read.")
@json_option
@aws_command
def tail(
    clients: "AwsClients", name: str, start: str, count: int | None, once: bool, as_json: bool
) -> None:
    """Print what comes through a stream, a line each, until Ctrl-C.

    A line has the time, the key and the data; with --json also shard and sequence number.
    """
    from thingtank.cloud.streams import Tail

    following = Tail(clients, name, _place(start))
    for said, record in enumerate(following.records(is_once=once), 1):
        click.echo(_json_line(record) if as_json else _line(record))
        if said == count:
            return


@stream.command()
@click.argument("name")
@yes_option
@aws_command
def delete(clients: "AwsClients", name: str, yes: bool) -> None:
    """Delete a stream and all that is in it."""
    from thingtank.cloud import streams

    streams.get(clients, name)  # a name that is wrong is told before the question
    if not yes:
        click.confirm(f"Delete {name} with all its records?", abort=True, err=True)
    streams.delete(clients, name, say)
    click.echo(f"stream {name} is deleted")


def _lines(key: str) -> "Iterator[StreamRecord]":
    from thingtank.aws.streams import RECORD_BYTES_MAX, StreamRecord

    # Of a line that is longer a first part comes, which is too long for a record as well.
    for line in input_lines(RECORD_BYTES_MAX + 1):
        yield StreamRecord(key, line.encode())


def _place(text: str) -> "str | datetime":
    from datetime import UTC, datetime

    named = {"latest": "LATEST", "oldest": "TRIM_HORIZON"}.get(text)
    if named:
        return named
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f"--from {text} is neither latest, oldest, nor an instant such as 2026-01-31T12:00:00Z"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _line(record: "ReadRecord") -> str:
    text = record.data.decode("utf-8", "backslashreplace")
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return f"{_at(record)}  {record.key}  {shown}"


def _json_line(record: "ReadRecord") -> str:
    import base64

    found = {"at": _at(record), "shard": record.shard, "number": record.number, "key": record.key}
    try:
        found["data"] = record.data.decode()
    except UnicodeDecodeError:
        found["data_base64"] = base64.b64encode(record.data).decode()
    return json_text(found)


def _at(record: "ReadRecord") -> str:
    from datetime import UTC

    at = record.at.astimezone(UTC).replace(tzinfo=None)
    return at.isoformat(timespec="milliseconds") + "Z"
