"""`tank.devices`: make a device with its secrets; activate one that a product has."""

from typing import Any

from thingtank.documents.feeds import datastream_writes, device_change
from thingtank.documents.products import activation_body, device_body, product_body
from thingtank.doors.wamp.tank_peer.resources.shared import (
    Context,
    Document,
    FeedName,
    json_of,
    plain,
)
from thingtank.protocols.xively import json_format
from thingtank.tank.access import check_provision, check_reach
from thingtank.tank.actions import devices as actions
from thingtank.tank.actions import products as product_actions
from thingtank.tank.actions.datastreams import draft
from thingtank.tank.actions.devices import CreatedDevice
from thingtank.tank.actions.products import ProductDeviceRow
from thingtank.tank.actions.properties import change_properties
from thingtank.tank.changes import DeviceChange
from thingtank.tank.errors import TankError, ValidationFailed
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.things import Datastream, Device


async def read(context: Context, device: FeedName) -> Any:
    """Tell which feed is a device's, and which device a feed's.

    Args:
        device: its uuid, or its feed's number.

    Returns:
        `uuid`, `feed_id`, `title`, `private`, `tags`, and `product_id` and `device_serial`, which
        are blank if no product made it.

    Raises:
        NoSuchDevice, NotAllowed, Unauthenticated.
    """
    found = context.find_device(device)
    check_reach(context.caller, "get", found)
    return {
        "uuid": found.uuid,
        "feed_id": found.device_id,
        "title": found.title,
        "private": found.private,
        "tags": list(found.tags),
        "product_id": found.product_id,
        "device_serial": found.device_serial,
    }


async def properties(context: Context, device: FeedName) -> Any:
    """Read a device's free properties.

    Args:
        device: its uuid, or its feed's number.

    Returns:
        An object, with `name` and `tags` besides, as SkyNet's clients see it.

    Raises:
        NoSuchDevice, NotAllowed, Unauthenticated.
    """
    found = context.find_device(device)
    check_reach(context.caller, "put", found)
    return {**found.properties, "name": found.title, "tags": list(found.tags)}


async def change(context: Context, device: FeedName, properties: dict[str, Any]) -> Any:
    """Set some of a device's free properties; null removes one.

    Args:
        device: its uuid, or its feed's number.
        properties: name to value.

    Returns:
        All of them, then.

    Raises:
        NoSuchDevice, NotAllowed, ValidationFailed.
    """
    found = context.find_device(device)
    check_reach(context.caller, "put", found)

    def change_of(newest: Device) -> DeviceChange:
        kept = {**newest.properties, **properties}
        return DeviceChange(
            properties={name: value for name, value in kept.items() if value is not None}
        )

    party = Party(context.caller)
    changed = await change_properties(context.tank, party, found.device_id, change_of)
    return dict(changed.properties)


async def create(context: Context, document: Document, *, user: str = "") -> Any:
    """Make a device with a feed, a token and a key of its own.

    Args:
        document: its feed as Xively has it; datastreams without values.
        user: the login of who will own it, where the operator makes it.

    Returns:
        The new feed, with `uuid`, `token` and `api_key`. The token is not shown again.
    """
    change, datastreams = _drafts(document)
    account_id = context.account_id_of(user) if user else None
    made = await actions.create_device(
        context.tank, context.caller, change, datastreams, account_id
    )
    return _revealed(context, made)


async def develop(context: Context, document: Document, *, user: str = "") -> Any:
    """Make a device to work on: a product of one serial, active at once.

    Args:
        document: its feed as Xively has it; datastreams without values.
        user: the login of who will own it; blank for the caller.

    Returns:
        `feed`, with `uuid`, `token` and `api_key`; `product` and `device` as Xively has them.
    """
    change, datastreams = _drafts(document)
    account_id = context.account_id_of(user) if user else None
    made = await product_actions.develop_device(
        context.tank, context.caller, change, datastreams, account_id
    )
    return {
        "feed": _revealed(context, made.created),
        "product": plain(product_body(context.tank, made.product)),
        "device": plain(device_body(ProductDeviceRow(made.device, made.created.api_key))),
    }


def _drafts(document: Document) -> tuple[DeviceChange, list[Datastream]]:
    read_in = json_format.parse_feed(json_of(document))
    writes = datastream_writes(read_in, 0)
    if any(write.values for write in writes):
        raise ValidationFailed([("datastreams", "must be without values here")])
    change = device_change(read_in) or DeviceChange()
    return change, [draft(write.name, write.change) for write in writes]


def _revealed(context: Context, made: CreatedDevice) -> Any:
    body = plain(context.bodies().feed(made.device))
    return {"uuid": made.device.uuid, "token": made.token, "api_key": made.api_key, **body}


async def activate(context: Context, code: str) -> Any:
    """Give a product's device its feed and key: to anybody who has its code the first time.

    Args:
        code: its activation code.

    Returns:
        `apikey`, `feed_id` and `datastreams`, a list of names.
    """
    return activation_body(
        await product_actions.activate_device(context.tank, context.caller, code)
    )


async def find(context: Context, code: str) -> Any:
    """Tell which device an activation code belongs to; this changes nothing.

    Args:
        code: its activation code.

    Returns:
        `product_name`, `product_description`, `serial`, `is_activated`; `feed_id` for those who may
        manage the product.
    """
    holder = await product_actions.find_code_holder(context.tank, code)
    told = {
        "product_name": holder.product_name,
        "product_description": holder.product_description,
        "serial": holder.serial,
        "is_activated": holder.is_activated,
    }
    if _may_provision(context, holder.account_id):
        told["feed_id"] = holder.feed_id
    return told


def _may_provision(context: Context, account_id: int) -> bool:
    try:
        check_provision(context.caller, account_id)
    except TankError:
        return False
    return True
