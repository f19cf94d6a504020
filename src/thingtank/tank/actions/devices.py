"""Make, change and delete devices; each is a feed as well."""

import contextlib
from collections.abc import Callable, Sequence
from typing import TypeAlias
from uuid import uuid4

import msgspec

from thingtank.tank.access import Caller, check_create, check_reach
from thingtank.tank.changes import DeviceChange, changed_device, ordered_tags
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN
from thingtank.tank.errors import LimitReached, NotFound, Unavailable, ValidationFailed
from thingtank.tank.events import DeviceCreated, DeviceDeleted, DeviceUpdated
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource
from thingtank.tank.properties import kept_properties
from thingtank.tank.random_text import random_text
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Device, datastream_problems, device_problems
from thingtank.tank.tokens import token_problems, uuid_problems
from thingtank.tank.waypoints import with_location_time

CheckDevice: TypeAlias = Callable[[Device], None]


class CreatedDevice(msgspec.Struct, frozen=True):
    """A new device with its secrets, which are shown now and never again by this value.

    Attributes:
        token: SkyNet's secret of the device.
        api_key: the secret of its auto-generated key, all four methods on this feed.
    """

    device: Device
    token: str
    api_key: str


def new_secret() -> str:
    """A fresh secret: 48 characters of URL-safe base64, the usual length of a Xively key."""
    return random_text(36)


async def create_device(
    tank: Tank,
    caller: Caller,
    draft: DeviceChange,
    datastreams: Sequence[Datastream] = (),
    account_id: int | None = None,
    *,
    uuid: str | None = None,
    token: str | None = None,
) -> CreatedDevice:
    """Make a device, its datastreams, and a key that may do everything on its feed.

    Args:
        draft: its metadata; a title is required.
        datastreams: drafts, with `stream_id` and `device_id` 0.
        account_id: who will own it, when the operator makes it; else the caller does.
        uuid, token: chosen by who makes it; None for random ones. Its spelling is kept.

    Raises:
        ValidationFailed, NotAllowed, Unauthenticated, LimitReached.
        UuidTaken: another device has this uuid, or one that differs in case only.
    """
    account = check_create(caller)
    owner_id = account.account_id if account else account_id
    if owner_id is None:
        raise ValidationFailed([("user", "can't be blank")])
    check_chosen(uuid, token)
    now_us = tank.clock.now_us()
    device = kept_device(
        changed_device(
            Device(
                device_id=0,
                uuid=str(uuid4()) if uuid is None else uuid,
                account_id=owner_id,
                title="",
                created_us=now_us,
                updated_us=now_us,
            ),
            draft,
        )
    )
    device = with_location_time(None, device, now_us)
    check_new(tank, device, datastreams)
    token, api_key = token or new_secret(), new_secret()

    def key_for(stored: Device) -> tuple[ApiKey, str]:
        return device_key(stored, now_us), api_key

    stored = await tank.directory.insert_device(device, datastreams, token, key_for)
    tank.bus.publish(DeviceCreated(stored))
    return CreatedDevice(stored, token, api_key)


def check_chosen(uuid: str | None, token: str | None) -> None:
    """Raise ValidationFailed if a uuid or a token may not be chosen for a device."""
    problems = [] if uuid is None else uuid_problems(uuid)
    problems += [] if token is None else token_problems(token)
    if problems:
        raise ValidationFailed(problems)


def kept_device(device: Device) -> Device:
    """A device as it is stored: its tags in order."""
    return msgspec.structs.replace(
        device,
        tags=ordered_tags(device.tags),
        properties=kept_properties(device.properties),
    )


def check_new(tank: Tank, device: Device, datastreams: Sequence[Datastream]) -> None:
    """Raise ValidationFailed or LimitReached if a draft of a device cannot be stored."""
    problems = device_problems(device)
    for datastream in datastreams:
        problems += [(f"datastreams_{field}", m) for field, m in datastream_problems(datastream)]
    if problems:
        raise ValidationFailed(problems)
    limits = tank.limits
    if len(datastreams) > limits.datastreams_per_device_max:
        raise LimitReached(
            f"{len(datastreams)} datastreams; a device may have {limits.datastreams_per_device_max}"
        )
    owned_count = tank.directory.count_devices(DeviceQuery(account_id=device.account_id))
    if owned_count >= limits.devices_per_account_max:
        raise LimitReached(f"an account may have {limits.devices_per_account_max} devices")


def device_key(device: Device, now_us: int) -> ApiKey:
    """The draft of a device's first key: all four methods on its feed, for ever."""
    # The label is the one the book's figure 8.5 shows; titles are cut so that it fits.
    return ApiKey(
        key_id=0,
        account_id=device.account_id,
        label=f"Auto-generated {device.title[:200]} device key for feed {device.device_id}",
        permissions=(Permission(ACCESS_METHODS, (Resource(device.device_id),)),),
        private_access=True,
        created_us=now_us,
    )


async def update_device(
    tank: Tank,
    caller: Caller,
    device_id: int,
    change: DeviceChange,
    check: CheckDevice | None = None,
) -> Device:
    """Change a device's metadata; fields that are UNSET stay.

    Args:
        check: is given the newest state within the turn of all writes; nothing is changed when it
            raises.

    Raises:
        NoSuchDevice, ValidationFailed, NotAllowed, Unauthenticated, and what `check` raises.
    """
    check_reach(caller, "put", tank.directory.get_device(device_id))
    return await apply_device_change(tank, device_id, change, check)


def checked_device_change(device: Device, change: DeviceChange) -> Device:
    """`device` with `change`; raises ValidationFailed if that would break a rule."""
    kept = kept_device(changed_device(device, change))
    problems = device_problems(kept, device)
    if problems:
        raise ValidationFailed(problems)
    return kept


async def apply_device_change(
    tank: Tank, device_id: int, change: DeviceChange, check: CheckDevice | None = None
) -> Device:
    """Store and announce a checked change; one that changes nothing is not stored.

    Args:
        check: as of `update_device`.
    """
    before = tank.directory.get_device(device_id)
    if check is not None:
        check(before)
    checked = checked_device_change(before, change)
    if checked == before:
        return before
    now_us = tank.clock.now_us()

    def change_newest(newest: Device) -> Device:
        if check is not None:
            check(newest)
        after = checked if newest is before else checked_device_change(newest, change)
        after = with_location_time(newest, after, now_us)
        return msgspec.structs.replace(after, updated_us=max(now_us, newest.updated_us))

    device = await tank.directory.update_device(device_id, change_newest)
    tank.bus.publish(DeviceUpdated(device))
    return device


async def delete_device(
    tank: Tank, caller: Caller, device_id: int, check: CheckDevice | None = None
) -> None:
    """Delete a device with its datastreams, datapoints and triggers, and keys for nothing else.

    Datapoints that the archive cannot delete now are out of reach, and go with `delete_leftovers`.

    Args:
        check: as of `update_device`.

    Raises:
        NoSuchDevice, NotAllowed, Unauthenticated, and what `check` raises.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "delete", device)
    stream_ids = [stream.stream_id for stream in tank.directory.datastreams(device_id).values()]
    await tank.directory.delete_device(device_id, check)
    tank.bus.publish(DeviceDeleted(device))
    if stream_ids:
        # Who were told 503 would try again, and be told that there is no such device.
        with contextlib.suppress(Unavailable):
            await tank.archive.delete(stream_ids, AT_US_MIN, AT_US_MAX + 1)
    if device.product_id:
        await _drop_developed(tank, device)


async def _drop_developed(tank: Tank, device: Device) -> None:
    """Delete the product of one device that was being worked on, when that device is gone."""
    try:
        product = await tank.products.get_product(device.product_id)
        serial = await tank.products.get_device(device.product_id, device.device_serial)
    except NotFound:
        return
    if product.state == "develop" and serial.feed_id is None:
        await tank.products.delete_product(device.product_id)
