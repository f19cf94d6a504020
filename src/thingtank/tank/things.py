"""The tank's things: accounts, devices (each is a feed too), datastreams. All frozen.

One row, many names: Xively's device and its feed, and SkyNet's device, are one `Device`. Its
`device_id` is Xively's feed
id, its `uuid` SkyNet's.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from thingtank.tank.properties import NO_PROPERTIES, properties_problems

TEXT_CHARS_MAX = 255  # Xively: titles, tags and values up to 255 characters
DESCRIPTION_CHARS_MAX = 10_000
RETENTION_S_MIN = 3600
UNIT_TYPES = (
    "basicSI",
    "derivedSI",
    "conversionBasedUnits",
    "derivedUnits",
    "contextDependentUnits",
)

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NAME_PATTERN = re.compile(r"[\w\-+.]+\Z")
_PATH_STEPS = frozenset({".", ".."})


class Account(msgspec.Struct, frozen=True, gc=False):
    """Who owns things.

    Attributes:
        account_id: the row's number.
        login: unique, shown as `creator`.
        is_admin: may see and change everything of the instance.
        is_active: an inactive account's keys are dead.
    """

    account_id: int
    login: str
    is_admin: bool = False
    is_active: bool = True


class Unit(msgspec.Struct, frozen=True, gc=False):
    """What a datastream's numbers measure. `type` is one of UNIT_TYPES or blank."""

    type: str = ""
    symbol: str = ""
    label: str = ""


class Location(msgspec.Struct, frozen=True, gc=False):
    """Where a device is. Latitude and longitude in degrees (WGS 84), elevation as written."""

    name: str = ""
    lat: float | None = None
    lon: float | None = None
    ele: str = ""
    disposition: Literal["", "fixed", "mobile"] = ""
    exposure: Literal["", "indoor", "outdoor"] = ""
    domain: Literal["physical", "virtual"] = "physical"


class Waypoint(msgspec.Struct, frozen=True, gc=False):
    """Where a mobile device was; `at_us` is when it came there. Elevation as it was written."""

    at_us: int
    lat: float
    lon: float
    ele: str = ""


class Device(msgspec.Struct, frozen=True, gc=False):
    """A thing, and its feed.

    Attributes:
        device_id: also the Xively feed id; 0 before it is stored.
        uuid: 36 characters, lower case, unless a client chose another; see `tank.tokens`. No two
            differ in case only.
        account_id: its owner.
        private: only its owner and keys with private access see it.
        tags: sorted without regard to case.
        created_us, updated_us: microseconds since the epoch, UTC; `updated_us` moves when metadata
            does.
        retention_s: datapoints older than that are deleted, but never a datastream's newest; None
            keeps them for ever.
        product_id, device_serial: what it was made from by an activation; blank for others.
        located_us: when its latitude, longitude or elevation last changed; None when they never
            did, or before this was noted.
        properties: what SkyNet's programs keep with it, a JSON object; never changed, only replaced
            as a whole. `dict(…)` of it can be encoded.
    """

    device_id: int
    uuid: str
    account_id: int
    title: str
    private: bool = True
    description: str = ""
    tags: tuple[str, ...] = ()
    website: str = ""
    email: str = ""
    icon: str = ""
    location: Location | None = None
    created_us: int = 0
    updated_us: int = 0
    retention_s: int | None = None
    product_id: str = ""
    device_serial: str = ""
    located_us: int | None = None
    properties: Mapping[str, Any] = NO_PROPERTIES


def is_live(newest_us: int | None, now_us: int, live_s: int) -> bool:
    """Whether a device whose newest value is from `newest_us` is live, and not frozen.

    Args:
        newest_us, now_us: microseconds since the epoch, UTC; None while nothing was written.
        live_s: how young the value has to be; the setting `xively.live_s`.

    Source: Xively API v2, feeds, `status`.
    """
    return newest_us is not None and now_us - newest_us < live_s * 1_000_000


class Datastream(msgspec.Struct, frozen=True, gc=False):
    """One series of a device; Xively's datastream or channel.

    Attributes:
        stream_id: the archive's number for it, never used again; 0 before it is stored.
        name: what Xively calls the datastream's id, unique within the device.
    """

    stream_id: int
    device_id: int
    name: str
    tags: tuple[str, ...] = ()
    unit: Unit | None = None


def is_datastream_name(name: str) -> bool:
    """Tell whether `name` may name a datastream: letters of any script, digits and `_ - + .`.

    `.` and `..` may not: clients take them out of a path before they ask for it, so that to delete
    such a datastream deletes the feed (RFC 3986, 5.2.4).

    Source: Xively API v2, datastream id (xively-rb, datastream.rb).
    """
    is_short = len(name) <= TEXT_CHARS_MAX
    return is_short and name not in _PATH_STEPS and _NAME_PATTERN.match(name) is not None


def device_problems(device: Device, before: Device | None = None) -> list[tuple[str, str]]:
    """What is wrong with a device's own content, in Xively's words: (field, message) pairs.

    Args:
        before: the device as it is stored; properties that stay are not looked at anew.
    """
    problems = []
    if not device.title.strip():
        problems.append(("title", "can't be blank"))
    problems += text_problems(
        {
            "title": device.title,
            "website": device.website,
            "email": device.email,
            "icon": device.icon,
            "tags": ",".join(device.tags),
        }
    )
    problems += text_problems({"description": device.description}, DESCRIPTION_CHARS_MAX)
    if device.retention_s is not None and device.retention_s < RETENTION_S_MIN:
        problems.append(("retention", f"must be at least {RETENTION_S_MIN} seconds"))
    if before is None or device.properties is not before.properties:
        problems += properties_problems(device.properties)
    return problems + _location_problems(device.location)


def text_problems(
    texts: Mapping[str, str], chars_max: int = TEXT_CHARS_MAX
) -> list[tuple[str, str]]:
    """What is wrong with texts by field: too long, or with characters that no text has."""
    problems = []
    for field, text in texts.items():
        if len(text) > chars_max:
            problems.append((field, f"is too long (maximum is {chars_max} characters)"))
        if _CONTROLS.search(text):  # PostgreSQL refuses NUL; none of them can be seen or typed
            problems.append((field, "can't contain control characters"))
    return problems


def _location_problems(location: Location | None) -> list[tuple[str, str]]:
    if location is None:
        return []
    problems = []
    if location.lat is not None and not -90 <= location.lat <= 90:
        problems.append(("location_lat", "must be between -90 and 90"))
    if location.lon is not None and not -180 <= location.lon <= 180:
        problems.append(("location_lon", "must be between -180 and 180"))
    return problems + text_problems({"location_name": location.name, "location_ele": location.ele})


def datastream_problems(datastream: Datastream) -> list[tuple[str, str]]:
    """What is wrong with a datastream's own content, in Xively's words."""
    problems = []
    if not datastream.name:
        problems.append(("id", "can't be blank"))
    elif len(datastream.name) > TEXT_CHARS_MAX:
        problems.append(("id", f"is too long (maximum is {TEXT_CHARS_MAX} characters)"))
    elif not is_datastream_name(datastream.name):
        problems.append(("id", "is invalid"))
    problems += text_problems({"tags": ",".join(datastream.tags)})
    unit = datastream.unit
    if unit is not None:
        if unit.type and unit.type not in UNIT_TYPES:
            choices = ", ".join(UNIT_TYPES)
            problems.append(
                ("unit_type", f"is not a valid unit_type (pick one from {choices} or leave blank)")
            )
        problems += text_problems({"unit_symbol": unit.symbol, "unit_label": unit.label})
    return problems
