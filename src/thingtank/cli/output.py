"""How commands answer: tables and facts for people, JSON for programs."""

import datetime
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from thingtank.cli.json_text import json_text
from thingtank.tank.one_line import printable

NOTHING = "-"
LINE_CHARS_MAX = 1_000_000  # of a table that no terminal shows


def print_json(value: Any) -> None:
    """The answer itself, for programs."""
    click.echo(json_text(value, indent=2))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Rows as a table as wide as the terminal; `empty` says what to do when there are none.

    Where there is no terminal each row is one line, for programs that read lines.
    """
    if not rows:
        click.echo(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell_of(value)) for value in row))
    width = None if sys.stdout.isatty() else LINE_CHARS_MAX
    Console(highlight=False, width=width).print(table)


def print_rest(found: dict[str, Any], page: int, per_page: int) -> None:
    """Say how to see what a listing has after this page; nothing when there is no more."""
    if found["total_count"] > page * per_page:
        click.echo(f"{found['total_count']} in all; more with --page {page + 1}")


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """Names and values, a line each."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        click.echo(f"{name:<{width}}  {cell_of(value)}")


def counted(count: int, noun: str) -> str:
    """A count with its noun: `1 datapoint`, `12,000 datapoints`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def cell_of(value: object) -> str:
    """A value as people read it, on one line: what is not printable becomes a space."""
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return printable(", ".join(str(item) for item in value)) or NOTHING
    return printable(str(value))


def time_of(at_us: int | None) -> str | None:
    """Microseconds since the epoch as ISO 8601 in UTC; None stays None."""
    if at_us is None:
        return None
    at = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=at_us)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def with_times(answer: dict[str, Any], **names: str) -> dict[str, Any]:
    """An answer with microseconds worded: `with_times(a, last_us="last_at")`."""
    return {
        names.get(name, name): time_of(value) if name in names else value
        for name, value in answer.items()
    }
