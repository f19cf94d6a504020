"""Box 8.34 in Python 3: write a message to an SQS queue, and count those that are there.

    python box_8_34_sqs_writer.py --queue mytestqueue

The book's program takes the first queue whose name begins so; this takes the one of this name. A
queue counts about right, and apart those that wait, are with a reader, or are held back.
"""

import argparse
import hashlib
import sys
from datetime import UTC, datetime

import boto3
from botocore.exceptions import BotoCoreError, ClientError

COUNTS = {
    "ApproximateNumberOfMessages": "waiting",
    "ApproximateNumberOfMessagesNotVisible": "with a reader",
    "ApproximateNumberOfMessagesDelayed": "held back",
}


def write(sqs, url, text):
    """Send a message; what the queue took must be what was sent."""
    reply = sqs.send_message(QueueUrl=url, MessageBody=text)
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    if reply["MD5OfMessageBody"] != digest:
        sys.exit("The queue has taken another text than was sent")
    return reply["MessageId"]


def count(sqs, url):
    """About how many messages there are, by what they wait for."""
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))["Attributes"]
    return {words: int(found.get(name, 0)) for name, words in COUNTS.items()}


def main():
    """Write one message."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queue", default="mytestqueue")
    args = parser.parse_args()

    print("Connecting to queue:", args.queue)
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=args.queue)["QueueUrl"]

    text = f"Test message generated on: {datetime.now(UTC):%a %b %d %H:%M:%S %Y}"
    print("Writing to queue:", text)
    print("Message written to queue, its id is", write(sqs, url, text))
    print("Total messages in queue:", count(sqs, url))


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
