"""Sensor data: its values are datapoints of the device's feed, each name a datastream."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations.devices import visible
from thingtank.doors.skynet.records import iso_time
from thingtank.tank.actions.datapoints import apply_writes, check_writes
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, value_text
from thingtank.tank.errors import NotAllowed, ValidationFailed
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.permissions import Party, check_configure, may
from thingtank.tank.things import TEXT_CHARS_MAX, Device, is_datastream_name

RECORDS_DEFAULT = 10
RECORDS_MAX = 1000
VALUES_MAX = 100_000  # read for one answer: fewer records of who has very many datastreams
DEPTH_MAX = 8
_PROBLEMS_MAX = 10  # that are told
_SHOWN_CHARS_MAX = 80  # of a name that is none
_NO_VALUES = frozenset({"uuid", "token", "ipAddress", "timestamp", "eventCode", "id", "_id"})


class DataRecord(msgspec.Struct, frozen=True):
    """Values that a device wrote at one time, as text."""

    at_us: int
    values: dict[str, str]


async def write(door: SkynetDoor, party: Party, uuid: str, asked: Mapping[str, Any]) -> DataRecord:
    """Record a device's values now; returns when they are on disk.

    Args:
        asked: name → number, text or truth value; objects within are `name.inner`.

    Raises:
        NoSuchDevice, NotAllowed, ValidationFailed, LimitReached, Overloaded, StorageFailed,
        RateLimited.
    """
    await door.rates.count("data", party)
    tank = door.tank
    device = _writable(door, party, uuid)
    values = dict(_values(asked, "", 0))
    if not values:
        raise ValidationFailed([("data", "has no values")])
    if problems := list(islice(_problems(values), _PROBLEMS_MAX)):
        raise ValidationFailed(problems)
    at_us = tank.clock.now_us()
    writes = [DatastreamWrite(name, [at_us], [text]) for name, text in values.items()]
    is_plain = check_writes(tank, device.device_id, writes, creates_missing=True)
    await apply_writes(tank, device, writes, is_plain)
    body = {**values, "uuid": device.uuid}
    tank.messaging.log(EventCode.DATA_WRITTEN, (device.device_id,), body, at_us=at_us)
    return DataRecord(at_us, values)


def _writable(door: SkynetDoor, party: Party, uuid: str) -> Device:
    """A device that somebody may change; a program's key for sending alone need not see it.

    To other devices one that they may not discover is not there, whoever may configure it.

    Raises:
        NoSuchDevice, NotAllowed.
    """
    policy = door.tank.messaging.policy
    is_program = party.device is None and party.caller.key is not None
    device = door.tank.directory.find_device_by_uuid(uuid) if is_program else None
    if device is not None and may(party, "configure", device, policy):
        return device
    device = visible(door, party, uuid)
    check_configure(party, device, policy)
    return device


def _values(asked: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > DEPTH_MAX:
        raise ValidationFailed([("data", f"is too deep (maximum is {DEPTH_MAX} levels)")])
    for name, value in asked.items():
        if not prefix and name in _NO_VALUES:
            continue
        match value:
            case bool() | int() | float() | str():
                yield prefix + name, value_text(value)
            case dict():
                yield from _values(value, f"{prefix}{name}.", depth + 1)
            case list():
                numbered = {str(number): item for number, item in enumerate(value)}
                yield from _values(numbered, f"{prefix}{name}.", depth + 1)


def _problems(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What the write would be refused for without a word of which value it is."""
    for name, text in values.items():
        if not is_datastream_name(name):
            shown = name[:_SHOWN_CHARS_MAX]
            yield "data", f"has the name {shown}; letters, digits and _ - + . can be in names"
        elif len(text) > TEXT_CHARS_MAX:
            yield "data", f"has too long a text in {name} (maximum is {TEXT_CHARS_MAX} characters)"


async def read(
    door: SkynetDoor,
    party: Party,
    uuid: str,
    *,
    start_us: int | None = None,
    end_us: int | None = None,
    limit: int = RECORDS_DEFAULT,
) -> list[DataRecord]:
    """What a device recorded, newest first; values of one time are one record.

    Args:
        start_us: from then on; end_us: before then.
        limit: at most RECORDS_MAX, and about VALUES_MAX values; 0 for so many.

    Raises:
        NoSuchDevice, NotAllowed, RateLimited.
    """
    await door.rates.count("queries", party)
    tank = door.tank
    device = visible(door, party, uuid)
    if not may(party, "receive", device, tank.messaging.policy):
        raise NotAllowed(f"{party.uuid or 'the caller'} may not receive of device {device.uuid}")
    names = {s.stream_id: s.name for s in tank.directory.datastreams(device.device_id).values()}
    most = min(RECORDS_MAX, max(1, VALUES_MAX // max(1, len(names))))
    limit = min(limit, most) if limit > 0 else most
    found = await tank.archive.read(
        list(names),
        AT_US_MIN if start_us is None else start_us,
        AT_US_MAX + 1 if end_us is None else end_us,
        limit,
        newest_first=True,
    )
    by_time: dict[int, dict[str, str]] = {}
    for stream_id, datapoints in found.items():
        for datapoint in datapoints:
            by_time.setdefault(datapoint.at_us, {})[names[stream_id]] = datapoint.value
    tank.messaging.log(EventCode.DATA_READ, (device.device_id,), {"uuid": device.uuid})
    return [DataRecord(at_us, by_time[at_us]) for at_us in sorted(by_time, reverse=True)[:limit]]


def shown_record(uuid: str, record: DataRecord) -> dict[str, Any]:
    """A record as clients see it."""
    return {"timestamp": iso_time(record.at_us), "uuid": uuid, **record.values}
