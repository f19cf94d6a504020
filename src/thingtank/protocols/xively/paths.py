"""Paths of the API v2 as values: which resource, and which extension.

Only a known extension at the very end is taken off, because datastream ids may hold dots
(`my.temp`) and times do (`…:22.130138Z.json`). A trailing slash means the same path.

Source: Xively API v2, API resources and data formats.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

import msgspec

from thingtank.protocols.xively.times import MalformedTime, parse_time

EXTENSIONS = ("json", "xml", "csv", "png")
PREFIX = "/v2/"

_PATH_CHARS_MAX = 2048
_ID = re.compile(r"\d{1,18}\Z", re.ASCII)


class FeedsPath(msgspec.Struct, frozen=True, gc=False):
    """`/feeds`."""


class FeedPath(msgspec.Struct, frozen=True, gc=False):
    """`/feeds/F`. `feed_id` is -1 for what cannot be a feed's number."""

    feed_id: int
    feed_text: str


class DatastreamsPath(msgspec.Struct, frozen=True, gc=False):
    """`/feeds/F/datastreams`."""

    feed_id: int
    feed_text: str


class DatastreamPath(msgspec.Struct, frozen=True, gc=False):
    """`/feeds/F/datastreams/D`."""

    feed_id: int
    feed_text: str
    datastream_id: str


class DatapointsPath(msgspec.Struct, frozen=True, gc=False):
    """`/feeds/F/datastreams/D/datapoints`."""

    feed_id: int
    feed_text: str
    datastream_id: str


class DatapointPath(msgspec.Struct, frozen=True, gc=False):
    """`/feeds/F/datastreams/D/datapoints/T`. `at_us` is None when T is not a time."""

    feed_id: int
    feed_text: str
    datastream_id: str
    at_text: str
    at_us: int | None


XivelyPath = (
    FeedsPath | FeedPath | DatastreamsPath | DatastreamPath | DatapointsPath | DatapointPath
)


class Target(msgspec.Struct, frozen=True, gc=False):
    """What a path names, and the extension it ended with.

    Attributes:
        path: None when the API has no such path.
        extension: one of EXTENSIONS; another word where the resource leaves no doubt that it is
            meant as a format; or blank.
    """

    path: XivelyPath | None
    extension: str = ""


NOWHERE = Target(None)


@lru_cache(maxsize=8192)
def parse_path(raw_path: str) -> Target:
    """Read a request's path, still percent-encoded and without its query."""
    if not raw_path.startswith(PREFIX) or len(raw_path) > _PATH_CHARS_MAX:
        return NOWHERE
    segments = raw_path[len(PREFIX) :].rstrip("/").split("/")
    segments[-1], extension = _split_extension(segments[-1], is_id_of_dots=len(segments) >= 4)
    if "%" in raw_path:
        segments = [unquote(segment, errors="replace") for segment in segments]
    return Target(_resource(segments), extension)


def _split_extension(segment: str, is_id_of_dots: bool) -> tuple[str, str]:
    stem, dot, extension = segment.rpartition(".")
    if dot and stem and (extension.lower() in EXTENSIONS or not is_id_of_dots):
        return stem, extension.lower()
    return segment, ""


def _resource(segments: list[str]) -> XivelyPath | None:
    match segments:
        case ["feeds"]:
            return FeedsPath()
        case ["feeds", feed]:
            return FeedPath(_feed_id(feed), feed)
        case ["feeds", feed, "datastreams"]:
            return DatastreamsPath(_feed_id(feed), feed)
        case ["feeds", feed, "datastreams", name]:
            return DatastreamPath(_feed_id(feed), feed, name)
        case ["feeds", feed, "datastreams", name, "datapoints"]:
            return DatapointsPath(_feed_id(feed), feed, name)
        case ["feeds", feed, "datastreams", name, "datapoints", at]:
            return DatapointPath(_feed_id(feed), feed, name, at, _at_us(at))
    return None


def _feed_id(text: str) -> int:
    return int(text) if _ID.match(text) else -1


def _at_us(text: str) -> int | None:
    try:
        return parse_time(text)
    except MalformedTime:
        return None
