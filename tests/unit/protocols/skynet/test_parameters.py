"""Queries and bodies: forms, JSON, and JSON sent as a form."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.skynet.parameters import (
    NESTING_MAX,
    PARAMETERS_MAX,
    BadParameters,
    decoded,
    is_json,
    read_body,
    read_query,
    texts,
)

FORM, JSON = b"application/x-www-form-urlencoded", b"application/json"


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (b"", {}),
        (b"a=1", {"a": "1"}),
        (b"a", {"a": ""}),
        (b"a=&b=%20+x", {"a": "", "b": "  x"}),
        (b"a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
        (b"a[]=1&a[]=2", {"a": ["1", "2"]}),
        (b"a[0]=x&a[1]=y", {"a": ["x", "y"]}),
        (b"a[1]=x", {"a": {"1": "x"}}),
        (b"a[b]=c&a[d][e]=f", {"a": {"b": "c", "d": {"e": "f"}}}),
        (b"a[b][0]=c", {"a": {"b": ["c"]}}),
        (b"a=1&a[b]=2", {"a": "1", "a[b]": "2"}),
        (b"[a]=1", {"[a]": "1"}),
        (b"a]=1", {"a]": "1"}),
        (b"a=%ff", {"a": "\ufffd"}),
        (b"a%5Bb%5D=c", {"a": {"b": "c"}}),
    ],
)
def test_queries(query: bytes, values: dict[str, Any]) -> None:
    assert read_query(query) == values


def test_a_name_of_too_many_steps_stays_as_it_is() -> None:
    name = "a" + "[b]" * NESTING_MAX
    assert read_query(f"{name}=1".encode()) == {name: "1"}


@pytest.mark.parametrize(
    ("body", "content_type", "values", "is_form"),
    [
        (b"", FORM, {}, False),
        (b" \r\n", JSON, {}, False),
        (b"a=1", FORM, {"a": "1"}, True),
        (b"a=1\r\n", FORM, {"a": "1"}, True),
        (b"a=1", b"", {"a": "1"}, True),
        (b"a=1", b"text/plain", {"a": "1"}, True),
        (b'{"a":1}', FORM, {"a": 1}, False),
        (b' {"a":1} ', b"", {"a": 1}, False),
        (b'{"a":1}', b"application/json; charset=utf-8", {"a": 1}, False),
        (b'{"a":1}', b"Application/Vnd.Api+JSON", {"a": 1}, False),
        (b"{a=1", FORM, {"{a": "1"}, True),
        (b'{"a":', FORM, None, False),
        (b"[1]", JSON, None, False),
        (b"7", JSON, None, False),
        (b"a=1", JSON, None, False),
        (b'{"a":"\xff"}', JSON, None, False),
        (b"{" * 100_000, JSON, None, False),
        (b"--x", b"multipart/form-data; boundary=x", None, False),
    ],
)
def test_bodies(
    body: bytes, content_type: bytes, values: dict[str, Any] | None, is_form: bool
) -> None:
    if values is None:
        with pytest.raises(BadParameters):
            read_body(body, content_type)
    else:
        read = read_body(body, content_type)
        assert (read.values, read.is_form) == (values, is_form)


def test_there_are_so_many_parameters_and_no_more() -> None:
    pairs = [(f"n{number}", "1") for number in range(PARAMETERS_MAX)]
    assert len(read_query(urlencode(pairs).encode())) == PARAMETERS_MAX
    with pytest.raises(BadParameters, match="more than 500"):
        read_query(urlencode([*pairs, ("one", "more")]).encode())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("-1.5", -1.5), ("true", True), ("null", None), ('"x"', "x"), ("[1,2]", [1, 2]),
        ('{"a":1}', {"a": 1}), ("05", "05"), ("", ""), ("x", "x"), ("NaN", "NaN"), ("[" * 99_999, "[" * 99_999),
        ("1e999", "1e999"), (5, 5), (None, None), (["5"], ["5"]),
    ],
)  # fmt: skip
def test_what_texts_mean(text: Any, value: Any) -> None:
    assert decoded(text) == value


def test_a_forms_values_as_texts() -> None:
    assert texts({"a": "1", "b": ["x", "y"], "c": {"d": "e"}}) == {
        "a": "1",
        "b": "x,y",
        "c": "{'d': 'e'}",
    }


@pytest.mark.parametrize(
    ("content_type", "is_it"),
    [
        (b"application/json", True),
        (b"application/JSON;x", True),
        (b"text/json", False),
        (b"", False),
    ],
)
def test_content_types(content_type: bytes, is_it: bool) -> None:
    assert is_json(content_type) is is_it


@given(st.dictionaries(st.text("abcä ", min_size=1), st.text("xyzö&=+%", max_size=8), max_size=8))
def test_what_is_encoded_is_read(values: dict[str, str]) -> None:
    encoded = urlencode(values).encode()
    assert read_query(encoded) == values
    assert read_body(encoded, FORM).values == values
