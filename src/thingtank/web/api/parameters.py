"""Parameters of a query: which an operation takes, what may stand in them, and what stood there.

An operation names all that it takes. Any other is refused, so that a filter with a typo does not
answer as if there were none.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from django.http import QueryDict

from thingtank.protocols.xively.times import MalformedTime, format_time, parse_time
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN
from thingtank.tank.interfaces import SEARCH_CHARS_MAX
from thingtank.web.problems import BAD_PARAMETER, ItemError, Problem, ProblemRaised

Schema = dict[str, Any]
Terms = Mapping[str, Any]

NUMBER_MAX = 2**53  # of a thing: what JSON's readers keep exactly

_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class Parameter(msgspec.Struct, frozen=True):
    """One parameter.

    Attributes:
        parse: from its text to its value; raises ValueError with what is wrong, as in "must be …".
        schema: what may stand there, in OpenAPI's words.
        default: its value when it is left out.
    """

    name: str
    description: str
    parse: Callable[[str], Any]
    schema: Schema
    default: Any = None
    is_required: bool = False


def read_parameters(query: QueryDict, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The values of all parameters.

    Raises:
        ProblemRaised: one is not known, is given twice, is missing, or cannot be read.
    """
    known = {parameter.name: parameter for parameter in parameters}
    terms: dict[str, Any] = {name: parameter.default for name, parameter in known.items()}
    errors = []
    for name, texts in query.lists():
        parameter = known.get(name)
        if parameter is None:
            valid = ", ".join(known) or "none"
            errors.append(ItemError(f"is not known; valid here: {valid}", parameter=name[:80]))
        elif len(texts) > 1:
            errors.append(ItemError("is given more than once", parameter=name))
        else:
            try:
                terms[name] = parameter.parse(str(texts[0]))
            except ValueError as error:
                errors.append(ItemError(str(error), parameter=name))
    errors += [
        ItemError("is required", parameter=parameter.name)
        for parameter in parameters
        if parameter.is_required and parameter.name not in query
    ]
    if errors:
        raise ProblemRaised(Problem(BAD_PARAMETER, _detail(errors), errors))
    return terms


def bad_parameter(name: str, detail: str) -> ProblemRaised:
    """The refusal of one parameter, which goes with the others or not."""
    error = ItemError(detail, parameter=name)
    return ProblemRaised(Problem(BAD_PARAMETER, _detail([error]), [error]))


def _detail(errors: Sequence[ItemError]) -> str:
    return "; ".join(f"{error.parameter} {error.detail}" for error in errors)


def text(name: str, description: str, chars_max: int = SEARCH_CHARS_MAX) -> Parameter:
    """Any text; a blank one counts as left out."""

    def parse(value: str) -> str:
        if len(value) > chars_max:
            raise ValueError(f"must have at most {chars_max} characters")
        return value.strip()

    return Parameter(name, description, parse, {"type": "string", "maxLength": chars_max}, "")


def choice(
    name: str, description: str, choices: Sequence[str], default: str | None = None
) -> Parameter:
    """One of some words."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    schema: Schema = {"type": "string", "enum": list(choices)}
    return Parameter(name, description, parse, _with_default(schema, default), default)


def order(choices: Sequence[str], default: str) -> Parameter:
    """What a list is ordered by; each has a twin with `-` before it, the other way round."""
    both = [sign + name for name in choices for sign in ("", "-")]
    description = (
        "What the list is ordered by; with `-` in front of it, the other way round."
        " Equal ones are ordered by their number or name."
    )
    return choice("order", description, both, default)


def truth(name: str, description: str, default: bool | None = None) -> Parameter:
    """Yes or no."""

    def parse(value: str) -> bool:
        found = _TRUTHS.get(value.lower())
        if found is None:
            raise ValueError("must be true or false")
        return found

    schema = _with_default({"type": "boolean"}, default)
    return Parameter(name, description, parse, schema, default)


def whole(
    name: str, description: str, least: int, most: int, default: int | None = None
) -> Parameter:
    """A whole number."""

    def parse(value: str) -> int:
        if not (value.isascii() and value.removeprefix("-").isdigit() and len(value) <= 18):
            raise ValueError("must be a whole number")
        if not least <= int(value) <= most:
            raise ValueError(f"must be between {least} and {most}")
        return int(value)

    schema: Schema = {"type": "integer", "minimum": least, "maximum": most}
    return Parameter(name, description, parse, _with_default(schema, default), default)


def number(name: str, description: str, least: float, most: float) -> Parameter:
    """A number."""

    def parse(value: str) -> float:
        try:
            found = float(value)
        except ValueError:
            raise ValueError("must be a number") from None
        if not (math.isfinite(found) and least <= found <= most):
            raise ValueError(f"must be between {least:g} and {most:g}")
        return found

    schema: Schema = {"type": "number", "minimum": least, "maximum": most}
    return Parameter(name, description, parse, schema)


def instant(name: str, description: str) -> Parameter:
    """A time, ISO 8601; its value is in microseconds since the epoch."""

    def parse(value: str) -> int:
        try:
            at_us = parse_time(value)
        except (MalformedTime, OverflowError):
            raise ValueError("must be an ISO 8601 time such as 2026-11-27T08:00:00Z") from None
        if not AT_US_MIN <= at_us <= AT_US_MAX:
            raise ValueError("must be within the years 1 and 9999")
        return at_us

    return Parameter(name, description, parse, {"type": "string", "format": "date-time"})


def time_text(at_us: int | None) -> str | None:
    """A time as answers have it: UTC, six decimals."""
    return None if at_us is None else format_time(at_us)


def _with_default(schema: Schema, default: Any) -> Schema:
    return schema if default is None else {**schema, "default": default}


EXACT = truth(
    "exact",
    "Values as text, letter for letter as they were written; else what reads as a number is one.",
    False,
)
