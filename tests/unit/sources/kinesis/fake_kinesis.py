"""A stream in memory with the rules of AWS's that stand-ins get wrong, and calls that fail."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

ARRIVED_AT = datetime(2024, 11, 27, 8, tzinfo=UTC)


class Expired(Exception):
    """What an iterator is after five minutes."""


class FakeKinesis:
    """A client of Kinesis.

    Attributes:
        before_read: called before each read with its shard; may raise.
        hash_ranges: of shards; those that are not there have the whole one.
        hidden_once: shards that the next list does not have.
        iterator_places: how iterators began, in order.
    """

    class exceptions:
        """Of a client."""

        ExpiredIteratorException = Expired

    def __init__(self, shard_count: int = 1) -> None:
        self.shards: dict[str, list[dict[str, Any]]] = {f"s{n}": [] for n in range(shard_count)}
        self.parents: dict[str, tuple[str, ...]] = dict.fromkeys(self.shards, ())
        self.closed: set[str] = set()
        self.hash_ranges: dict[str, tuple[int, int]] = {}
        self.before_read: Callable[[str], None] = lambda _: None
        self.hidden_once: set[str] = set()
        self.iterator_places: list[str] = []
        self.page_records_max = 1000
        self._next_number = 100

    def put(self, data: bytes, key: str = "k", shard: str = "") -> str:
        """Put a record; its number."""
        opened = [each for each in self.shards if each not in self.closed]
        shard = shard or opened[hashlib.md5(key.encode()).digest()[0] % len(opened)]  # noqa: S324 - as Kinesis does
        number = str(self._next_number)
        self._next_number += 1
        at = ARRIVED_AT + timedelta(milliseconds=self._next_number)
        self.shards[shard].append({
            "SequenceNumber": number, "PartitionKey": key, "Data": data,
            "ApproximateArrivalTimestamp": at,
        })  # fmt: skip
        return number

    def split(self, shard: str) -> list[str]:
        """Split a shard into two."""
        return self._reshard((shard,), 2)

    def merge(self, one: str, other: str) -> list[str]:
        """Merge two shards into one."""
        return self._reshard((one, other), 1)

    def age(self, shard: str) -> None:
        """Have a shard gone with its age."""
        del self.parents[shard]

    def get_paginator(self, name: str) -> Any:
        assert name == "list_shards"
        return self

    def paginate(self, StreamName: str) -> Iterator[dict[str, Any]]:
        found: dict[str, Any]
        hidden, self.hidden_once = self.hidden_once, set()
        for shard, olds in self.parents.items():
            if shard in hidden:
                continue
            first, last = self.hash_ranges.get(shard, (0, 2**128 - 1))
            ends = {"StartingHashKey": str(first), "EndingHashKey": str(last)}
            found = {"ShardId": shard, "HashKeyRange": ends}
            if olds:
                found["ParentShardId"] = olds[0]
            if len(olds) > 1:
                found["AdjacentParentShardId"] = olds[1]
            yield {"Shards": [found]}

    def get_shard_iterator(self, **wanted: Any) -> dict[str, str]:
        kind, shard = wanted["ShardIteratorType"], wanted["ShardId"]
        self.iterator_places.append(kind)
        records = self.shards[shard]
        place = 0
        if kind == "AFTER_SEQUENCE_NUMBER":
            after = int(wanted["StartingSequenceNumber"])
            place = sum(int(record["SequenceNumber"]) <= after for record in records)
        if kind == "AT_TIMESTAMP":
            at = wanted["Timestamp"]
            place = sum(record["ApproximateArrivalTimestamp"] < at for record in records)
        return {"ShardIterator": f"{shard}/{place}"}

    def get_records(self, ShardIterator: str, Limit: int) -> dict[str, Any]:
        shard, _, text = ShardIterator.partition("/")
        self.before_read(shard)
        place = int(text)
        found = self.shards[shard][place : place + min(Limit, self.page_records_max)]
        place += len(found)
        is_behind = place < len(self.shards[shard])
        reply: dict[str, Any] = {"Records": found, "MillisBehindLatest": 7000 if is_behind else 0}
        if is_behind or shard not in self.closed:
            reply["NextShardIterator"] = f"{shard}/{place}"
        return reply

    def _reshard(self, olds: tuple[str, ...], count: int) -> list[str]:
        made = [f"s{len(self.parents) + n}" for n in range(count)]
        self.closed.update(olds)
        for shard in made:
            self.shards[shard] = []
            self.parents[shard] = olds
        return made


class FakeClients:
    """Stands for `AwsClients`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def client(self, service: str) -> Any:
        return self._client

    def close(self) -> None:
        pass
