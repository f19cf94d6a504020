"""JSON: read what clients send into documents, write answers.

Source: Xively API v2, data formats; the parser's words are those of xively-rb, parsers/json.
"""

import csv
import re
from typing import TypeVar

import msgspec
from msgspec import Raw

from thingtank.protocols.xively.documents import (
    DatapointDocument,
    DatapointsDocument,
    DatastreamDocument,
    DatastreamsDocument,
    FeedDocument,
    RangeDocument,
)
from thingtank.protocols.xively.errors import MalformedBody, Unprocessable

Document = TypeVar("Document")

_FEED = msgspec.json.Decoder(FeedDocument)
_DATASTREAM = msgspec.json.Decoder(DatastreamDocument)
_DATASTREAMS = msgspec.json.Decoder(DatastreamsDocument)
_DATAPOINTS = msgspec.json.Decoder(DatapointsDocument)
_DATAPOINT = msgspec.json.Decoder(DatapointDocument)
_RANGE = msgspec.json.Decoder(RangeDocument)
_STRING = msgspec.json.Decoder(str)
_ENCODER = msgspec.json.Encoder()

_CALLBACK_REFUSED = re.compile(r"[^A-Za-z0-9_]")
_CALLBACK_CHARS_MAX = 128
_TAG_REFUSED = str.maketrans("", "", "'\",")


def parse_feed(body: bytes) -> FeedDocument:
    """Read a feed document.

    Raises:
        MalformedBody, Unprocessable.
    """
    return _parse(_FEED, body)


def parse_datastream(body: bytes) -> DatastreamDocument:
    """Read a datastream document; raises as `parse_feed`."""
    return _parse(_DATASTREAM, body)


def parse_datastreams(body: bytes) -> list[DatastreamDocument]:
    """Read the list that creates datastreams; raises as `parse_feed`."""
    return _parse(_DATASTREAMS, body).datastreams


def parse_datapoints(body: bytes) -> list[DatapointDocument]:
    """Read a list of datapoints; raises as `parse_feed`."""
    return _parse(_DATAPOINTS, body).datapoints


def parse_datapoint(body: bytes) -> DatapointDocument:
    """Read the new value of a datapoint; raises as `parse_feed`."""
    return _parse(_DATAPOINT, body)


def parse_range(body: bytes) -> RangeDocument:
    """Read the range of a delete; raises as `parse_feed`."""
    return _parse(_RANGE, body)


def _parse(decoder: "msgspec.json.Decoder[Document]", body: bytes) -> Document:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Unprocessable([("document", _shape_message(str(error)))]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"parse error: {error}") from None


def _shape_message(message: str) -> str:
    if message.startswith("Expected `object`") and "$" not in message:
        return "JSON doesn't appear to be a hash"
    if message.endswith("at `$.datastreams`"):
        return '"datastreams" must be an array'
    return f"is not of the expected shape: {message}"


def value_of(raw: Raw) -> str | None:
    """A value's text as the client wrote it; None when it is absent or null.

    Raises:
        Unprocessable: it is an object or a list.
    """
    text = bytes(raw)
    if not text or text == b"null":
        return None
    first = text[:1]
    if first == b'"':
        return _STRING.decode(text)
    if first in b"{[":
        raise Unprocessable([("current_value", "must be a string or a number")])
    return text.decode()


def split_tags(text: str) -> list[str]:
    r"""Tags of a comma string; a double-quoted part may hold commas, `\"` is a quote.

    Source: Xively API v2, tags.
    """
    try:
        rows = list(csv.reader([text], skipinitialspace=True, escapechar="\\"))
    except csv.Error:
        rows = [text.split(",")]
    return [tag.translate(_TAG_REFUSED) for row in rows for tag in row]


def serialize(body: object) -> bytes:
    """Write an answer's body, compact."""
    return _ENCODER.encode(body)


def wrap_callback(body: bytes, callback: str) -> bytes:
    """JSONP: `callback(body)`, the name stripped of all but letters, digits and `_`."""
    name = _CALLBACK_REFUSED.sub("", callback)[:_CALLBACK_CHARS_MAX]
    return b"%b(%b)" % (name.encode(), body)
