"""What the server knows, as values: feeds, datastreams, datapoints. All frozen, all with types.

Members that the server may add later are ignored, members it left out have their defaults.

Source: Xively API v2, feeds, datastreams, datapoints (attributes).
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from numbers import Real
from typing import TypeVar

import msgspec

from thingtank.client.errors import UnreadableAnswer

TEXT_CHARS_MAX = 255
VALUES_PER_REQUEST_MAX = 500
NAME = re.compile(r"[\w\-+.]{1,255}\Z")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*\Z", re.ASCII)

Value = str | int | float | bool
Body = TypeVar("Body")


class Unit(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a datastream's numbers measure."""

    label: str = ""
    symbol: str = ""
    type: str = ""


class Location(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a feed is. Degrees of WGS 84; `ele` as it was written.

    `disposition` is fixed or mobile, `exposure` indoor or outdoor, `domain` physical or virtual;
    each may be blank.
    """

    name: str = ""
    lat: float | None = None
    lon: float | None = None
    ele: str = ""
    disposition: str = ""
    exposure: str = ""
    domain: str = ""


class Datapoint(msgspec.Struct, frozen=True):
    """A value and its instant, in UTC. The value is the text that was written."""

    at: datetime
    value: str

    @property
    def number(self) -> float | None:
        """The value as a number; None when it is none."""
        return number_of(self.value)


class Datastream(msgspec.Struct, frozen=True):
    """A datastream as it was when it was read.

    Attributes:
        at: time of `current_value`; None when nothing was ever written.
        max_value, min_value: of the numbers written so far.
    """

    id: str
    current_value: str | None = None
    at: datetime | None = None
    max_value: float | None = None
    min_value: float | None = None
    tags: tuple[str, ...] = ()
    unit: Unit | None = None

    @property
    def number(self) -> float | None:
        """The current value as a number; None when it is none."""
        return None if self.current_value is None else number_of(self.current_value)


class Feed(msgspec.Struct, frozen=True):
    """A feed as it was when it was read. `datastreams` by their ids."""

    id: int
    title: str
    private: bool = False
    status: str = ""
    created: datetime | None = None
    updated: datetime | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    website: str = ""
    email: str = ""
    icon: str = ""
    creator: str = ""
    location: Location | None = None
    datastreams: Mapping[str, Datastream] = {}


# --- as they stand on the wire ---


class _DatastreamBody(msgspec.Struct):
    id: str
    current_value: str | None = None
    at: datetime | None = None
    max_value: str | None = None
    min_value: str | None = None
    tags: tuple[str, ...] = ()
    unit: Unit | None = None
    datapoints: tuple[Datapoint, ...] = ()


class _FeedBody(msgspec.Struct):
    id: int
    title: str = ""
    private: str | bool = False
    status: str = ""
    created: datetime | None = None
    updated: datetime | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    website: str = ""
    email: str = ""
    icon: str = ""
    creator: str = ""
    location: Location | None = None
    datastreams: tuple[_DatastreamBody, ...] = ()


class _FeedsBody(msgspec.Struct):
    results: tuple[_FeedBody, ...]


_FEED = msgspec.json.Decoder(_FeedBody)
_FEEDS = msgspec.json.Decoder(_FeedsBody)
_DATASTREAM = msgspec.json.Decoder(_DatastreamBody)
_DATAPOINT = msgspec.json.Decoder(Datapoint)


def parse_feed(body: bytes) -> Feed:
    """Read a feed. Raises UnreadableAnswer."""
    return _feed(_decoded(_FEED, body))


def parse_feeds(body: bytes) -> list[Feed]:
    """Read one page of feeds. Raises UnreadableAnswer."""
    return [_feed(found) for found in _decoded(_FEEDS, body).results]


def parse_datastream(body: bytes) -> Datastream:
    """Read a datastream. Raises UnreadableAnswer."""
    return _datastream(_decoded(_DATASTREAM, body))


def parse_history(body: bytes) -> list[Datapoint]:
    """Read a datastream's datapoints, oldest first. Raises UnreadableAnswer."""
    return [_in_utc(point) for point in _decoded(_DATASTREAM, body).datapoints]


def parse_datapoint(body: bytes) -> Datapoint:
    """Read one datapoint. Raises UnreadableAnswer."""
    return _in_utc(_decoded(_DATAPOINT, body))


def _decoded(decoder: "msgspec.json.Decoder[Body]", body: bytes) -> Body:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableAnswer(f"the answer is not what was asked for: {error}") from None


def _feed(body: _FeedBody) -> Feed:
    members = {name: getattr(body, name) for name in body.__struct_fields__}
    members["private"] = body.private in (True, "true")
    members["datastreams"] = {found.id: _datastream(found) for found in body.datastreams}
    return Feed(**members)


def _datastream(body: _DatastreamBody) -> Datastream:
    return Datastream(
        body.id,
        body.current_value,
        body.at,
        _number(body.max_value),
        _number(body.min_value),
        body.tags,
        body.unit,
    )


def _number(text: str | None) -> float | None:
    return None if text is None else number_of(text)


def _in_utc(point: Datapoint) -> Datapoint:
    return point if point.at.tzinfo is UTC else Datapoint(point.at.astimezone(UTC), point.value)


# --- what programs give ---


def number_of(text: str) -> float | None:
    """The number a value's text stands for; None for anything else (and `nan`, and `inf`)."""
    if not _NUMBER.match(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def text_of_value(value: Value) -> str:
    """A value as it is stored.

    Raises:
        ValueError: it is too long, or no number at all (`nan`, infinity).
        TypeError: it is neither a text, a number nor a truth.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | Real):  # Real: numpy's numbers too
        raise TypeError(f"a value is a text or a number, not {type(value).__name__}")
    if not isinstance(value, str) and not math.isfinite(value):
        raise ValueError(f"{value} is not a number that can be stored")
    text = value if isinstance(value, str) else str(value)
    if len(text) > TEXT_CHARS_MAX:
        raise ValueError(f"a value has {len(text)} characters; {TEXT_CHARS_MAX} are allowed")
    return text


def check_name(name: str) -> str:
    """A datastream's id, checked: letters, digits, `_ - + .`. Raises ValueError."""
    if not isinstance(name, str) or not NAME.match(name):
        raise ValueError(
            f"{str(name)[:64]!r} is no id of a datastream: letters, digits and _ - + . only"
        )
    return name


def tags_of(tags: Sequence[str] | msgspec.UnsetType) -> list[str] | msgspec.UnsetType:
    """Tags as a list; one text is one tag, not its letters."""
    if tags is msgspec.UNSET:
        return tags
    return [tags] if isinstance(tags, str) else list(tags)
