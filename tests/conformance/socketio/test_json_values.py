"""JSON of clients: what JavaScript and Python write, and bounds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.socketio.json_values import DEPTH_MAX, ITEMS_MAX, NotJson, decode

VALUES = [
    (b'{"a":1,"a":2}', {"a": 2}),  # JavaScript takes the last, too
    (b" [ 1 , 2 ] ", [1, 2]),
    (b'"\\ud83d\\ude00"', "😀"),
    (b'"\\ud800"', "\ufffd"),
    (b'"\\udc00\\ud800a"', "\ufffd\ufffda"),
    (b'"\\uD800\\ud83d\\uDE00"', "\ufffd😀"),
    (b'"\\\\ud800"', "\\ud800"),
    (b'"\\\\\\ud800"', "\\\ufffd"),
    (b'"\\u00e9\\n"', "é\n"),
    ('"é😀\ufffd"'.encode(), "é😀\ufffd"),
    (b"12345678901234567890", 12345678901234567890),
]
GARBAGE = [
    b"",
    b"[",
    b"[1] x",
    b"[1]]",
    b"NaN",
    b"1e999",
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\x1e"',
    b"{'a':1}",
    b'"\\ud800',
    b"[" * 100_000,
    b'{"a":' * 100_000,
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_value_reads(text: bytes, value: Any) -> None:
    assert decode(text) == value


@pytest.mark.parametrize("text", GARBAGE, ids=[text[:12] for text in GARBAGE])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(NotJson):
        decode(text)


@pytest.mark.parametrize("pair", [b"[]", b"{}"])
def test_depth_has_its_bound(pair: bytes) -> None:
    opening, closing = (b"[", b"]") if pair == b"[]" else (b'{"a":', b"}")
    decode(opening * (DEPTH_MAX - 1) + pair + closing * (DEPTH_MAX - 1))
    with pytest.raises(NotJson):
        decode(opening * DEPTH_MAX + pair + closing * DEPTH_MAX)


def test_brackets_in_strings_are_no_depth() -> None:
    assert decode(json.dumps("[{" * 500).encode()) == "[{" * 500


def test_parts_have_their_bound() -> None:
    decode(b"[" + b"0," * (ITEMS_MAX - 2) + b"0]")
    with pytest.raises(NotJson):
        decode(b"[" + b"0," * ITEMS_MAX + b"0]")
    assert decode(b'"' + b"," * (ITEMS_MAX + 1) + b'"') == "," * (ITEMS_MAX + 1)


@given(st.text(st.characters(codec=None, categories=None), max_size=20))
def test_any_string_of_javascript_reads_with_its_lone_surrogates_replaced(text: str) -> None:
    mended = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert decode(json.dumps(text).encode()) == mended
