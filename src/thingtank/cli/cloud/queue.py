"""`thingtank cloud queue`: queues in SQS."""

import secrets
import sys
from typing import TYPE_CHECKING

import click

from thingtank.cli.cloud.session import aws_command, say
from thingtank.cli.input_lines import input_lines
from thingtank.cli.json_text import json_text
from thingtank.cli.options import Duration, InterruptedGroup, json_option, yes_option
from thingtank.cli.session import Refusal

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients
    from thingtank.aws.queues import QueueMessage
    from thingtank.cloud.queues import Received

LINE_CHARS_MAX = 1_100_000  # a message has at most 1 MiB


@click.group(cls=InterruptedGroup)
def queue() -> None:
    """SQS: queues, each message of which one reader takes."""


@queue.command()
@click.argument("name")
@click.option(
    "--visibility",
    type=Duration(),
    default="30s",
    show_default=True,
    help="For how long a message that was received is hidden from others.",
)
@click.option(
    "--keep",
    type=Duration(),
    default="4d",
    show_default=True,
    help="For how long messages are kept; at most 14d.",
)
@click.option(
    "--dead-letters",
    default="",
    metavar="NAME",
    help="The queue for what nobody could do; made if it is not there.",
)
@click.option(
    "--receives",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="After so many in vain a message is a dead letter.",
)
@aws_command
def create(
    clients: "AwsClients", name: str, visibility: int, keep: int, dead_letters: str, receives: int
) -> None:
    """Make a queue; NAME.fifo keeps the order within a group.

    One that is there with the same settings is taken as it is.
    """
    from thingtank.cli.cloud.progress import Lines, on_interrupt
    from thingtank.cloud import queues

    design = queues.QueueDesign(name, visibility, keep, dead_letters, receives)
    ends = " and ".join(
        f"thingtank cloud queue delete {each}" for each in (name, dead_letters) if each
    )
    with Lines() as told, on_interrupt(told.did, f"What was made stays: {ends}"):
        url = queues.create(clients, design, told)
    click.echo(url)


@queue.command("list")
@click.option("--prefix", default="", help="Only names that begin so.")
@json_option
@aws_command
def list_queues(clients: "AwsClients", prefix: str, as_json: bool) -> None:
    """List the queues of the region."""
    from thingtank.cli.output import print_json, print_table
    from thingtank.cloud.queues import urls

    found = [(url.rpartition("/")[2], url) for url in urls(clients, prefix)]
    if as_json:
        print_json([{"name": name, "url": url} for name, url in found])
    else:
        print_table(("queue", "url"), found,
                    "There is no queue; make one: thingtank cloud queue create NAME")  # fmt: skip


@queue.command()
@click.argument("name")
@click.argument("body")
@click.option("--group", default="", help="Within which order is kept; for a .fifo queue.")
@aws_command
def send(clients: "AwsClients", name: str, body: str, group: str) -> None:
    """Send a message.

    With - for BODY the messages are the lines of standard input.
    """
    from thingtank.cli.output import counted
    from thingtank.cloud import queues

    bodies = input_lines(LINE_CHARS_MAX) if body == "-" else iter([body])
    messages = (_message(name, each, group) for each in bodies)
    click.echo(f"sent {counted(queues.send(clients, name, messages), 'message')}")


@queue.command()
@click.argument("name")
@json_option
@aws_command
def count(clients: "AwsClients", name: str, as_json: bool) -> None:
    """Say about how many messages there are."""
    from thingtank.cli.output import print_facts, print_json
    from thingtank.cloud import queues

    found = queues.count(clients, name)
    if as_json:
        print_json(found._asdict())
    else:
        print_facts([("waiting", found.waiting), ("with a reader", found.received),
                     ("held back", found.delayed)])  # fmt: skip


@queue.command()
@click.argument("name")
@click.option(
    "--count",
    "count_max",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="At most so many.",
)
@click.option(
    "--wait",
    type=click.IntRange(0, 20),
    default=2,
    show_default=True,
    metavar="SECONDS",
    help="For how long to wait for a message before it ends.",
)
@click.option("--keep", is_flag=True, help="Only look: they are there again after a while.")
@json_option
@aws_command
def receive(
    clients: "AwsClients", name: str, count_max: int, wait: int, keep: bool, as_json: bool
) -> None:
    """Print messages and delete them; end after `--count`, or when there are no more."""
    from thingtank.cloud import queues

    url = queues.url_of(clients, name)
    left = count_max
    while left:
        received = queues.receive(clients, url, min(left, queues.RECEIVE_MAX), wait)
        if not received:
            break
        _print(received, as_json=as_json)  # on paper before it is deleted
        if not keep and (late := queues.delete_messages(clients, url, received)):
            say(f"{late} were hidden for too long, and may come again")
        left -= len(received)
    if left == count_max:
        say(f"{name} has no message that can be received now")


@queue.command()
@click.argument("name")
@yes_option
@aws_command
def purge(clients: "AwsClients", name: str, yes: bool) -> None:
    """Delete all messages of a queue."""
    from thingtank.cloud import queues

    found = queues.count(clients, name)
    if not yes:
        click.confirm(f"Delete all messages of {name}, about {sum(found):,}?", abort=True, err=True)
    queues.purge(clients, name)
    click.echo(f"queue {name} is being emptied, which takes up to a minute")


@queue.command()
@click.argument("name")
@yes_option
@aws_command
def delete(clients: "AwsClients", name: str, yes: bool) -> None:
    """Delete a queue and all its messages."""
    from thingtank.cloud import queues

    found = queues.count(clients, name)
    if not yes:
        click.confirm(f"Delete {name} with its messages, about {sum(found):,}?", abort=True,
                      err=True)  # fmt: skip
    queues.delete(clients, name)
    click.echo(f"queue {name} is deleted; its name is free in a minute")


def _message(name: str, body: str, group: str) -> "QueueMessage":
    from thingtank.aws.queues import FIFO_SUFFIX, QueueMessage

    once_id = secrets.token_hex(16) if name.endswith(FIFO_SUFFIX) else ""
    return QueueMessage(body, group, once_id)


def _print(received: "list[Received]", *, as_json: bool) -> None:
    try:
        for message in received:
            click.echo(_json_line(message) if as_json else message.body)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Refusal(
            f"what was received could not be written ({error.strerror}), so it stays in the queue,"
            " and can be received again in a while"
        ) from None


def _json_line(message: "Received") -> str:
    found = {"id": message.message_id, "group": message.group or None,
             "receive_count": message.receive_count, "body": message.body}  # fmt: skip
    return json_text(found)
