"""Write datapoints of many datastreams and devices at once: in one group commit, all or nothing."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.actions.datastreams import add_missing, draft
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, DatapointRows
from thingtank.tank.device_names import find_device_named
from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.tank.events import DatapointsRecorded
from thingtank.tank.keys import ACCESS_METHODS
from thingtank.tank.tank import Tank
from thingtank.tank.things import TEXT_CHARS_MAX, Device

BULK_DATAPOINTS_MAX = 10_000
REFUSALS_MAX = 100  # told of one write


class BulkPoint(msgspec.Struct, frozen=True, gc=False):
    """One datapoint to be written.

    Attributes:
        device: its number or uuid.
        at_us: microseconds since the epoch, UTC.
    """

    device: int | str
    datastream: str
    at_us: int
    value: str


class Refusal(msgspec.Struct, frozen=True):
    """Why one of the datapoints cannot be written; `member` is the one of BulkPoint at fault."""

    index: int
    member: str
    reason: str


class BulkRefused(Exception):
    """Some of the datapoints cannot be written, and none was.

    No TankError, as no door but one asks for this, and answers item by item.

    Attributes:
        refusals: at least one, at most REFUSALS_MAX, in the order of the datapoints.
    """

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = refusals
        super().__init__(f"{len(refusals)} or more datapoints cannot be written")


class _Target(msgspec.Struct, gc=False):
    """A datastream that is written to; `stream_id` is 0 until it is made."""

    device: Device
    name: str
    stream_id: int
    rows: DatapointRows


class _Unreachable(msgspec.Struct, frozen=True):
    """A datastream that is not, and why."""

    member: str
    reason: str


async def record_bulk(
    tank: Tank, caller: Caller, points: Sequence[BulkPoint], *, creates_missing: bool = False
) -> int:
    """Write datapoints, in any order; returns how many once they are on disk.

    The caller needs `put` or `post` for each datastream, and for all of a device to make one.

    Args:
        creates_missing: make datastreams that do not exist yet.

    Raises:
        BulkRefused, LimitReached, Overloaded, StorageFailed. Nothing was written then, but for a
        failure of the disk after datastreams were made.
    """
    if len(points) > BULK_DATAPOINTS_MAX:
        raise LimitReached(
            f"{len(points)} datapoints in one write; at most {BULK_DATAPOINTS_MAX} are allowed"
        )
    targets, refusals = _sorted_out(tank, caller, points, creates_missing)
    if refusals:
        raise BulkRefused(refusals[:REFUSALS_MAX])
    if not targets:
        return 0
    await _make_missing(tank, targets)
    rows, recorded = _by_device(targets)
    await tank.archive.append(rows)
    for event in recorded:
        tank.bus.publish(event)
    return len(rows)


class _Targets:
    """Where one write goes: each datastream is looked up once, by all its names."""

    def __init__(self, tank: Tank, caller: Caller, creates_missing: bool) -> None:
        self._tank = tank
        self._caller = caller
        self._creates_missing = creates_missing
        self._by_name: dict[tuple[int | str, str], _Target | _Unreachable] = {}
        self._targets: dict[tuple[int, str], _Target] = {}
        self._missing_counts: Counter[int] = Counter()  # of devices: datastreams to be made

    def find(self, device_name: int | str, name: str) -> _Target | _Unreachable:
        """The datastream of a name of a device that is named somehow, or why there is none."""
        found = self._by_name.get((device_name, name))
        if found is None:
            found = self._by_name[device_name, name] = self._look_up(device_name, name)
        return found

    def written(self) -> list[_Target]:
        """Those that get something."""
        return [target for target in self._targets.values() if target.rows.values]

    def _look_up(self, device_name: int | str, name: str) -> _Target | _Unreachable:
        device = find_device_named(self._tank.directory, device_name)
        if device is None or not _may_any(self._caller, ACCESS_METHODS, device, name):
            return _Unreachable("device", f"there is no device {str(device_name)[:80]}")
        if not _may_any(self._caller, ("put", "post"), device, name):
            return _Unreachable("device", f"no right to put or post on feed {device.device_id}")
        found = self._targets.get((device.device_id, name))  # under its other name
        if found is not None:
            return found
        datastream = self._tank.directory.datastreams(device.device_id).get(name)
        if datastream is None:
            problem = self._why_not_made(device, name)
            if problem is not None:
                return problem
            self._missing_counts[device.device_id] += 1
        stream_id = 0 if datastream is None else datastream.stream_id
        target = _Target(device, name, stream_id, DatapointRows([], [], []))
        self._targets[device.device_id, name] = target
        return target

    def _why_not_made(self, device: Device, name: str) -> _Unreachable | None:
        device_id = device.device_id
        if not self._creates_missing:
            words = f"device {device_id} has no datastream {name[:80]}"
            return _Unreachable("datastream", words)
        if not _may_any(self._caller, ("put", "post"), device, None):
            words = f"no right to make datastreams of feed {device_id}"
            return _Unreachable("datastream", words)
        try:
            draft(name, None)
        except ValidationFailed as error:
            return _Unreachable("datastream", error.problems[0][1])
        there_count = len(self._tank.directory.datastreams(device_id))
        most = self._tank.limits.datastreams_per_device_max
        is_full = there_count + self._missing_counts[device_id] >= most
        return _Unreachable("datastream", f"a device may have {most}") if is_full else None


def _sorted_out(
    tank: Tank, caller: Caller, points: Sequence[BulkPoint], creates_missing: bool
) -> tuple[list[_Target], list[Refusal]]:
    """The datastreams that are written to with what each gets, and what is wrong."""
    targets = _Targets(tank, caller, creates_missing)
    refusals: list[Refusal] = []
    latest_us = min(tank.clock.now_us() + tank.limits.future_s_max * 1_000_000, AT_US_MAX)
    for index, point in enumerate(points):
        target = targets.find(point.device, point.datastream)
        if isinstance(target, _Unreachable):
            refusals.append(Refusal(index, target.member, target.reason))
        elif len(point.value) > TEXT_CHARS_MAX:
            reason = f"is too long (maximum is {TEXT_CHARS_MAX} characters)"
            refusals.append(Refusal(index, "value", reason))
        elif not AT_US_MIN <= point.at_us <= latest_us:
            refusals.append(Refusal(index, "at", "is out of range"))
        else:
            target.rows.at_us.append(point.at_us)
            target.rows.values.append(point.value)
    return targets.written(), refusals


def _may_any(
    caller: Caller, methods: Sequence[str], device: Device, datastream: str | None
) -> bool:
    return any(may_reach(caller, method, device, datastream) for method in methods)


async def _make_missing(tank: Tank, targets: Sequence[_Target]) -> None:
    missing: dict[int, list[_Target]] = {}
    for target in targets:
        if not target.stream_id:
            missing.setdefault(target.device.device_id, []).append(target)
    for device_id, wanted in missing.items():
        made = await add_missing(tank, device_id, [draft(each.name, None) for each in wanted])
        for target, datastream in zip(wanted, made, strict=True):
            target.stream_id = datastream.stream_id


def _by_device(targets: Sequence[_Target]) -> tuple[DatapointRows, list[DatapointsRecorded]]:
    """All rows together, and what is to be announced of each device."""
    rows = DatapointRows([], [], [])
    recorded: dict[int, DatapointsRecorded] = {}
    for target in targets:
        device_id, stream_id = target.device.device_id, target.stream_id
        target.rows.stream_ids.extend([stream_id] * len(target.rows.values))
        rows.extend(target.rows)
        event = recorded.get(device_id)
        if event is None:
            event = DatapointsRecorded(device_id, {}, DatapointRows([], [], []))
            recorded[device_id] = event
        event.names[stream_id] = target.name
        event.rows.extend(target.rows)
    return rows, list(recorded.values())
