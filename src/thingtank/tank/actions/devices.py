"""Make, change and delete devices; each is a feed as well."""

import secrets
import uuid
from collections.abc import Sequence

import msgspec

from thingtank.tank.access import Caller, check_create, check_reach
from thingtank.tank.changes import DeviceChange, changed_device, ordered_tags
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN
from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.tank.events import DeviceCreated, DeviceDeleted, DeviceUpdated
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Device, datastream_problems, device_problems
from thingtank.tank.waypoints import with_location_time


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
    return secrets.token_urlsafe(36)


async def create_device(
    tank: Tank,
    caller: Caller,
    draft: DeviceChange,
    datastreams: Sequence[Datastream] = (),
    account_id: int | None = None,
) -> CreatedDevice:
    """Make a device, its datastreams, and a key that may do everything on its feed.

    Args:
        draft: its metadata; a title is required.
        datastreams: drafts, with `stream_id` and `device_id` 0.
        account_id: who will own it, when the operator makes it; else the caller does.

    Raises:
        ValidationFailed, NotAllowed, Unauthenticated, LimitReached.
    """
    account = check_create(caller)
    owner_id = account.account_id if account else account_id
    if owner_id is None:
        raise ValidationFailed([("user", "can't be blank")])
    now_us = tank.clock.now_us()
    device = _kept(
        changed_device(
            Device(
                device_id=0,
                uuid=str(uuid.uuid4()),
                account_id=owner_id,
                title="",
                created_us=now_us,
                updated_us=now_us,
            ),
            draft,
        )
    )
    device = with_location_time(None, device, now_us)
    _check_new(tank, device, datastreams)
    token, api_key = new_secret(), new_secret()

    def key_for(stored: Device) -> tuple[ApiKey, str]:
        return _device_key(stored, now_us), api_key

    stored = await tank.directory.insert_device(device, datastreams, token, key_for)
    tank.bus.publish(DeviceCreated(stored))
    return CreatedDevice(stored, token, api_key)


def _kept(device: Device) -> Device:
    return msgspec.structs.replace(device, tags=ordered_tags(device.tags))


def _check_new(tank: Tank, device: Device, datastreams: Sequence[Datastream]) -> None:
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


def _device_key(device: Device, now_us: int) -> ApiKey:
    # The label is the one the book's figure 8.5 shows; titles are cut so that it fits.
    return ApiKey(
        key_id=0,
        account_id=device.account_id,
        label=f"Auto-generated {device.title[:200]} device key for feed {device.device_id}",
        permissions=(Permission(ACCESS_METHODS, (Resource(device.device_id),)),),
        private_access=True,
        created_us=now_us,
    )


async def update_device(tank: Tank, caller: Caller, device_id: int, change: DeviceChange) -> Device:
    """Change a device's metadata; fields that are UNSET stay.

    Raises:
        NoSuchDevice, ValidationFailed, NotAllowed, Unauthenticated.
    """
    check_reach(caller, "put", tank.directory.get_device(device_id))
    return await apply_change(tank, device_id, change)


def checked_change(device: Device, change: DeviceChange) -> Device:
    """`device` with `change`; raises ValidationFailed if that would break a rule."""
    kept = _kept(changed_device(device, change))
    problems = device_problems(kept)
    if problems:
        raise ValidationFailed(problems)
    return kept


async def apply_change(tank: Tank, device_id: int, change: DeviceChange) -> Device:
    """Store and announce a checked change; one that changes nothing is not stored."""
    before = tank.directory.get_device(device_id)
    if checked_change(before, change) == before:
        return before
    now_us = tank.clock.now_us()

    def change_newest(newest: Device) -> Device:
        after = with_location_time(newest, checked_change(newest, change), now_us)
        return msgspec.structs.replace(after, updated_us=max(now_us, newest.updated_us))

    device = await tank.directory.update_device(device_id, change_newest)
    tank.bus.publish(DeviceUpdated(device))
    return device


async def delete_device(tank: Tank, caller: Caller, device_id: int) -> None:
    """Delete a device, its datastreams with all datapoints, and the keys that reach nothing else.

    Raises:
        NoSuchDevice, NotAllowed, Unauthenticated.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "delete", device)
    stream_ids = [stream.stream_id for stream in tank.directory.datastreams(device_id).values()]
    await tank.directory.delete_device(device_id)
    if stream_ids:
        await tank.archive.delete(stream_ids, AT_US_MIN, AT_US_MAX + 1)
    tank.bus.publish(DeviceDeleted(device))
