"""Kinesis streams: make, look at, write, follow, delete.

Source: AWS, Kinesis Data Streams, CreateStream, GetShardIterator, GetRecords.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import msgspec

from thingtank.aws.attempts import ATTEMPTS_MAX, pause_s_after
from thingtank.aws.clients import AwsClients
from thingtank.aws.streams import StreamRecord, calls_of, fault_of, put_records
from thingtank.aws.tags import APP_TAGS
from thingtank.cloud.errors import NotDone
from thingtank.cloud.names import STREAM, check_name
from thingtank.cloud.progress import Say
from thingtank.cloud.waiting import pause_s_of, said_if_made, state_of, wait_until, wait_until_gone
from thingtank.tank.failures import Failure

ROUND_S = 0.25  # a shard takes 5 reads a second
READ_RECORDS_MAX = 1000


class Stream(msgspec.Struct, frozen=True):
    """What a stream is; `is_on_demand` has AWS choose the number of shards."""

    name: str
    state: str
    shard_count: int
    is_on_demand: bool
    keeps_hours: int
    arn: str


class ReadRecord(msgspec.Struct, frozen=True):
    """A record as it was put; `at` in the time zone of AWS's answer."""

    shard: str
    number: str
    key: str
    at: datetime
    data: bytes


def names(clients: AwsClients) -> list[str]:
    """All streams of the region."""
    pages = clients.client("kinesis").get_paginator("list_streams").paginate()
    return [name for page in pages for name in page["StreamNames"]]


def create(clients: AwsClients, name: str, shards: int | None, say: Say) -> bool:
    """Make a stream and wait until it can be used; one that is there is taken as it is.

    Args:
        shards: None has AWS choose as much is written.

    Returns:
        Whether it was made.

    Raises:
        NotDone: one of the other kind has the name, or AWS takes none such.
        botocore's exceptions.
    """
    check_name(STREAM, name)
    client = clients.client("kinesis")
    mode = "PROVISIONED" if shards else "ON_DEMAND"
    request: dict[str, Any] = {"StreamModeDetails": {"StreamMode": mode}, "Tags": APP_TAGS}
    if shards:
        request["ShardCount"] = shards
    is_new = True
    try:
        client.create_stream(StreamName=name, **request)
    except client.exceptions.ResourceInUseException:
        is_new = False
    with said_if_made(say, "stream", name) if is_new else nullcontext():
        wait_until(
            lambda: _state(client, name),
            ("ACTIVE",), say, f"stream {name}", pause_s_of(clients, "kinesis"),
        )  # fmt: skip
        found = get(clients, name)
    if found.is_on_demand != (shards is None):
        kind = "on demand" if found.is_on_demand else f"with {found.shard_count} shards"
        raise NotDone(f"there is a stream {name} already, {kind}. Choose another name")
    return is_new


def get(clients: AwsClients, name: str) -> Stream:
    """What a stream is.

    Raises:
        botocore's exceptions: also when there is none.
    """
    reply = clients.client("kinesis").describe_stream_summary(StreamName=name)
    found = reply["StreamDescriptionSummary"]
    mode = found.get("StreamModeDetails", {}).get("StreamMode")
    return Stream(
        found["StreamName"], found["StreamStatus"], found["OpenShardCount"], mode == "ON_DEMAND",
        found["RetentionPeriodHours"], found["StreamARN"],
    )  # fmt: skip


def put(
    clients: AwsClients,
    name: str,
    records: Iterable[StreamRecord],
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Put records; those that fail for a while are put again, later and later.

    Returns:
        How many were put.

    Raises:
        NotDone: a record can never be put, or some could not in all attempts.
        botocore's exceptions.
    """
    client = clients.client("kinesis")
    count = 0
    for call in calls_of(_checked(records)):
        rest = call
        for attempt in range(ATTEMPTS_MAX):
            failures = put_records(client, name, rest)
            failed = [pair for pair in zip(rest, failures, strict=True) if pair[1]]
            count += len(rest) - len(failed)
            if not failed:
                break
            rest = [record for record, _ in failed]
            _give_up_unless_passing(count, failed, is_last=attempt + 1 == ATTEMPTS_MAX)
            sleep(pause_s_after(attempt))
    return count


def delete(clients: AwsClients, name: str, say: Say) -> None:
    """Delete a stream with all that is in it, and wait until it is gone.

    Raises:
        botocore's exceptions: also when there is none.
    """
    client = clients.client("kinesis")
    client.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
    pause_s = pause_s_of(clients, "kinesis")
    wait_until_gone(lambda: _state(client, name), say, f"stream {name}", pause_s)


class Tail:
    """Follows all shards of a stream; the shards that one is split into, after it.

    For looking. A reader that must miss nothing and share the work is a source
    (`thingtank.sources`).
    """

    def __init__(self, clients: AwsClients, name: str, start: str | datetime) -> None:
        """Begin at a place.

        Args:
            start: `TRIM_HORIZON`, the oldest record that is kept; `LATEST`; or an instant.

        Raises:
            botocore's exceptions: also when there is no such stream.
        """
        self._client = clients.client("kinesis")
        self._name = name
        self._pause_s = min(ROUND_S, pause_s_of(clients, "kinesis"))
        self._iterators: dict[str, str] = {}
        self._numbers: dict[str, str] = {}  # of the last record read
        self._done: set[str] = set()
        self._begun: set[str] = set()
        self._start = start
        self._begun_at = datetime.now(UTC)
        self._places: dict[str, str | datetime] = {}  # to begin at again, before the first record
        shards = self._shards()
        if start == "LATEST":  # what is closed has nothing new
            self._done = {shard for shard, found in shards.items() if _is_closed(found)}
            self._begun |= self._done
        self._begin(shards)
        self._start = "TRIM_HORIZON"  # of shards that come later

    def records(self, *, is_once: bool) -> Iterator[ReadRecord]:
        """What comes, in order within a shard; for ever unless `is_once`.

        Args:
            is_once: end when all that was there has been read.
        """
        while self._iterators:
            is_behind = False
            for shard in list(self._iterators):
                reply = self._read(shard)
                found = [self._record(shard, each) for each in reply["Records"]]
                yield from found
                is_behind |= bool(found) or reply.get("MillisBehindLatest", 0) > 0
                self._go_on(shard, reply)
            if is_once and not is_behind:
                return
            time.sleep(self._pause_s)

    def _shards(self) -> dict[str, dict[str, Any]]:
        pages = self._client.get_paginator("list_shards").paginate(StreamName=self._name)
        return {each["ShardId"]: each for page in pages for each in page["Shards"]}

    def _begin(self, shards: dict[str, dict[str, Any]]) -> None:
        """Begin those whose parents are read to their end, or gone with their age."""
        for shard, found in shards.items():
            parents = {found.get("ParentShardId"), found.get("AdjacentParentShardId")} - {None}
            if shard not in self._begun and not (parents & set(shards)) - self._done:
                self._begun.add(shard)
                self._iterators[shard] = self._iterator(shard)

    def _iterator(self, shard: str) -> str:
        start = self._places.get(shard, self._start)
        self._places[shard] = self._begun_at if start == "LATEST" else start
        place: dict[str, Any] = {"ShardIteratorType": start}
        if shard in self._numbers:
            place = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": self._numbers[shard],
            }
        elif isinstance(start, datetime):
            place = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": start}
        reply = self._client.get_shard_iterator(StreamName=self._name, ShardId=shard, **place)
        return str(reply["ShardIterator"])

    def _read(self, shard: str) -> dict[str, Any]:
        iterator = self._iterators[shard]
        try:
            reply = self._client.get_records(ShardIterator=iterator, Limit=READ_RECORDS_MAX)
        except self._client.exceptions.ExpiredIteratorException:  # after five minutes
            iterator = self._iterator(shard)
            reply = self._client.get_records(ShardIterator=iterator, Limit=READ_RECORDS_MAX)
        return dict(reply)

    def _record(self, shard: str, found: dict[str, Any]) -> ReadRecord:
        self._numbers[shard] = found["SequenceNumber"]
        return ReadRecord(
            shard, found["SequenceNumber"], found["PartitionKey"],
            found["ApproximateArrivalTimestamp"], found["Data"],
        )  # fmt: skip

    def _go_on(self, shard: str, reply: dict[str, Any]) -> None:
        """A shard that has ended says no next iterator; then its children can be read."""
        following = reply.get("NextShardIterator")
        if following:
            self._iterators[shard] = following
            return
        del self._iterators[shard]
        self._done.add(shard)
        self._begin(self._shards())


def _state(client: Any, name: str) -> str:
    def ask() -> str:
        reply = client.describe_stream_summary(StreamName=name)
        return str(reply["StreamDescriptionSummary"]["StreamStatus"])

    return state_of(ask)


def _is_closed(shard: dict[str, Any]) -> bool:
    return "EndingSequenceNumber" in shard["SequenceNumberRange"]


def _checked(records: Iterable[StreamRecord]) -> Iterator[StreamRecord]:
    for place, record in enumerate(records, 1):
        if fault := fault_of(record):
            raise NotDone(f"record {place} cannot be put: {fault}")
        yield record


def _give_up_unless_passing(
    count: int, failed: list[tuple[StreamRecord, Failure | None]], *, is_last: bool
) -> None:
    for _, failure in failed:
        if failure is not None and (is_last or not failure.is_passing):
            raise NotDone(f"{count} records are put, {len(failed)} are not: {failure}")
