"""Box 8.33 in Python 3: make an SQS queue, and list all queues.

    python box_8_33_sqs_queue.py --queue mytestqueue

Besides the book's queue this makes one for dead letters: a message that was received five times
and never deleted goes there, and no longer stops those behind it. Running it again changes nothing.
"""

import argparse
import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

RECEIVES_MAX = 5
FOURTEEN_DAYS_S = 14 * 24 * 3600


def create_queue(sqs, name):
    """The queue's URL; all its attributes are text."""
    dead = sqs.create_queue(
        QueueName=f"{name}-dead", Attributes={"MessageRetentionPeriod": str(FOURTEEN_DAYS_S)}
    )["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {
        "deadLetterTargetArn": arn["Attributes"]["QueueArn"],
        "maxReceiveCount": str(RECEIVES_MAX),
    }
    attributes = {
        "ReceiveMessageWaitTimeSeconds": "20",  # a reader waits for a message, and asks less often
        "RedrivePolicy": json.dumps(policy),
    }
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def main():
    """Make it; list all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queue", default="mytestqueue")
    args = parser.parse_args()

    print("Connecting to SQS")
    sqs = boto3.client("sqs")

    print("Creating queue with name:", args.queue)
    print("Created queue:", create_queue(sqs, args.queue))

    print("Getting all queues")
    for page in sqs.get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", []):  # no such key when there is no queue
            print(url)


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
