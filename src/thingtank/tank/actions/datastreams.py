"""Make, change and delete datastreams."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from thingtank.tank.access import Caller, check_reach
from thingtank.tank.changes import DatastreamChange, changed, ordered_tags
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN
from thingtank.tank.errors import LimitReached, NoSuchDatastream, Unavailable, ValidationFailed
from thingtank.tank.events import DeviceUpdated
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, datastream_problems

CheckDatastream: TypeAlias = Callable[[Datastream], None]
CheckDatastreams: TypeAlias = Callable[[Mapping[str, Datastream]], None]


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
    tank: Tank,
    device_id: int,
    drafts: Sequence[Datastream],
    check: CheckDatastreams | None = None,
) -> Sequence[Datastream]:
    """Store new datastreams and announce them; the caller has been checked.

    Args:
        check: is given those there are within the turn of all writes; nothing is stored when it
            raises.

    Raises:
        LimitReached: the device would have too many. And what `check` raises.
    """
    count = len(tank.directory.datastreams(device_id)) + len(drafts)
    if count > tank.limits.datastreams_per_device_max:
        raise LimitReached(
            f"{count} datastreams; a device may have {tank.limits.datastreams_per_device_max}"
        )
    stored = await tank.directory.insert_datastreams(device_id, drafts, check)
    tank.bus.publish(DeviceUpdated(tank.directory.get_device(device_id), is_record=False))
    return stored


async def apply_datastream_change(
    tank: Tank,
    device_id: int,
    name: str,
    change: DatastreamChange,
    check: CheckDatastream | None = None,
) -> Datastream:
    """Store and announce a checked change; one that changes nothing is not stored.

    Args:
        check: as of `update_datastream`.
    """
    before = existing(tank, device_id, name)
    if check is not None:
        check(before)
    if checked_datastream_change(before, change) == before:
        return before

    def change_newest(newest: Datastream) -> Datastream:
        if check is not None:
            check(newest)
        return checked_datastream_change(newest, change)

    datastream = await tank.directory.update_datastream(device_id, name, change_newest)
    tank.bus.publish(DeviceUpdated(tank.directory.get_device(device_id), is_record=False))
    return datastream


async def create_datastream(
    tank: Tank, caller: Caller, device_id: int, name: str, change: DatastreamChange
) -> Datastream:
    """Make a datastream without a value.

    Raises:
        NoSuchDevice, LimitReached, NotAllowed, Unauthenticated.
        ValidationFailed: it breaks a rule, or there is one of this name.
    """
    check_reach(caller, "post", tank.directory.get_device(device_id))
    made = draft(name, change)

    def check_new(known: Mapping[str, Datastream]) -> None:
        if name in known:
            raise ValidationFailed([("id", "has already been taken")])

    check_new(tank.directory.datastreams(device_id))
    return (await add_missing(tank, device_id, [made], check_new))[0]


async def update_datastream(
    tank: Tank,
    caller: Caller,
    device_id: int,
    name: str,
    change: DatastreamChange,
    check: CheckDatastream | None = None,
) -> Datastream:
    """Change a datastream's unit and tags; fields that are UNSET stay.

    Args:
        check: is given the newest state within the turn of all writes; nothing is changed when it
            raises.

    Raises:
        NoSuchDevice, NoSuchDatastream, ValidationFailed, NotAllowed, Unauthenticated, and what
        `check` raises.
    """
    check_reach(caller, "put", tank.directory.get_device(device_id), name)
    return await apply_datastream_change(tank, device_id, name, change, check)


async def delete_datastream(
    tank: Tank, caller: Caller, device_id: int, name: str, check: CheckDatastream | None = None
) -> None:
    """Delete a datastream, its datapoints and its triggers; as `delete_device` does.

    Args:
        check: as of `update_datastream`.

    Raises:
        NoSuchDevice, NoSuchDatastream, NotAllowed, Unauthenticated, and what `check` raises.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "delete", device, name)
    existing(tank, device_id, name)
    datastream = await tank.directory.delete_datastream(device_id, name, check)
    tank.bus.publish(DeviceUpdated(device, is_record=False))
    with contextlib.suppress(Unavailable):
        await tank.archive.delete([datastream.stream_id], AT_US_MIN, AT_US_MAX + 1)
