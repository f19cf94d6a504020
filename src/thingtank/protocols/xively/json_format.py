"""JSON: read what clients send into documents, write answers.

Source: Xively API v2, data formats; the parser's words are those of xively-rb, parsers/json.
"""

import csv
import math
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from thingtank.protocols.xively.documents import (
    DatapointBody,
    DatapointDocument,
    DatapointsDocument,
    DatastreamBody,
    DatastreamDocument,
    DatastreamsDocument,
    FeedBody,
    FeedDocument,
    FeedReference,
    FeedsBody,
    RangeDocument,
    Value,
)
from thingtank.protocols.xively.errors import ErrorBody, MalformedBody, Unprocessable
from thingtank.validation_words import IN_JSON, validation_words

Document = TypeVar("Document")

# Fractions come as the text that stood there, so that "25.0" and "21.50" keep every letter.
_FEED = msgspec.json.Decoder(FeedDocument, float_hook=str)
_DATASTREAM = msgspec.json.Decoder(DatastreamDocument, float_hook=str)
_DATASTREAMS = msgspec.json.Decoder(DatastreamsDocument, float_hook=str)
_DATAPOINTS = msgspec.json.Decoder(DatapointsDocument, float_hook=str)
_DATAPOINT = msgspec.json.Decoder(DatapointDocument, float_hook=str)
_RANGE = msgspec.json.Decoder(RangeDocument)
_ONLY_STR = {str}
_ENCODER = msgspec.json.Encoder()

_CUT = "Input data was truncated"
# Of a surrogate pair, with something behind it that cannot begin the other half.
_FIRST_HALF = re.compile(rb"(?<!\\)(?:\\\\)*\\u[dD][89abAB][0-9a-fA-F]{2}(?:[^\\]|\\[^u])")
_CALLBACK_REFUSED = re.compile(r"[^A-Za-z0-9_]")
_CALLBACK_CHARS_MAX = 128


def parse_feed(body: bytes) -> FeedDocument:
    """Read a feed document.

    Raises:
        MalformedBody, Unprocessable.
    """
    return decode(_FEED, body)


def parse_datastream(body: bytes) -> DatastreamDocument:
    """Read a datastream document; raises as `parse_feed`."""
    return decode(_DATASTREAM, body)


def parse_datastreams(body: bytes) -> list[DatastreamDocument]:
    """Read the list that creates datastreams; raises as `parse_feed`."""
    return decode(_DATASTREAMS, body).datastreams or []


def parse_datapoints(body: bytes) -> list[DatapointDocument]:
    """Read a list of datapoints; raises as `parse_feed`."""
    return decode(_DATAPOINTS, body).datapoints or []


def parse_datapoint(body: bytes) -> DatapointDocument:
    """Read the new value of a datapoint; raises as `parse_feed`."""
    return decode(_DATAPOINT, body)


def parse_range(body: bytes) -> RangeDocument:
    """Read the range of a delete; raises as `parse_feed`."""
    return decode(_RANGE, body)


def decode(decoder: "msgspec.json.Decoder[Document]", body: bytes) -> Document:
    """Read a document by a decoder; raises as `parse_feed`."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        _check_syntax(body)
        raise Unprocessable([("", _shape_message(error, decoder.type))]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error, body) from None


def _check_syntax(body: bytes) -> None:
    """Raise MalformedBody unless it is JSON: a wrong shape is found before all of it was read."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error, body) from None


def _malformed(error: Exception, body: bytes) -> MalformedBody:
    words = str(error)
    # msgspec wants six more bytes behind a first half, and calls the body cut where it has none.
    is_half = words == _CUT and _FIRST_HALF.search(body) is not None
    if is_half or "surrogate" in words:
        words = "half of a pair of \\u escapes stands alone in a string"
    return MalformedBody(f"parse error: {words}")


def _shape_message(error: msgspec.ValidationError, shape: Any) -> str:
    message = str(error)
    if message.startswith("Expected `object`") and "$" not in message:
        return "JSON doesn't appear to be a hash"
    for member in ("datastreams", "datapoints"):
        if message.endswith(f"at `$.{member}`"):
            return f'"{member}" must be an array'
    words = validation_words(error, shape, IN_JSON)
    return f"The document is not of the expected shape: {words}"


def value_of(value: Value, name: str = "current_value") -> str | None:
    """A value's text as the client wrote it; None when it is absent or null.

    Args:
        name: the member it stands in, for the refusal.

    Raises:
        Unprocessable: it is an object or a list.
    """
    if value is None or type(value) is str:
        return value
    if value is True or value is False:
        return "true" if value else "false"
    # A fraction comes as one only in a member that is text.
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise Unprocessable([(name, "must be a string or a number")])


def values_of(values: Sequence[Value]) -> list[str | None]:
    """The texts of many values; nothing needs doing where all are strings or fractions.

    Raises:
        Unprocessable: any is an object or a list.
    """
    if set(map(type, values)) == _ONLY_STR:
        return list(values)
    return [value_of(value) for value in values]


def split_tags(text: str) -> list[str]:
    r"""Tags of a comma string; a double-quoted part may hold commas, `\"` is a quote.

    Source: Xively API v2, tags.
    """
    try:
        rows = list(csv.reader([text], skipinitialspace=True, escapechar="\\"))
    except csv.Error:
        rows = [text.split(",")]
    return [tag for row in rows for tag in row]


def serialize(body: object) -> bytes:
    """Write an answer's body, compact."""
    return _ENCODER.encode(body)


def serialize_feed(body: FeedBody, *, is_history: bool = False) -> bytes:
    """Write a feed; `is_history` makes no difference here."""
    return _ENCODER.encode(body)


def serialize_feeds(body: FeedsBody) -> bytes:
    """Write a page of feeds."""
    return _ENCODER.encode(body)


def serialize_datastream(
    body: DatastreamBody, feed: FeedReference, *, is_history: bool = False
) -> bytes:
    """Write a datastream; JSON tells nothing of its feed."""
    return _ENCODER.encode(body)


def serialize_datapoint(body: DatapointBody) -> bytes:
    """Write a datapoint."""
    return _ENCODER.encode(body)


def serialize_error(body: ErrorBody) -> bytes:
    """Write a refusal."""
    return _ENCODER.encode(body)


def wrap_callback(body: bytes, callback: str) -> bytes:
    """JSONP: `callback(body)`, the name stripped of all but letters, digits and `_`."""
    name = _CALLBACK_REFUSED.sub("", callback)[:_CALLBACK_CHARS_MAX]
    return b"%b(%b)" % (name.encode(), body)
