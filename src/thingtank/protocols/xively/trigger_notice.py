"""The JSON document that a trigger's receiver gets.

Source: Xively API v2, triggers, delivery. Receivers in the wild read different members for the same
thing, so both are sent: `value` and `current_value`, `lon` and `lng`.
"""

import msgspec
from msgspec import UNSET, UnsetType


class NoticeLocation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the feed is; degrees are numbers."""

    name: str | UnsetType = UNSET
    lat: float | UnsetType = UNSET
    lon: float | UnsetType = UNSET
    lng: float | UnsetType = UNSET


class NoticeEnvironment(msgspec.Struct, frozen=True):
    """The feed. `feed` is its URL without an extension."""

    id: int
    feed: str
    title: str
    description: str
    private: bool
    location: NoticeLocation | UnsetType = UNSET


class NoticeValue(msgspec.Struct, frozen=True):
    """The value as written, twice, and the datastream's extremes as numbers."""

    value: str
    current_value: str
    max_value: float | None
    min_value: float | None


class NoticeUnits(msgspec.Struct, frozen=True):
    """What the numbers measure; null where nothing is said."""

    type: str | None
    symbol: str | None
    label: str | None


class NoticeDatastream(msgspec.Struct, frozen=True):
    """The datastream that caused it. `at` is the value's time; blank when there never was one."""

    id: str
    url: str
    at: str
    value: NoticeValue
    units: NoticeUnits


class TriggerNotice(msgspec.Struct, frozen=True):
    """A trigger has fired.

    Attributes:
        url: the trigger's.
        threshold_value: as written; blank for types without.
        timestamp: when it fired.
        debug: true on a test, else absent.
    """

    id: int
    url: str
    type: str
    threshold_value: str
    timestamp: str
    environment: NoticeEnvironment
    triggering_datastream: NoticeDatastream
    debug: bool | UnsetType = UNSET


_encoder = msgspec.json.Encoder()


def serialize_notice(notice: TriggerNotice) -> bytes:
    """Write a notice as compact JSON."""
    return _encoder.encode(notice)
