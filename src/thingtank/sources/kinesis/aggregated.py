"""Records that the Kinesis Producer Library has put together, taken apart.

    F3 89 9A C2 | AggregatedRecord | MD5 of the AggregatedRecord, 16 bytes

    message AggregatedRecord {                      message Record {
      repeated string partition_key_table = 1;        required uint64 partition_key_index = 1;
      repeated string explicit_hash_key_table = 2;    optional uint64 explicit_hash_key_index = 2;
      repeated Record records = 3;                    required bytes data = 3;
    }                                                 repeated Tag tags = 4;
                                                    }

The indices are places in the two tables. Fields that are not among these are skipped, as protobuf
has it. A record that begins so and is no such thing is refused whole: nothing else that is read
begins with these bytes.

**Hash keys.** A record of the stream is in one shard, and those in it were all meant for that one.
When the shard was split meanwhile, some of them belong to another one now, and their producer puts
these once more, and no others. So these alone are left out. (The Kinesis Client Library leaves out
all that came with one of them.)

Source: Kinesis Producer Library, aggregation-format.md; Protocol Buffers, "Encoding".
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from thingtank.sources.records import Arrived

MAGIC = b"\xf3\x89\x9a\xc2"
AGGREGATED_BYTES_MAX = 10 * 1024 * 1024  # the longest record that a stream may allow
SUB_RECORDS_MAX = 10_000  # and as many keys in each table
PART_RECORDS = 1000

_MD5_BYTES = 16
_VARINT_BYTES_MAX = 10
_UINT64_END = 2**64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types


class HashRange(NamedTuple):
    """The hash keys of a shard; both ends are in it."""

    first: int
    last: int


WHOLE_RANGE = HashRange(0, 2**128 - 1)


class SubRecord(NamedTuple):
    """One of the records that were put together; `hash_key` says which shard it is for."""

    key: str
    hash_key: int
    data: bytes


class Part(NamedTuple):
    """Records of a page, ready to be written.

    Attributes:
        refused: those that cannot be taken apart, with the reason.
        skipped_count: how many belong to another shard, and were left out.
    """

    records: Sequence[Arrived]
    refused: Sequence[tuple[Arrived, str]]
    skipped_count: int


class NotAggregated(ValueError):
    """A record begins as an aggregated one and is none; the message says why."""


def take_apart(records: Sequence[Arrived], hash_range: HashRange) -> Iterator[Part]:
    """Records with those that they were put together of in their place, in parts.

    Args:
        records: n >= 0 of one shard, in order.
        hash_range: of that shard.

    Returns:
        Parts of at most PART_RECORDS + SUB_RECORDS_MAX records each, in order.
    """
    found: list[Arrived] = []
    refused: list[tuple[Arrived, str]] = []
    skipped_count = 0
    for record in records:
        # One that was a part already, and is tried again, has no parts of its own.
        if record.sub_number is not None or not record.data.startswith(MAGIC):
            found.append(record)
        else:
            try:
                subs = sub_records(record.data)
            except NotAggregated as error:
                refused.append((record, str(error)))
                continue
            before_count = len(found)
            found += _own(record, subs, hash_range)
            skipped_count += len(subs) - (len(found) - before_count)
        if len(found) >= PART_RECORDS:
            yield Part(found, refused, skipped_count)
            found, refused, skipped_count = [], [], 0
    if found or refused or skipped_count:
        yield Part(found, refused, skipped_count)


def _own(record: Arrived, subs: Sequence[SubRecord], hash_range: HashRange) -> Iterator[Arrived]:
    """Those that belong to a shard, each with times behind those of the one before it."""
    offset_us = 0
    for number, sub in enumerate(subs):
        if hash_range.first <= sub.hash_key <= hash_range.last:
            yield Arrived(
                record.record_id,
                sub.key,
                record.at_us,
                sub.data,
                number,
                record.offset_us + offset_us,
            )
        offset_us += sub.data.count(b":")  # no value does with fewer, as all are members


def sub_records(data: bytes) -> list[SubRecord]:
    """What an aggregated record holds, in order; at most SUB_RECORDS_MAX.

    Args:
        data: begins with MAGIC.

    Raises:
        NotAggregated.
    """
    if len(data) > AGGREGATED_BYTES_MAX:
        raise NotAggregated(
            f"it is an aggregated record of {len(data):,} bytes; at most {AGGREGATED_BYTES_MAX:,}"
            " are read"
        )
    message, digest = data[len(MAGIC) : -_MD5_BYTES], data[-_MD5_BYTES:]
    whole_bytes = len(MAGIC) + _MD5_BYTES
    if len(data) < whole_bytes or _md5(message) != digest:
        raise NotAggregated("it begins as an aggregated record, and its checksum is another")
    keys: list[bytes] = []
    hash_keys: list[bytes] = []
    bodies: list[bytes] = []
    tables = {1: keys, 2: hash_keys, 3: bodies}
    for field, value in _fields(message):
        table = tables.get(field)
        if table is None:
            continue
        if not isinstance(value, bytes):
            raise NotAggregated(f"it is no aggregated record: field {field} is no text")
        if len(table) >= SUB_RECORDS_MAX:
            raise NotAggregated(f"more than {SUB_RECORDS_MAX:,} records or keys are in it")
        table.append(value)
    by_key = [int.from_bytes(_md5(key)) for key in keys]
    by_hash_key = [_hash_key(text) for text in hash_keys]
    names = [key.decode("utf-8", "replace") for key in keys]
    return [_sub_record(body, names, by_key, by_hash_key) for body in bodies]


def _sub_record(
    body: bytes, names: Sequence[str], by_key: Sequence[int], by_hash_key: Sequence[int]
) -> SubRecord:
    key_place, hash_place, data = None, None, None
    for field, value in _fields(body):
        if field == 1 and isinstance(value, int):
            key_place = value
        elif field == 2 and isinstance(value, int):
            hash_place = value
        elif field == 3 and isinstance(value, bytes):
            data = value
        elif field in (1, 2, 3):
            raise NotAggregated(f"field {field} of a record in it is of another type")
    if key_place is None or data is None:
        raise NotAggregated("a record in it has no key or no data")
    if key_place >= len(names) or (hash_place is not None and hash_place >= len(by_hash_key)):
        raise NotAggregated("a record in it names a key that is not there")
    hash_key = by_key[key_place] if hash_place is None else by_hash_key[hash_place]
    return SubRecord(names[key_place], hash_key, data)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields of a protobuf message in order, with their values."""
    place, end = 0, len(message)
    while place < end:
        tag, place = _varint(message, place)
        field, wire_type = tag >> 3, tag & 7
        value: int | bytes
        if wire_type == _VARINT:
            value, place = _varint(message, place)
        else:
            if wire_type == _BYTES:
                size, place = _varint(message, place)
            elif wire_type in (_FIXED64, _FIXED32):
                size = 8 if wire_type == _FIXED64 else 4
            else:
                raise NotAggregated(f"it is no aggregated record: wire type {wire_type}")
            if size > end - place:
                raise NotAggregated("it is no aggregated record: it is cut off")
            value = message[place : place + size]
            place += size
        yield field, value


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """An unsigned number, and where it ends."""
    number = 0
    for count, byte in enumerate(message[place : place + _VARINT_BYTES_MAX]):
        number |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            if number >= _UINT64_END:
                break
            return number, place + count + 1
    raise NotAggregated("it is no aggregated record: a number in it has no end")


def _hash_key(text: bytes) -> int:
    if not (text.isdigit() and len(text) <= len(str(WHOLE_RANGE.last))):
        raise NotAggregated("an explicit hash key in it is no number")
    return int(text)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
