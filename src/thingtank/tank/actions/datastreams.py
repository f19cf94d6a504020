"""Make, change and delete datastreams."""

import contextlib
from collections.abc import Sequence

from thingtank.tank.access import Caller, check_reach
from thingtank.tank.changes import DatastreamChange, changed, ordered_tags
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN
from thingtank.tank.errors import LimitReached, NoSuchDatastream, Unavailable, ValidationFailed
from thingtank.tank.events import DeviceUpdated
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, datastream_problems


def get_datastream(tank: Tank, caller: Caller, device_id: int, name: str) -> Datastream:
    """Read a datastream's metadata.

    Raises:
        NoSuchDevice, NoSuchDatastream, NotAllowed, Unauthenticated.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "get", device, name)
    return existing(tank, device_id, name)


def existing(tank: Tank, device_id: int, name: str) -> Datastream:
    """The datastream, or NoSuchDatastream; no rights are checked."""
    datastream = tank.directory.datastreams(device_id).get(name)
    if datastream is None:
        raise NoSuchDatastream(f"feed {device_id} has no datastream {name}")
    return datastream


def draft(name: str, change: DatastreamChange | None) -> Datastream:
    """A datastream that is not stored yet, checked.

    Raises:
        ValidationFailed.
    """
    datastream = Datastream(0, 0, name)
    return checked_datastream_change(datastream, change or DatastreamChange())


def checked_datastream_change(datastream: Datastream, change: DatastreamChange) -> Datastream:
    """`datastream` with `change`; raises ValidationFailed if that would break a rule."""
    if isinstance(change.tags, tuple):
        change = DatastreamChange(tags=ordered_tags(change.tags), unit=change.unit)
    kept = changed(datastream, change)
    problems = datastream_problems(kept)
    if problems:
        raise ValidationFailed(problems)
    return kept


async def add_missing(
    tank: Tank, device_id: int, drafts: Sequence[Datastream]
) -> Sequence[Datastream]:
    """Store new datastreams and announce them; the caller has been checked.

    Raises:
        LimitReached: the device would have too many.
    """
    count = len(tank.directory.datastreams(device_id)) + len(drafts)
    if count > tank.limits.datastreams_per_device_max:
        raise LimitReached(
            f"{count} datastreams; a device may have {tank.limits.datastreams_per_device_max}"
        )
    stored = await tank.directory.insert_datastreams(device_id, drafts)
    tank.bus.publish(DeviceUpdated(tank.directory.get_device(device_id), is_record=False))
    return stored


async def apply_datastream_change(
    tank: Tank, device_id: int, name: str, change: DatastreamChange
) -> Datastream:
    """Store and announce a checked change; one that changes nothing is not stored."""
    before = existing(tank, device_id, name)
    if checked_datastream_change(before, change) == before:
        return before
    datastream = await tank.directory.update_datastream(
        device_id, name, lambda newest: checked_datastream_change(newest, change)
    )
    tank.bus.publish(DeviceUpdated(tank.directory.get_device(device_id), is_record=False))
    return datastream


async def delete_datastream(tank: Tank, caller: Caller, device_id: int, name: str) -> None:
    """Delete a datastream, its datapoints and its triggers; as `delete_device` does.

    Raises:
        NoSuchDevice, NoSuchDatastream, NotAllowed, Unauthenticated.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "delete", device, name)
    existing(tank, device_id, name)
    datastream = await tank.directory.delete_datastream(device_id, name)
    tank.bus.publish(DeviceUpdated(device, is_record=False))
    with contextlib.suppress(Unavailable):
        await tank.archive.delete([datastream.stream_id], AT_US_MIN, AT_US_MAX + 1)
