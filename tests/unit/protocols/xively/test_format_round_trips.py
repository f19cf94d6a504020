"""JSON ↔ XML ↔ CSV: what one format says of a feed, the others say too."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.protocols.xively.bodies import (
    ANY_TEXTS,
    datastreams,
    feeds,
    pages,
)

from thingtank.protocols.xively import csv_format, json_format, xml_format
from thingtank.protocols.xively.csv_rows import read_rows
from thingtank.protocols.xively.documents import (
    DatapointBody,
    DatastreamBody,
    DatastreamDocument,
    FeedBody,
    FeedDocument,
    FeedReference,
    FeedsBody,
)
from thingtank.protocols.xively.formats import FEED_CODECS, FeedCodec
from thingtank.protocols.xively.xml_reader import read_xml

FEED = FeedReference(7, "https://tank.test/users/alice", "2024-01-02T03:04:05.678901Z")
ALL_CODECS = pytest.mark.parametrize(
    "codec", FEED_CODECS.values(), ids=[f"v{version}-{name}" for version, name in FEED_CODECS]
)


def members(document: Any) -> Any:
    """A document as plain values: absent, null and blank are one, and so are `21.50` and `21.5`."""
    if isinstance(document, list):
        return [members(item) for item in document]
    if not hasattr(document, "__struct_fields__"):
        return document
    found = {name: getattr(document, name) for name in document.__struct_fields__}
    numbers = {name: float(found[name]) for name in ("lat", "lon") if found.get(name)}
    kept = {name: members(value) for name, value in (found | numbers).items() if value}
    return {name: value for name, value in kept.items() if value}


def values(datastreams: list[DatastreamDocument] | None) -> dict[Any, list[tuple[Any, Any]]]:
    """Each datastream's times and values, in order; only what was ever written."""
    return {
        item.id: sorted(
            [(point.at, point.value) for point in item.datapoints or ()]
            + ([] if item.current_value is None else [(item.at, item.current_value)])
        )
        for item in datastreams or ()
    }


@given(feeds(with_history=True))
def test_a_feed_says_the_same_in_xml_as_in_json(body: FeedBody) -> None:
    in_json = json_format.parse_feed(json_format.serialize_feed(body))
    in_xml = xml_format.parse_feed(xml_format.serialize_feed(body))
    assert members(in_xml) == members(in_json)


@given(datastreams(with_history=True))
def test_a_datastream_says_the_same_in_xml_as_in_json(body: DatastreamBody) -> None:
    in_json = json_format.parse_datastream(json_format.serialize_datastream(body, FEED))
    in_xml = xml_format.parse_datastream(xml_format.serialize_datastream(body, FEED))
    assert members(in_xml) == members(in_json)


@given(feeds())
def test_a_feed_has_the_same_values_in_csv_as_in_json(body: FeedBody) -> None:
    written = csv_format.serialize_feed(body)
    if not body.datastreams:
        assert written == b""
        return
    in_csv = values(csv_format.parse_feed(written).datastreams)
    assert in_csv == values(json_format.parse_feed(json_format.serialize_feed(body)).datastreams)


@given(feeds(with_history=True))
def test_a_history_has_the_same_datapoints_in_csv_in_the_order_of_time(body: FeedBody) -> None:
    rows = read_rows(csv_format.serialize_feed(body, is_history=True))
    assert sorted(map(tuple, rows)) == sorted(
        (item.id, point.at, point.value) for item in body.datastreams for point in item.datapoints
    )
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)


@given(pages())
def test_a_page_has_the_same_values_in_csv_and_its_counts_in_xml(body: FeedsBody) -> None:
    assert read_rows(csv_format.serialize_feeds(body)) == [
        [str(feed.id), item.id, item.at, item.current_value or ""]
        for feed in body.results
        for item in feed.datastreams
    ]
    root = read_xml(xml_format.serialize_feeds(body))
    counts = [root.findtext(name) for name in ("totalResults", "startIndex", "itemsPerPage")]
    assert counts == [str(body.totalResults), str(body.startIndex), str(body.itemsPerPage)]
    assert [feed.get("id") for feed in root.iter("environment")] == [
        str(feed.id) for feed in body.results
    ]


@given(feeds())
def test_a_feed_says_the_same_in_v1_xml_as_in_v1_json_but_the_time(body: FeedBody) -> None:
    documents = [
        FEED_CODECS[1, name].parse_feed(FEED_CODECS[1, name].serialize_feed(body))
        for name in ("json", "xml")
    ]
    for document in documents:  # EEML 5 gives the time of the feed only, and without fraction
        document.updated = None
        for datastream in document.datastreams or ():
            datastream.at = None
    assert without_blanks(documents[1]) == without_blanks(documents[0])


def without_blanks(document: FeedDocument) -> Any:
    found = members(document)
    for datastream in found.get("datastreams", ()):
        datastream.pop("values", None)  # where v1 had them
    return found


@ALL_CODECS
@settings(max_examples=25)  # of each of six codecs
@given(body=feeds(ANY_TEXTS, with_history=True))
def test_any_text_makes_a_body_that_can_be_read(codec: FeedCodec, body: FeedBody) -> None:
    written = codec.serialize_feed(body)
    assert written.decode() == written.decode().rstrip("\n")
    if written.strip():
        codec.parse_feed(written)
    for datastream in body.datastreams:
        written = codec.serialize_datastream(datastream, FEED)
        if written.strip():
            codec.parse_datastream(written)


@ALL_CODECS
@settings(max_examples=25)  # of each of six codecs
@given(body=pages(ANY_TEXTS))
def test_any_text_makes_a_page(codec: FeedCodec, body: FeedsBody) -> None:
    codec.serialize_feeds(body).decode()


@ALL_CODECS
@given(value=st.text(st.sampled_from('ab<&>",; '), min_size=1).map(str.strip).filter(bool))
def test_a_datapoint_comes_back_as_it_was_written(codec: FeedCodec, value: str) -> None:
    body = DatapointBody(value, FEED.updated)
    read = codec.parse_datapoint(codec.serialize_datapoint(body))
    assert (read.value, read.at) == (value, FEED.updated)
