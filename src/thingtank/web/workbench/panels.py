"""The values that templates and the live stream show: devices, channels, keys."""

from collections.abc import Iterable, Iterator

import msgspec

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.datapoints import number_of
from thingtank.tank.errors import NotFound
from thingtank.tank.keys import ApiKey, Permission, Resource
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device, Unit, is_live
from thingtank.web.workbench.forms import METHOD_CHOICES
from thingtank.web.workbench.key_forms import resource_words

REACH_SHOWN_MAX = 3  # feeds and channels of a key in a list


class ChannelPanel(msgspec.Struct, frozen=True):
    """A channel with its current value.

    Attributes:
        value, at_us: None while nothing was written.
        is_number: whether its value can be drawn.
    """

    name: str
    tags: tuple[str, ...]
    unit: Unit
    value: str | None
    at_us: int | None

    @property
    def is_number(self) -> bool:
        """Whether the current value can be drawn."""
        return self.value is not None and number_of(self.value) is not None


class DeviceRow(msgspec.Struct, frozen=True):
    """A device in a list."""

    device: Device
    owner: str
    is_mine: bool
    channel_count: int
    last_us: int | None
    is_live: bool


class KeyRow(msgspec.Struct, frozen=True):
    """A key as pages list it, without its secret.

    Attributes:
        permissions: READ, UPDATE, CREATE, DELETE, as far as it has them: on one feed where the page
            is a feed's, else on any.
        channels: of that feed, where it is narrowed to them.
        reach: the feeds and channels it is narrowed to, for people; blank for all.
        limits: from where, and how finely.
    """

    key: ApiKey
    permissions: tuple[str, ...]
    channels: tuple[str, ...]
    reach: str
    limits: tuple[str, ...]
    is_expired: bool


async def read_channels(tank: Tank, device_id: int) -> list[ChannelPanel]:
    """A device's channels in order of name."""
    panels = []
    for datastream in tank.directory.datastreams(device_id).values():
        current = tank.archive.current(datastream.stream_id)
        panels.append(
            ChannelPanel(
                datastream.name,
                datastream.tags,
                datastream.unit or Unit(),
                current.value if current else None,
                current.at_us if current else None,
            )
        )
    return panels


async def read_rows(
    tank: Tank, caller: Caller, devices: Iterable[Device], live_s: int
) -> list[DeviceRow]:
    """Devices with how many channels they have and when they last said something."""
    now_us = tank.clock.now_us()
    rows = []
    for device in devices:
        streams = tank.directory.datastreams(device.device_id).values()
        last_us = newest_us(
            current.at_us if (current := tank.archive.current(stream.stream_id)) else None
            for stream in streams
        )
        rows.append(
            DeviceRow(
                device,
                owner_of(tank, device),
                may_reach(caller, "put", device),
                len(streams),
                last_us,
                is_live(last_us, now_us, live_s),
            )
        )
    return rows


async def read_waypoints(tank: Tank, device: Device) -> list[tuple[float, float]]:
    """Where a mobile device was before, (latitude, longitude), oldest first."""
    if device.location is None or device.location.disposition != "mobile":
        return []
    points = await tank.directory.read_waypoints(device.device_id)
    return [(point.lat, point.lon) for point in points]


def newest_us(times_us: Iterable[int | None]) -> int | None:
    """The newest of times that may be missing."""
    return max((at_us for at_us in times_us if at_us is not None), default=None)


def owner_of(tank: Tank, device: Device) -> str:
    """The login of a device's owner; blank when the account is gone."""
    try:
        return tank.directory.get_account(device.account_id).login
    except NotFound:
        return ""


def key_row(key: ApiKey, now_us: int, feed_id: int | None = None) -> KeyRow:
    """A key with what it permits on a feed, or at all."""
    methods: set[str] = set()
    resources: list[Resource] = []
    for permission in key.permissions:
        named = [
            resource
            for resource in permission.resources
            if feed_id is None or resource.feed_id == feed_id
        ]
        if named or feed_id is None:
            methods.update(permission.access_methods)
        resources += named
    channels = {resource.datastream_id for resource in resources if resource.datastream_id}
    return KeyRow(
        key,
        tuple(label for method, label in METHOD_CHOICES if method in methods),
        tuple(sorted(channels)) if feed_id is not None else (),
        _reach(key),
        tuple(dict.fromkeys(word for each in key.permissions for word in _limits(each))),
        key.expires_us is not None and key.expires_us <= now_us,
    )


def _reach(key: ApiKey) -> str:
    if not all(permission.resources for permission in key.permissions):
        return ""
    words = list(
        dict.fromkeys(
            ("channel " if resource.datastream_id else "feed ") + resource_words(resource)
            for permission in key.permissions
            for resource in permission.resources
        )
    )
    more = f" and {len(words) - REACH_SHOWN_MAX} more" if len(words) > REACH_SHOWN_MAX else ""
    return ", ".join(words[:REACH_SHOWN_MAX]) + more


def _limits(permission: Permission) -> Iterator[str]:
    if permission.source_ip:
        yield f"from {permission.source_ip}"
    if permission.referer:
        yield f"by pages of {permission.referer}"
    if permission.minimum_interval_s:
        yield f"history every {permission.minimum_interval_s} s"
