"""`tank.products`: products and their devices."""

from typing import Any, Literal

from thingtank.documents.products import device_body, product_body, product_change
from thingtank.doors.wamp.tank_peer.resources.shared import (
    Context,
    Document,
    Number,
    json_of,
    page_body,
    plain,
)
from thingtank.protocols.xively import product_documents as documents
from thingtank.tank.actions import products as actions
from thingtank.tank.actions.products import ProductDeviceRow
from thingtank.tank.products import ProductDevice
from thingtank.tank.products_interface import ProductDeviceQuery, ProductQuery


async def list_all(
    context: Context,
    *,
    user: str = "",
    state: Literal["", "develop", "deploy"] = "",
    page: Number = 1,
    per_page: Number = 30,
) -> Any:
    """List the products of an account, newest first.

    Args:
        user: blank for the caller's own.
        state: develop or deploy; blank for both.
        page, per_page: from 1; at most 1000 a page.

    Returns:
        `totalResults`, `startIndex`, `itemsPerPage` and `products`.
    """
    query = ProductQuery(context.account_id_of(user), state, page, per_page)
    found = await actions.list_products(context.tank, context.caller, query)
    bodies = [product_body(context.tank, product) for product in found.products]
    return page_body("products", bodies, found.total_count, page, per_page)


async def read(context: Context, product_id: str) -> Any:
    """Read a product.

    Args:
        product_id: its id.

    Returns:
        The product as Xively has it, its secret as well.
    """
    found = await actions.get_product(context.tank, context.caller, product_id)
    return product_body(context.tank, found)


async def create(context: Context, document: Document, *, user: str = "") -> Any:
    """Make a product without devices.

    Args:
        document: as Xively has it: `name`, `description`, `feed_defaults`.
        user: whose it is; blank for the caller's own.

    Returns:
        The product.
    """
    change = product_change(documents.parse_product(json_of({"product": document})))
    account_id = context.account_id_of(user) if user else None
    made = await actions.create_product(context.tank, context.caller, change, account_id)
    return product_body(context.tank, made)


async def update(context: Context, product_id: str, document: Document) -> Any:
    """Change a product; feeds that were made of it stay.

    Args:
        product_id: its id.
        document: as Xively has it; members that it lacks stay.

    Returns:
        The product as it is now.
    """
    change = product_change(documents.parse_product(json_of({"product": document})))
    await actions.update_product(context.tank, context.caller, product_id, change)
    return await read(context, product_id)


async def delete(context: Context, product_id: str) -> None:
    """Delete a product and its list of devices; feeds and keys that they have stay.

    Args:
        product_id: its id.

    Returns:
        Nothing.
    """
    await actions.delete_product(context.tank, context.caller, product_id)


async def add_devices(context: Context, product_id: str, serials: list[str]) -> None:
    """Add devices by their serials, all or none.

    Args:
        product_id: the product's id.
        serials: letters, digits and `+ - , _ :`.

    Returns:
        Nothing.
    """
    await actions.add_product_devices(context.tank, context.caller, product_id, serials)


async def list_devices(
    context: Context,
    product_id: str,
    *,
    serial: str = "",
    activated: bool | None = None,
    page: Number = 1,
    per_page: Number = 30,
) -> Any:
    """List the devices of a product in the order in which they were added.

    Args:
        product_id: the product's id.
        serial: a serial, or a part of one.
        activated: only active ones, or only others.
        page, per_page: from 1; at most 1000 a page.

    Returns:
        `totalResults`, `startIndex`, `itemsPerPage` and `devices`.
    """
    query = ProductDeviceQuery(product_id, serial, activated, page, per_page)
    rows, count = await actions.list_product_devices(context.tank, context.caller, query)
    return page_body("devices", [device_body(row) for row in rows], count, page, per_page)


async def read_device(context: Context, product_id: str, serial: str) -> Any:
    """Read a device of a product.

    Args:
        product_id: the product's id.
        serial: the device's.

    Returns:
        `serial`, `activation_code`, `created_at`, `activated_at`; while it is active `feed_id`, and
        `api_key` for those who may see it.
    """
    row = await actions.get_product_device(context.tank, context.caller, product_id, serial)
    return device_body(row)


async def rename_device(context: Context, product_id: str, serial: str, renamed: str) -> Any:
    """Give a device another serial, and so another activation code.

    Args:
        product_id: the product's id.
        serial: the device's.
        renamed: its new one.

    Returns:
        The device as it is now, without its key.
    """
    device = await actions.rename_product_device(
        context.tank, context.caller, product_id, serial, renamed
    )
    return _keyless(device)


async def delete_device(context: Context, product_id: str, serial: str) -> None:
    """Take a device off a product; a feed and key that it has stay.

    Args:
        product_id: the product's id.
        serial: the device's.

    Returns:
        Nothing.
    """
    await actions.delete_product_device(context.tank, context.caller, product_id, serial)


async def deactivate_device(context: Context, product_id: str, serial: str) -> Any:
    """Let a device be activated afresh: its keys are dead, its feed stays.

    Args:
        product_id: the product's id.
        serial: the device's.

    Returns:
        The device as it is now.
    """
    device = await actions.deactivate_device(context.tank, context.caller, product_id, serial)
    return _keyless(device)


def _keyless(device: ProductDevice) -> Any:
    return plain(device_body(ProductDeviceRow(device)))
