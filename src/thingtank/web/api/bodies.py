"""Things of the tank as answers have them, and what their entity tags are made of."""

from typing import Any

import msgspec
from django.http import HttpRequest
from django.urls import reverse

from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web.api.conditions import etag_of
from thingtank.web.api.parameters import time_text
from thingtank.web.workbench.pages import address_of


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
            "owner": owner_of(self._tank, device),
            "product_id": device.product_id,
            "device_serial": device.device_serial,
            "created_at": time_text(device.created_us),
            "updated_at": time_text(device.updated_us),
            "datastreams_url": f"{url}/datastreams",
        }


def owner_of(tank: Tank, device: Device) -> str:
    """The login of who owns a device."""
    return tank.directory.get_account(device.account_id).login


def device_etag(tank: Tank, device: Device) -> str:
    """The entity tag of a device in this state."""
    version = msgspec.structs.replace(device, properties={})
    return etag_of((version, dict(device.properties), owner_of(tank, device)))
