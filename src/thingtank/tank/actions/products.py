"""Make, change and delete products and their devices; activate devices, which needs only a code.

Source: Xively API v2, products, devices, provisioning.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Sequence

import msgspec

from thingtank.tank.access import Caller, check_provision, may_see_secret
from thingtank.tank.actions.devices import (
    CreatedDevice,
    check_new,
    device_key,
    kept_device,
    new_secret,
)
from thingtank.tank.actions.sending_keys import delete_sending_keys
from thingtank.tank.changes import DeviceChange, changed
from thingtank.tank.errors import (
    AlreadyActivated,
    LimitReached,
    NoSuchDevice,
    NoSuchProductDevice,
    NotAllowed,
    NotFound,
    Unauthenticated,
    ValidationFailed,
)
from thingtank.tank.events import DeviceCreated, DeviceUpdated
from thingtank.tank.keys import ApiKey
from thingtank.tank.products import (
    FeedTemplate,
    Product,
    ProductChange,
    ProductDevice,
    changed_product,
    check_serials,
    feed_title,
    new_product_id,
    new_product_secret,
    new_serial,
    product_problems,
    serial_problem,
)
from thingtank.tank.products_interface import (
    PER_PAGE_MAX,
    NewFeed,
    ProductDevicePage,
    ProductDeviceQuery,
    ProductPage,
    ProductQuery,
)
from thingtank.tank.tank import Tank
from thingtank.tank.things import TEXT_CHARS_MAX, Datastream, Device

PAGE_MAX = 1_000_000


class Activation(msgspec.Struct, frozen=True):
    """What an activated device is told.

    Attributes:
        api_key: the secret of its key, all four methods on its feed.
        datastreams: names, in order.
    """

    api_key: str
    feed_id: int
    datastreams: tuple[str, ...]


class ProductDeviceRow(msgspec.Struct, frozen=True):
    """A product's device as lists show it.

    Attributes:
        api_key: its key's secret; blank while it is not active, and for who may not see it.
    """

    device: ProductDevice
    api_key: str = ""


class CodeHolder(msgspec.Struct, frozen=True):
    """The device that an activation code belongs to, as far as whoever holds the code may know it.

    Attributes:
        account_id: whose it is; not for strangers.
        feed_id: its feed while it is active and the feed exists; not for strangers.
    """

    product_name: str
    product_description: str
    serial: str
    is_activated: bool
    account_id: int
    feed_id: int | None


class DevelopedDevice(msgspec.Struct, frozen=True):
    """A device that is being worked on, with the product of which it is the only one."""

    product: Product
    device: ProductDevice
    created: CreatedDevice


# --- products -----------------------------------------------------------------------------------


async def create_product(
    tank: Tank, caller: Caller, change: ProductChange, account_id: int | None = None
) -> Product:
    """Make a product without devices.

    Args:
        change: its content; a name is required.
        account_id: who will own it; None for the caller's account.

    Raises:
        ValidationFailed, LimitReached, NotAllowed, Unauthenticated.
    """
    owner_id = await _check_new_product(tank, caller, account_id)
    product = _checked(tank, changed_product(_new_product(tank, owner_id), change))
    await tank.products.insert_product(product)
    return product


async def _check_new_product(tank: Tank, caller: Caller, account_id: int | None) -> int:
    """Whose the product will be."""
    owner_id = account_id
    if owner_id is None:
        if caller.account is None and caller.is_operator:
            raise ValidationFailed([("user", "can't be blank")])
        owner_id = caller.account.account_id if caller.account else 0
    check_provision(caller, owner_id)
    tank.directory.get_account(owner_id)
    products_max = tank.limits.products_per_account_max
    if await tank.products.count_products(owner_id) >= products_max:
        raise LimitReached(f"an account may have {products_max} products")
    return owner_id


def _new_product(tank: Tank, account_id: int) -> Product:
    return Product(
        product_id=new_product_id(),
        account_id=account_id,
        secret=new_product_secret(),
        name="",
        created_us=tank.clock.now_us(),
    )


def _checked(tank: Tank, product: Product) -> Product:
    problems = product_problems(product, tank.limits.datastreams_per_device_max)
    if problems:
        raise ValidationFailed(problems)
    return product


async def get_product(tank: Tank, caller: Caller, product_id: str) -> Product:
    """A product with the numbers of its devices.

    Raises:
        NoSuchProduct, NotAllowed, Unauthenticated.
    """
    await _managed(tank, caller, product_id)
    return await tank.products.get_product(product_id, with_counts=True)


async def _managed(tank: Tank, caller: Caller, product_id: str) -> Product:
    """The product, uncounted, for who may manage it."""
    if caller.account is None and not caller.is_operator:
        raise Unauthenticated("a master key or a sign-in is needed")
    product = await tank.products.get_product(product_id)
    check_provision(caller, product.account_id)
    return product


async def list_products(tank: Tank, caller: Caller, query: ProductQuery) -> ProductPage:
    """One page of an account's products, newest first.

    Raises:
        ValidationFailed, NotAllowed, Unauthenticated.
    """
    check_provision(caller, query.account_id)
    _check_page(query.page, query.per_page)
    return await tank.products.list_products(query)


def _check_page(page: int, per_page: int) -> None:
    problems = []
    if not 1 <= page <= PAGE_MAX:
        problems.append(("page", f"must be between 1 and {PAGE_MAX}"))
    if not 1 <= per_page <= PER_PAGE_MAX:
        problems.append(("per_page", f"must be between 1 and {PER_PAGE_MAX}"))
    if problems:
        raise ValidationFailed(problems)


async def update_product(
    tank: Tank, caller: Caller, product_id: str, change: ProductChange
) -> Product:
    """Change a product's name, description and template; feeds that were made of it stay.

    Raises:
        NoSuchProduct, ValidationFailed, NotAllowed, Unauthenticated.
    """
    await _managed(tank, caller, product_id)
    return await tank.products.update_product(
        product_id, lambda newest: _checked(tank, changed_product(newest, change))
    )


async def delete_product(tank: Tank, caller: Caller, product_id: str) -> None:
    """Delete a product and its list of devices; feeds and keys that they have stay in use.

    Raises:
        NoSuchProduct, NotAllowed, Unauthenticated.
    """
    await _managed(tank, caller, product_id)
    await tank.products.delete_product(product_id)


# --- devices ------------------------------------------------------------------------------------


async def add_product_devices(
    tank: Tank, caller: Caller, product_id: str, serials: Sequence[str]
) -> None:
    """Add serials, all or none; a product that was in development is deployed by this.

    Raises:
        NoSuchProduct, NotAllowed, Unauthenticated.
        ValidationFailed: some are bad, repeated or taken; names their rows, from 1.
        LimitReached: too many at once, or for the product.

    Source: Xively API v2, "Create devices".
    """
    await _managed(tank, caller, product_id)
    limits = tank.limits
    # In a thread, because the longest list takes as long as a few hundred requests.
    await asyncio.to_thread(check_serials, serials, limits.serials_per_upload_max)
    now_us = tank.clock.now_us()
    await tank.products.insert_devices(product_id, serials, now_us, limits.devices_per_product_max)


async def list_product_devices(
    tank: Tank, caller: Caller, query: ProductDeviceQuery
) -> tuple[list[ProductDeviceRow], int]:
    """One page of a product's devices in the order they were added, and how many there are in all.

    Raises:
        NoSuchProduct, ValidationFailed, NotAllowed, Unauthenticated.
    """
    _check_page(query.page, query.per_page)
    if len(query.serial) > TEXT_CHARS_MAX:
        raise ValidationFailed(
            [("serial", f"is too long (maximum is {TEXT_CHARS_MAX} characters)")]
        )
    await _managed(tank, caller, query.product_id)
    page: ProductDevicePage = await tank.products.list_devices(query)
    return await _rows(tank, caller, page.devices), page.total_count


async def _rows(
    tank: Tank, caller: Caller, devices: Sequence[ProductDevice]
) -> list[ProductDeviceRow]:
    keys = [_find_key(tank, device.key_id) for device in devices]
    shown = [key.key_id for key in keys if key is not None and may_see_secret(caller, key)]
    secrets = await tank.directory.reveal_keys(shown)
    return [ProductDeviceRow(device, secrets.get(device.key_id or 0, "")) for device in devices]


def _find_key(tank: Tank, key_id: int | None) -> ApiKey | None:
    if key_id is None:
        return None
    try:
        return tank.directory.get_key(key_id)
    except NotFound:  # deleted since the device was read
        return None


async def get_product_device(
    tank: Tank, caller: Caller, product_id: str, serial: str
) -> ProductDeviceRow:
    """One device of a product.

    Raises:
        NoSuchProduct, NoSuchProductDevice, NotAllowed, Unauthenticated.
    """
    await _managed(tank, caller, product_id)
    device = await tank.products.get_device(product_id, serial)
    return (await _rows(tank, caller, [device]))[0]


async def rename_product_device(
    tank: Tank, caller: Caller, product_id: str, serial: str, renamed: str
) -> ProductDevice:
    """Give a device another serial; its activation code changes with it.

    Raises:
        NoSuchProduct, NoSuchProductDevice, ValidationFailed, NotAllowed, Unauthenticated.
    """
    await _managed(tank, caller, product_id)
    message = serial_problem(renamed)
    if message:
        raise ValidationFailed([("serial", message)])
    device = await tank.products.rename_device(product_id, serial, renamed)
    if device.feed_id is not None and renamed != serial:
        tank.bus.publish(DeviceUpdated(tank.directory.get_device(device.feed_id)))
    return device


async def delete_product_device(tank: Tank, caller: Caller, product_id: str, serial: str) -> None:
    """Take a serial off a product; a feed and key it has stay in use.

    Raises:
        NoSuchProduct, NoSuchProductDevice, NotAllowed, Unauthenticated.
    """
    await _managed(tank, caller, product_id)
    await tank.products.delete_device(product_id, serial)


# --- activation ---------------------------------------------------------------------------------


async def activate_device(tank: Tank, caller: Caller, code: str) -> Activation:
    """Give a device its feed and key: to anybody who has its code the first time.

    Later, its own key or a master key of its account is needed, and gets the same answer.

    Raises:
        NoSuchProductDevice: no device has that code.
        AlreadyActivated: and the caller may not see its key.
        NotAllowed: its account is inactive.
        LimitReached, ValidationFailed: the feed cannot be made.

    Source: Xively API v2, "Activate a device".
    """
    device = await _device_of_code(tank, code)
    if device.activated_us is None:
        product = await tank.products.get_product(device.product_id)
        feed, api_key = _new_feed(tank, product, device.serial)
        try:
            made = await tank.products.activate(device.product_id, device.serial, feed)
        except AlreadyActivated:  # by another request, while this one was on its way
            device = await _device_of_code(tank, code)
        else:
            tank.bus.publish(DeviceCreated(made))
            return _answer(tank, made.device_id, api_key)
    return await _activation_again(tank, caller, device)


async def _device_of_code(tank: Tank, code: str) -> ProductDevice:
    device = await tank.products.find_device(code.strip().lower())
    if device is None:
        raise NoSuchProductDevice("couldn't find Device with that activation code")
    return device


async def find_code_holder(tank: Tank, code: str) -> CodeHolder:
    """Which device a code belongs to; needs nothing but the code, and changes nothing.

    Raises:
        NoSuchProductDevice: no device has that code.
    """
    device = await _device_of_code(tank, code)
    product = await tank.products.get_product(device.product_id)
    return CodeHolder(
        product.name,
        product.description,
        device.serial,
        device.activated_us is not None,
        product.account_id,
        device.feed_id,
    )


def _new_feed(tank: Tank, product: Product, serial: str) -> tuple[NewFeed, str]:
    """The feed that a product's template makes, and the secret of its key."""
    if not tank.directory.get_account(product.account_id).is_active:
        raise NotAllowed("the product's account is inactive")
    template = product.template
    draft = DeviceChange(
        title=feed_title(product, serial),
        description=template.description,
        tags=template.tags,
        private=template.private,
        website=template.website,
    )
    return _feed_of(tank, product, serial, draft, template.datastreams)


def _feed_of(
    tank: Tank,
    product: Product,
    serial: str,
    draft: DeviceChange,
    datastreams: Sequence[Datastream],
) -> tuple[NewFeed, str]:
    now_us = tank.clock.now_us()
    blank = Device(
        device_id=0,
        uuid=str(uuid.uuid4()),
        account_id=product.account_id,
        title="",
        created_us=now_us,
        updated_us=now_us,
        product_id=product.product_id,
        device_serial=serial,
    )
    device = kept_device(changed(blank, draft))
    check_new(tank, device, datastreams)
    api_key = new_secret()

    def key_for(stored: Device) -> tuple[ApiKey, str]:
        return device_key(stored, now_us), api_key

    return NewFeed(device, datastreams, new_secret(), key_for, now_us), api_key


def _answer(tank: Tank, feed_id: int, api_key: str) -> Activation:
    return Activation(api_key, feed_id, tuple(tank.directory.datastreams(feed_id)))


async def _activation_again(tank: Tank, caller: Caller, device: ProductDevice) -> Activation:
    key = _find_key(tank, device.key_id)
    if device.feed_id is None or key is None:
        # Who deleted them wants the device cut off; only its owner can let it in again.
        raise AlreadyActivated("; its feed or key is gone, and it has to be deactivated first")
    if not may_see_secret(caller, key):
        raise AlreadyActivated
    secrets = await tank.directory.reveal_keys([key.key_id])
    if key.key_id not in secrets:
        raise AlreadyActivated
    return _answer(tank, device.feed_id, secrets[key.key_id])


async def deactivate_device(
    tank: Tank, caller: Caller, product_id: str, serial: str
) -> ProductDevice:
    """Let a device be activated afresh: its keys are dead when this returns, its feed stays.

    These are the key that it was made with, and those that may only write to its feed, as its page
    puts into programs.

    The next activation makes a new feed and a new key. Nothing happens to one that is not active.

    Raises:
        NoSuchProduct, NoSuchProductDevice, NotAllowed, Unauthenticated.
    """
    await _managed(tank, caller, product_id)
    device = await tank.products.get_device(product_id, serial)
    if device.feed_id is not None:
        with contextlib.suppress(NoSuchDevice):  # its keys are gone with it
            await delete_sending_keys(tank, caller, tank.directory.get_device(device.feed_id))
    return await tank.products.deactivate(product_id, serial)


async def develop_device(
    tank: Tank,
    caller: Caller,
    draft: DeviceChange,
    datastreams: Sequence[Datastream] = (),
    account_id: int | None = None,
) -> DevelopedDevice:
    """Make a device to work on: a product of one serial, active at once.

    Args:
        draft: the feed's metadata; a title is required, which the product is named after.
        datastreams: drafts, with `stream_id` and `device_id` 0.
        account_id: who will own it; None for the caller's account.

    Raises:
        ValidationFailed, LimitReached, NotAllowed, Unauthenticated.
    """
    owner_id = await _check_new_product(tank, caller, account_id)
    blank = Device(device_id=0, uuid="", account_id=owner_id, title="")
    like = kept_device(changed(blank, draft))
    template = FeedTemplate(
        like.title, like.description, like.tags, like.private, like.website, tuple(datastreams)
    )
    product = msgspec.structs.replace(
        _new_product(tank, owner_id), name=like.title, template=template, state="develop"
    )
    serial = new_serial()
    feed, api_key = _feed_of(tank, product, serial, draft, datastreams)
    _checked(tank, product)
    made = await tank.products.insert_developed(product, serial, feed)
    tank.bus.publish(DeviceCreated(made))
    return DevelopedDevice(
        await tank.products.get_product(product.product_id, with_counts=True),
        await tank.products.get_device(product.product_id, serial),
        CreatedDevice(made, feed.token, api_key),
    )
