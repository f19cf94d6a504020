"""The tables' rows as the tank's values, and the values as rows."""

import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from thingtank.tank.keys import ApiKey, Permission
from thingtank.tank.things import Datastream, Device, Unit

DEVICE_COLUMNS = (
    "id", "uuid", "account_id", "title", "private", "description", "tags",
    "website", "email", "icon", "location", "created_us", "updated_us", "retention_s",
    "product_id", "device_serial",
    "located_us", "properties",
)  # fmt: skip
KEY_COLUMNS = (
    "id", "account_id", "label", "permissions", "private_access", "expires_us", "created_us",
    "digest",
)  # fmt: skip
LOAD_ROWS = 2000


def device_values(device: Device) -> dict[str, object]:
    """What is stored of a device, by column, but for its number."""
    values: dict[str, object] = msgspec.structs.asdict(device)
    del values["device_id"]
    values["tags"] = list(device.tags)
    values["location"] = None if device.location is None else msgspec.to_builtins(device.location)
    values["properties"] = dict(device.properties)
    return values


def device_of_row(row: tuple[object, ...]) -> Device:
    """A device from its DEVICE_COLUMNS."""
    values = dict(zip(DEVICE_COLUMNS, row, strict=True))
    values["device_id"] = values.pop("id")
    if not values["properties"]:
        del values["properties"]  # so that all devices without any share the default
    values["product_id"] = sys.intern(str(values["product_id"]))  # many devices, few products
    return msgspec.convert(values, Device, strict=True)


def datastream_values(datastream: Datastream) -> dict[str, object]:
    """What may change of a datastream, by column."""
    unit = datastream.unit
    return {
        "tags": list(datastream.tags),
        "unit": None if unit is None else msgspec.to_builtins(unit),
    }


def datastream_of_row(row: tuple[int, int, str, list[str], dict[str, str] | None]) -> Datastream:
    """A datastream from its id, device_id, name, tags and unit."""
    stream_id, device_id, name, tags, unit = row
    found = None if unit is None else _unit(**unit)
    return Datastream(stream_id, device_id, sys.intern(name), tuple(map(sys.intern, tags)), found)


@lru_cache(4096)
def _unit(type: str, symbol: str, label: str) -> Unit:
    """A unit; the same object for all datastreams that have it, for there are many."""
    return Unit(type, symbol, label)


def key_values(key: ApiKey) -> dict[str, object]:
    """What is stored of a key, by column, but for its number and its secret."""
    return {
        "account_id": key.account_id,
        "label": key.label,
        "private_access": key.private_access,
        "permissions": msgspec.to_builtins(key.permissions),
        "expires_us": key.expires_us,
        "created_us": key.created_us,
    }


def key_of_row(row: Sequence[Any]) -> ApiKey:
    """A key from its KEY_COLUMNS, but for the digest."""
    key_id, account_id, label, permissions, private_access, expires_us, created_us = row
    return ApiKey(
        key_id,
        account_id,
        label,
        tuple(_shared_methods(msgspec.convert(item, Permission)) for item in permissions),
        private_access,
        expires_us,
        created_us,
    )


def _shared_methods(permission: Permission) -> Permission:
    methods = _methods(permission.access_methods)
    return msgspec.structs.replace(permission, access_methods=methods)


@lru_cache(64)
def _methods(access_methods: tuple[str, ...]) -> tuple[str, ...]:
    """The same tuple for all keys that may do the same."""
    return access_methods
