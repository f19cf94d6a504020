"""What the bytes of a record mean: values of datastreams of devices.

Three forms are taken, each as JSON.

1. A reading, a list of readings, or JSON lines of them: what rules of sinks send when they have no
   template, and what `POST /api/datapoints` takes. `device` is a uuid or the number of a feed,
   `feed` the number of one; where both stand there `device` counts, as a feed's number means
   something in one instance only.

       {"device": "e4f1…", "datastream": "temperature", "value": 21.5, "at": "2026-11-27T08:00:00Z"}

2. A feed as Xively's API has it, with `datastreams`; its `id` or `feed` is the device.

       {"version": "1.0.0", "id": 7, "datastreams": [{"id": "roof", "current_value": "21.5"}]}

3. A flat object of values, each of the datastream of its name; `timestamp` (or `at`), ISO 8601 or
   seconds since the epoch, is their time, and `device` (or `feed`) their device.

       {"temperature": 21.5, "humidity": 40, "timestamp": 1764230400}

Where no device is named, it is the rule's `feed`, and without that the partition key or the group
that the record came with.

**Times.** A value without a time gets that of the arrival of its record in the stream or the queue,
never that of its reading. So a record that is read twice, after a crash or when two readers hand a
shard over, writes the same datapoints again, each in its own place, and nothing is there twice:
that is what makes duplicates harmless. Queues of this machine have a microsecond for each value
(`local/queue_file.py`). Services give milliseconds; the microseconds are derived from the record's
number and the value's place in it, so that two records that arrive within one millisecond are told
apart, but for one time in a thousand and each value more of theirs. `TimesTaken` gives the second
of those the next free microsecond, so neither is written over. It remembers what this reader has
read since its start: another one, or a later one that reads only the second again, takes the
first's place. Who measures that often sends times. Records that came in one record of the stream
count on from it.
"""

import re
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from thingtank.protocols.xively import json_format
from thingtank.protocols.xively.documents import DatapointDocument, DatastreamDocument
from thingtank.protocols.xively.errors import Unprocessable
from thingtank.protocols.xively.times import MalformedTime, parse_time
from thingtank.tank.actions.bulk import BULK_DATAPOINTS_MAX, BulkPoint

TIMES_TAKEN_MAX = 20_000  # of a rule: more than a service gives at once, about 4 MB
RECORD_BYTES_MAX = 1024 * 1024  # as a queue's message, and a stream's record unless it allows more
DEVICE_CHARS_MAX = 256
_TIMES = ("at", "timestamp")
_DEVICES = ("device", "feed")
_NO_VALUES = frozenset({*_TIMES, *_DEVICES})
_SECONDS_END = 10**11  # the year 5138; of more digits are milliseconds
_FRACTION = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?")
_DATE_CHARS = 8  # of 20261127, which is no number
_decode = msgspec.json.Decoder(float_hook=str).decode  # the text that stood there


class Arrived(NamedTuple):
    """A record as it came.

    Attributes:
        record_id: the service's own, the same each time that it is read.
        key: the partition key, or the group; blank for none.
        at_us: when it arrived in the stream or the queue.
        sub_number: its place, from 0, in the record that it was a part of; None of what came alone.
        offset_us: so much later than those of the whole record its values without a time begin.
        has_own_us: whether no other record has `at_us`, nor the microseconds that follow it, one
            for each of its values.
    """

    record_id: str
    key: str
    at_us: int
    data: bytes
    sub_number: int | None = None
    offset_us: int = 0
    has_own_us: bool = False

    @property
    def name(self) -> str:
        """What it is known by: of the fourth one in record `s/100`, `s/100/3`."""
        return self.record_id if self.sub_number is None else f"{self.record_id}/{self.sub_number}"


class NotTaken(ValueError):
    """Nothing can be made of a record; the message says why."""


class TimesTaken:
    """Which record gave a value without a time its microsecond, for the last TIMES_TAKEN_MAX.

    It is known by numbers made of names, as names may be long; where two are of one number, a
    value is a microsecond later than need be. Threads share it: what they do with the dictionary
    is one step each.
    """

    def __init__(self) -> None:
        self._records: OrderedDict[int, int] = OrderedDict()

    def take(self, device: int | str, datastream: str, at_us: int, record_name: str) -> int:
        """The first time from `at_us` on that no other record has, of 1000; the same each time."""
        taken = self._records
        stream, record = hash((str(device), datastream)), hash(record_name)
        for place in range(at_us, at_us + 1000):
            if taken.setdefault(hash((stream, place)), record) == record:
                break
        if len(taken) > TIMES_TAKEN_MAX:
            taken.popitem(last=False)
        return place


def points_of(
    record: Arrived, feed: int | str = "", taken: TimesTaken | None = None
) -> list[BulkPoint]:
    """The datapoints of a record.

    Args:
        feed: the device of values that name none; blank for the record's key.
        taken: of records before it.

    Returns:
        1 to BULK_DATAPOINTS_MAX. Whether their devices exist and their values fit is not known yet.

    Raises:
        NotTaken.
    """
    if len(record.data) > RECORD_BYTES_MAX:
        raise NotTaken(f"it has {len(record.data):,} bytes; at most {RECORD_BYTES_MAX:,} are read")
    points: list[BulkPoint] = []
    times = _Times(record, TimesTaken() if taken is None else taken)
    for found in _objects(record.data):
        for point in _points_of_object(found, feed or record.key, times):
            if len(points) >= BULK_DATAPOINTS_MAX:
                raise NotTaken(f"it has more than {BULK_DATAPOINTS_MAX:,} values")
            points.append(point)
    if not points:
        raise NotTaken("there is no value in it")
    return points


class _Times:
    """Times for values of a record that have none: they ascend, and always in the same way."""

    def __init__(self, record: Arrived, taken: TimesTaken) -> None:
        number = record.record_id
        self._next_us = record.at_us + record.offset_us
        if not record.has_own_us:
            is_count = number.isascii() and number.isdigit()
            micros = (int(number) if is_count else zlib.crc32(number.encode())) % 1000
            self._next_us += micros - record.at_us % 1000
        self._record_name = record.name
        self._taken = None if record.has_own_us else taken

    def take(self, device: int | str, datastream: str) -> int:
        """The next one."""
        at_us = self._next_us
        if self._taken is not None:
            at_us = self._taken.take(device, datastream, at_us, self._record_name)
        self._next_us = at_us + 1
        return at_us


def _objects(data: bytes) -> Iterator[dict[str, Any]]:
    """The objects in a record: one, a list of them, or a line each."""
    try:
        found = _decode(data)
        items: Sequence[Any] = found if isinstance(found, list) else [found]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if b"\n" not in data.strip():
            raise NotTaken(f"it is not JSON: {error}") from None
        items = list(_lines(data))
    for place, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise NotTaken(f"item {place} is no JSON object")
        yield item


def _lines(data: bytes) -> Iterator[Any]:
    count = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        count += 1
        if count > BULK_DATAPOINTS_MAX:
            raise NotTaken(f"it has more than {BULK_DATAPOINTS_MAX:,} lines")
        try:
            yield _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NotTaken(f"line {number} is not JSON: {error}") from None


def _points_of_object(
    found: Mapping[str, Any], usual_device: int | str, times: _Times
) -> Iterator[BulkPoint]:
    if isinstance(found.get("datastreams"), list):
        device = _device(found, ("id", *_DEVICES), usual_device)
        yield from _of_feed_document(found["datastreams"], device, times)
    elif "datastream" in found or "value" in found:
        yield _reading(found, usual_device, times)
    else:
        yield from _of_values(found, _device(found, _DEVICES, usual_device), times)


def _reading(found: Mapping[str, Any], usual_device: int | str, times: _Times) -> BulkPoint:
    name = found.get("datastream")
    if found.get("topic") and not name:
        raise NotTaken("it is a message to a device, and no value of a datastream")
    if not isinstance(name, str) or not name:
        raise NotTaken("`datastream` must be the name of one")
    device = _device(found, _DEVICES, usual_device)
    value = _value_text(found.get("value"), "value")
    stated_us = _stated_us(found)
    at_us = times.take(device, name) if stated_us is None else stated_us
    return BulkPoint(device, name, at_us, value)


def _of_values(found: Mapping[str, Any], device: int | str, times: _Times) -> Iterator[BulkPoint]:
    stated_us = _stated_us(found)
    for name, value in found.items():
        if name in _NO_VALUES or value is None:
            continue
        at_us = times.take(device, name) if stated_us is None else stated_us
        yield BulkPoint(device, name, at_us, _value_text(value, name))


def _of_feed_document(
    found: Sequence[Any], device: int | str, times: _Times
) -> Iterator[BulkPoint]:
    try:
        datastreams = msgspec.convert(found, list[DatastreamDocument])
    except msgspec.ValidationError as error:
        raise NotTaken(f"it is no feed as Xively has it: {error}") from None
    for each in datastreams:
        if each.id is None or each.id == "":
            raise NotTaken("a datastream of it has no id")
        values = [DatapointDocument(each.current_value, each.at), *(each.datapoints or ())]
        for datapoint in values:
            if datapoint.value is None:
                continue
            name = str(each.id)
            at_us = _time(datapoint.at) if datapoint.at else times.take(device, name)
            yield BulkPoint(device, name, at_us, _value_text(datapoint.value, name))


def _device(found: Mapping[str, Any], names: Sequence[str], usual_device: int | str) -> int | str:
    for name in names:
        device = found.get(name)
        if device is None or device == "":
            continue
        if isinstance(device, bool) or not isinstance(device, int | str):
            raise NotTaken(f"`{name}` must be a uuid or the number of a feed")
        if len(str(device)) > DEVICE_CHARS_MAX:
            raise NotTaken(f"`{name}` has more than {DEVICE_CHARS_MAX} characters")
        return device
    if usual_device == "":
        raise NotTaken("it names no device, and the rule names none in `feed`")
    return usual_device


def _stated_us(found: Mapping[str, Any]) -> int | None:
    """The time that an object says it is from; None where it says none."""
    stated = next((found[name] for name in _TIMES if found.get(name) not in (None, "")), None)
    return None if stated is None else _time(stated)


def _time(stated: object) -> int:
    """A time that is stated: ISO 8601, or a number; fractions come as text."""
    is_number = isinstance(stated, int) and not isinstance(stated, bool)
    text = str(stated)
    try:
        if not is_number and not (_FRACTION.fullmatch(text) and len(text) > _DATE_CHARS):
            return parse_time(text)
        number = Decimal(text)
        if abs(number) < _SECONDS_END * 1000:
            # What AWS IoT's timestamp() gives is in milliseconds.
            return round(number * (1000 if abs(number) >= _SECONDS_END else 1_000_000))
    except (MalformedTime, OverflowError):
        pass
    raise NotTaken(f"{text[:40]} is no time: ISO 8601, or seconds since the epoch")


def _value_text(value: Any, name: str) -> str:
    try:
        text = json_format.value_of(value, name)
    except Unprocessable:
        text = None
    if text is None:
        raise NotTaken(f"{name[:80]} must be a number, a text, true or false")
    return text
