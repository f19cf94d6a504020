"""Where products are kept: what the product actions need of a store."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from thingtank.tank.keys import ApiKey
from thingtank.tank.products import Product, ProductDevice, State
from thingtank.tank.things import Datastream, Device

PER_PAGE_MAX = 1000


class ProductQuery(msgspec.Struct, frozen=True):
    """Which products of an account a list holds, newest first.

    Attributes:
        state: only those; blank for all.
        page: from 1. per_page: 1 to PER_PAGE_MAX.
    """

    account_id: int
    state: State | Literal[""] = ""
    page: int = 1
    per_page: int = 30


class ProductPage(msgspec.Struct, frozen=True):
    """One page of products, and how many there are in all."""

    products: Sequence[Product]
    total_count: int


class ProductDeviceQuery(msgspec.Struct, frozen=True):
    """Which devices of a product a list holds, in the order they were added.

    Attributes:
        serial: a serial or a part of one, without regard to case; blank for all.
        activated: only active ones, or only the others; None for all.
        page: from 1. per_page: 1 to PER_PAGE_MAX.
    """

    product_id: str
    serial: str = ""
    activated: bool | None = None
    page: int = 1
    per_page: int = 30


class ProductDevicePage(msgspec.Struct, frozen=True):
    """One page of a product's devices, and how many there are in all."""

    devices: Sequence[ProductDevice]
    total_count: int


class NewFeed(msgspec.Struct, frozen=True):
    """What an activation makes.

    Attributes:
        device: a draft, its `device_id` 0.
        token: SkyNet's secret of it.
        key_for: the draft of the key for the stored device, and the key's secret.
        activated_us: from when on it is active.
    """

    device: Device
    datastreams: Sequence[Datastream]
    token: str
    key_for: Callable[[Device], tuple[ApiKey, str]]
    activated_us: int


class Products(Protocol):
    """Products and their devices.

    Each write holds whole or not at all, and is durable when it returns. Writes follow one another
    and those of the directory, which knows of the feeds and keys they make or end as they return.
    """

    async def insert_product(self, product: Product) -> None:
        """Store a product without devices; its secret is sealed."""
        ...

    async def insert_developed(self, product: Product, serial: str, feed: NewFeed) -> Device:
        """Store a product with one serial that is active at once; return its feed's device."""
        ...

    async def get_product(self, product_id: str, *, with_counts: bool = False) -> Product:
        """A product; the numbers of its devices are 0 unless they are asked for.

        Raises:
            NoSuchProduct.
        """
        ...

    async def count_products(self, account_id: int) -> int:
        """How many products an account has."""
        ...

    async def list_products(self, query: ProductQuery) -> ProductPage:
        """One page of products."""
        ...

    async def update_product(
        self, product_id: str, change: Callable[[Product], Product]
    ) -> Product:
        """Store `change` of a product: its name, description and template.

        Raises:
            NoSuchProduct.
        """
        ...

    async def delete_product(self, product_id: str) -> None:
        """Remove a product and its devices; feeds and keys they had remain.

        Raises:
            NoSuchProduct.
        """
        ...

    async def insert_devices(
        self, product_id: str, serials: Sequence[str], created_us: int, devices_max: int
    ) -> None:
        """Add serials, which are good and no two the same; the product's state becomes `deploy`.

        Raises:
            NoSuchProduct, ValidationFailed: some are there already; names their rows.
            LimitReached: the product would have more than `devices_max`.
        """
        ...

    async def list_devices(self, query: ProductDeviceQuery) -> ProductDevicePage:
        """One page of a product's devices.

        Raises:
            NoSuchProduct.
        """
        ...

    async def get_device(self, product_id: str, serial: str) -> ProductDevice:
        """Raise NoSuchProduct or NoSuchProductDevice if there is none."""
        ...

    async def find_device(self, code: str) -> ProductDevice | None:
        """The device with that activation code; found by digest, whatever their number."""
        ...

    async def rename_device(self, product_id: str, serial: str, renamed: str) -> ProductDevice:
        """Give a device another serial, and with it another code; its feed is told.

        Raises:
            NoSuchProduct, NoSuchProductDevice, ValidationFailed: the serial is taken.
        """
        ...

    async def delete_device(self, product_id: str, serial: str) -> None:
        """Remove a serial; a feed and key it had remain.

        Raises:
            NoSuchProduct, NoSuchProductDevice.
        """
        ...

    async def activate(self, product_id: str, serial: str, feed: NewFeed) -> Device:
        """Make a device's feed and key, and mark it active.

        Raises:
            NoSuchProduct, NoSuchProductDevice, AlreadyActivated.
        """
        ...

    async def deactivate(self, product_id: str, serial: str) -> ProductDevice:
        """Let a device be activated afresh: its key is deleted, its feed stays.

        Raises:
            NoSuchProduct, NoSuchProductDevice.
        """
        ...
