"""Which properties a device may have."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.properties import (
    NO_PROPERTIES,
    PROPERTIES_BYTES_MAX,
    PROPERTIES_COUNT_MAX,
    PROPERTIES_DEPTH_MAX,
    PROPERTY_KEY_CHARS_MAX,
    kept_properties,
    properties_problems,
)
from thingtank.tank.things import Device, device_problems


def nested(levels: int, inner: Any) -> Any:
    """`inner` within so many levels of objects and lists."""
    for level in range(levels):
        inner = {"a": inner} if level % 2 == 0 else [inner]
    return inner


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("none", {}),
    ("every kind", {"a": [None, True, 1, -1.5, "x\n\t", {}]}),
    ("as many as allowed", {str(k): k for k in range(PROPERTIES_COUNT_MAX)}),
    ("as long a key as allowed", {"k" * PROPERTY_KEY_CHARS_MAX: 1}),
    ("as deep as allowed", {"a": nested(PROPERTIES_DEPTH_MAX - 1, 1)}),
    ("as large as allowed", {"a": "x" * (PROPERTIES_BYTES_MAX - len('{"a":""}'))}),
    ("what looks like NUL", {"a": r"\u0000", "b": "1" * 30}),
    ("64 bits", {"a": [2**63 - 1, -(2**63)]}),
    ("many below the first level", {"a": {str(k): k for k in range(PROPERTIES_COUNT_MAX + 1)}}),
]
BAD: list[tuple[str, dict[Any, Any], str]] = [
    ("one too many", {str(k): k for k in range(PROPERTIES_COUNT_MAX + 1)}, "are too many (maximum is 500)"),
    ("too long a key", {"k" * (PROPERTY_KEY_CHARS_MAX + 1): 1}, "have a key that is too long (maximum is 255 characters)"),
    ("too long a key below", {"a": [{"k" * (PROPERTY_KEY_CHARS_MAX + 1): 1}]}, "have a key that is too long (maximum is 255 characters)"),
    ("a newline in a key", {"a\nb": 1}, "can't have control characters in keys"),
    ("NUL in a key below", {"a": {"b\0": 1}}, "can't have control characters in keys"),
    ("one level too deep", {"a": nested(PROPERTIES_DEPTH_MAX, 1)}, "are too deep (maximum is 20 levels)"),
    ("one byte too large", {"a": "x" * (PROPERTIES_BYTES_MAX - len('{"a":""}') + 1)}, "are too large (maximum is 65536 bytes of JSON)"),
    ("characters of several bytes", {"a": "ü" * (PROPERTIES_BYTES_MAX // 2)}, "are too large (maximum is 65536 bytes of JSON)"),
    ("NaN", {"a": [float("nan")]}, "can't contain NaN or infinity"),
    ("infinity", {"a": {"b": float("-inf")}}, "can't contain NaN or infinity"),
    ("65 bits", {"a": 2**63}, "can't contain whole numbers of more than 64 bits"),
    ("NUL", {"a": "b\0"}, "can't contain the character NUL"),
    ("half a pair", {"a": "\ud83d"}, "can't contain half of a surrogate pair"),
    ("half a pair in a key", {"\ud83d": 1}, "can't contain half of a surrogate pair"),
    ("a key that is no text", {1: 1}, "can't have keys that are no text"),
    ("a tuple", {"a": (1,)}, "can't contain a tuple"),
    ("bytes", {"a": b"x"}, "can't contain a bytes"),
]  # fmt: skip


@pytest.mark.parametrize("properties", [row[1] for row in GOOD], ids=[row[0] for row in GOOD])
def test_within_the_bounds_all_json_is_allowed(properties: dict[str, Any]) -> None:
    assert properties_problems(properties) == []


@pytest.mark.parametrize(("properties", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])  # fmt: skip
def test_beyond_the_bounds_it_is_told_what_is_wrong(
    properties: dict[Any, Any], message: str
) -> None:
    device = Device(1, "u", 1, "Roof", properties=properties)
    assert device_problems(device) == [("properties", message)]


def test_a_property_that_contains_itself_is_too_deep() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert properties_problems({"a": endless})[0][1].startswith("are too deep")


def test_devices_share_that_they_have_no_properties() -> None:
    assert Device(1, "u", 1, "Roof").properties is NO_PROPERTIES
    assert kept_properties({}) is NO_PROPERTIES
    assert kept_properties({"a": 1}) == {"a": 1}
    with pytest.raises(TypeError):
        NO_PROPERTIES["a"] = 1  # type: ignore[index] # what is tested


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=4), children, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), ANYTHING, max_size=6))
def test_what_has_no_problems_is_json_and_comes_back_equal(properties: dict[str, Any]) -> None:
    if not properties_problems(properties):
        assert msgspec.json.decode(msgspec.json.encode(properties)) == properties
