"""Free properties of a device: a JSON object that any door may fill, within bounds.

SkyNet's devices are such objects: what has no place among a device's own fields is a property.
"""

import math
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

PROPERTIES_BYTES_MAX = 65_536  # as JSON
PROPERTIES_DEPTH_MAX = 20  # the object itself is the first level; MySQL's JSON has 100
PROPERTIES_COUNT_MAX = 500
PROPERTY_KEY_CHARS_MAX = 255
NO_PROPERTIES: Mapping[str, Any] = MappingProxyType({})
"""The properties of all devices that have none: one object, however many devices there are."""

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1  # what every database's JSON holds exactly
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_FIELD = "properties"


def kept_properties(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Properties as they are kept: none of them is NO_PROPERTIES."""
    return properties or NO_PROPERTIES


def properties_problems(properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a device's properties: (field, message) pairs."""
    if not properties:
        return []
    if len(properties) > PROPERTIES_COUNT_MAX:
        return [(_FIELD, f"are too many (maximum is {PROPERTIES_COUNT_MAX})")]
    problem = next(_problems_of(properties, 1), None)
    if problem is None and len(msgspec.json.encode(dict(properties))) > PROPERTIES_BYTES_MAX:
        problem = f"are too large (maximum is {PROPERTIES_BYTES_MAX} bytes of JSON)"
    return [] if problem is None else [(_FIELD, problem)]


def _problems_of(value: object, depth: int) -> Iterator[str]:
    """What keeps a value that is `depth` levels down from being JSON that all databases keep."""
    match value:
        case None | bool():
            return
        case str():
            yield from _text_problems(value)
        case int():
            if not _INT_MIN <= value <= _INT_MAX:
                yield "can't contain whole numbers of more than 64 bits"
        case float():
            if not math.isfinite(value):
                yield "can't contain NaN or infinity"
        case Mapping() | list() if depth > PROPERTIES_DEPTH_MAX:
            yield f"are too deep (maximum is {PROPERTIES_DEPTH_MAX} levels)"
        case Mapping():
            for key, member in value.items():
                yield from _key_problems(key)
                yield from _problems_of(member, depth + 1)
        case list():
            for member in value:
                yield from _problems_of(member, depth + 1)
        case _:
            yield f"can't contain a {type(value).__name__}"


def _key_problems(key: object) -> Iterator[str]:
    if not isinstance(key, str):
        yield "can't have keys that are no text"
    elif len(key) > PROPERTY_KEY_CHARS_MAX:
        yield f"have a key that is too long (maximum is {PROPERTY_KEY_CHARS_MAX} characters)"
    elif _CONTROLS.search(key):
        yield "can't have control characters in keys"
    else:
        yield from _text_problems(key)


def _text_problems(text: str) -> Iterator[str]:
    if "\0" in text:  # PostgreSQL's JSON refuses it
        yield "can't contain the character NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        yield "can't contain half of a surrogate pair"
