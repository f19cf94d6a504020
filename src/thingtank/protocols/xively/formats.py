"""Which formats each resource has, which one a request means, and who reads and writes it.

The extension decides; else the Accept header, where it names a format; else JSON, or XML in the
API v1. Content-Type is never asked: real clients label JSON as a form, as CSV, or not at all.

Source: Xively API v2, data formats.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from thingtank.protocols.xively import (
    csv_format,
    csv_v1_format,
    json_format,
    json_v1_format,
    key_documents,
    paths,
    trigger_documents,
    xml_format,
    xml_v1_format,
)
from thingtank.protocols.xively.documents import (
    DatapointBody,
    DatapointDocument,
    DatastreamBody,
    DatastreamDocument,
    FeedBody,
    FeedDocument,
    FeedReference,
    FeedsBody,
)
from thingtank.protocols.xively.errors import ErrorBody, NotAcceptable
from thingtank.protocols.xively.key_documents import KeyBody, KeyDocument
from thingtank.protocols.xively.trigger_documents import TriggerBody, TriggerDocument

Document = TypeVar("Document")
Body = TypeVar("Body")

FEED_FORMATS = ("json", "xml", "csv")
# What each resource is read and written in; the first is the default of the API v2.
FORMATS: Mapping[type[paths.XivelyPath], Sequence[str]] = {
    paths.FeedsPath: FEED_FORMATS,
    paths.FeedPath: FEED_FORMATS,
    paths.DatastreamsPath: FEED_FORMATS,
    paths.DatastreamPath: (*FEED_FORMATS, "png"),
    paths.DatapointsPath: FEED_FORMATS,
    paths.DatapointPath: FEED_FORMATS,
    paths.TriggersPath: ("json", "xml"),
    paths.TriggerPath: ("json", "xml"),
    paths.KeysPath: ("json", "xml"),
    paths.KeyPath: ("json", "xml"),
    paths.KeyRegenerationPath: ("json", "xml"),
    paths.FeedKeysPath: ("json", "xml"),
    paths.ProductsPath: ("json",),
    paths.ProductPath: ("json",),
    paths.DevicesPath: ("json",),
    paths.DevicePath: ("json",),
    paths.ActivationPath: ("json", "csv"),
    paths.UsersPath: ("json",),
    paths.UserPath: ("json",),
}
CONTENT_TYPES: Mapping[str, bytes] = {
    "json": b"application/json; charset=utf-8",
    "xml": b"application/xml; charset=utf-8",
    "csv": b"text/plain; charset=utf-8",  # as the service typed it
    "png": b"image/png",
}


class FeedCodec(Protocol):
    """Reads and writes feeds, datastreams and datapoints in one format; modules are such.

    Reading raises MalformedBody and Unprocessable.
    """

    def parse_feed(self, body: bytes, /) -> FeedDocument:
        """Read a feed document."""

    def parse_datastreams(self, body: bytes, /) -> list[DatastreamDocument]:
        """Read the list that creates datastreams."""

    def parse_datastream(self, body: bytes, /) -> DatastreamDocument:
        """Read a datastream document."""

    def parse_datapoints(self, body: bytes, /) -> list[DatapointDocument]:
        """Read a list of datapoints."""

    def parse_datapoint(self, body: bytes, /) -> DatapointDocument:
        """Read the new value of a datapoint."""

    def serialize_feeds(self, body: FeedsBody, /) -> bytes:
        """Write a page of feeds."""

    def serialize_feed(self, body: FeedBody, /, *, is_history: bool = False) -> bytes:
        """Write a feed; `is_history` when history was asked for, though there may be none."""

    def serialize_datastream(
        self, body: DatastreamBody, feed: FeedReference, /, *, is_history: bool = False
    ) -> bytes:
        """Write a datastream, inside what the format tells of its feed."""

    def serialize_datapoint(self, body: DatapointBody, /) -> bytes:
        """Write a datapoint."""


class DocumentCodec(msgspec.Struct, Generic[Document, Body], frozen=True):
    """Reads and writes one kind of resource in one format; `parse` raises as a FeedCodec does."""

    parse: Callable[[bytes], Document]
    serialize: Callable[[Body], bytes]
    serialize_list: Callable[[Sequence[Body]], bytes]


# By the API's version and the format.
FEED_CODECS: Mapping[tuple[int, str], FeedCodec] = {
    (2, "json"): json_format,
    (2, "xml"): xml_format,
    (2, "csv"): csv_format,
    (1, "json"): json_v1_format,
    (1, "xml"): xml_v1_format,
    (1, "csv"): csv_v1_format,
}
TRIGGER_CODECS: Mapping[str, DocumentCodec[TriggerDocument, TriggerBody]] = {
    "json": DocumentCodec(
        trigger_documents.parse_json,
        trigger_documents.serialize_json,
        trigger_documents.serialize_list_json,
    ),
    "xml": DocumentCodec(
        trigger_documents.parse_xml,
        trigger_documents.serialize_xml,
        trigger_documents.serialize_list_xml,
    ),
}
KEY_CODECS: Mapping[str, DocumentCodec[KeyDocument, KeyBody]] = {
    "json": DocumentCodec(
        key_documents.parse_json,
        key_documents.serialize_json,
        key_documents.serialize_list_json,
    ),
    "xml": DocumentCodec(
        key_documents.parse_xml,
        key_documents.serialize_xml,
        key_documents.serialize_list_xml,
    ),
}
# Whatever was asked for, a refusal can be written; of an image's in JSON.
ERROR_SERIALIZERS: Mapping[str, Callable[[ErrorBody], bytes]] = {
    "json": json_format.serialize_error,
    "xml": xml_format.serialize_error,
    "csv": csv_format.serialize_error,
}

_FORMAT_OF_TYPE = {
    "application/json": "json",
    "application/xml": "xml",
    "text/xml": "xml",
    "text/csv": "csv",
    "application/csv": "csv",  # one client's name for it
    "image/png": "png",
}
_ANYTHING = (None, b"", b"*/*")


def default_format(version: int) -> str:
    """What a request means that names no format."""
    return "xml" if version == 1 else "json"


def select_format(
    extension: str, accept: bytes | None, spoken: Sequence[str], default: str = "json"
) -> str:
    """The format of a request's body and of its answer.

    Args:
        extension: of the path, blank when it had none.
        accept: the Accept header.
        spoken: what the resource has, a row of FORMATS.
        default: what is meant when nothing is named; one of `spoken`.

    Raises:
        NotAcceptable: a format is meant that is not spoken.
    """
    if extension:
        return _spoken(extension, spoken)
    if accept in _ANYTHING:
        return default
    types = [item.partition(";")[0].strip() for item in accept.decode("latin-1").lower().split(",")]
    # Browsers name XML and then take anything; they are shown the default.
    if "text/html" in types:
        return default
    named = [_FORMAT_OF_TYPE[name] for name in types if name in _FORMAT_OF_TYPE]
    for name in named:
        if name in spoken:
            return name
    if not named or "*/*" in types:
        return default
    return _spoken(named[0], spoken)


def _spoken(name: str, spoken: Sequence[str]) -> str:
    if name not in spoken:
        raise NotAcceptable(
            f"format {name[:16]} is not available here; ask for {' or '.join(spoken)}"
        )
    return name
