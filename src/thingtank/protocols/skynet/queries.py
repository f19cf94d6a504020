"""Questions about devices in the words of MongoDB, as far as they are plain and quick to answer.

`{"type": "lamp", "$or": [{"room": {"$in": ["hall", "attic"]}}, {"room": {"$exists": false}}]}`.
Equality, `$eq`, `$ne`, `$in`, `$nin`, `$exists`, `$and`, `$or`; all others are refused.

Source: meshblu-core, `POST /search/devices`.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

CONDITIONS_MAX = 100
DEPTH_MAX = 8
CHOICES_MAX = 1000
PATH_STEPS_MAX = 20

OPERATORS = ("$eq", "$ne", "$in", "$nin", "$exists", "$and", "$or")

Matches: TypeAlias = Callable[[Mapping[str, Any]], bool]
"""Whether a record fits."""

_MISSING = object()


class BadQuery(ValueError):
    """A question that is not understood; the message says why."""


def compile_query(document: Any) -> Matches:
    """Read a question.

    Raises:
        BadQuery.
    """
    return _Reader().all_of(document, 0)


class _Reader:
    """Reads one question, and counts its conditions."""

    def __init__(self) -> None:
        self._count = 0

    def all_of(self, document: Any, depth: int) -> Matches:
        if not isinstance(document, dict):
            raise BadQuery("a query is an object")
        if depth > DEPTH_MAX:
            raise BadQuery(f"a query has at most {DEPTH_MAX} levels")
        tests = [self._condition(name, wanted, depth) for name, wanted in document.items()]
        return lambda record: all(test(record) for test in tests)

    def _condition(self, name: str, wanted: Any, depth: int) -> Matches:
        self._count += 1
        if self._count > CONDITIONS_MAX:
            raise BadQuery(f"a query has at most {CONDITIONS_MAX} conditions")
        if name in ("$and", "$or"):
            if not isinstance(wanted, list) or not wanted:
                raise BadQuery(f"{name} needs a list of queries")
            tests = [self.all_of(each, depth + 1) for each in wanted]
            if name == "$and":
                return lambda record: all(test(record) for test in tests)
            return lambda record: any(test(record) for test in tests)
        if name.startswith("$"):
            raise _unknown(name)
        steps = name.split(".")
        if len(steps) > PATH_STEPS_MAX:
            raise BadQuery(f"{name[:80]} has more than {PATH_STEPS_MAX} steps")
        fits = self._test(wanted)
        return lambda record: fits(_at(record, steps))

    def _test(self, wanted: Any) -> Callable[[Any], bool]:
        if not isinstance(wanted, dict) or not any(key.startswith("$") for key in wanted):
            return _equals(wanted)
        self._count += len(wanted)
        tests = [_operator(name, argument) for name, argument in wanted.items()]
        return lambda value: all(test(value) for test in tests)


def _operator(name: str, argument: Any) -> Callable[[Any], bool]:
    match name:
        case "$eq":
            return _equals(argument)
        case "$ne":
            equals = _equals(argument)
            return lambda value: not equals(value)
        case "$exists":
            return lambda value: (value is not _MISSING) == bool(argument)
        case "$in" | "$nin":
            if not isinstance(argument, list) or len(argument) > CHOICES_MAX:
                raise BadQuery(f"{name} needs a list of at most {CHOICES_MAX} values")
            tests = [_equals(choice) for choice in argument]
            is_in = name == "$in"
            return lambda value: any(test(value) for test in tests) == is_in
        case _:
            raise _unknown(name)


def _unknown(name: str) -> BadQuery:
    return BadQuery(f"{name[:40]} is not one of {', '.join(OPERATORS)}")


def _equals(wanted: Any) -> Callable[[Any], bool]:
    """Equal to a value, or to one of a list's; null is also what is not there."""
    if wanted is None:
        return lambda value: value is None or value is _MISSING
    # True is 1 in Python, and in JSON it is not.
    kind = bool if isinstance(wanted, bool) else None

    def same(value: Any) -> bool:
        return bool(value == wanted) and isinstance(value, bool) == (kind is bool)

    return lambda value: same(value) or (isinstance(value, list) and any(map(same, value)))


def _at(record: Any, steps: list[str]) -> Any:
    """What stands where steps lead; a number may be a place in a list."""
    value = record
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step, _MISSING)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 6:
            value = value[int(step)] if int(step) < len(value) else _MISSING
        else:
            return _MISSING
    return value
