"""Paths of the API v2, and of v1 before it, as values: which resource, and which extension.

Only a known extension at the very end is taken off, because datastream ids may hold dots
(`my.temp`) and times do (`…:22.130138Z.json`). A trailing slash means the same path.

```
/v2/feeds/F…  /v2/triggers…  /v2/keys…  /v2/products…  /v2/devices…  /v2/users…   version 2
/v1/feeds/F…  /api/F…  /api.xml  /feeds/F/datastreams/D/history.png               version 1
```

Source: Xively API v2, API resources and data formats; v1 as its clients ask for it.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

import msgspec

from thingtank.protocols.xively.times import MalformedTime, parse_time

EXTENSIONS = ("json", "xml", "csv", "png")
PATH_CHARS_MAX = 1024

_PREFIXES = {"v2": 2, "v1": 1}
_ID = re.compile(r"\d{1,18}\Z", re.ASCII)
# `/api/F…`; nothing else below `/api` belongs to this API.
_LEGACY_FEED = re.compile(r"/api/(\d+[/.].*|\d+)\Z", re.ASCII | re.DOTALL)
_LEGACY_GRAPH = re.compile(r"/feeds/[^/]+/datastreams/[^/]+/history\.png\Z")


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


class TriggersPath(msgspec.Struct, frozen=True, gc=False):
    """`/triggers`."""


class TriggerPath(msgspec.Struct, frozen=True, gc=False):
    """`/triggers/N`. `trigger_id` is -1 for what cannot be a trigger's number."""

    trigger_id: int
    trigger_text: str


class KeysPath(msgspec.Struct, frozen=True, gc=False):
    """`/keys`."""


class KeyPath(msgspec.Struct, frozen=True, gc=False):
    """`/keys/K`, where K is the secret itself."""

    api_key: str

    def __repr__(self) -> str:
        return "KeyPath(…)"


class KeyRegenerationPath(msgspec.Struct, frozen=True, gc=False):
    """`/keys/K/regenerate`."""

    api_key: str

    def __repr__(self) -> str:
        return "KeyRegenerationPath(…)"


class FeedKeysPath(msgspec.Struct, frozen=True, gc=False):
    """`/feeds/F/keys`, an old name of `/keys?feed_id=F`."""

    feed_id: int
    feed_text: str


class ProductsPath(msgspec.Struct, frozen=True, gc=False):
    """`/products`."""


class ProductPath(msgspec.Struct, frozen=True, gc=False):
    """`/products/P`."""

    product_id: str


class DevicesPath(msgspec.Struct, frozen=True, gc=False):
    """`/products/P/devices`."""

    product_id: str


class DevicePath(msgspec.Struct, frozen=True, gc=False):
    """`/products/P/devices/S`."""

    product_id: str
    serial: str


class ActivationPath(msgspec.Struct, frozen=True, gc=False):
    """`/devices/CODE/activate`."""

    code: str


class UsersPath(msgspec.Struct, frozen=True, gc=False):
    """`/users`."""


class UserPath(msgspec.Struct, frozen=True, gc=False):
    """`/users/LOGIN`."""

    login: str


# A feed and its data: each has `feed_id` and `feed_text`. The request log shows what was said of
# them to whoever may see the feed, so the feed's keys, answered with their secrets, are not here.
OneFeedPath = FeedPath | DatastreamsPath | DatastreamPath | DatapointsPath | DatapointPath
XivelyPath = (
    FeedsPath
    | OneFeedPath
    | FeedKeysPath
    | TriggersPath
    | TriggerPath
    | KeysPath
    | KeyPath
    | KeyRegenerationPath
    | ProductsPath
    | ProductPath
    | DevicesPath
    | DevicePath
    | ActivationPath
    | UsersPath
    | UserPath
)


class Target(msgspec.Struct, frozen=True, gc=False):
    """What a path names, the extension it ended with, and the API's version.

    Attributes:
        path: None when the API has no such path.
        extension: one of EXTENSIONS; another word where the resource leaves no doubt that it is
            meant as a format; or blank.
        version: 2 or 1.
    """

    path: XivelyPath | None
    extension: str = ""
    version: int = 2


NOWHERE = Target(None)


def parse_path(raw_path: str) -> Target:
    """Read a request's path, still percent-encoded and without its query."""
    # Before anything is kept of it: strangers may ask for any path.
    return _parse(raw_path) if len(raw_path) <= PATH_CHARS_MAX else NOWHERE


@lru_cache(maxsize=8192)
def _parse(raw_path: str) -> Target:
    version, rest = _split_prefix(raw_path)
    if not version:
        return NOWHERE
    segments = rest.rstrip("/").split("/")
    # Datastreams, times and logins may hold dots; elsewhere what follows one is a format.
    has_dots = len(segments) >= 4 or segments[0] == "users"
    segments[-1], extension = _split_extension(segments[-1], has_dots)
    if "%" in raw_path:
        segments = [unquote(segment, errors="replace") for segment in segments]
    path = _feeds_resource(segments, extension)
    if path is None and version == 2:
        path = _other_resource(segments)
    return Target(path, extension, version)


def _split_prefix(raw_path: str) -> tuple[int, str]:
    """The API's version and the path below it; version 0 when it is none of this API's."""
    first, _, rest = raw_path[1:].partition("/")
    version = _PREFIXES.get(first, 0) if raw_path[:1] == "/" else 0
    if version:
        return version, rest
    if _LEGACY_FEED.match(raw_path):
        return 1, f"feeds/{rest}"
    if _LEGACY_GRAPH.match(raw_path):
        return 1, raw_path[1:]
    stem, _, extension = first.partition(".")
    if stem == "api" and extension in EXTENSIONS and not rest:  # POST /api.xml
        return 1, f"feeds.{extension}"
    return 0, ""


def _split_extension(segment: str, has_dots: bool) -> tuple[str, str]:
    stem, dot, extension = segment.rpartition(".")
    if dot and stem and (extension.lower() in EXTENSIONS or not has_dots):
        return stem, extension.lower()
    return segment, ""


def _feeds_resource(segments: list[str], extension: str) -> XivelyPath | None:
    match segments:
        case ["feeds"]:
            return FeedsPath()
        case ["feeds", feed]:
            return FeedPath(_id(feed), feed)
        case ["feeds", feed, "datastreams"]:
            return DatastreamsPath(_id(feed), feed)
        case ["feeds", feed, "datastreams", name]:
            return DatastreamPath(_id(feed), feed, name)
        case ["feeds", feed, "datastreams", name, "datapoints"]:
            return DatapointsPath(_id(feed), feed, name)
        case ["feeds", feed, "datastreams", name, "datapoints", at]:
            return DatapointPath(_id(feed), feed, name, at, _at_us(at))
        case ["feeds", feed, "datastreams", name, "history"] if extension == "png":
            return DatastreamPath(_id(feed), feed, name)  # an old name of its graph
    return None


def _other_resource(segments: list[str]) -> XivelyPath | None:
    match segments:
        case ["triggers"]:
            return TriggersPath()
        case ["triggers", trigger]:
            return TriggerPath(_id(trigger), trigger)
        case ["keys"]:
            return KeysPath()
        case ["keys", key]:
            return KeyPath(key)
        case ["keys", key, "regenerate"]:
            return KeyRegenerationPath(key)
        case ["feeds", feed, "keys"]:
            return FeedKeysPath(_id(feed), feed)
        case ["users"]:
            return UsersPath()
        case ["users", login]:
            return UserPath(login)
    return _provisioning_resource(segments)


def _provisioning_resource(segments: list[str]) -> XivelyPath | None:
    match segments:
        case ["products"]:
            return ProductsPath()
        case ["products", product]:
            return ProductPath(product)
        case ["products", product, "devices"]:
            return DevicesPath(product)
        case ["products", product, "devices", serial]:
            return DevicePath(product, serial)
        case ["devices", code, "activate"]:
            return ActivationPath(code)
    return None


def _id(text: str) -> int:
    return int(text) if _ID.match(text) else -1


def _at_us(text: str) -> int | None:
    try:
        return parse_time(text)
    except MalformedTime:
        return None
