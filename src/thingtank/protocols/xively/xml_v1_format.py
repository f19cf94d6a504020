"""XML of the API v1 (EEML 5): written without private members, histories and fractions of seconds.

Source: xively-rb, templates/xml.
"""

from xml.etree.ElementTree import Element

from thingtank.protocols.xively import xml_writer
from thingtank.protocols.xively.documents import (
    DatastreamBody,
    FeedBody,
    FeedReference,
    FeedsBody,
)
from thingtank.protocols.xively.legacy import feed_link, whole_seconds
from thingtank.protocols.xively.xml_format import (
    OPENSEARCH_NAMESPACE,
    XSI_NAMESPACE,
    add_location,
    add_page,
    add_unit,
    parse_datapoint,
    parse_datapoints,
    parse_datastream,
    parse_datastreams,
    parse_feed,
    serialize_datapoint,
)
from thingtank.protocols.xively.xml_writer import add, add_named

__all__ = [
    "parse_datapoint",
    "parse_datapoints",
    "parse_datastream",
    "parse_datastreams",
    "parse_feed",
    "serialize_datapoint",
    "serialize_datastream",
    "serialize_feed",
    "serialize_feeds",
]

NAMESPACE = "http://www.eeml.org/xsd/005"
CREATOR = "http://www.haque.co.uk"
_EEML = {
    "xmlns": NAMESPACE,
    "xmlns:xsi": XSI_NAMESPACE,
    "version": "5",
    "xsi:schemaLocation": f"{NAMESPACE} {NAMESPACE}/005.xsd",
}


def serialize_feed(body: FeedBody, *, is_history: bool = False) -> bytes:
    """Write a feed with its current values only."""
    eeml = xml_writer.root("eeml", _EEML)
    _add_feed(eeml, body)
    return xml_writer.document(eeml)


def serialize_feeds(body: FeedsBody) -> bytes:
    """Write a page of feeds."""
    eeml = xml_writer.root("eeml", _EEML | {"xmlns:opensearch": OPENSEARCH_NAMESPACE})
    add_page(eeml, body)
    for feed in body.results:
        _add_feed(eeml, feed)
    return xml_writer.document(eeml)


def serialize_datastream(
    body: DatastreamBody, feed: FeedReference, *, is_history: bool = False
) -> bytes:
    """Write a datastream with its current value only."""
    eeml = xml_writer.root("eeml", _EEML)
    _add_datastream(_add_environment(eeml, feed.id, feed.updated), body)
    return xml_writer.document(eeml)


def _add_environment(eeml: Element, feed_id: int, updated: str) -> Element:
    attributes = {"updated": whole_seconds(updated), "id": str(feed_id), "creator": CREATOR}
    return add(eeml, "environment", "", attributes)


def _add_feed(eeml: Element, body: FeedBody) -> None:
    environment = _add_environment(eeml, body.id, body.updated)
    add_named(
        environment,
        {
            "title": body.title,
            "feed": feed_link(body.feed, "xml"),
            "status": body.status,
            "description": body.description,
            "icon": body.icon,
            "website": body.website,
            "email": body.email,
        },
    )
    add_location(environment, body.location)
    for datastream in body.datastreams:
        _add_datastream(environment, datastream)


def _add_datastream(environment: Element, body: DatastreamBody) -> None:
    data = add(environment, "data", "", {"id": body.id})
    for tag in body.tags:
        add(data, "tag", tag)
    if body.current_value is not None:
        named = {"minValue": body.min_value, "maxValue": body.max_value}
        extremes = {name: text for name, text in named.items() if text}
        add(data, "value", body.current_value, extremes)
    add_unit(data, body)
