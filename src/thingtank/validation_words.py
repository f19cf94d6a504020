"""Says in people's words what msgspec finds wrong with the form of settings, or of JSON.

Values are not told, as one may be a password, but where a few words are to choose from; and no
URL with a password there.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import inspect

CHOICE_CHARS_MAX = 80


class Wording(NamedTuple):
    """How things are called where somebody has written them.

    Attributes:
        name: what one is given by, such as a setting.
        table: what has names and values.
        text: and what one in quotes is.
        nothing: and what stands for no value.
    """

    name: str
    table: str
    text: str
    nothing: str

    def kinds(self) -> dict[str, str]:
        """By msgspec's names of them."""
        return {
            "object": f"{'an' if self.table[0] in 'aeiou' else 'a'} {self.table}",
            "array": "a list",
            "str": f"a {self.text}",
            "int": "a whole number",
            "float": "a number",
            "bool": "true or false",
            "null": self.nothing,
            "None": self.nothing,  # as MessagePack's is called
            "bytes": f"a byte {self.text}",
            "ext": "an extension",
            "date": "a date",
            "datetime": "a date with a time",
            "time": "a time",
        }

    def plurals(self) -> dict[type[inspect.Type], str]:
        """Of those that lists hold."""
        return {
            inspect.IntType: "whole numbers",
            inspect.FloatType: "numbers",
            inspect.StrType: f"{self.text}s",
            inspect.StructType: f"{self.table}s",
            inspect.DictType: f"{self.table}s",
        }


IN_SETTINGS = Wording("setting", "table", "text", "nothing")
IN_JSON = Wording("member", "object", "string", "null")
IN_ARGUMENTS = IN_JSON._replace(name="argument")
_LISTS = (inspect.VarTupleType, inspect.ListType)
_BOUNDS = {">=": "{} or more", ">": "more than {}", "<=": "at most {}", "<": "less than {}"}
_STEP = re.compile(r"\[(\d+|\.\.\.)\]|\.?([^.\[\]]+)")
_FOUND = re.compile(r"(?P<words>.*?)(?: - at `\$?\.?(?P<path>[^`]*)`)?", re.DOTALL)
_WRONG = re.compile(r"Expected `.*`, got `(\w+)`")
_BOUND = re.compile(r"Expected `(?:int|float)` (>=|>|<=|<) (\S+)")
_KEY = re.compile(r"(Expected .*) - at `key` in `\$?\.?([^`]*)`")
_FORM = re.compile(r"Expected `str` matching regex '(.*)'")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_CHOICE = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_OUT_OF_RANGE = "Number out of range"


def validation_words(
    error: Exception, shape: Any, wording: Wording = IN_SETTINGS, *, is_text: bool = False
) -> str:
    """What is wrong, such as "`port` must be a whole number, not a text".

    Args:
        error: as `msgspec.convert` raises it; what a struct's own checks say stays as it is.
        shape: what was to be made.
        is_text: all values are given as texts, as by a form: what kind one has says nothing.
    """
    form = inspect.type_info(shape)
    if key := _KEY.fullmatch(str(error)):
        return f"the names in `{_at(form, key[2])[1]}` must be {wording.text}s"
    found = _FOUND.fullmatch(str(error))
    words, path = (found["words"], found["path"] or "") if found else (str(error), "")
    wanted, path = _at(form, path)
    kinds = wording.kinds()
    told = _told(wanted, wording)
    place = f"`{path}`" if path else "it"
    if path.endswith("[...]"):
        place = f"each value in `{path.removesuffix('[...]')}`"
    if unknown := _UNKNOWN.fullmatch(words):
        missing_name = f"there is no {wording.name} `{path}{'.' if path else ''}{unknown[1]}`"
        nearest = difflib.get_close_matches(unknown[1], _names_in(wanted), 1, 0.5)
        return f"{missing_name}; did you mean `{nearest[0]}`?" if nearest else missing_name
    if missing := _MISSING.fullmatch(words):
        return f"`{path}{'.' if path else ''}{missing[1]}` is missing"
    if bound := _BOUND.fullmatch(words):
        return f"{place} must be {_BOUNDS[bound[1]].format(bound[2])}"
    if pattern := _FORM.fullmatch(words):
        return f"{place} must be of the form {pattern[1]}"
    if words == _OUT_OF_RANGE and told:
        return f"{place} must be {told}, and not so large"
    if wrong := _WRONG.fullmatch(words):
        kind = kinds.get(wrong[1], wrong[1])
        if wrong[1] == "float" and kinds["int"] in told:
            kind = "one with a fraction" if told == kinds["int"] else "a number with a fraction"
        if not told:
            return f"{place} cannot be {kind}"
        return f"{place} must be {told}" + f", not {kind}" * (not is_text)
    if told and (choice := _CHOICE.fullmatch(words)):
        is_odd = "@" in choice[1] or len(choice[1]) > CHOICE_CHARS_MAX
        return f"{place} must be {told}" + f", not {choice[1]}" * (not is_odd)
    return f"{words} (at {place})" if path else words


def place_of_huge_number(values: object, place: str = "") -> str:
    """Where a whole number is that no file and no message could hold; blank for nowhere."""
    if isinstance(values, int) and not -(2**63) <= values < 2**63:
        return place or "it"
    if isinstance(values, Mapping):
        inner = [(f"{place}{'.' if place else ''}{key}", each) for key, each in values.items()]
    elif isinstance(values, list | tuple):
        inner = [(f"{place}[{number}]", each) for number, each in enumerate(values)]
    else:
        inner = []
    return next(filter(None, (place_of_huge_number(each, key) for key, each in inner)), "")


def _at(found: inspect.Type, path: str) -> tuple[inspect.Type, str]:
    """The type of what is at a path such as `rules[0].name`; any, if there is none.

    And the path, in which elements of a struct that is written as an array have their names.
    """
    place = ""
    for index, key in _STEP.findall(path):
        kinds = _kinds_of(found)
        name = key or next(filter(None, (_element_name(kind, index) for kind in kinds)), "")
        place += f".{name}" if name else f"[{index}]"
        inner = [each for kind in kinds if (each := _inner(kind, index, name))]
        found = inner[0] if inner else inspect.AnyType()
    return found, place.removeprefix(".")


def _element_name(kind: inspect.Type, index: str) -> str:
    """What an element of a struct that is written as an array is called; blank for no such."""
    if not isinstance(kind, inspect.StructType) or not kind.array_like or not index.isdigit():
        return ""
    number = int(index) - (kind.tag is not None)  # which comes first
    return kind.fields[number].encode_name if 0 <= number < len(kind.fields) else ""


def _inner(kind: inspect.Type, index: str, name: str) -> inspect.Type | None:
    if isinstance(kind, inspect.DictType):
        return kind.value_type
    if isinstance(kind, inspect.StructType):
        return next((each.type for each in kind.fields if each.encode_name == name), None)
    return kind.item_type if index and isinstance(kind, _LISTS) else None


def _names_in(found: inspect.Type) -> list[str]:
    """What there may be in a table."""
    structs = [kind for kind in _kinds_of(found) if isinstance(kind, inspect.StructType)]
    return [field.encode_name for kind in structs for field in kind.fields]


def _kinds_of(found: inspect.Type) -> Sequence[inspect.Type]:
    return found.types if isinstance(found, inspect.UnionType) else (found,)


def _told(wanted: inspect.Type, wording: Wording) -> str:
    """A type in words; blank if there are none for it."""
    kinds = wording.kinds()
    told: list[str] = []
    for kind in _kinds_of(wanted):
        match kind:
            case inspect.NoneType():
                continue
            case inspect.LiteralType():
                told += [
                    f'"{value}"' if isinstance(value, str) else str(value) for value in kind.values
                ]
            case inspect.VarTupleType() | inspect.ListType():
                plural = wording.plurals().get(type(kind.item_type))
                told.append(f"a list of {plural or f'these: {_told(kind.item_type, wording)}'}")
            case inspect.StructType() | inspect.DictType():
                told.append(kinds["object"])
            case inspect.IntType() | inspect.FloatType() | inspect.StrType() | inspect.BoolType():
                told.append(kinds[type(kind).__name__.removesuffix("Type").lower()])
            case _:
                return ""
    # A whole number is a number: one of the two is enough.
    told = [each for each in told if each != kinds["int"] or kinds["float"] not in told]
    *before, last = told or [""]
    return f"{', '.join(before)} or {last}" if before else last
