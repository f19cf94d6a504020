"""Says in people's words what msgspec finds wrong with the form of settings.

Values are not told, as one may be a password; only what stands there and what must.
"""

import difflib
import re
from collections.abc import Sequence

from msgspec import inspect

_KINDS = {
    "object": "a table",
    "array": "a list",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}
_STEP = re.compile(r"\[(\d+|\.\.\.)\]|\.?([^.\[\]]+)")
_FOUND = re.compile(r"(?P<words>.*?)(?: - at `\$?\.?(?P<path>[^`]*)`)?", re.DOTALL)
_WRONG = re.compile(r"Expected `.*`, got `(\w+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_CHOICE = re.compile(r"Invalid enum value (.*)", re.DOTALL)


def wrong_form(error: Exception, shape: type) -> str:
    """What is wrong, such as "`port` must be a whole number, not a text".

    Args:
        error: as `msgspec.convert` raises it; what a struct's own checks say stays as it is.
        shape: what was to be made.
    """
    found = _FOUND.fullmatch(str(error))
    words, path = (found["words"], found["path"] or "") if found else (str(error), "")
    place = f"`{path}`" if path else "it"
    if unknown := _UNKNOWN.fullmatch(words):
        told = f"there is no setting `{path}{'.' if path else ''}{unknown[1]}`"
        nearest = difflib.get_close_matches(unknown[1], _names_in(shape, path), 1, 0.5)
        return f"{told}; did you mean `{nearest[0]}`?" if nearest else told
    if missing := _MISSING.fullmatch(words):
        return f"`{path}{'.' if path else ''}{missing[1]}` is missing"
    wanted = _type_at(inspect.type_info(shape), path)
    if wrong := _WRONG.fullmatch(words):
        told = f"{place} must be {_told(wanted)}, not {_KINDS.get(wrong[1], wrong[1])}"
        is_table_of_list = wrong[1] == "object" and isinstance(wanted, inspect.VarTupleType)
        return f"{told}: each begins with [[{path}]]" if is_table_of_list else told
    if choice := _CHOICE.fullmatch(words):
        return f"{place} must be {_told(wanted)}, not {choice[1]}"
    return f"{words} (at {place})" if path else words


def _type_at(found: inspect.Type, path: str) -> inspect.Type:
    """The type of what is at a path such as `rules[0].name`; the last one that is known."""
    for index, name in _STEP.findall(path):
        inner = [each for kind in _kinds_of(found) if (each := _inner(kind, index, name))]
        if not inner:
            return inspect.AnyType()
        found = inner[0]
    return found


def _inner(kind: inspect.Type, index: str, name: str) -> inspect.Type | None:
    if isinstance(kind, inspect.DictType):
        return kind.value_type
    if index:
        return kind.item_type if isinstance(kind, inspect.VarTupleType) else None
    if not isinstance(kind, inspect.StructType):
        return None
    return next((each.type for each in kind.fields if each.encode_name == name), None)


def _names_in(shape: type, path: str) -> list[str]:
    """What there may be at a path that is a table."""
    kinds = _kinds_of(_type_at(inspect.type_info(shape), path))
    structs = [kind for kind in kinds if isinstance(kind, inspect.StructType)]
    return [field.encode_name for kind in structs for field in kind.fields]


def _kinds_of(found: inspect.Type) -> Sequence[inspect.Type]:
    return found.types if isinstance(found, inspect.UnionType) else (found,)


def _told(wanted: inspect.Type) -> str:
    """A type in words."""
    told: list[str] = []
    for kind in _kinds_of(wanted):
        match kind:
            case inspect.NoneType():
                continue
            case inspect.LiteralType():
                told += [f'"{value}"' for value in kind.values]
            case inspect.VarTupleType():
                told.append(f"a list of {_told(kind.item_type).removeprefix('a ')}s")
            case inspect.StructType() | inspect.DictType():
                told.append("a table")
            case inspect.IntType() | inspect.FloatType() | inspect.StrType() | inspect.BoolType():
                told.append(_KINDS[type(kind).__name__.removesuffix("Type").lower()])
            case _:
                told.append("something else")
    first, last = ", ".join(told[:-1]), told[-1] if told else "something else"
    return f"{first} or {last}" if first else last
