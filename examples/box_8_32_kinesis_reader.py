"""Box 8.32 in Python 3: read the records of a Kinesis stream, from all its shards.

    python box_8_32_kinesis_reader.py --stream temperature

The book's program reads the first shard only, ten times, and turns bytes to lower case as if they
were text. This reads all shards; one that ends has been split or merged, and what came of it is
read after it, so that the order of a device holds. An iterator that is too old is replaced by one
behind the last record that was read.
"""

import argparse
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


class Shard:
    """A place in one shard; `iterator` is None at its end."""

    def __init__(self, kinesis, stream, shard_id):
        self.kinesis, self.stream, self.shard_id = kinesis, stream, shard_id
        self.last = None  # the sequence number of the last record read
        self.iterator = self._new_iterator()

    def read(self, limit):
        """The next records, maybe none."""
        try:
            reply = self.kinesis.get_records(ShardIterator=self.iterator, Limit=limit)
        except self.kinesis.exceptions.ExpiredIteratorException:  # not used for five minutes
            self.iterator = self._new_iterator()
            return []
        records = reply["Records"]
        if records:
            self.last = records[-1]["SequenceNumber"]
        self.iterator = reply.get("NextShardIterator")
        return records

    def _new_iterator(self):
        place = {"ShardIteratorType": "TRIM_HORIZON"}
        if self.last is not None:
            place = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": self.last,
            }
        return self.kinesis.get_shard_iterator(
            StreamName=self.stream, ShardId=self.shard_id, **place
        )["ShardIterator"]


class Stream:
    """All shards of a stream, parents before their children."""

    def __init__(self, kinesis, name):
        self.kinesis, self.name = kinesis, name
        self.begun, self.open = set(), []
        self.begin_shards()

    def begin_shards(self):
        """Begin the shards whose parents have been read to their end, or are no longer kept."""
        pages = self.kinesis.get_paginator("list_shards").paginate(StreamName=self.name)
        shards = [shard for page in pages for shard in page["Shards"]]
        unread = {shard["ShardId"] for shard in shards} - self.begun
        unread |= {shard.shard_id for shard in self.open}
        for shard in shards:
            parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")}
            if shard["ShardId"] not in self.begun and not parents & unread:
                print("Reading shard", shard["ShardId"])
                self.begun.add(shard["ShardId"])
                self.open.append(Shard(self.kinesis, self.name, shard["ShardId"]))

    def read(self, limit):
        """One turn: what each shard has next."""
        for shard in list(self.open):
            yield from shard.read(limit)
            if shard.iterator is None:
                self.open.remove(shard)
                self.begin_shards()


def process(record):
    """Print a record."""
    text = record["Data"].decode("utf-8", "replace").lower()
    print(f"Processing record of {record['PartitionKey']} with data: {text}", flush=True)


def main():
    """Read for ever, or as many turns as told."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stream", default="temperature")
    parser.add_argument("--limit", type=int, default=100, help="records of a shard at a time")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between turns")
    parser.add_argument("--turns", type=int, default=0, help="end after so many")
    args = parser.parse_args()

    # More than five reads of a shard a second are refused; boto3 waits and tries again.
    kinesis = boto3.client(
        "kinesis", config=Config(retries={"mode": "standard", "max_attempts": 10})
    )
    stream = Stream(kinesis, args.stream)
    turn = 0
    while stream.open:
        for record in stream.read(args.limit):
            process(record)
        turn += 1
        if turn == args.turns:
            return
        time.sleep(args.interval)
    print("All shards have ended")


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
    except KeyboardInterrupt:
        pass
