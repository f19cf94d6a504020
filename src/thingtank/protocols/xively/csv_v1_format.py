"""CSV of the API v1: one row of values, whose positions are the datastreams' ids.

Source: xively-rb, parsers/csv and templates/csv.
"""

from thingtank.protocols.xively.csv_format import (
    DATASTREAM_EMPTY,
    EMPTY,
    parse_datapoint,
    parse_datapoints,
    serialize_datapoint,
    serialize_feeds,
)
from thingtank.protocols.xively.csv_rows import read_rows, write_row
from thingtank.protocols.xively.documents import (
    DatastreamBody,
    DatastreamDocument,
    FeedBody,
    FeedDocument,
    FeedReference,
)
from thingtank.protocols.xively.errors import MalformedCsv

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

ROWS = (
    "CSV is invalid. Currently we can only accept CSV for your most recent set of values. "
    "You have submitted {} rows of data."
)
DATASTREAM_ROWS = "CSV is invalid. Can only construct a datastream from a single row of data"
DATASTREAM_FIELDS = "CSV is invalid. Too many fields; must only be a single value"


def parse_feed(body: bytes) -> FeedDocument:
    """Read one row of values; raises MalformedCsv."""
    return FeedDocument(datastreams=parse_datastreams(body))


def parse_datastreams(body: bytes) -> list[DatastreamDocument]:
    """Read one row of values; raises MalformedCsv."""
    rows = read_rows(body)
    if not rows:
        raise MalformedCsv(EMPTY)
    if len(rows) > 1:
        raise MalformedCsv(ROWS.format(len(rows)))
    return [
        DatastreamDocument(str(position), value or None) for position, value in enumerate(rows[0])
    ]


def parse_datastream(body: bytes) -> DatastreamDocument:
    """Read one value; raises MalformedCsv."""
    rows = read_rows(body)
    if not rows:
        raise MalformedCsv(DATASTREAM_EMPTY)
    if len(rows) > 1:
        raise MalformedCsv(DATASTREAM_ROWS)
    if len(rows[0]) > 1:
        raise MalformedCsv(DATASTREAM_FIELDS)
    return DatastreamDocument(current_value=rows[0][0] or None)


def serialize_feed(body: FeedBody, *, is_history: bool = False) -> bytes:
    """Write the current values in one row, numbered datastreams first and in their order."""
    ordered = sorted(body.datastreams, key=_position)
    return write_row([datastream.current_value or "" for datastream in ordered]).encode()


def _position(datastream: DatastreamBody) -> tuple[int, int]:
    """Of a number, itself; of other ids, after all numbers and in the order they have."""
    name = datastream.id
    is_number = name.isascii() and name.isdigit() and len(name) <= 18
    return (0, int(name)) if is_number else (1, 0)


def serialize_datastream(
    body: DatastreamBody, feed: FeedReference, *, is_history: bool = False
) -> bytes:
    """Write the bare value; nothing when there is none."""
    value = body.current_value
    return write_row((value,)).encode() if value else b""
