"""`thingtank queue`: queues of this machine, which rules of the engine `queue` write."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import click

from thingtank.cli.input_lines import input_lines
from thingtank.cli.json_text import json_text
from thingtank.cli.options import data_option, json_option
from thingtank.cli.session import Refusal, check_folder

if TYPE_CHECKING:
    from thingtank.local.queue_file import QueueFile, ReceivedMessage

VISIBILITY_S = 30.0
_AT_ONCE = 100  # messages; each may have a megabyte


class Closable(Protocol):
    """A file of local engines."""

    def close(self) -> None:
        """Let go."""
        ...


Opened = TypeVar("Opened", bound=Closable)


def _named(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value:
        raise click.BadParameter("it must not be blank")
    return value


@click.group()
def queue() -> None:
    """Queues of this machine; a sink's rule of the engine `queue` sends to them.

    They mean the same as those of SQS, for which there is: thingtank cloud queue.
    """


@queue.command("list")
@data_option
@json_option
def list_queues(data: Path, as_json: bool) -> None:
    """List queues with how many messages they have."""
    from thingtank.cli.output import print_json, print_table

    with opened(data) as file:
        found = [(name, file.counts(name)) for name in file.names()]
    if as_json:
        print_json([{"name": name, **counts._asdict()} for name, counts in found])
    else:
        rows = [(name, *counts) for name, counts in found]
        print_table(("queue", "waiting", "with a reader", "dead letters"), rows,
                    "There is no queue yet.")  # fmt: skip


@queue.command()
@click.argument("name", callback=_named)
@click.argument("body")
@click.option("--group", default="", help="Within which order is kept.")
@data_option
def send(data: Path, name: str, body: str, group: str) -> None:
    """Send a message; a queue is made by its first one.

    With - for BODY the messages are the lines of standard input.
    """
    from thingtank.cli.output import counted
    from thingtank.local.queue_file import BODY_BYTES_MAX, NewMessage

    texts = input_lines(BODY_BYTES_MAX + 2) if body == "-" else iter([body])
    sent_count = 0
    with opened(data, may_be_missing=True) as file:
        while some := [text.encode("utf-8", "surrogateescape") for text in islice(texts, _AT_ONCE)]:
            for place, each in enumerate(some, sent_count + 1):
                if not 0 < len(each) <= BODY_BYTES_MAX:
                    wrong = f"message {place:,} has {len(each):,} bytes, not 1 to"
                    before = f"; the first {sent_count:,} are sent, no more" * bool(sent_count)
                    raise Refusal(f"{wrong} {BODY_BYTES_MAX:,}{before}")
            file.send(name, [NewMessage(each, group) for each in some])
            sent_count += len(some)
    click.echo(f"sent {counted(sent_count, 'message')}")


@queue.command()
@click.argument("name")
@click.option(
    "--count", type=click.IntRange(1), default=10, show_default=True, help="At most so many."
)
@click.option(
    "--receives",
    type=click.IntRange(0, 1000),
    default=5,
    show_default=True,
    help="What was received so often in vain becomes a dead letter; 0 for never.",
)
@click.option("--keep", is_flag=True, help="Only look: they are there again after 30 seconds.")
@data_option
@json_option
def receive(data: Path, name: str, count: int, receives: int, keep: bool, as_json: bool) -> None:
    """Print messages and delete them; end after `--count`, or when there are no more."""
    left = count
    with opened(data) as file:
        while left:
            received = file.receive(name, min(left, 10), VISIBILITY_S, receives)
            if not received:
                break
            for message in received:
                click.echo(_line(message, as_json))
            sys.stdout.flush()  # on paper before it is deleted
            if not keep:
                file.ack(message.receipt for message in received)
            left -= len(received)
        is_there = name in file.names()
    if left == count:
        nothing = f"{name} has no message that can be received now"
        click.echo(nothing if is_there else _no_queue(name), err=True)


@queue.command()
@click.argument("name")
@click.option("--count", type=click.IntRange(1), default=100, show_default=True)
@data_option
@json_option
def dead(data: Path, name: str, count: int, as_json: bool) -> None:
    """Print dead letters, the oldest first; they stay."""
    with opened(data) as file:
        letters, left = file.dead_letters(name, count), file.counts(name).dead - count
        is_there = name in file.names()
    for message in letters:
        click.echo(_line(message, as_json))
    if not letters:
        click.echo(f"{name} has no dead letters" if is_there else _no_queue(name), err=True)
    elif left > 0:
        click.echo(f"{left:,} more; --count prints more of them", err=True)


@queue.command()
@click.argument("name")
@data_option
def redrive(data: Path, name: str) -> None:
    """Put dead letters back at the end of their queue."""
    from thingtank.cli.output import counted

    with opened(data) as file:
        click.echo(f"put {counted(file.redrive(name), 'message')} back")


@contextmanager
def opened(data: Path, *, may_be_missing: bool = False) -> Iterator["QueueFile"]:
    """The file of queues; a server may have it open as well."""
    from thingtank.local.places import QUEUES
    from thingtank.local.queue_file import QueueFile

    path = data / QUEUES
    if may_be_missing and not path.exists():
        check_folder(data)
    with opened_file(path, QueueFile, "queue", may_be_missing=may_be_missing) as file:
        yield file


@contextmanager
def opened_file(
    path: Path, opener: Callable[[Path], Opened], noun: str, *, may_be_missing: bool = False
) -> Iterator[Opened]:
    """A file of local engines, closed at the end."""
    import sqlite3

    from thingtank.local.queue_file import QueueFull
    from thingtank.local.sqlite import WrongFile

    if not (path.exists() or may_be_missing):
        raise Refusal(
            f"there is no {noun} in this data folder; a rule with the engine `{noun}` makes one"
        )
    try:
        with closing(opener(path)) as file:
            yield file
    except OSError as error:
        raise Refusal(f"{path} cannot be opened: {error.strerror}") from None
    except (sqlite3.Error, WrongFile, QueueFull) as error:
        raise Refusal(str(error)) from None


def _no_queue(name: str) -> str:
    return f"there is no queue {name}; `thingtank queue list` says which there are"


def _line(message: "ReceivedMessage", as_json: bool) -> str:
    body = message.body.decode("utf-8", "backslashreplace")
    if not as_json:
        return body
    found = {
        "id": message.message_id, "group": message.group or None,
        "receive_count": message.receive_count, "body": body,
    }  # fmt: skip
    return json_text(found)
