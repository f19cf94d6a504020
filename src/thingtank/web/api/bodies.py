"""Things of the tank as answers have them, and what their entity tags are made of."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from django.http import HttpRequest
from django.urls import reverse

from thingtank.protocols.xively.times import format_times
from thingtank.tank.datapoints import Datapoint, number_of
from thingtank.tank.errors import NoSuchAccount
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Device
from thingtank.web.api.conditions import etag_of
from thingtank.web.api.parameters import time_text
from thingtank.web.workbench.pages import address_of

_INTEGER_EXACT_MAX = 2**53


class Bodies:
    """Makes the bodies of one answer."""

    def __init__(self, tank: Tank, request: HttpRequest) -> None:
        self._tank = tank
        self._base = address_of(request, reverse("api:devices"))

    def device(self, device: Device) -> dict[str, Any]:
        """A device."""
        url = f"{self._base}/{device.device_id}"
        location = device.location
        return {
            "id": device.device_id,
            "uuid": device.uuid,
            "url": url,
            "title": device.title,
            "private": device.private,
            "description": device.description,
            "tags": list(device.tags),
            "website": device.website,
            "email": device.email,
            "icon": device.icon,
            "location": None if location is None else msgspec.structs.asdict(location),
            "retention_s": device.retention_s,
            "properties": dict(device.properties),
            "owner": login_of(self._tank, device.account_id),
            "product_id": device.product_id,
            "device_serial": device.device_serial,
            "created_at": time_text(device.created_us),
            "updated_at": time_text(device.updated_us),
            "datastreams_url": f"{url}/datastreams",
        }

    def datastream(self, device: Device, datastream: Datastream, *, exact: bool) -> dict[str, Any]:
        """A datastream with its newest value."""
        url = f"{self._base}/{device.device_id}"
        own = f"{url}/datastreams/{quote(datastream.name, safe='')}"
        current = self._tank.archive.current(datastream.stream_id)
        unit = datastream.unit
        return {
            "name": datastream.name,
            "url": own,
            "device": device.device_id,
            "device_url": url,
            "datapoints_url": f"{own}/datapoints",
            "tags": list(datastream.tags),
            "unit": None if unit is None else msgspec.structs.asdict(unit),
            "value": shown_value(current.value if current else None, exact=exact),
            "at": time_text(current.at_us if current else None),
            "minimum": current.minimum if current else None,
            "maximum": current.maximum if current else None,
        }


def datapoint_bodies(points: Sequence[Datapoint], *, exact: bool) -> list[dict[str, Any]]:
    """Datapoints in the order given."""
    if not points:
        return []
    times = format_times([point.at_us for point in points])
    return [
        {"at": at, "value": shown_value(point.value, exact=exact)}
        for point, at in zip(points, times, strict=True)
    ]


def shown_value(value: str | None, *, exact: bool) -> str | float | None:
    """A value as a number where it reads as one, and else as text.

    Args:
        exact: as text in any case, letter for letter.
    """
    if value is None or exact:
        return value
    number = number_of(value)
    if number is None:
        return value
    return int(number) if number.is_integer() and abs(number) < _INTEGER_EXACT_MAX else number


def datastream_etag(tank: Tank, datastream: Datastream) -> str:
    """The entity tag of a datastream in this state, with the newest value.

    The same for a value as text and as a number, which are at different addresses: what was read as
    either may be changed.
    """
    return etag_of((datastream, tank.archive.current(datastream.stream_id)))


def login_of(tank: Tank, account_id: int) -> str:
    """An account's login; blank when it is gone, and its things are about to."""
    try:
        return tank.directory.get_account(account_id).login
    except NoSuchAccount:
        return ""


def device_etag(tank: Tank, device: Device) -> str:
    """The entity tag of a device in this state."""
    version = msgspec.structs.replace(device, properties={})
    return etag_of((version, dict(device.properties), login_of(tank, device.account_id)))
