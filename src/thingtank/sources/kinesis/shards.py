"""Shards of a stream, and reading one of them from a checkpoint on. Blocking.

Source: AWS, Kinesis Data Streams, ListShards, GetShardIterator, GetRecords.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from thingtank.sources.kinesis.aggregated import HashRange
from thingtank.sources.kinesis.leases import OLDEST, TIME_SIGN
from thingtank.sources.records import Arrived

PAGE_RECORDS_MAX = 1000  # and 10 MiB, which is AWS's own bound


class Page(NamedTuple):
    """What one call gave.

    Attributes:
        last_number: of the last record; None when there is none.
        is_end: whether the shard has ended, and there is nothing behind this.
        behind_ms: how far this is behind the shard's tip.
    """

    records: Sequence[Arrived]
    last_number: str | None
    is_end: bool
    behind_ms: int


class Shard(NamedTuple):
    """A shard of a stream.

    Attributes:
        parents: shards that it was made of.
        hash_range: which records are for it.
    """

    parents: tuple[str, ...]
    hash_range: HashRange


def shards_of(client: Any, stream: str) -> dict[str, Shard]:
    """All shards that there are, those that have ended too, by name."""
    found: dict[str, Shard] = {}
    for page in client.get_paginator("list_shards").paginate(StreamName=stream):
        for shard in page["Shards"]:
            olds = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
            ends = shard["HashKeyRange"]
            found[shard["ShardId"]] = Shard(
                tuple(old for old in olds if old),
                HashRange(int(ends["StartingHashKey"]), int(ends["EndingHashKey"])),
            )
    return found


class ShardCursor:
    """Reads one shard, page by page."""

    def __init__(self, client: Any, stream: str, shard: str, checkpoint: str) -> None:
        """Begin behind a checkpoint, which is not SHARD_END."""
        self._client = client
        self._stream = stream
        self._shard = shard
        self._place = checkpoint
        self._iterator: str | None = None

    def read(self) -> Page:
        """The next page; after a failure the same again.

        Raises:
            botocore's exceptions.
        """
        try:
            reply = self._reply()
        except BaseException:
            self._iterator = None  # it may be at fault, and another is made from the place
            raise
        records = reply["Records"]
        self._iterator = reply.get("NextShardIterator")
        last_number = records[-1]["SequenceNumber"] if records else None
        if last_number is not None:
            self._place = last_number
        return Page(
            [self._arrived(record) for record in records],
            last_number,
            self._iterator is None,
            reply.get("MillisBehindLatest", 0),
        )

    def _reply(self) -> Mapping[str, Any]:
        if self._iterator is not None:
            try:
                return self._records(self._iterator)
            except self._client.exceptions.ExpiredIteratorException:  # after five minutes
                pass
        return self._records(self._new_iterator())

    def _records(self, iterator: str) -> Mapping[str, Any]:
        reply: Mapping[str, Any] = self._client.get_records(
            ShardIterator=iterator, Limit=PAGE_RECORDS_MAX
        )
        return reply

    def _new_iterator(self) -> str:
        reply = self._client.get_shard_iterator(
            StreamName=self._stream, ShardId=self._shard, **iterator_place(self._place)
        )
        return str(reply["ShardIterator"])

    def _arrived(self, record: Mapping[str, Any]) -> Arrived:
        arrived_at: datetime = record["ApproximateArrivalTimestamp"]
        number = record["SequenceNumber"]
        return Arrived(
            f"{self._shard}/{number}",
            record["PartitionKey"],
            (arrived_at - _EPOCH) // _MICROSECOND,
            record["Data"],
        )


def iterator_place(checkpoint: str) -> dict[str, object]:
    """Where an iterator begins, in the words of GetShardIterator."""
    if checkpoint == OLDEST:
        return {"ShardIteratorType": "TRIM_HORIZON"}
    if checkpoint.startswith(TIME_SIGN):
        at = _EPOCH + timedelta(milliseconds=int(checkpoint.removeprefix(TIME_SIGN)))
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": at}
    return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": checkpoint}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
