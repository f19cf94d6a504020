"""What commands on rules of sinks and of sources share: which of the kept ones, and troubles."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

limit_option = click.option(
    "--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="At most so many."
)
before_option = click.option(
    "--before", type=click.IntRange(1), metavar="NUMBER", help="Only older ones than this."
)
all_option = click.option("--all", "is_all", is_flag=True, help="All that are kept.")


def numbers_argument(command: Command) -> Command:
    """Those of these numbers, as a listing shows them."""
    return click.argument("numbers", type=click.IntRange(1), nargs=-1)(command)


def require_one_choice(*choices: object, names: str) -> None:
    """Raise UsageError unless exactly one is given: nobody deletes all by leaving a word out."""
    if sum(bool(choice) for choice in choices) != 1:
        raise click.UsageError(f"give either {names}")


def worded_trouble(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule with the time of its trouble in words."""
    from thingtank.cli.output import with_times

    trouble = rule["trouble"]
    return {**rule, "trouble": None if trouble is None else with_times(trouble, at_us="at")}


def what_fails(rule: dict[str, Any]) -> str | None:
    """The last failure, as a sentence; None when all is well."""
    return rule["trouble"] and str(rule["trouble"]["what"])
