"""What commands on rules of sinks and of sources share: which of the kept ones, and troubles."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from thingtank.cli.session import Refusal

NUMBERS_SHOWN_MAX = 10

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


def refuse_missing(numbers: Sequence[int], noun: str, name: str, see: str) -> None:
    """Say which numbers are none; what others named is done by then.

    Args:
        numbers: n >= 0 that were given, and are not kept.
        noun: what they are numbers of, such as `dead letter`.
        name: of the rule.
        see: the command that lists them.

    Raises:
        Refusal: there are some.
    """
    if not numbers:
        return
    told = [str(number) for number in numbers[:NUMBERS_SHOWN_MAX]]
    if (rest_count := len(numbers) - len(told)) > 0:
        told.append(f"{rest_count} more")
    is_one = len(told) == 1
    named = told[0] if is_one else f"{', '.join(told[:-1])} and {told[-1]}"
    raise Refusal(
        f"there {'is' if is_one else 'are'} no {noun}{'' if is_one else 's'} {named} of {name};"
        f" see: thingtank {see} {name}"
    )


def worded_trouble(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule with the time of its trouble in words."""
    from thingtank.cli.output import with_times

    trouble = rule["trouble"]
    return {**rule, "trouble": None if trouble is None else with_times(trouble, at_us="at")}


def what_fails(rule: dict[str, Any]) -> str | None:
    """The last failure, as a sentence; None when all is well."""
    return rule["trouble"] and str(rule["trouble"]["what"])
