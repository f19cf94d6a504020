"""Products and their devices held wholly in memory: the twin of those on a database."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.errors import (
    AlreadyActivated,
    LimitReached,
    NoSuchProduct,
    NoSuchProductDevice,
    NotFound,
    ValidationFailed,
)
from thingtank.tank.keys import ApiKey
from thingtank.tank.products import Product, ProductDevice, activation_code, refuse_rows
from thingtank.tank.products_interface import (
    NewFeed,
    ProductDevicePage,
    ProductDeviceQuery,
    ProductPage,
    ProductQuery,
)
from thingtank.tank.things import Device


class MemoryProducts:
    """Implements `Products` beside a `MemoryDirectory`."""

    def __init__(self, directory: MemoryDirectory) -> None:
        self._directory = directory
        self._products: dict[str, Product] = {}
        self._devices: dict[str, dict[str, ProductDevice]] = {}
        self._names_by_code: dict[str, tuple[str, str]] = {}
        self._turn = asyncio.Lock()

    async def insert_product(self, product: Product) -> None:
        """Store a product without devices."""
        self._products[product.product_id] = product
        self._devices[product.product_id] = {}

    async def insert_developed(self, product: Product, serial: str, feed: NewFeed) -> Device:
        """Store a product with one serial that is active at once; return its feed's device."""
        await self.insert_product(product)
        self._put(_new_device(product, serial, product.created_us))
        return await self.activate(product.product_id, serial, feed)

    async def get_product(self, product_id: str, *, with_counts: bool = False) -> Product:
        """A product; the numbers of its devices are 0 unless they are asked for."""
        product = self._existing(product_id)
        if not with_counts:
            return product
        devices = self._devices[product_id].values()
        return msgspec.structs.replace(
            product,
            devices_count=len(devices),
            activated_devices_count=sum(device.activated_us is not None for device in devices),
        )

    def _existing(self, product_id: str) -> Product:
        product = self._products.get(product_id)
        if product is None:
            raise NoSuchProduct(product_id)
        return product

    async def count_products(self, account_id: int) -> int:
        """How many products an account has."""
        return sum(product.account_id == account_id for product in self._products.values())

    async def list_products(self, query: ProductQuery) -> ProductPage:
        """One page of products."""
        found = [
            product.product_id
            for product in reversed(self._products.values())
            if product.account_id == query.account_id and query.state in ("", product.state)
        ]
        start = (query.page - 1) * query.per_page
        page = found[start : start + query.per_page]
        return ProductPage(
            [await self.get_product(name, with_counts=True) for name in page], len(found)
        )

    async def update_product(
        self, product_id: str, change: Callable[[Product], Product]
    ) -> Product:
        """Store `change` of a product."""
        product = change(await self.get_product(product_id))
        self._products[product_id] = product
        return product

    async def delete_product(self, product_id: str) -> None:
        """Remove a product and its devices; feeds and keys they had remain."""
        self._existing(product_id)
        for serial in list(self._devices[product_id]):
            await self.delete_device(product_id, serial)
        del self._products[product_id], self._devices[product_id]

    async def insert_devices(
        self, product_id: str, serials: Sequence[str], created_us: int, devices_max: int
    ) -> None:
        """Add serials, which are good and no two the same; the product's state becomes `deploy`."""
        product = self._existing(product_id)
        known = self._devices[product_id]
        refuse_rows(
            [
                (row, serial, "has already been taken")
                for row, serial in enumerate(serials, 1)
                if serial in known
            ]
        )
        count = len(known) + len(serials)
        if count > devices_max:
            raise LimitReached(f"{count} devices; a product may have {devices_max}")
        for serial in serials:
            self._put(_new_device(product, serial, created_us))
        self._products[product_id] = msgspec.structs.replace(product, state="deploy")

    def _put(self, device: ProductDevice) -> None:
        self._devices[device.product_id][device.serial] = device
        self._names_by_code[device.activation_code] = (device.product_id, device.serial)

    async def list_devices(self, query: ProductDeviceQuery) -> ProductDevicePage:
        """One page of a product's devices."""
        self._existing(query.product_id)
        part = query.serial.lower()
        found = [
            serial
            for serial, device in self._devices[query.product_id].items()
            if part in serial.lower() and query.activated in (None, device.activated_us is not None)
        ]
        start = (query.page - 1) * query.per_page
        page = found[start : start + query.per_page]
        devices = [await self.get_device(query.product_id, serial) for serial in page]
        return ProductDevicePage(devices, len(found))

    async def get_device(self, product_id: str, serial: str) -> ProductDevice:
        """Raise NoSuchProduct or NoSuchProductDevice if there is none."""
        self._existing(product_id)
        device = self._devices[product_id].get(serial)
        if device is None:
            raise NoSuchProductDevice(f"couldn't find Device with serial = {serial[:64]}")
        # A feed or key may have been deleted since; a database forgets it by itself.
        return msgspec.structs.replace(
            device,
            feed_id=_existing_id(self._directory.get_device, device.feed_id),
            key_id=_existing_id(self._directory.get_key, device.key_id),
        )

    async def find_device(self, code: str) -> ProductDevice | None:
        """The device with that activation code."""
        names = self._names_by_code.get(code)
        return None if names is None else await self.get_device(*names)

    async def rename_device(self, product_id: str, serial: str, renamed: str) -> ProductDevice:
        """Give a device another serial, and with it another code; its feed is told."""
        device = await self.get_device(product_id, serial)
        if renamed != serial and renamed in self._devices[product_id]:
            raise ValidationFailed([("serial", "has already been taken")])
        # Its place in the order stays.
        self._devices[product_id] = {
            renamed if known == serial else known: kept
            for known, kept in self._devices[product_id].items()
        }
        del self._names_by_code[device.activation_code]
        code = activation_code(self._existing(product_id).secret, renamed)
        self._put(msgspec.structs.replace(device, serial=renamed, activation_code=code))
        if device.feed_id is not None:
            await self._directory.update_device(
                device.feed_id,
                lambda feed: msgspec.structs.replace(feed, device_serial=renamed),
            )
        return await self.get_device(product_id, renamed)

    async def delete_device(self, product_id: str, serial: str) -> None:
        """Remove a serial; a feed and key it had remain."""
        device = await self.get_device(product_id, serial)
        del self._names_by_code[device.activation_code]
        del self._devices[product_id][serial]

    async def activate(self, product_id: str, serial: str, feed: NewFeed) -> Device:
        """Make a device's feed and key, and mark it active."""
        keys: list[str] = []

        def key_for(stored: Device) -> tuple[ApiKey, str]:
            key, secret = feed.key_for(stored)
            keys.append(secret)
            return key, secret

        async with self._turn:
            device = await self.get_device(product_id, serial)
            if device.activated_us is not None:
                raise AlreadyActivated
            stored = await self._directory.insert_device(
                feed.device, feed.datastreams, feed.token, key_for
            )
            key = self._directory.find_key(keys[0])
            assert key is not None, "an activation makes a key"
            self._put(
                msgspec.structs.replace(
                    device,
                    activated_us=feed.activated_us,
                    feed_id=stored.device_id,
                    key_id=key.key_id,
                )
            )
        return stored

    async def deactivate(self, product_id: str, serial: str) -> ProductDevice:
        """Let a device be activated afresh: its key is deleted, its feed stays."""
        device = await self.get_device(product_id, serial)
        if device.key_id is not None:
            await self._directory.delete_key(device.key_id)
        self._put(msgspec.structs.replace(device, activated_us=None, feed_id=None, key_id=None))
        return await self.get_device(product_id, serial)


def _new_device(product: Product, serial: str, created_us: int) -> ProductDevice:
    code = activation_code(product.secret, serial)
    return ProductDevice(product.product_id, serial, code, created_us)


def _existing_id(get: Callable[[int], object], found_id: int | None) -> int | None:
    """The id, if there is still such a thing."""
    if found_id is None:
        return None
    try:
        get(found_id)
    except NotFound:
        return None
    return found_id
