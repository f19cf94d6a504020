"""Operations on products and their devices."""

from typing import Literal

import msgspec

from thingtank.server.operations.context import Context
from thingtank.server.operations.shapes import Paged
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.products import (
    ProductDeviceRow,
    activate_device,
    add_product_devices,
    create_product,
    deactivate_device,
    delete_product,
    get_product,
    list_product_devices,
    list_products,
)
from thingtank.tank.products import FeedTemplateChange, Product, ProductChange
from thingtank.tank.products_interface import ProductDeviceQuery, ProductQuery
from thingtank.tank.things import Datastream, Unit


class CreateProduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product to make; see `tank.products.FeedTemplate`.

    Attributes:
        channels: of the template, each perhaps with the symbol of its unit: `temperature=°C`.
    """

    name: str
    description: str = ""
    title: str = ""
    tags: tuple[str, ...] = ()
    private: bool = True
    website: str = ""
    channels: tuple[str, ...] = ()
    owner: str = ""


class ListProducts(Paged, frozen=True):
    """Whose products to list; blank `state` for all."""

    owner: str = ""
    state: Literal["", "develop", "deploy"] = ""


class OneProduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product by its id."""

    product_id: str


class AddSerials(OneProduct, frozen=True):
    """Serials to add, all or none."""

    serials: tuple[str, ...]


class ListSerials(Paged, frozen=True, kw_only=True):
    """Which devices of a product to list; None for `activated` lists both."""

    product_id: str
    serial: str = ""
    activated: bool | None = None


class OneCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device by its activation code."""

    code: str


class OneSerial(OneProduct, frozen=True):
    """A device by its serial."""

    serial: str


class ProductRow(msgspec.Struct, frozen=True):
    """A product in a list."""

    product_id: str
    name: str
    owner: str
    state: str
    devices_count: int
    activated_devices_count: int
    created_us: int


class ProductDetails(ProductRow, frozen=True):
    """A product with its secret and template."""

    description: str
    secret: str
    title: str
    tags: tuple[str, ...]
    private: bool
    website: str
    channels: tuple[str, ...]


class ProductList(msgspec.Struct, frozen=True):
    """One page of products, newest first, and how many there are."""

    total_count: int
    products: list[ProductRow]


class SerialRow(msgspec.Struct, frozen=True):
    """A product's device; None for what it has not while it is not active."""

    serial: str
    activation_code: str
    activated_us: int | None
    feed_id: int | None


class SerialList(msgspec.Struct, frozen=True):
    """One page of a product's devices in the order they were added, and how many there are."""

    total_count: int
    devices: list[SerialRow]


class AddedSerials(msgspec.Struct, frozen=True):
    """How many were added, and how many there are now."""

    added_count: int
    devices_count: int


class Activated(msgspec.Struct, frozen=True):
    """What an activated device is told."""

    feed_id: int
    api_key: str
    channels: tuple[str, ...]


async def create(context: Context, asked: CreateProduct) -> ProductDetails:
    """Make a product."""
    template = FeedTemplateChange(
        title=asked.title,
        tags=asked.tags,
        private=asked.private,
        website=asked.website,
        datastreams=tuple(_datastream(text) for text in asked.channels),
    )
    change = ProductChange(asked.name, asked.description, template)
    owner_id = context.account(asked.owner).account_id
    return _details(context, await create_product(context.tank, OPERATOR, change, owner_id))


def _datastream(text: str) -> Datastream:
    name, _, symbol = text.partition("=")
    return Datastream(0, 0, name.strip(), unit=Unit(symbol=symbol.strip()) if symbol else None)


async def list_all(context: Context, asked: ListProducts) -> ProductList:
    """List an account's products."""
    account_id = context.account(asked.owner).account_id
    query = ProductQuery(account_id, asked.state, asked.page, asked.per_page)
    found = await list_products(context.tank, OPERATOR, query)
    return ProductList(found.total_count, [_row(context, product) for product in found.products])


async def show(context: Context, asked: OneProduct) -> ProductDetails:
    """All that is known of a product, its secret as well."""
    return _details(context, await get_product(context.tank, OPERATOR, asked.product_id))


async def delete(context: Context, asked: OneProduct) -> ProductRow:
    """Delete a product; return what it was."""
    row = _row(context, await get_product(context.tank, OPERATOR, asked.product_id))
    await delete_product(context.tank, OPERATOR, asked.product_id)
    return row


async def add_serials(context: Context, asked: AddSerials) -> AddedSerials:
    """Add serials to a product."""
    await add_product_devices(context.tank, OPERATOR, asked.product_id, asked.serials)
    product = await get_product(context.tank, OPERATOR, asked.product_id)
    return AddedSerials(len(asked.serials), product.devices_count)


async def list_serials(context: Context, asked: ListSerials) -> SerialList:
    """List a product's devices with their activation codes."""
    query = ProductDeviceQuery(
        asked.product_id, asked.serial, asked.activated, asked.page, asked.per_page
    )
    rows, total_count = await list_product_devices(context.tank, OPERATOR, query)
    return SerialList(total_count, [_serial_row(row) for row in rows])


async def activate(context: Context, asked: OneCode) -> Activated:
    """Activate a device by its code; again, it is told the same."""
    made = await activate_device(context.tank, OPERATOR, asked.code)
    return Activated(made.feed_id, made.api_key, made.datastreams)


async def deactivate(context: Context, asked: OneSerial) -> SerialRow:
    """Let a device be activated afresh; its keys are dead."""
    device = await deactivate_device(context.tank, OPERATOR, asked.product_id, asked.serial)
    return _serial_row(ProductDeviceRow(device))


def _serial_row(row: ProductDeviceRow) -> SerialRow:
    device = row.device
    return SerialRow(device.serial, device.activation_code, device.activated_us, device.feed_id)


def _row(context: Context, product: Product) -> ProductRow:
    return ProductRow(
        product.product_id,
        product.name,
        context.tank.directory.get_account(product.account_id).login,
        product.state,
        product.devices_count,
        product.activated_devices_count,
        product.created_us,
    )


def _details(context: Context, product: Product) -> ProductDetails:
    template = product.template
    return ProductDetails(
        **msgspec.structs.asdict(_row(context, product)),
        description=product.description,
        secret=product.secret,
        title=template.title,
        tags=template.tags,
        private=template.private,
        website=template.website,
        channels=tuple(
            stream.name + (f"={stream.unit.symbol}" if stream.unit and stream.unit.symbol else "")
            for stream in template.datastreams
        ),
    )
