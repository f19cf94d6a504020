"""JSON of the API v1: `values` in, `values` out."""

import json

import pytest
from msgspec import UNSET

from thingtank.protocols.xively import json_v1_format
from thingtank.protocols.xively.documents import (
    DatapointDocument,
    DatastreamBody,
    FeedBody,
    FeedReference,
    FeedsBody,
    LocationBody,
    UnitBody,
)
from thingtank.protocols.xively.errors import MalformedBody, Unprocessable

T = "2011-02-22T14:28:50Z"

VALUES = [
    ('{"values":[{"value":"129","recorded_at":"T"}]}', "129", "T"),
    ('{"values":[{"value":129.50}]}', "129.50", None),
    ('{"values":{"value":"129"}}', "129", None),
    ('{"values":[]}', None, None),
    ('{"values":null}', None, None),
    ('{"current_value":"5","at":"T"}', "5", "T"),
    ('{"current_value":"5","values":[{"value":"6"}]}', "6", None),
]


@pytest.mark.parametrize(("text", "value", "at"), VALUES)
def test_the_first_of_values_is_the_current_value(
    text: str, value: str | None, at: str | None
) -> None:
    document = json_v1_format.parse_datastream(text.encode())
    assert (document.current_value, document.at, document.datapoints) == (value, at, None)
    wrapped = f'{{"datastreams":[{text}]}}'.encode()
    assert json_v1_format.parse_datastreams(wrapped) == [document]
    assert json_v1_format.parse_feed(wrapped).datastreams == [document]


def test_extremes_stand_beside_the_value() -> None:
    body = b'{"values":[{"value":"5","max_value":"9.0","min_value":null}]}'
    document = json_v1_format.parse_datastream(body)
    assert (document.max_value, document.min_value) == ("9.0", None)
    assert json_v1_format.parse_datastream(b'{"values":[{"value":"5"}]}').max_value is UNSET


def test_more_values_are_datapoints_and_need_times() -> None:
    body = b'{"values":[{"value":"1","recorded_at":"T"},{"value":"2","recorded_at":"U"}]}'
    document = json_v1_format.parse_datastream(body)
    assert (document.current_value, document.at) == ("1", "T")
    assert document.datapoints == [DatapointDocument("2", "U")]
    with pytest.raises(Unprocessable, match="Values must have recorded_at"):
        json_v1_format.parse_datastream(b'{"values":[{"value":"1"},{"value":"2"}]}')


@pytest.mark.parametrize(
    ("body", "refusal"),
    [(b"{", MalformedBody), (b"[]", Unprocessable), (b'{"datastreams":7}', Unprocessable)],
)
def test_what_is_no_feed_is_refused(body: bytes, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        json_v1_format.parse_feed(body)


def feed() -> FeedBody:
    datastream = DatastreamBody(
        "0",
        "129",
        "2011-02-22T14:28:50.834174Z",
        "658.0",
        "0.0",
        ("humidity",),
        UnitBody(label="%"),
    )
    return FeedBody(
        id=504, title="Office", private="true", tags=("x",), feed="https://t/v2/feeds/504.json",
        status="live", updated="2011-02-22T14:28:50.834174Z", created=T, creator="https://t/users/a",
        version="1.0.0", datastreams=[datastream, DatastreamBody("1")],
        location=LocationBody(domain="physical"),
    )  # fmt: skip


def test_8_2_a_feed_has_values_and_neither_tags_nor_creator() -> None:
    written = json.loads(json_v1_format.serialize_feed(feed()))
    assert written == {
        "id": 504,
        "title": "Office",
        "feed": "https://t/v1/feeds/504.json",
        "status": "live",
        "updated": "2011-02-22T14:28:50.834174Z",
        "version": "0.6-alpha",
        "datastreams": [
            {
                "id": "0",
                "values": [
                    {"recorded_at": T, "value": "129", "max_value": "658.0", "min_value": "0.0"}
                ],
                "tags": ["humidity"],
                "unit": {"label": "%"},
            },
            {"id": "1"},
        ],
        "location": {"domain": "physical"},
    }
    page = json.loads(json_v1_format.serialize_feeds(FeedsBody(1, 0, 50, [feed()])))
    assert page == {"totalResults": 1, "startIndex": 0, "itemsPerPage": 50, "results": [written]}


def test_a_datastream_alone_tells_the_version() -> None:
    reference = FeedReference(504, "https://t/users/a", T)
    written = json.loads(json_v1_format.serialize_datastream(DatastreamBody("0"), reference))
    assert written == {"id": "0", "version": "0.6-alpha"}
