"""Operations on devices."""

import msgspec

from thingtank.server.operations.context import Context
from thingtank.server.operations.shapes import ChannelRow, DeviceDetails, DeviceRow, Paged
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.devices import create_device, delete_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.datapoints import CurrentValue
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.interfaces import PAGE_MAX, PER_PAGE_MAX, DeviceQuery
from thingtank.tank.things import Device, Location


class CreateDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device to make; see `tank.things.Device`."""

    name: str
    description: str = ""
    private: bool = True
    tags: tuple[str, ...] = ()
    lat: float | None = None
    lon: float | None = None
    owner: str = ""


class CreatedDevice(msgspec.Struct, frozen=True):
    """A new device, with its token, which cannot be shown again, and its first key."""

    feed_id: int
    uuid: str
    title: str
    owner: str
    private: bool
    token: str
    api_key: str


async def create(context: Context, asked: CreateDevice) -> CreatedDevice:
    """Make a device with a feed, a token and a key of its own."""
    owner = context.account(asked.owner)
    place = None
    if asked.lat is not None or asked.lon is not None:
        place = Location(lat=asked.lat, lon=asked.lon)
    draft = DeviceChange(
        title=asked.name,
        description=asked.description,
        private=asked.private,
        tags=asked.tags,
        location=place,
    )
    made = await create_device(context.tank, OPERATOR, draft, account_id=owner.account_id)
    device = made.device
    return CreatedDevice(
        device.device_id,
        device.uuid,
        device.title,
        owner.login,
        device.private,
        made.token,
        made.api_key,
    )


class ListDevices(Paged, frozen=True):
    """Which devices to list."""

    search: str = ""
    owner: str = ""


class DeviceList(msgspec.Struct, frozen=True):
    """One page of devices, and how many there are."""

    total_count: int
    devices: list[DeviceRow]


async def list_all(context: Context, asked: ListDevices) -> DeviceList:
    """List devices, newest first."""
    account_id = context.account(asked.owner).account_id if asked.owner else None
    query = DeviceQuery(
        account_id=account_id,
        everybody=account_id is None,
        text=asked.search,
        page=min(max(1, asked.page), PAGE_MAX),
        per_page=min(max(1, asked.per_page), PER_PAGE_MAX),
    )
    found = await context.tank.search_devices(query)
    return DeviceList(found.total_count, [_row(context, device) for device in found.devices])


class OneDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device by feed id or uuid."""

    device: str


async def show(context: Context, asked: OneDevice) -> DeviceDetails:
    """All that is known of a device, apart from its secrets."""
    device = find_device(context, asked.device)
    return DeviceDetails(
        **msgspec.structs.asdict(_row(context, device)),
        description=device.description,
        tags=device.tags,
        location=device.location,
        channels=_channels(context, device),
    )


async def delete(context: Context, asked: OneDevice) -> DeviceRow:
    """Delete a device with all it has recorded; return what it was."""
    device = find_device(context, asked.device)
    row = _row(context, device)
    await delete_device(context.tank, OPERATOR, device.device_id)
    return row


def find_device(context: Context, name: str) -> Device:
    """The device of a feed id or uuid.

    Raises:
        NoSuchDevice.
    """
    directory = context.tank.directory
    if name.isascii() and name.isdigit() and len(name) < 19:
        return directory.get_device(int(name))
    device = directory.find_device_by_uuid(name)
    if device is None:
        raise NoSuchDevice(f"there is no device {name}; give a feed id or a uuid")
    return device


def _row(context: Context, device: Device) -> DeviceRow:
    currents = [current for _, current in _currents(context, device) if current]
    return DeviceRow(
        device.device_id,
        device.uuid,
        device.title,
        context.tank.directory.get_account(device.account_id).login,
        device.private,
        len(context.tank.directory.datastreams(device.device_id)),
        max((current.at_us for current in currents if current.at_us is not None), default=None),
    )


def _channels(context: Context, device: Device) -> list[ChannelRow]:
    known = context.tank.directory.datastreams(device.device_id)
    return [
        ChannelRow(
            name,
            current.value if current else None,
            current.at_us if current else None,
            unit.symbol if (unit := known[name].unit) else "",
            known[name].tags,
        )
        for name, current in _currents(context, device)
    ]


def _currents(context: Context, device: Device) -> list[tuple[str, CurrentValue | None]]:
    return [
        (name, context.tank.archive.current(datastream.stream_id))
        for name, datastream in context.tank.directory.datastreams(device.device_id).items()
    ]
