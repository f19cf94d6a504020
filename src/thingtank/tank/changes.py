"""What a request wants changed: only the fields it named. UNSET fields stay as they are."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.tank.things import Device, Location, Unit

Thing = TypeVar("Thing", bound=msgspec.Struct)

_TAG_REFUSED = str.maketrans("", "", "'\",")


class LocationChange(msgspec.Struct, frozen=True):
    """New values for members of a location; the others stay as they are when it is stored."""

    name: str | UnsetType = UNSET
    lat: float | UnsetType | None = UNSET
    lon: float | UnsetType | None = UNSET
    ele: str | UnsetType = UNSET
    disposition: Literal["", "fixed", "mobile"] | UnsetType = UNSET
    exposure: Literal["", "indoor", "outdoor"] | UnsetType = UNSET
    domain: Literal["physical", "virtual"] | UnsetType = UNSET


class DeviceChange(msgspec.Struct, frozen=True):
    """New values for a device's metadata. A whole location replaces the one there is.

    So do properties: what is not among the new ones is gone.
    """

    title: str | UnsetType = UNSET
    private: bool | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    website: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    icon: str | UnsetType = UNSET
    location: LocationChange | Location | UnsetType | None = UNSET
    retention_s: int | UnsetType | None = UNSET
    properties: Mapping[str, Any] | UnsetType = UNSET


class DatastreamChange(msgspec.Struct, frozen=True):
    """New values for a datastream's metadata."""

    tags: tuple[str, ...] | UnsetType = UNSET
    unit: Unit | UnsetType | None = UNSET


class DatastreamWrite(msgspec.Struct, frozen=True, gc=False):
    """What one request writes to one datastream.

    Attributes:
        name: the datastream.
        at_us, values: datapoints as two columns of one length, in the order written.
        change: new metadata, None for none.
        minimum, maximum: new extremes; None resets, UNSET leaves.
    """

    name: str
    at_us: Sequence[int] = ()
    values: Sequence[str] = ()
    change: DatastreamChange | None = None
    minimum: float | UnsetType | None = UNSET
    maximum: float | UnsetType | None = UNSET


def changed(thing: Thing, change: msgspec.Struct) -> Thing:
    """`thing` with the fields that `change` sets."""
    fields = {
        name: value
        for name in change.__struct_fields__
        if (value := getattr(change, name)) is not UNSET
    }
    return msgspec.structs.replace(thing, **fields) if fields else thing


def changed_device(device: Device, change: DeviceChange) -> Device:
    """`device` with the fields that `change` sets; members of a location are merged."""
    location = change.location
    if isinstance(location, LocationChange):
        merged = changed(device.location or Location(), location)
        change = msgspec.structs.replace(change, location=None if merged == Location() else merged)
    return changed(device, change)


def ordered_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags as they are kept: without quotes, commas and repeats, sorted without regard to case.

    Source: Xively API v2, tags: quotes and commas are stripped out.
    """
    kept = {stripped for tag in tags if (stripped := tag.translate(_TAG_REFUSED).strip())}
    return tuple(sorted(kept, key=lambda tag: (tag.casefold(), tag)))
