"""Changes of a device's properties in the words of MongoDB, as far as they are plain.

SkyNet took any operator, and gave it to its database; here those that clients use are known, and
all others are refused.

Source: SkyNet, `PUT /devices/:uuid` with `action`; Meshblu, `PUT /v2/devices/:uuid`.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

PATH_STEPS_MAX = 20

OPERATORS = ("$set", "$unset", "$inc", "$push", "$addToSet", "$pull", "$pullAll")


class BadUpdate(ValueError):
    """An operator is not known, or does not fit what is there."""


def apply_update(properties: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Properties after an update document.

    Args:
        document: `{"$set": {"color": "red"}, "$inc": {"a.b": 1}}`. Names without an operator are
            set.

    Raises:
        BadUpdate.
    """
    changed = copy.deepcopy(dict(properties))
    # Copied as well: what one operator sets, another may change.
    for operator, fields in copy.deepcopy(dict(document)).items():
        if not operator.startswith("$"):
            _at(changed, operator, _set(fields))
            continue
        apply_operator(changed, operator, fields)
    return changed


def apply_operator(properties: dict[str, Any], operator: str, fields: Any) -> None:
    """Change properties in place by one operator.

    Raises:
        BadUpdate.
    """
    if operator not in OPERATORS:
        raise BadUpdate(f"{operator[:40]} is not one of {', '.join(OPERATORS)}")
    if not isinstance(fields, dict):
        raise BadUpdate(f"{operator} needs an object of names and values")
    for name, value in fields.items():
        if operator == "$unset":
            _remove(properties, name)
        else:
            _at(properties, name, _CHANGES[operator](value))


_Change = Callable[[Any], Any]


def _set(value: Any) -> _Change:
    return lambda _old: value


def _inc(value: Any) -> _Change:
    def change(old: Any) -> Any:
        for number in (value, 0 if old is None else old):
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise BadUpdate("$inc needs numbers")
        return (0 if old is None else old) + value

    return change


def _push(value: Any) -> _Change:
    return lambda old: [*_list(old, "$push"), *_each(value)]


def _add_to_set(value: Any) -> _Change:
    def change(old: Any) -> Any:
        items = list(_list(old, "$addToSet"))
        for item in _each(value):
            if not _is_among(item, items):
                items.append(item)
        return items

    return change


def _pull(value: Any) -> _Change:
    return lambda old: [item for item in _list(old, "$pull") if not _is_same(item, value)]


def _pull_all(value: Any) -> _Change:
    if not isinstance(value, list):
        raise BadUpdate("$pullAll needs a list")
    return lambda old: [item for item in _list(old, "$pullAll") if not _is_among(item, value)]


_CHANGES: dict[str, Callable[[Any], _Change]] = {
    "$set": _set,
    "$inc": _inc,
    "$push": _push,
    "$addToSet": _add_to_set,
    "$pull": _pull,
    "$pullAll": _pull_all,
}


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON, where true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _is_among(item: Any, items: list[Any]) -> bool:
    return any(_is_same(item, each) for each in items)


def _list(old: Any, operator: str) -> list[Any]:
    if old is None:
        return []
    if not isinstance(old, list):
        raise BadUpdate(f"{operator} needs a list to change")
    return old


def _each(value: Any) -> list[Any]:
    if isinstance(value, dict) and set(value) == {"$each"} and isinstance(value["$each"], list):
        return value["$each"]
    return [value]


def _at(properties: dict[str, Any], name: str, change: _Change) -> None:
    """Change what stands at a name, whose dots lead into objects."""
    *steps, last = _steps(name)
    target = properties
    for step in steps:
        inner = target.setdefault(step, {})
        if not isinstance(inner, dict):
            raise BadUpdate(f"{name[:80]} leads through something that is no object")
        target = inner
    target[last] = change(target.get(last))


def _remove(properties: dict[str, Any], name: str) -> None:
    *steps, last = _steps(name)
    target: Any = properties
    for step in steps:
        target = target.get(step)
        if not isinstance(target, dict):
            return
    target.pop(last, None)


def _steps(name: str) -> list[str]:
    steps = name.split(".")
    if len(steps) > PATH_STEPS_MAX or not all(steps):
        raise BadUpdate(f"{name[:80]} is no name")
    if any(step.startswith("$") for step in steps):
        raise BadUpdate(f"{name[:80]}: names do not begin with $")
    return steps
