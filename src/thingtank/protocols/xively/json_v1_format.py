"""JSON of the API v1 (version `0.6-alpha`): a datastream's value stands in a list, `values`.

Source: xively-rb, templates/json and parsers/json.
"""

import msgspec
from msgspec import UNSET

from thingtank.protocols.xively.documents import (
    DatapointDocument,
    DatastreamBody,
    DatastreamDocument,
    FeedBody,
    FeedDocument,
    FeedReference,
    FeedsBody,
    LocationBody,
    UnitBody,
    Value,
)
from thingtank.protocols.xively.errors import Unprocessable
from thingtank.protocols.xively.json_format import (
    decode,
    parse_datapoint,
    parse_datapoints,
    serialize,
    serialize_datapoint,
)
from thingtank.protocols.xively.legacy import VERSION, feed_link, whole_seconds

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


class _ValueDocument(msgspec.Struct, gc=False):
    value: Value = None
    recorded_at: str | None = None
    min_value: Value = UNSET
    max_value: Value = UNSET


class _DatastreamDocument(DatastreamDocument, gc=False):
    """Either form: clients of v1 also send the one of v2."""

    values: list[_ValueDocument] | _ValueDocument | None = None


class _FeedDocument(FeedDocument, gc=False):
    datastreams: list[_DatastreamDocument] | None = None  # type: ignore[assignment] # read only


class _DatastreamsDocument(msgspec.Struct, gc=False):
    datastreams: list[_DatastreamDocument] | None = None


class _ValueBody(msgspec.Struct, omit_defaults=True, gc=False):
    recorded_at: str = ""
    value: str | None = None
    max_value: str = ""
    min_value: str = ""


class _DatastreamBody(msgspec.Struct, omit_defaults=True, gc=False):
    id: str
    values: list[_ValueBody] = []
    tags: tuple[str, ...] = ()
    unit: UnitBody | None = None
    version: str = ""


class _FeedBody(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    id: int
    title: str
    icon: str = ""
    website: str = ""
    description: str = ""
    feed: str
    status: str
    updated: str
    email: str = ""
    version: str
    datastreams: list[_DatastreamBody] = []
    location: LocationBody


class _FeedsBody(msgspec.Struct, gc=False):
    totalResults: int
    startIndex: int
    itemsPerPage: int
    results: list[_FeedBody]


_FEED = msgspec.json.Decoder(_FeedDocument, float_hook=str)
_DATASTREAM = msgspec.json.Decoder(_DatastreamDocument, float_hook=str)
_DATASTREAMS = msgspec.json.Decoder(_DatastreamsDocument, float_hook=str)


def parse_feed(body: bytes) -> FeedDocument:
    """Read a feed document; raises MalformedBody, Unprocessable."""
    document = decode(_FEED, body)
    for datastream in document.datastreams or ():
        _take_values(datastream)
    return document


def parse_datastream(body: bytes) -> DatastreamDocument:
    """Read a datastream document; raises as `parse_feed`."""
    return _take_values(decode(_DATASTREAM, body))


def parse_datastreams(body: bytes) -> list[DatastreamDocument]:
    """Read the list that creates datastreams; raises as `parse_feed`."""
    return [_take_values(item) for item in decode(_DATASTREAMS, body).datastreams or ()]


def _take_values(document: _DatastreamDocument) -> DatastreamDocument:
    """Bring `values` where v2 has them: the first is the current value, the rest are datapoints."""
    values = document.values
    if isinstance(values, _ValueDocument):
        values = [values]
    if not values:
        return document
    if len(values) > 1 and not all(item.recorded_at for item in values):
        raise Unprocessable([("values", "must have recorded_at when there are several")])
    first, *rest = values
    document.current_value = first.value
    document.at = first.recorded_at
    document.min_value = first.min_value
    document.max_value = first.max_value
    if rest:
        document.datapoints = [DatapointDocument(item.value, item.recorded_at) for item in rest]
    return document


def serialize_feed(body: FeedBody, *, is_history: bool = False) -> bytes:
    """Write a feed with its current values only."""
    return serialize(_feed(body))


def serialize_feeds(body: FeedsBody) -> bytes:
    """Write a page of feeds."""
    feeds = [_feed(feed) for feed in body.results]
    return serialize(_FeedsBody(body.totalResults, body.startIndex, body.itemsPerPage, feeds))


def serialize_datastream(
    body: DatastreamBody, feed: FeedReference, *, is_history: bool = False
) -> bytes:
    """Write a datastream with its current value only."""
    made = _datastream(body)
    made.version = VERSION
    return serialize(made)


def _feed(body: FeedBody) -> _FeedBody:
    return _FeedBody(
        id=body.id,
        title=body.title,
        icon=body.icon,
        website=body.website,
        description=body.description,
        feed=feed_link(body.feed, "json"),
        status=body.status,
        updated=body.updated,
        email=body.email,
        version=VERSION,
        datastreams=[_datastream(datastream) for datastream in body.datastreams],
        location=body.location,
    )


def _datastream(body: DatastreamBody) -> _DatastreamBody:
    value = _ValueBody(whole_seconds(body.at), body.current_value, body.max_value, body.min_value)
    is_blank = value == _ValueBody()
    return _DatastreamBody(body.id, [] if is_blank else [value], body.tags, body.unit)
