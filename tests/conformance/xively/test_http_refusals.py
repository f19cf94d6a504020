"""What is refused, with which status, in Xively's words; and nothing half-written."""

import gzip
import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.xively.conftest import Xively

from thingtank.doors.xively.error_table import answer_of
from thingtank.protocols.xively import json_format
from thingtank.protocols.xively.errors import XivelyError
from thingtank.tank.errors import TankError, ValidationFailed

POINT = {"at": "2023-11-14T22:00:00Z", "value": "1"}


def stream(**members: object) -> str:
    return json.dumps(
        {"datastreams": [{"id": "good", "current_value": 1}, {"id": "bad", **members}]}
    )


REFUSED_FEED_WRITES = [
    ("malformed JSON", "{", 400, "JSON Parser Error"),
    ("empty body", "", 400, "JSON Parser Error"),
    ("NaN", '{"datastreams":[{"id":"a","current_value":NaN}]}', 400, "JSON Parser Error"),
    ("Infinity", '{"datastreams":[{"id":"a","current_value":-Infinity}]}', 400, "JSON Parser Error"),
    ("invalid UTF-8", b'{"title":"\xff"}', 400, "JSON Parser Error"),
    ("invalid UTF-8 in a value", b'{"datastreams":[{"id":"a","current_value":"\xff"}]}', 400, "JSON Parser Error"),
    ("half a surrogate pair", '{"datastreams":[{"id":"a","current_value":"\\ud800x"}]}', 400, "half of a pair of"),
    ("half a surrogate pair alone", '{"datastreams":[{"id":"a","current_value":"\\ud800"}]}', 400, "half of a pair of"),
    ("half a surrogate pair and another escape", '{"title":"\\uD834\\n"}', 400, "half of a pair of"),
    ("half a surrogate pair and a letter's escape", '{"title":"\\ud800\\u0041"}', 400, "half of a pair of"),
    ("the other half of a pair", '{"title":"\\udc00"}', 400, "half of a pair of"),
    ("half a pair in a document of the wrong shape", '{"title":[],"x":"\\ud800"}', 400, "half of a pair of"),
    ("half a text", '{"title":"a', 400, "truncated"),
    ("half an escape", '{"title":"\\ud800\\u', 400, "truncated"),
    ("half a text with a whole pair", '{"title":"\\ud83c\\udf21', 400, "truncated"),
    ("half a text that speaks of escapes", '{"title":"\\\\ud800x', 400, "truncated"),
    ("a number of 5000 digits", '{"datastreams":[{"id":"a","current_value":' + "9" * 5000 + "}]}", 422, "Integer value out of range"),
    ("private neither yes nor no", '{"private":"maybe"}', 422, "Private must be true or false"),
    ("an extreme that is text", stream(max_value="high"), 422, "is not a number"),
    ("a unit that is text", stream(unit="C"), 422, "Unit must be an object"),
    ("a location that is text", '{"location":"roof"}', 422, "Location must be an object"),
    ("a list", "[]", 422, "JSON doesn't appear to be a hash"),
    ("half a list", "[", 400, "JSON Parser Error"),
    ("two numbers", "5 5", 400, "JSON Parser Error"),
    ("1001 datastreams, all the same", '{"datastreams":[' + '{"id":1},' * 1000 + '{"id":1}]}', 422, "at most 1000"),
    ("a string", '"x"', 422, "JSON doesn't appear to be a hash"),
    ("datastreams not a list", '{"datastreams":{}}', 422, '"datastreams" must be an array'),
    ("a value that is an object", stream(current_value={}), 422, "must be a string or a number"),
    ("a value that is a list", stream(current_value=[1]), 422, "must be a string or a number"),
    ("a value too long", stream(current_value="x" * 256), 422, "is too long"),
    ("a time that is none", stream(current_value=1, at="yesterday"), 422, "is not an ISO 8601 time"),
    ("a JavaScript date", stream(current_value=1, at="Tue Nov 14 2023 22:13:20 GMT+0100"), 422, "ISO 8601"),
    ("a time far ahead", stream(current_value=1, at="2199-01-01T00:00:00Z"), 422, "At is out of range: at most "),
    ("a datapoint without value", stream(datapoints=[{"at": "2023-11-14T22:00:00Z"}]), 422, "can't be blank"),
    ("an id with a slash", '{"datastreams":[{"id":"a/b","current_value":1}]}', 422, "is invalid"),
    ("an id that is a step of a path", '{"datastreams":[{"id":"..","current_value":1}]}', 422, "is invalid"),
    ("an id that is none of a path", '{"datastreams":[{"id":".","current_value":1}]}', 422, "is invalid"),
    ("an id too long", json.dumps({"datastreams": [{"id": "a" * 256, "current_value": 1}]}), 422, "Id is too long (maximum is 255 characters)"),
    ("an id with a blank", '{"datastreams":[{"id":"a b","current_value":1}]}', 422, "is invalid"),
    ("no id", '{"datastreams":[{"current_value":1}]}', 422, "can't be blank"),
    ("a repeated id", '{"datastreams":[{"id":"a","current_value":1},{"id":"a","current_value":2}]}', 422, "can't have duplicate IDs: a"),
    ("a bad unit type", stream(unit={"type": "metres"}), 422, "is not a valid unit_type"),
    ("a latitude beyond the pole", '{"location":{"lat":91}}', 422, "must be between -90 and 90"),
    ("a latitude that is text", '{"location":{"lat":"north"}}', 422, "is not a number"),
    ("a blank title", '{"title":""}', 422, "Title can't be blank"),
    ("a title with NUL", '{"title":"a\\u0000b"}', 422, "Title can't contain control characters"),
    ("a unit with an escape", stream(unit={"label": "a\x1bb"}), 422, "can't contain control characters"),
    ("501 datapoints", json.dumps({"datastreams": [{"id": "a", "datapoints": [POINT] * 501}]}), 422, "at most 500"),
    ("10 MB", b" " * 10_000_000, 413, "bytes"),
    ("deep nesting", '{"x":' + "[" * 100_000, 400, "JSON Parser Error"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [row[1:] for row in REFUSED_FEED_WRITES],
    ids=[row[0] for row in REFUSED_FEED_WRITES],
)
async def test_a_bad_feed_write_is_refused_whole(
    xively: Xively, body: str | bytes, status: int, text: str
) -> None:
    before = (await xively.ask("GET", xively.feed)).json()
    reply = await xively.ask("PUT", xively.feed, content=body)
    assert (reply.status_code, set(reply.json())) == (status, {"title", "errors"})
    assert text in reply.text.replace('\\"', '"')
    assert (await xively.ask("GET", xively.feed)).json() == before


REFUSED_REQUESTS = [
    ("no key", "GET", "FEED", "", 401, "Unauthorized"),
    ("expired key", "GET", "FEED", "expired", 401, "Unauthorized"),
    ("read-only key writes", "PUT", "FEED", "read", 403, "Forbidden"),
    ("another's key reads a private feed", "GET", "FEED", "bob", 403, "Forbidden"),
    ("a key reads another's private feed", "GET", "FOREIGN", "master", 403, "Forbidden"),
    ("a key that only writes lists", "GET", "/v2/feeds", "write", 403, "Forbidden"),
    ("a key writes another's public feed", "PUT", "PUBLIC", "master", 403, "Forbidden"),
    ("a feed key deletes another feed", "DELETE", "PUBLIC", "device", 403, "Forbidden"),
    ("a feed key creates", "POST", "/v2/feeds", "device", 403, "Forbidden"),
    ("unknown feed", "GET", "/v2/feeds/999999999", "master", 404, "Not found"),
    ("a feed id too large", "GET", "/v2/feeds/99999999999999999999999", "master", 404, "There is no such feed"),
    ("a feed id that is text", "GET", "/v2/feeds/roof", "master", 404, "Not found"),
    ("unknown datastream", "GET", "FEED/datastreams/none", "device", 404, "Not found"),
    ("write to an unknown datastream", "PUT", "FEED/datastreams/none", "device", 404, "Not found"),
    ("an id of another script", "GET", "FEED/datastreams/%E6%B8%A9%E5%BA%A6", "device", 404, "Not found"),
    ("datapoint at no time", "GET", "FEED/datastreams/temp/datapoints/now", "device", 404, "Not found"),
    ("POST to a feed", "POST", "FEED", "device", 404, "No route matches [POST]"),
    ("unknown route", "GET", "/v2/nonsense", "master", 404, 'No route matches [GET] \\"/api/v2/nonsense\\"'),
    ("an unknown method", "PATCH", "FEED", "device", 404, "No route matches [PATCH]"),
    ("a format not spoken", "GET", "FEED.png", "device", 406, "Not Acceptable"),
    ("an unknown extension", "GET", "FEED.pdf", "device", 406, "Not Acceptable"),
    ("history over too large a range", "GET", "FEED?interval=60&duration=3days", "device", 400, "at most 86400 seconds"),
    ("history by contradicting terms", "GET", "FEED?start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z&duration=1", "device", 400, "can't be combined"),
    ("a delete by contradicting terms", "DELETE", "FEED/datastreams/temp/datapoints?start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z&duration=1", "device", 400, "can't be combined"),
    ("no key, unknown feed", "GET", "/v2/feeds/999999999", "", 401, "Unauthorized"),
    ("history from no time", "GET", "FEED?start=once", "device", 400, "start is not"),
    ("history of no length", "GET", "FEED?duration=6moons", "device", 400, "duration must be"),
    ("history of a length too large", "GET", "FEED?duration=99999999999years", "device", 400, "duration is too large"),
    ("a limit that is text", "GET", "FEED?limit=-1&duration=1hour", "device", 400, "limit must be"),
    ("an unknown zone", "GET", "FEED?timezone=Atlantis", "device", 400, "timezone Atlantis"),
    ("too many parameters", "GET", "FEED?" + "a=1&" * 101, "device", 400, "more than 100"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "key", "status", "text"),
    [row[1:] for row in REFUSED_REQUESTS],
    ids=[row[0] for row in REFUSED_REQUESTS],
)
async def test_a_bad_request_is_refused_in_xivelys_words(
    xively: Xively, method: str, path: str, key: str, status: int, text: str
) -> None:
    path = path.replace("FEED", xively.feed).replace("PUBLIC", xively.public)
    path = path.replace("FOREIGN", xively.foreign)
    body = b"{}" if method in ("PUT", "POST") else b""
    reply = await xively.ask(method, path, key, content=body)
    assert reply.status_code == status
    assert set(reply.json()) == {"title", "errors"}
    assert text in reply.text


GZIPPED = [
    ("broken gzip", lambda: b"\x1f\x8b nonsense", 400),
    ("cut gzip", lambda: gzip.compress(b'{"title":"x"}' * 100)[:-20], 400),
    ("a gzip bomb", lambda: gzip.compress(b" " * 200_000_000), 413),  # of half a second's work
]


@pytest.mark.parametrize(
    ("make_body", "status"), [row[1:] for row in GZIPPED], ids=[row[0] for row in GZIPPED]
)
async def test_bad_gzip_is_refused(
    xively: Xively, make_body: Callable[[], bytes], status: int
) -> None:
    headers = {"Content-Encoding": "gzip"}
    reply = await xively.ask("PUT", xively.feed, content=make_body(), headers=headers)
    assert reply.status_code == status


async def test_an_existing_datastream_is_not_created_again(xively: Xively) -> None:
    url = f"{xively.feed}/datastreams"
    document = {"datastreams": [{"id": "temp", "current_value": 1}]}
    assert (await xively.ask("POST", url, json=document)).status_code == 201
    reply = await xively.ask("POST", url, json=document)
    assert (reply.status_code, reply.json()["errors"]) == (
        422,
        "Datastream id has already been taken",
    )


FAR = "datapoints?duration=6hours&page=1002&per_page=1000"
REFUSED_READS = [
    ("a page far into the range", FAR, "device", 400, "begin at a later start"),
    ("one datapoint by a key for history by the hour", "datapoints/2023-11-14T22:13:20Z", "coarse", 403, "Forbidden"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "key", "status", "text"),
    [row[1:] for row in REFUSED_READS],
    ids=[row[0] for row in REFUSED_READS],
)
async def test_a_read_of_what_is_there_is_refused(
    xively: Xively, path: str, key: str, status: int, text: str
) -> None:
    await xively.ask(
        "PUT", xively.feed, json={"datastreams": [{"id": "temp", "current_value": "1"}]}
    )
    reply = await xively.ask("GET", f"{xively.feed}/datastreams/temp/{path}", key)
    assert (reply.status_code, text in reply.text) == (status, True)


async def test_several_problems_are_listed(xively: Xively) -> None:
    reply = await xively.ask(
        "PUT", xively.feed, json={"title": " ", "location": {"lat": 91, "lon": 181}}
    )
    assert len(reply.json()["errors"]) == 3


def tank_errors() -> Iterator[type[TankError]]:
    waiting: list[type[TankError]] = [TankError]
    while waiting:
        kinds = waiting.pop().__subclasses__()
        waiting += kinds
        yield from kinds


@pytest.mark.parametrize("kind", list(tank_errors()), ids=lambda kind: kind.__name__)
def test_every_error_of_the_tank_has_an_answer(kind: type[TankError]) -> None:
    error = kind([("title", "can't be blank")]) if kind is ValidationFailed else kind("some text")
    status, body = answer_of(error)
    assert 400 <= status < 600
    assert body.title
    assert body.errors


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(max_size=200), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["datastreams", "id", "at", "current_value", "datapoints", "tags", "unit"]), inner)).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_garbage_is_a_document_or_a_refusal(body: bytes) -> None:
    for parse in (
        json_format.parse_feed,
        json_format.parse_datastream,
        json_format.parse_datapoints,
    ):
        try:
            parse(body)
        except XivelyError as refusal:
            assert refusal.body.errors  # noqa: PT017 - the refusal may or may not come


async def test_a_key_that_was_deleted_opens_nothing_in_the_next_request(xively: Xively) -> None:
    body = {"version": "1.0.0", "datastreams": [{"id": "t", "current_value": "1"}]}
    assert (await xively.ask("PUT", xively.feed, json=body)).status_code == 200
    key = xively.directory.find_key(xively.keys["device"])
    assert key is not None
    await xively.directory.delete_key(key.key_id)
    refused = await xively.ask("PUT", xively.feed, json=body)
    assert refused.status_code == 401
    assert (await xively.ask("GET", f"{xively.feed}/datastreams/t")).status_code == 401


async def test_a_repeated_request_is_refused_once_its_feed_is_gone(xively: Xively) -> None:
    body = {"version": "1.0.0", "datastreams": [{"id": "t", "current_value": "1"}]}
    assert (await xively.ask("PUT", xively.feed, "master", json=body)).status_code == 200
    assert (await xively.ask("DELETE", xively.feed, "master")).status_code == 200
    assert (await xively.ask("PUT", xively.feed, "master", json=body)).status_code == 404
