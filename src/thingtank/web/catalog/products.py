"""Products and their devices on Django's models.

They are read from the database, not from memory: they are asked for when a device starts its life
or a person looks, not in every request. Writes take their turn among the directory's, so that a
feed, its key and the serial that they belong to change together or not at all.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec
from django.db import connection
from django.db.models import Count, Model, QuerySet

from thingtank.tank.errors import (
    AlreadyActivated,
    LimitReached,
    NoSuchProduct,
    NoSuchProductDevice,
    ValidationFailed,
)
from thingtank.tank.products import (
    FeedTemplate,
    Product,
    ProductDevice,
    State,
    activation_code,
    is_product_id,
    refuse_rows,
    serial_problem,
)
from thingtank.tank.products_interface import (
    NewFeed,
    ProductDevicePage,
    ProductDeviceQuery,
    ProductPage,
    ProductQuery,
)
from thingtank.tank.things import Device
from thingtank.web.catalog import models
from thingtank.web.catalog.directory import DjangoDirectory, StoredDevice
from thingtank.web.catalog.directory_work import run_in
from thingtank.web.catalog.sealing import Sealer
from thingtank.web.database.connections import close_connection

Result = TypeVar("Result")
Row = TypeVar("Row", bound=Model)

_BATCH_ROWS = 1000  # in one query
_INSERT_SERIAL = (
    "INSERT INTO catalog_productdevice (product_id, serial, code_digest, created_us)"
    " VALUES (%s, %s, %s, %s)"
)


class DjangoProducts:
    """Implements `tank.products_interface.Products`."""

    def __init__(self, directory: DjangoDirectory, secret: bytes) -> None:
        self._directory = directory
        self._sealer = Sealer(secret)
        # Reads have a thread of their own: a long list of serials must not keep them waiting.
        self._reader = ThreadPoolExecutor(1, "products-reader")

    def close(self) -> None:
        """End the reader thread."""
        self._reader.submit(close_connection)
        self._reader.shutdown()

    # --- products

    async def insert_product(self, product: Product) -> None:
        """Store a product without devices; its secret is sealed."""
        await self._directory.transact(lambda: self._store_product(product), _show_nothing)

    async def insert_developed(self, product: Product, serial: str, feed: NewFeed) -> Device:
        """Store a product with one serial that is active at once; return its feed's device."""

        def write() -> StoredDevice:
            row = self._store_product(product)
            self._store_serials(row, product.secret, [serial], product.created_us)
            return self._activate(row.devices.get(), feed)

        return (await self._directory.transact(write, self._directory.show_device)).device

    def _store_product(self, product: Product) -> models.Product:
        return models.Product.objects.create(
            account_id=product.account_id,
            product_id=product.product_id,
            state=product.state,
            created_us=product.created_us,
            secret_digest=self._sealer.digest(product.secret),
            secret_sealed=self._sealer.seal(product.secret),
            **_content(product),
        )

    async def get_product(self, product_id: str, *, with_counts: bool = False) -> Product:
        """A product; the numbers of its devices are 0 unless they are asked for."""

        def read() -> Product:
            row = _product_row(product_id)
            return self._counted([row])[0] if with_counts else self._product(row)

        return await self._read(read)

    async def count_products(self, account_id: int) -> int:
        """How many products an account has."""
        return await self._read(models.Product.objects.filter(account_id=account_id).count)

    async def list_products(self, query: ProductQuery) -> ProductPage:
        """One page of products."""
        rows = models.Product.objects.filter(account_id=query.account_id)
        if query.state:
            rows = rows.filter(state=query.state)

        def read() -> ProductPage:
            page = _page_of(rows.order_by("-id"), query.page, query.per_page)
            return ProductPage(self._counted(list(page)), rows.count())

        return await self._read(read)

    def _counted(self, rows: Sequence[models.Product]) -> list[Product]:
        """Values of rows; the devices of all of them are counted at once."""
        counts = {
            row_id: numbers
            for row_id, *numbers in models.ProductDevice.objects.filter(product__in=rows)
            .order_by()
            .values_list("product_id")
            .annotate(Count("id"), Count("activated_us"))
        }
        return [self._product(row, *counts.get(row.pk, (0, 0))) for row in rows]

    def _product(self, row: models.Product, devices: int = 0, activated: int = 0) -> Product:
        return Product(
            product_id=row.product_id,
            account_id=row.account_id,
            secret=self._secret(row),
            name=row.name,
            description=row.description,
            template=msgspec.convert(row.template, FeedTemplate),
            state=msgspec.convert(row.state, State),
            created_us=row.created_us,
            devices_count=devices,
            activated_devices_count=activated,
        )

    def _secret(self, row: models.Product) -> str:
        whose = f"product {row.product_id}"
        return self._sealer.unseal(bytes(row.secret_sealed), bytes(row.secret_digest), whose)

    async def update_product(
        self, product_id: str, change: Callable[[Product], Product]
    ) -> Product:
        """Store `change` of a product: its name, description and template."""

        def write() -> Product:
            product = change(self._product(_product_row(product_id)))
            models.Product.objects.filter(product_id=product_id).update(**_content(product))
            return product

        return await self._directory.transact(write, _show_nothing)

    async def delete_product(self, product_id: str) -> None:
        """Remove a product and its devices; feeds and keys they had remain."""
        await self._directory.transact(lambda: _product_row(product_id).delete(), _show_nothing)

    # --- devices

    async def insert_devices(
        self, product_id: str, serials: Sequence[str], created_us: int, devices_max: int
    ) -> None:
        """Add serials, which are good and no two the same; the product's state becomes `deploy`."""

        def write() -> None:
            product = _product_row(product_id)
            taken = {serial for batch in _batches(serials) for serial in _taken(product, batch)}
            refuse_rows(
                [
                    (row, serial, "has already been taken")
                    for row, serial in enumerate(serials, 1)
                    if serial in taken
                ]
            )
            count = product.devices.count() + len(serials)
            if count > devices_max:
                raise LimitReached(f"{count} devices; a product may have {devices_max}")
            self._store_serials(product, self._secret(product), serials, created_us)
            models.Product.objects.filter(id=product.pk).update(state="deploy")

        await self._directory.transact(write, _show_nothing)

    def _store_serials(
        self, product: models.Product, secret: str, serials: Sequence[str], created_us: int
    ) -> None:
        rows = [
            (product.pk, serial, self._sealer.digest(activation_code(secret, serial)), created_us)
            for serial in serials
        ]
        if connection.vendor == "mongodb":  # which has no statements
            columns = ("product_id", "serial", "code_digest", "created_us")
            made = [models.ProductDevice(**dict(zip(columns, row, strict=True))) for row in rows]
            models.ProductDevice.objects.bulk_create(made, _BATCH_ROWS)
            return
        # One statement for all rows takes a fifth of what Django's `bulk_create` does: 100,000 of
        # them hold the interpreter for one second instead of five.
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT_SERIAL, rows)

    async def list_devices(self, query: ProductDeviceQuery) -> ProductDevicePage:
        """One page of a product's devices."""

        def read() -> ProductDevicePage:
            product = _product_row(query.product_id)
            rows = product.devices.all()
            if query.serial:
                rows = rows.filter(serial__icontains=query.serial)
            if query.serial and serial_problem(query.serial):
                rows = rows.none()  # some databases refuse what no serial holds
            if query.activated is not None:
                rows = rows.filter(activated_us__isnull=not query.activated)
            secret = self._secret(product)
            page = _page_of(rows.order_by("id"), query.page, query.per_page)
            return ProductDevicePage(
                [_device(row, product.product_id, secret) for row in page], rows.count()
            )

        return await self._read(read)

    async def get_device(self, product_id: str, serial: str) -> ProductDevice:
        """Raise NoSuchProduct or NoSuchProductDevice if there is none."""
        return await self._read(lambda: self._device(_device_row(product_id, serial)))

    async def find_device(self, code: str) -> ProductDevice | None:
        """The device with that activation code; found by digest, whatever their number."""
        rows = models.ProductDevice.objects.filter(code_digest=self._sealer.digest(code))

        def read() -> ProductDevice | None:
            row = rows.select_related("product").first()
            return None if row is None else self._device(row)

        return await self._read(read)

    def _device(self, row: models.ProductDevice) -> ProductDevice:
        return _device(row, row.product.product_id, self._secret(row.product))

    async def rename_device(self, product_id: str, serial: str, renamed: str) -> ProductDevice:
        """Give a device another serial, and with it another code; its feed is told."""

        def write() -> ProductDevice:
            row = _device_row(product_id, serial)
            if renamed != serial and _taken(row.product, [renamed]):
                raise ValidationFailed([("serial", "has already been taken")])
            row.serial = renamed
            code = activation_code(self._secret(row.product), renamed)
            row.code_digest = self._sealer.digest(code)
            row.save(update_fields=["serial", "code_digest"])
            if row.feed_id is not None:
                models.Device.objects.filter(id=row.feed_id).update(device_serial=renamed)
            return self._device(row)

        def show(device: ProductDevice) -> None:
            if device.feed_id is not None:
                feed = self._directory.get_device(device.feed_id)
                self._directory.replace_device(
                    msgspec.structs.replace(feed, device_serial=device.serial)
                )

        return await self._directory.transact(write, show)

    async def delete_device(self, product_id: str, serial: str) -> None:
        """Remove a serial; a feed and key it had remain."""
        await self._directory.transact(
            lambda: _device_row(product_id, serial).delete(), _show_nothing
        )

    # --- activation

    async def activate(self, product_id: str, serial: str, feed: NewFeed) -> Device:
        """Make a device's feed and key, and mark it active."""

        def write() -> StoredDevice:
            row = _device_row(product_id, serial)
            if row.activated_us is not None:
                raise AlreadyActivated
            return self._activate(row, feed)

        return (await self._directory.transact(write, self._directory.show_device)).device

    def _activate(self, row: models.ProductDevice, feed: NewFeed) -> StoredDevice:
        stored = self._directory.store_device(
            feed.device, feed.datastreams, feed.token, feed.key_for
        )
        assert stored.key is not None, "an activation makes a key"
        row.activated_us = feed.activated_us
        row.feed_id = stored.device.device_id
        row.key_id = stored.key[0].key_id
        row.save(update_fields=["activated_us", "feed", "key"])
        return stored

    async def deactivate(self, product_id: str, serial: str) -> ProductDevice:
        """Let a device be activated afresh: its key is deleted, its feed stays."""

        def write() -> tuple[ProductDevice, int | None]:
            row = _device_row(product_id, serial)
            key_id = row.key_id
            row.activated_us = row.feed_id = row.key_id = None
            row.save(update_fields=["activated_us", "feed", "key"])
            if key_id is not None:
                models.ApiKey.objects.filter(id=key_id).delete()
            return self._device(row), key_id

        def show(done: tuple[ProductDevice, int | None]) -> None:
            if done[1] is not None:
                self._directory.forget_key(done[1])

        return (await self._directory.transact(write, show))[0]

    async def _read(self, read: Callable[[], Result]) -> Result:
        return await run_in(self._reader, read, "read")


def _show_nothing(_: object) -> None:
    """What is not in the snapshot need not be shown."""


def _content(product: Product) -> dict[str, object]:
    """The columns that a change of a product may set."""
    return {
        "name": product.name,
        "description": product.description,
        "template": msgspec.to_builtins(product.template),
    }


def _product_row(product_id: str) -> models.Product:
    rows = models.Product.objects.filter(product_id=product_id)
    row = rows.first() if is_product_id(product_id) else None
    if row is None:
        raise NoSuchProduct(product_id)
    return row


def _device_row(product_id: str, serial: str) -> models.ProductDevice:
    rows = _product_row(product_id).devices.filter(serial=serial).select_related("product")
    row = None if serial_problem(serial) else rows.first()
    if row is None:
        raise NoSuchProductDevice(f"couldn't find Device with serial = {serial[:64]}")
    return row


def _device(row: models.ProductDevice, product_id: str, secret: str) -> ProductDevice:
    return ProductDevice(
        product_id=product_id,
        serial=row.serial,
        activation_code=activation_code(secret, row.serial),
        created_us=row.created_us,
        activated_us=row.activated_us,
        feed_id=row.feed_id,
        key_id=row.key_id,
    )


def _page_of(rows: "QuerySet[Row]", page: int, per_page: int) -> "QuerySet[Row]":
    return rows[(page - 1) * per_page : page * per_page]


def _batches(serials: Sequence[str]) -> Iterator[Sequence[str]]:
    return (serials[start : start + _BATCH_ROWS] for start in range(0, len(serials), _BATCH_ROWS))


def _taken(product: models.Product, serials: Sequence[str]) -> list[str]:
    return list(product.devices.filter(serial__in=serials).values_list("serial", flat=True))
