"""JSON bodies: what is read, letter for letter, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.xively.documents import FeedDocument, LocationDocument
from thingtank.protocols.xively.errors import MalformedBody, Unprocessable, XivelyError
from thingtank.protocols.xively.json_format import (
    parse_datapoint,
    parse_datapoints,
    parse_datastream,
    parse_datastreams,
    parse_feed,
    parse_range,
    serialize,
    split_tags,
    value_of,
    values_of,
    wrap_callback,
)

LITERALS = [
    ("25", "25"),
    ("25.0", "25.0"),
    ("-0.50", "-0.50"),
    ("1E5", "1E5"),
    ("1e999", "1e999"),
    ("12345678901234567890", "12345678901234567890"),
    ("true", "true"),
    ("false", "false"),
    ("null", None),
    ('"+5"', "+5"),
    ('" 7 "', " 7 "),
]


@pytest.mark.parametrize(("literal", "text"), LITERALS)
def test_a_value_keeps_the_text_it_was_written_with(literal: str, text: str | None) -> None:
    document = parse_datastream(f'{{"current_value": {literal} }}'.encode())
    assert value_of(document.current_value) == text


def test_a_member_that_is_text_may_be_sent_as_a_fraction() -> None:
    location = parse_feed(b'{"location":{"ele":12.50}}').location
    assert isinstance(location, LocationDocument)
    assert value_of(location.ele) == "12.5"


@pytest.mark.parametrize("literal", ["{}", "[]", '{"value":1}', "[1]"])
def test_a_value_is_never_an_object_or_a_list(literal: str) -> None:
    body = f'{{"datapoints":[{{"value":1}},{{"value":{literal}}}]}}'.encode()
    with pytest.raises(Unprocessable):
        values_of([item.value for item in parse_datapoints(body)])


@given(st.lists(st.one_of(st.text(), st.integers(-(2**63), 2**64 - 1), st.booleans(), st.none())))
def test_values_are_read_together_as_they_are_alone(values: list[Any]) -> None:
    body = serialize({"datapoints": [{"value": value} for value in values]})
    read = [item.value for item in parse_datapoints(body)]
    assert values_of(read) == [value_of(value) for value in values]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_fraction_keeps_its_text(number: float) -> None:
    text = repr(number)
    document = parse_datapoint(f'{{"value":{text}}}'.encode())
    assert value_of(document.value) == text


REFUSED = [
    (b"", MalformedBody, "parse error"),
    (b"{", MalformedBody, "parse error"),
    (b'{"title":NaN}', MalformedBody, "parse error"),
    (b'{"title":"\xff"}', MalformedBody, "parse error"),
    (b'{"x":' + b"[" * 100_000, MalformedBody, "parse error"),
    (b"[]", Unprocessable, "JSON doesn't appear to be a hash"),
    (b"7", Unprocessable, "JSON doesn't appear to be a hash"),
    (b'{"datastreams":7}', Unprocessable, '"datastreams" must be an array'),
    (b'{"datastreams":[7]}', Unprocessable, "not of the expected shape"),
    (b'{"title":{}}', Unprocessable, "not of the expected shape"),
]


@pytest.mark.parametrize(("body", "kind", "text"), REFUSED)
def test_a_bad_body_is_refused_in_the_parsers_words(
    body: bytes, kind: type[XivelyError], text: str
) -> None:
    with pytest.raises(kind) as refusal:
        parse_feed(body)
    assert text in str(refusal.value.body.errors)


def test_datapoints_must_be_an_array_too() -> None:
    with pytest.raises(Unprocessable) as refusal:
        parse_datapoints(b'{"datapoints":{}}')
    assert refusal.value.body.errors == '"datapoints" must be an array'


def test_members_nobody_knows_are_ignored() -> None:
    assert parse_feed(b'{"version":"1.0.0","id":7,"waypoints":[]}') == FeedDocument()


TAGS = [
    ("", []),
    ("a,b", ["a", "b"]),
    (" a , b ", ["a ", "b "]),
    ('"big, red", plain', ["big, red", "plain"]),
    ('"say \\"hi\\"",x', ['say "hi"', "x"]),
    ("o'clock", ["o'clock"]),
    ("a\nb,c", ["a\nb", "c"]),
]


@pytest.mark.parametrize(("text", "tags"), TAGS)
def test_tags_are_split_at_commas_outside_of_quotes(text: str, tags: list[str]) -> None:
    assert split_tags(text) == tags


@given(st.text())
def test_any_text_is_a_list_of_tags(text: str) -> None:
    assert len(split_tags(text)) <= text.count(",") + text.count("\n") + text.count("\r") + 1


@pytest.mark.parametrize(
    ("callback", "wrapped"), [("show", b"show({})"), ("a.b;c(", b"abc({})"), ("_1", b"_1({})")]
)
def test_a_callback_is_stripped_to_a_plain_name(callback: str, wrapped: bytes) -> None:
    assert wrap_callback(b"{}", callback) == wrapped


MEMBERS = [
    "datastreams",
    "datapoints",
    "id",
    "at",
    "value",
    "current_value",
    "tags",
    "unit",
    "title",
    "location",
    "lat",
    "private",
    "updated",
    "start",
    "duration",
]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5)
    ),
    max_leaves=20,
)
PARSERS = [
    parse_feed,
    parse_datastream,
    parse_datastreams,
    parse_datapoints,
    parse_datapoint,
    parse_range,
]


@pytest.mark.parametrize("parse", PARSERS)
@given(body=st.binary(max_size=200) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_garbage_is_a_document_or_one_of_two_refusals(parse: Any, body: bytes) -> None:
    try:
        parse(body)
    except (MalformedBody, Unprocessable) as refusal:
        assert refusal.body.errors  # noqa: PT017 - the refusal may or may not come
