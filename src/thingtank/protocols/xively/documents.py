"""Xively's documents as they stand on the wire: what clients may send, and what is answered.

What comes in is read leniently, as the many old clients need: numbers where texts are meant, tags
as a list or as one comma string, null for what is absent, read-only members ignored. What goes out
keeps the member order of the service's own serializer; blanks are dropped.

Source: Xively API v2, feeds, datastreams, datapoints (attributes); xively-rb, templates/json.
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Text = str | int | float | bool | UnsetType | None
Tags = list[str | int | float | bool] | str | UnsetType | None

# Any JSON value; the parser hands fractions over as the text that stood there, and `value_of` reads
# it.
Value = Any


class UnitDocument(msgspec.Struct, gc=False):
    """`unit` of a datastream."""

    type: Text = UNSET
    symbol: Text = UNSET
    label: Text = UNSET


class DatapointDocument(msgspec.Struct, gc=False):
    """One item of `datapoints`. Without `at` it is from now."""

    value: Value = None
    at: str | None = None


class DatastreamDocument(msgspec.Struct, gc=False):
    """A datastream as a client sends it. An extreme that is null is reset; UNSET stays."""

    id: str | int | None = None
    current_value: Value = None
    at: str | None = None
    datapoints: list[DatapointDocument] | None = None
    min_value: Value = UNSET
    max_value: Value = UNSET
    tags: Tags = UNSET
    unit: UnitDocument | str | UnsetType | None = UNSET


class LocationDocument(msgspec.Struct, gc=False):
    """`location` of a feed as a client sends it."""

    name: Text = UNSET
    lat: Text = UNSET
    lon: Text = UNSET
    ele: Text = UNSET
    disposition: Text = UNSET
    exposure: Text = UNSET
    domain: Text = UNSET


class FeedDocument(msgspec.Struct, gc=False):
    """A feed as a client sends it: UNSET members stay, None and blank ones are cleared."""

    title: Text = UNSET
    private: bool | str | int | UnsetType | None = UNSET
    icon: Text = UNSET
    website: Text = UNSET
    email: Text = UNSET
    description: Text = UNSET
    tags: Tags = UNSET
    location: LocationDocument | str | UnsetType | None = UNSET
    updated: str | None = None
    datastreams: list[DatastreamDocument] | None = None


class DatastreamsDocument(msgspec.Struct, gc=False):
    """Body of `POST …/datastreams`."""

    datastreams: list[DatastreamDocument] | None = None


class DatapointsDocument(msgspec.Struct, gc=False):
    """Body of `POST …/datapoints`."""

    datapoints: list[DatapointDocument] | None = None


class RangeDocument(msgspec.Struct, gc=False):
    """Body of a range delete by the JavaScript library, which puts the parameters there."""

    start: str | None = None
    end: str | None = None
    duration: str | int | None = None


class UnitBody(msgspec.Struct, omit_defaults=True, gc=False):
    """`unit` in an answer."""

    type: str = ""
    symbol: str = ""
    label: str = ""


class DatapointBody(msgspec.Struct, gc=False):
    """A datapoint in an answer: these two members only, clients refuse more."""

    value: str
    at: str


class DatastreamBody(msgspec.Struct, omit_defaults=True, gc=False):
    """A datastream in an answer. `version` only when it is the top object."""

    id: str
    current_value: str | None = None
    at: str = ""
    max_value: str = ""
    min_value: str = ""
    tags: tuple[str, ...] = ()
    unit: UnitBody | None = None
    datapoints: list[DatapointBody] = []
    datapoints_function: str = ""
    version: str = ""


class WaypointBody(msgspec.Struct, omit_defaults=True, gc=False):
    """Where a mobile feed was. xively-python takes `at`, `lat` and `lon` only."""

    at: str
    lat: float
    lon: float
    ele: str = ""


class LocationBody(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """`location` in an answer; latitude and longitude are numbers."""

    disposition: str = ""
    name: str = ""
    exposure: str = ""
    domain: str  # always there: a feed without a place has a location of only this
    ele: str = ""
    lat: float | None = None
    lon: float | None = None
    waypoints: list[WaypointBody] = []


class UserBody(msgspec.Struct, gc=False):
    """`user` in an answer, only on request."""

    login: str


class FeedBody(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """A feed in an answer."""

    id: int
    title: str
    private: str
    icon: str = ""
    website: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""
    feed: str
    status: str
    updated: str
    created: str
    email: str = ""
    creator: str
    user: UserBody | None = None
    version: str
    datastreams: list[DatastreamBody] = []
    location: LocationBody
    product_id: str = ""
    device_serial: str = ""


class FeedReference(msgspec.Struct, gc=False):
    """What XML tells of the feed around a datastream."""

    id: int
    creator: str
    updated: str
    created: str = ""


class FeedsBody(msgspec.Struct, gc=False):
    """A page of feeds. Members are spelled as on the wire."""

    totalResults: int
    startIndex: int
    itemsPerPage: int
    results: list[FeedBody]
