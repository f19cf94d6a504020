"""Records in a stream of Amazon Kinesis, in order for each device."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from thingtank.aws.failures import is_missing
from thingtank.aws.names import check_name
from thingtank.aws.streams import (
    KEY_CHARS_MAX,
    RECORD_BYTES_MAX,
    StreamRecord,
    calls_of,
    fault_of,
    put_records,
)
from thingtank.aws.tags import APP_TAGS
from thingtank.sinks.engine import GATHER_S, BatchBounds, EngineParts, Item, SendResult
from thingtank.sinks.engines.call_pool import CallPool, check_connections
from thingtank.sinks.engines.lanes import Entry, send_in_lanes
from thingtank.tank.failures import Failure

READY_S_MAX = 60
SURELY_FITS_BYTES = RECORD_BYTES_MAX - 4 * KEY_CHARS_MAX - 1


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stream.

    Attributes:
        stream: its name, in the region of `[aws]`.
        shards: it is made with so many if it is missing; 0 does not make it.
        joined: what a device has in a batch is one record, a line for each value; false makes a
            record of each value, of which a device's go one after another, slowly.
        connections: calls at the same time.
    """

    stream: str
    shards: int = 0
    joined: bool = True
    connections: int = 4

    def __post_init__(self) -> None:
        """Check what is here to be checked."""
        check_name("stream", self.stream)
        if not 0 <= self.shards <= 10_000:
            raise ValueError(f"`shards` must be within 0 and 10,000, not {self.shards}")
        check_connections(self.connections)


class KinesisEngine:
    """Implements `SinkEngine`. A record that is sent again is in the stream twice."""

    wants_payload = True
    gather_s = GATHER_S

    def __init__(self, settings: Settings, parts: EngineParts) -> None:
        """Make one that is not open."""
        self._settings = settings
        self._parts = parts
        self._client: Any = None
        self._pool: CallPool | None = None
        self.bounds = BatchBounds(5000 if settings.joined else 2000, 4 * 1024 * 1024)

    def open(self) -> None:
        """See SinkEngine."""
        self.close()
        client = self._parts.aws().client("kinesis", is_checked=False)
        name = self._settings.stream
        try:
            found = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
            is_ready = found["StreamStatus"] != "CREATING"
        except Exception as error:
            if not (self._settings.shards and is_missing(error)):
                raise
            client.create_stream(StreamName=name, ShardCount=self._settings.shards, Tags=APP_TAGS)
            is_ready = False
        if not is_ready:
            waiting = {"Delay": 1, "MaxAttempts": READY_S_MAX}
            client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=waiting)
        self._client = client
        self._pool = CallPool(self._settings.connections, "kinesis")

    def send(self, items: Sequence[Item]) -> SendResult:
        """See SinkEngine."""
        assert self._pool is not None, "open"
        refused = {
            place: fault
            for place, item in enumerate(items)
            if len(item.payload) > SURELY_FITS_BYTES
            and (fault := fault_of(_record(item, item.payload + b"\n")))
        }
        entries = self._entries(items, refused)
        result = send_in_lanes(entries, self._put, calls_of, self._pool)
        return SendResult(result.retry, {**result.refused, **refused}, result.failure)

    def close(self) -> None:
        """See SinkEngine."""
        pool, self._pool, self._client = self._pool, None, None
        if pool is not None:
            pool.close()

    def describe(self) -> str:
        """See SinkEngine."""
        return f"Kinesis stream {self._settings.stream}"

    def _put(self, records: Sequence[StreamRecord]) -> list[Failure | None]:
        return put_records(self._client, self._settings.stream, records)

    def _entries(self, items: Sequence[Item], refused: dict[int, str]) -> Iterator[Entry]:
        lanes: dict[str, list[int]] = {}
        for place, item in enumerate(items):
            if place not in refused:
                lanes.setdefault(_key(item), []).append(place)
        for key, places in lanes.items():
            if self._settings.joined:
                yield from _joined(key, places, items)
            else:
                for place in places:
                    yield Entry(key, (place,), _record(items[place], items[place].payload))


def make_engine(settings: Settings, parts: EngineParts) -> KinesisEngine:
    """An engine that is not open yet."""
    return KinesisEngine(settings, parts)


def _key(item: Item) -> str:
    """What keeps order: the device, or the topic of what is no device's."""
    return (item.order_key or "-")[:KEY_CHARS_MAX]


def _record(item: Item, data: bytes) -> StreamRecord:
    return StreamRecord(_key(item), data)


def _joined(key: str, places: Sequence[int], items: Sequence[Item]) -> Iterator[Entry]:
    """A device's items as lines, in as few records as hold them."""
    room_bytes = RECORD_BYTES_MAX - len(key.encode())
    lines: list[bytes] = []
    held: list[int] = []
    size_bytes = 0
    for place in places:
        line = items[place].payload + b"\n"
        if held and size_bytes + len(line) > room_bytes:
            yield Entry(key, held, StreamRecord(key, b"".join(lines)))
            lines, held, size_bytes = [], [], 0
        lines.append(line)
        held.append(place)
        size_bytes += len(line)
    yield Entry(key, held, StreamRecord(key, b"".join(lines)))
