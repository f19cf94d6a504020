"""Box 8.31 in Python 3: a controller that writes temperatures to a Kinesis stream.

    python box_8_31_kinesis_writer.py --stream temperature --device station-1

The book's program makes the stream again and again, as `create_stream` answers nothing, and gives
all devices one partition key, so that one shard has all the work. Here the stream is made once and
waited for, and each device has its own key: what it sends stays in order. A write that AWS refuses
because there are too many is tried again by boto3.
"""

import argparse
import random
import sys
import time
from datetime import UTC, datetime

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


def read_temperature():
    """A made-up sensor: whole degrees Celsius from 20 to 30."""
    return random.randint(20, 30)


def find_or_create_stream(kinesis, name, shards, wait_s):
    """The stream, ready to be used; made when it is not there."""
    try:
        kinesis.describe_stream_summary(StreamName=name)
    except kinesis.exceptions.ResourceNotFoundException:
        print(f"Creating stream {name}")
        kinesis.create_stream(StreamName=name, ShardCount=shards)
    kinesis.get_waiter("stream_exists").wait(
        StreamName=name, WaiterConfig={"Delay": wait_s, "MaxAttempts": 60}
    )
    found = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    print(f"Stream {name} is {found['StreamStatus']}, {found['OpenShardCount']} shard(s)")


def send_one(kinesis, stream, device):
    """Read the sensor and put what it says."""
    record = f"{datetime.now(UTC).isoformat()}:{read_temperature()}"
    print("Putting record in stream:", record)
    reply = kinesis.put_record(StreamName=stream, Data=record.encode(), PartitionKey=device)
    print("== put seqNum:", reply["SequenceNumber"])


def main():
    """Send for ever, or as often as told."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stream", default="temperature")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--device", default="IoTExample")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds")
    parser.add_argument("--count", type=int, default=0, help="end after so many")
    parser.add_argument("--wait", type=int, default=2, help="seconds between looks at its state")
    args = parser.parse_args()

    kinesis = boto3.client(
        "kinesis", config=Config(retries={"mode": "standard", "max_attempts": 10})
    )
    find_or_create_stream(kinesis, args.stream, args.shards, args.wait)
    sent = 0
    while True:
        send_one(kinesis, args.stream, args.device)
        sent += 1
        if sent == args.count:
            return
        time.sleep(args.interval)


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
    except KeyboardInterrupt:
        pass
