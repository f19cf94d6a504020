"""Carry datapoints out and in by the batch: for backups and moves, not for devices."""

from collections.abc import Sequence

from thingtank.tank.access import Caller, check_reach, check_resolution
from thingtank.tank.actions.datapoints import apply_writes
from thingtank.tank.actions.datastreams import draft, existing
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.datapoints import AT_US_MIN, Datapoint
from thingtank.tank.errors import LimitReached, NoSuchDatastream, ValidationFailed
from thingtank.tank.tank import Tank
from thingtank.tank.things import TEXT_CHARS_MAX

BATCH_MAX = 50_000


async def export_datapoints(
    tank: Tank,
    caller: Caller,
    device_id: int,
    name: str,
    start_us: int,
    end_us: int,
    limit: int,
    *,
    newest_first: bool = False,
) -> list[Datapoint]:
    """The oldest datapoints of a range, end excluded, as they were written; oldest first.

    Args:
        limit: up to BATCH_MAX. To read on, ask again from one past the last.
        newest_first: the newest ones instead, oldest first as well.

    Raises:
        NoSuchDevice, NoSuchDatastream, NotAllowed, Unauthenticated.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "get", device, name)
    check_resolution(caller, 0, device, name)
    stream_id = existing(tank, device_id, name).stream_id
    count = min(max(limit, 1), BATCH_MAX)
    found = await tank.archive.read([stream_id], start_us, end_us, count, newest_first)
    return found.get(stream_id, [])


async def import_datapoints(
    tank: Tank,
    caller: Caller,
    device_id: int,
    writes: Sequence[DatastreamWrite],
    *,
    creates_missing: bool,
) -> int:
    """Write a batch of datapoints, in any order of time; returns their number once on disk.

    Raises:
        NoSuchDevice, NoSuchDatastream, ValidationFailed, LimitReached, NotAllowed, Unauthenticated,
        Overloaded, StorageFailed. Nothing was written then.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "put", device)
    known = tank.directory.datastreams(device_id)
    count = sum(len(write.values) for write in writes)
    if count > BATCH_MAX:
        raise LimitReached(f"{count} datapoints in one batch; at most {BATCH_MAX} are allowed")
    latest_us = tank.clock.now_us() + tank.limits.future_s_max * 1_000_000
    for write in writes:
        if write.name not in known:
            if not creates_missing:
                raise NoSuchDatastream(f"feed {device_id} has no datastream {write.name}")
            draft(write.name, write.change)
        _check_columns(write, latest_us)
    await apply_writes(tank, device, writes)
    return count


def _check_columns(write: DatastreamWrite, latest_us: int) -> None:
    if not write.values:
        return
    if max(map(len, write.values)) > TEXT_CHARS_MAX:
        raise ValidationFailed([("value", f"is too long (maximum is {TEXT_CHARS_MAX} characters)")])
    # A time far ahead would stay the current value, whatever the device writes later.
    if not AT_US_MIN <= min(write.at_us) <= max(write.at_us) <= latest_us:
        raise ValidationFailed([("at", "is out of range")])
