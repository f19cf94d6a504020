"""Write and delete datapoints, and read history. The write path's one door into the archive."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, TypeAlias

from msgspec import UNSET, UnsetType

from thingtank.tank.access import Caller, check_reach, check_resolution
from thingtank.tank.actions.datastreams import (
    CheckDatastreams,
    add_missing,
    apply_datastream_change,
    checked_datastream_change,
    draft,
    existing,
)
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Bucket, Datapoint, DatapointRows
from thingtank.tank.errors import LimitReached, NoSuchDatapoint, NoSuchDatastream, ValidationFailed
from thingtank.tank.events import DatapointsRecorded
from thingtank.tank.history import (
    SECOND_US,
    Function,
    HistoryRange,
    HistoryTerms,
    calculated,
    midnight_origin_us,
    resolve_range,
    sampled,
    sampled_at_steps,
)
from thingtank.tank.interfaces import Pending
from thingtank.tank.tank import Tank
from thingtank.tank.things import TEXT_CHARS_MAX, Datastream, Device

STEPS_MAX = 10_000  # of one answer
StepFunction: TypeAlias = Function | Literal["first", "last", "count"]
Extreme: TypeAlias = float | UnsetType | None

_READ_ROWS_MAX = 1_000_000  # a whole feed of 1,000 datastreams at Xively's limit of 1,000 each


async def record_datapoints(
    tank: Tank,
    caller: Caller,
    device_id: int,
    writes: Sequence[DatastreamWrite],
    *,
    method: str = "put",
    creates_missing: bool = False,
    are_new: bool = False,
) -> None:
    """Write datapoints and metadata of a device's datastreams; returns when synced to disk.

    Args:
        writes: one for each datastream.
        method: the right that is needed, `put` or `post`.
        creates_missing: make datastreams that do not exist yet, instead of NoSuchDatastream.
        are_new: make all of them; ValidationFailed when one exists, also when another caller makes
            it meanwhile.

    Raises:
        NoSuchDevice, NoSuchDatastream, ValidationFailed, LimitReached, NotAllowed, Unauthenticated,
        Overloaded, StorageFailed. Nothing was written then.
    """
    device = tank.directory.get_device(device_id)
    if len(writes) == 1 and not creates_missing:
        check_reach(caller, method, device, writes[0].name)
    else:
        check_reach(caller, method, device)
    check = partial(_check_new, [write.name for write in writes]) if are_new else None
    if check is not None:
        check(tank.directory.datastreams(device_id))
    is_plain = check_writes(tank, device_id, writes, creates_missing or are_new)
    await apply_writes(tank, device, writes, is_plain, check)


def _check_new(names: Sequence[str], known: Mapping[str, Datastream]) -> None:
    if any(name in known for name in names):
        raise ValidationFailed([("datastream id", "has already been taken")])


def check_writes(
    tank: Tank, device_id: int, writes: Sequence[DatastreamWrite], creates_missing: bool
) -> bool:
    """Raise if any of the writes would be refused, before anything is changed.

    Returns:
        Whether all are plain: values of datastreams that are there. Most are, and `apply_writes`
        need not look for more.
    """
    known = tank.directory.datastreams(device_id)
    limits = tank.limits
    if len(writes) > limits.datastreams_per_device_max:
        raise LimitReached(
            f"{len(writes)} datastreams in one write; "
            f"at most {limits.datastreams_per_device_max} are allowed"
        )
    count = 0
    is_plain = True
    names = set()
    latest_us = tank.clock.now_us() + limits.future_s_max * 1_000_000
    for write in writes:
        name = write.name
        names.add(name)
        datastream = known.get(name)
        if datastream is None:
            if not creates_missing:
                raise NoSuchDatastream(f"feed {device_id} has no datastream {name}")
            draft(name, write.change)
            is_plain = False
        elif write.change is not None:
            checked_datastream_change(datastream, write.change)
            is_plain = False
        elif write.minimum is not UNSET or write.maximum is not UNSET:
            is_plain = False
        values, at_us = write.values, write.at_us
        if len(values) == 1:  # nearly always, and quicker than to look for the largest of one
            longest, oldest_us, newest_us = len(values[0]), at_us[0], at_us[0]
        elif values:
            longest, oldest_us, newest_us = max(map(len, values)), min(at_us), max(at_us)
        else:
            continue
        count += len(values)
        if longest > TEXT_CHARS_MAX:
            raise ValidationFailed(
                [("current_value", f"is too long (maximum is {TEXT_CHARS_MAX} characters)")]
            )
        if oldest_us < AT_US_MIN:
            raise ValidationFailed([("at", "is out of range: not before the year 1")])
        if newest_us > latest_us:
            bound = f"at most {limits.future_s_max} seconds from now"
            raise ValidationFailed([("at", f"is out of range: {bound}")])
    if count > limits.datapoints_per_write_max:
        raise LimitReached(
            f"{count} datapoints in one write; "
            f"at most {limits.datapoints_per_write_max} are allowed"
        )
    if len(names) < len(writes):
        counts = Counter(write.name for write in writes)
        repeated = sorted(name for name, number in counts.items() if number > 1)
        raise ValidationFailed([("datastreams", f"can't have duplicate IDs: {','.join(repeated)}")])
    return is_plain


async def apply_writes(
    tank: Tank,
    device: Device,
    writes: Sequence[DatastreamWrite],
    is_plain: bool = False,
    check: CheckDatastreams | None = None,
) -> None:
    """Carry out checked writes: missing datastreams first, then datapoints, then metadata.

    Args:
        is_plain: what `check_writes` returned, if nothing was waited for since.
        check: as of `add_missing`, if datastreams are missing.
    """
    known = tank.directory.datastreams(device.device_id)
    missing: list[Datastream] = []
    if not is_plain:
        missing = [draft(write.name, write.change) for write in writes if write.name not in known]
    if missing:
        await add_missing(tank, device.device_id, missing, check)
        known = tank.directory.datastreams(device.device_id)
    recorded = _recorded(tank, device, known, writes)
    extremes = [] if is_plain else _extremes(tank, known, writes)
    # Values and extremes go off before either is waited for: no other write comes between them.
    appended = None if recorded is None else tank.archive.append(recorded.rows)
    setting = [tank.archive.set_extremes(*each) for each in extremes]
    if recorded is not None and appended is not None:
        await appended
        tank.bus.publish(recorded)
    for each in setting:
        await each
    for write in () if is_plain else writes:
        if write.change is not None and not any(write.name == made.name for made in missing):
            await apply_datastream_change(tank, device.device_id, write.name, write.change)


def begin_plain_writes(
    tank: Tank, device: Device, writes: Sequence[DatastreamWrite]
) -> tuple[Pending, DatapointsRecorded] | None:
    """Begin to carry out checked writes that are all plain: as `apply_writes`, for less.

    Returns:
        What is done when they are on disk, and what is to be published then; None if there is
        nothing to be written.

    Raises:
        NoSuchDatastream, Overloaded, StorageFailed, ValidationFailed.
    """
    known = tank.directory.datastreams(device.device_id)
    recorded = _recorded(tank, device, known, writes)
    return None if recorded is None else (tank.archive.append(recorded.rows), recorded)


def _recorded(
    tank: Tank,
    device: Device,
    known: Mapping[str, Datastream],
    writes: Sequence[DatastreamWrite],
) -> DatapointsRecorded | None:
    """What writes record; None if that is nothing new."""
    names: dict[int, str] = {}
    stream_ids: list[int] = []
    at_us: list[int] = []
    values: list[str] = []
    current_at_us = tank.archive.current_at_us
    for write in writes:
        count = len(write.values)
        if not count:
            continue
        datastream = known.get(write.name)
        if datastream is None:  # deleted since the check
            raise NoSuchDatastream(f"feed has no datastream {write.name}")
        stream_id = datastream.stream_id
        if count > 1:
            stream_ids += [stream_id] * count
            at_us += write.at_us
            values += write.values
        elif current_at_us(stream_id) == write.at_us[0] and _is_echo(tank, stream_id, write):
            continue
        else:
            stream_ids.append(stream_id)
            at_us.append(write.at_us[0])
            values.append(write.values[0])
        names[stream_id] = write.name
    if not names:
        return None
    return DatapointsRecorded(device.device_id, names, DatapointRows(stream_ids, at_us, values))


def _is_echo(tank: Tank, stream_id: int, write: DatastreamWrite) -> bool:
    """Whether a client that writes at the current value's time only sends back what it read."""
    current = tank.archive.current(stream_id)
    return current is not None and current.value == write.values[0]


def _extremes(
    tank: Tank, known: Mapping[str, Datastream], writes: Sequence[DatastreamWrite]
) -> list[tuple[int, Extreme, Extreme]]:
    """Each datastream's new minimum and maximum, of those that get one."""
    found: list[tuple[int, Extreme, Extreme]] = []
    for write in writes:
        minimum, maximum = write.minimum, write.maximum
        if minimum is UNSET and maximum is UNSET:
            continue
        datastream = known.get(write.name)
        if datastream is None:  # deleted since the check
            raise NoSuchDatastream(f"feed has no datastream {write.name}")
        current = tank.archive.current(datastream.stream_id)
        is_so = (
            current is not None
            and minimum in (UNSET, current.minimum)
            and maximum in (UNSET, current.maximum)
        )
        if write.values or not is_so:  # values of the same write may move them first
            found.append((datastream.stream_id, minimum, maximum))
    return found


async def get_datapoint(
    tank: Tank, caller: Caller, device_id: int, name: str, at_us: int
) -> Datapoint:
    """Read the datapoint at one instant.

    Raises:
        NoSuchDevice, NoSuchDatastream, NoSuchDatapoint, NotAllowed, Unauthenticated.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "get", device, name)
    check_resolution(caller, 0, device, name)
    return await _stored(tank, existing(tank, device_id, name), at_us)


async def _stored(tank: Tank, datastream: Datastream, at_us: int) -> Datapoint:
    stream_id = datastream.stream_id
    found = (await tank.archive.read([stream_id], at_us, at_us + 1, 1)).get(stream_id)
    if not found:
        raise NoSuchDatapoint(f"datastream {datastream.name} has no datapoint at that time")
    return found[0]


async def update_datapoint(
    tank: Tank, caller: Caller, device_id: int, name: str, datapoint: Datapoint
) -> None:
    """Change the value of an existing datapoint.

    Raises:
        NoSuchDevice, NoSuchDatastream, NoSuchDatapoint, ValidationFailed, NotAllowed,
        Unauthenticated.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "put", device, name)
    await _stored(tank, existing(tank, device_id, name), datapoint.at_us)
    write = DatastreamWrite(name, (datapoint.at_us,), (datapoint.value,))
    check_writes(tank, device_id, [write], creates_missing=False)
    await apply_writes(tank, device, [write])


async def delete_datapoint(
    tank: Tank, caller: Caller, device_id: int, name: str, at_us: int
) -> None:
    """Delete the datapoint at one instant.

    Raises:
        NoSuchDevice, NoSuchDatastream, NoSuchDatapoint, NotAllowed, Unauthenticated.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "delete", device, name)
    datastream = existing(tank, device_id, name)
    await _stored(tank, datastream, at_us)
    await tank.archive.delete([datastream.stream_id], at_us, at_us + 1)


async def delete_datapoints(
    tank: Tank, caller: Caller, device_id: int, name: str, start_us: int | None, end_us: int | None
) -> None:
    """Delete the datapoints of a range, both ends included; an open end reaches all there are.

    Raises:
        NoSuchDevice, NoSuchDatastream, ValidationFailed (neither end given), NotAllowed,
        Unauthenticated.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "delete", device, name)
    datastream = existing(tank, device_id, name)
    if start_us is None and end_us is None:
        raise ValidationFailed([("start", "or end or duration must be given")])
    start_us = AT_US_MIN if start_us is None else max(start_us, AT_US_MIN)
    end_us = AT_US_MAX if end_us is None else min(end_us, AT_US_MAX)
    if end_us < start_us:
        raise ValidationFailed([("end", "must not be before start")])
    await tank.archive.delete([datastream.stream_id], start_us, end_us + 1)


async def read_history(
    tank: Tank, caller: Caller, device_id: int, names: Sequence[str] | None, terms: HistoryTerms
) -> dict[str, list[Datapoint]]:
    """Read history of some datastreams of a device, or of all.

    Args:
        names: datastreams; None for all of the device.
        terms: Xively's query terms.

    Returns:
        By datastream name, oldest first; datastreams with nothing to say are left out.

    Raises:
        NoSuchDevice, NoSuchDatastream, ValidationFailed, LimitReached, NotAllowed, Unauthenticated.
    """
    device = tank.directory.get_device(device_id)
    only = names[0] if names is not None and len(names) == 1 else None
    check_reach(caller, "get", device, only)
    known = tank.directory.datastreams(device_id)
    if names is None:
        datastreams = list(known.values())
    else:
        datastreams = [existing(tank, device_id, name) for name in names]
    history_range = resolve_range(
        terms,
        tank.clock.now_us(),
        tank.limits.datapoints_per_read_max,
        tank.limits.raw_range_is_bounded,
    )
    check_resolution(caller, history_range.interval_s, device, only)
    _check_read_size(history_range, len(datastreams))
    by_stream = await _read(tank, [d.stream_id for d in datastreams], terms, history_range)
    return {
        datastream.name: found
        for datastream in datastreams
        if (found := by_stream.get(datastream.stream_id))
    }


async def read_steps(
    tank: Tank,
    caller: Caller,
    device_id: int,
    name: str,
    start_us: int,
    end_us: int,
    interval_s: int,
    function: StepFunction,
    limit: int,
) -> tuple[list[Datapoint], int | None]:
    """One value for each step of a range that has values, the oldest steps first.

    Args:
        start_us, end_us: the end is excluded.
        interval_s: a step's length, 1 or more; steps count from midnight UTC.
        limit: at most so many steps, up to STEPS_MAX.

    Returns:
        Each at its step's start, and where to read on if there are more steps. What calculates
        leaves out steps without numbers.

    Raises:
        NoSuchDevice, NoSuchDatastream, NotAllowed, Unauthenticated.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "get", device, name)
    check_resolution(caller, interval_s, device, name)
    stream_id = existing(tank, device_id, name).stream_id
    count = min(max(limit, 1), STEPS_MAX)
    found = await tank.archive.read_buckets(
        [stream_id], start_us, end_us, interval_s * SECOND_US, 0, count + 1
    )
    buckets = found.get(stream_id, [])
    next_us = buckets[count].start_us if len(buckets) > count else None
    return _told(buckets[:count], function), next_us


def _told(buckets: Sequence[Bucket], function: StepFunction) -> list[Datapoint]:
    if function == "count":
        return [Datapoint(each.start_us, str(each.count)) for each in buckets]
    if function == "first":
        return [Datapoint(each.start_us, each.first.value) for each in buckets]
    if function == "last":
        return [Datapoint(each.start_us, each.last.value) for each in buckets]
    return calculated(buckets, function)


def _check_read_size(asked: HistoryRange, stream_count: int) -> None:
    """Refuse pages so far into a range that reading up to them costs more than the answer."""
    read_count = (asked.skip + asked.limit) * stream_count
    if read_count > _READ_ROWS_MAX and asked.skip:
        raise LimitReached(
            f"this page lies behind {read_count} datapoints; at most {_READ_ROWS_MAX} are read"
            " over: begin at a later start instead"
        )


async def _read(
    tank: Tank, stream_ids: Sequence[int], terms: HistoryTerms, asked: HistoryRange
) -> dict[int, list[Datapoint]]:
    if asked.interval_s == 0:
        found = await tank.archive.read(
            stream_ids, asked.start_us, asked.end_us, asked.skip + asked.limit
        )
        by_stream = {stream_id: points[asked.skip :] for stream_id, points in found.items()}
    else:
        by_stream = await _read_steps(tank, stream_ids, terms, asked)
    if not terms.find_previous:
        return by_stream
    previous = await tank.archive.read_last_before(stream_ids, asked.start_us)
    return {
        stream_id: ([previous[stream_id]] if stream_id in previous else [])
        + by_stream.get(stream_id, [])
        for stream_id in stream_ids
    }


async def _read_steps(
    tank: Tank, stream_ids: Sequence[int], terms: HistoryTerms, asked: HistoryRange
) -> dict[int, list[Datapoint]]:
    origin_us = midnight_origin_us(terms.utc_offset_s)
    reading = tank.archive.read_buckets(
        stream_ids,
        asked.start_us,
        asked.end_us,
        asked.interval_us,
        origin_us,
        asked.skip + asked.limit,
    )
    if terms.function is not None:
        buckets = await reading
        return {i: calculated(found, terms.function)[asked.skip :] for i, found in buckets.items()}
    if not terms.is_discrete:
        buckets = await reading
        return {i: sampled(found)[asked.skip :] for i, found in buckets.items()}
    buckets, previous = await asyncio.gather(
        reading, tank.archive.read_last_before(stream_ids, asked.start_us)
    )
    return {
        i: sampled_at_steps(buckets.get(i, []), previous.get(i), asked, origin_us)
        for i in stream_ids
    }
