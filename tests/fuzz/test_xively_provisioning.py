"""Products, serials, users and graphs fed with garbage: a value within its bounds, or a refusal."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from thingtank.protocols.xively import product_documents, user_documents
from thingtank.protocols.xively.errors import MalformedBody, MalformedQuery, Unprocessable
from thingtank.protocols.xively.graph_options import (
    SIDE_PX_MAX,
    SIDE_PX_MIN,
    STROKE_PX_MAX,
    TEXT_CHARS_MAX,
    parse_graph_options,
)
from thingtank.protocols.xively.query import PER_PAGE_MAX, parse_parameters
from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.tank.products import check_serials, parse_serials, serial_problem

SERIALS_MAX = 5

READERS: dict[str, Callable[[bytes], Any]] = {
    "product": product_documents.parse_product,
    "device": product_documents.parse_device,
    "devices": product_documents.parse_devices,
    "user": user_documents.parse_user,
}
MEMBERS = st.sampled_from(
    [
        "name", "description", "feed_defaults", "title", "tags", "private", "website",
        "datastreams", "id", "unit", "type", "symbol", "label", "serial", "login", "email",
        "full_name", "first_name", "last_name", "about", "organisation", "time_zone", "password",
    ]
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", " ", "true", "a, b", '"a, b', "cba123", "Ada  King Lovelace", "\x00"])
    | st.text(max_size=8)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.builds(
    lambda name, value: json.dumps({name: value}).encode(), st.sampled_from([*READERS]), VALUES
)


@pytest.mark.parametrize("name", READERS)
@given(body=st.binary(max_size=200) | VALUES.map(json.dumps).map(str.encode) | DOCUMENTS)
def test_any_body_is_read_or_refused(name: str, body: bytes) -> None:
    try:
        READERS[name](body)
    except (MalformedBody, Unprocessable) as refusal:
        assert refusal.body.errors  # noqa: PT017 - the refusal may or may not come
        assert refusal.status in (400, 422)  # noqa: PT017 - the refusal may or may not come


@pytest.mark.parametrize("name", READERS)
@given(value=VALUES)
def test_a_document_that_is_read_holds_what_can_be_stored(name: str, value: object) -> None:
    try:
        found = READERS[name](json.dumps({name: value}).encode())
    except (MalformedBody, Unprocessable):
        return
    if isinstance(found, list):
        assert isinstance(value, list)
        assert len(found) == len(value)
        assert all(isinstance(serial, str) for serial in found)
    else:
        # Members of a wrong type would not get through this strict conversion.
        assert msgspec.convert(_plain(found), type(found), strict=True) == found


def _plain(found: object) -> object:
    if isinstance(found, msgspec.Struct):
        fields = {name: getattr(found, name) for name in found.__struct_fields__}
        return {name: _plain(value) for name, value in fields.items() if value is not msgspec.UNSET}
    return [_plain(item) for item in found] if isinstance(found, tuple) else found


@given(value=VALUES, password=st.from_regex(r"[A-Z]{12}", fullmatch=True))
def test_a_refused_or_shown_user_tells_no_password(value: object, password: str) -> None:
    members = value if isinstance(value, dict) else {"login": value}
    body = json.dumps({"user": {**members, "password": password}}).encode()
    try:
        shown = repr(user_documents.parse_user(body))
    except (MalformedBody, Unprocessable) as refusal:
        shown = str(refusal.body)
    assert password not in shown


CELLS = st.sampled_from(
    ["serial", "Serial", "cba123", "a-1", "b_2", "c:3", "", " ", '"', '"x"', '"x', "é", "\x00", "a b"]
)  # fmt: skip
SEPARATORS = st.sampled_from([",", ";", "\t"])
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
ROWS = st.lists(st.lists(CELLS, max_size=3), max_size=7)
LISTS = st.builds(
    lambda rows, separator, end: end.join(map(separator.join, rows)), ROWS, SEPARATORS, ENDS
)


@given(text=st.text(max_size=100) | LISTS)
@example(text="serial,name\ncba123,x\n")
@example(text='"' + "x" * 200_000)
def test_any_list_of_serials_is_read_or_refused(text: str) -> None:
    try:
        serials = parse_serials(text, SERIALS_MAX)
        assert len(serials) <= SERIALS_MAX
        check_serials(serials, SERIALS_MAX)
    except (ValidationFailed, LimitReached) as refusal:
        assert str(refusal)  # noqa: PT017 - the refusal may or may not come
        return
    assert 0 < len(serials) == len(set(serials)) <= SERIALS_MAX
    assert [serial for serial in serials if serial_problem(serial)] == []


GRAPH_NAMES = st.sampled_from(
    ["w", "h", "c", "t", "l", "s", "b", "g", "scale", "min", "max", "timezone"]
)
GRAPH_TEXTS = st.sampled_from(
    [
        "", " ", "0", "10", "300", "2001", "-5", "1.5", "1e400", "nan", "inf", "٣", "true", "no",
        "#fff", "0B8A7B", "auto", "datastream", "manual", "Kathmandu", "-3.5", "x\n\u2028y",
        "x" * 300,
    ]
)  # fmt: skip
QUERIES = st.lists(st.tuples(GRAPH_NAMES, GRAPH_TEXTS | st.text(max_size=8)), max_size=8).map(
    lambda pairs: urlencode(pairs, errors="surrogatepass").encode()
)


@given(query=st.binary(max_size=100) | QUERIES)
@example(query=b"scale=manual&min=1&max=2")
def test_any_looks_of_a_graph_are_within_bounds_or_refused(query: bytes) -> None:
    try:
        options = parse_graph_options(parse_parameters(query))
    except MalformedQuery as refusal:
        assert refusal.body.errors  # noqa: PT017 - the refusal may or may not come
        return
    assert SIDE_PX_MIN <= options.width_px <= SIDE_PX_MAX
    assert SIDE_PX_MIN <= options.height_px <= SIDE_PX_MAX
    assert 0 < options.stroke_px <= STROKE_PX_MAX
    assert int(options.colour, 16) >= 0
    assert len(options.colour) == 6
    for text in (options.title, options.legend):
        assert len(text) <= TEXT_CHARS_MAX
        assert len(text.splitlines()) <= 1
    if options.scale == "manual":
        assert options.minimum is not None
        assert options.maximum is not None
        assert options.minimum < options.maximum
    else:
        assert (options.minimum, options.maximum) == (None, None)


LIST_QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["activated", "serial", "state", "page", "per_page"]),
        st.sampled_from(["", "true", "ALL", "develop", "deploy", "0", "7", "-1", "9" * 30, "x"])
        | st.text(max_size=8),
    ),
    max_size=6,
).map(lambda pairs: urlencode(pairs, errors="surrogatepass").encode())


@given(query=st.binary(max_size=100) | LIST_QUERIES)
def test_any_terms_of_a_list_are_within_bounds_or_refused(query: bytes) -> None:
    try:
        asked = product_documents.parse_devices_query(parse_parameters(query))
        state = product_documents.parse_state(parse_parameters(query))
    except MalformedQuery as refusal:
        assert refusal.body.errors  # noqa: PT017 - the refusal may or may not come
        return
    assert asked.page >= 1
    assert 1 <= asked.per_page <= PER_PAGE_MAX
    assert state in ("", "develop", "deploy")
