"""Box 8.35 in Python 3: read the messages of an SQS queue, and delete what has been read.

    python box_8_35_sqs_reader.py --queue mytestqueue

The book's program reads as many times as the queue has counted, which is about right only, and
fails when a read brings nothing. This reads until nothing has come for some seconds, ten messages
at a time, and deletes each only when it has been processed: if the program dies before, the message
comes again.
"""

import argparse
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def read(sqs, url, wait_s):
    """Up to ten messages; waits for the first. No key at all when nothing came."""
    reply = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=wait_s,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return reply.get("Messages", [])


def delete(sqs, url, messages):
    """Delete what is done; a message that was hidden for too long may come again."""
    entries = [
        {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
        for place, message in enumerate(messages)
    ]
    reply = sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    for failed in reply.get("Failed", []):
        print("Not deleted:", failed["Code"], failed.get("Message", ""))


def main():
    """Read until the queue is empty."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queue", default="mytestqueue")
    parser.add_argument(
        "--wait", type=int, default=20, help="seconds without a message; at most 20"
    )
    args = parser.parse_args()

    print("Connecting to queue:", args.queue)
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=args.queue)["QueueUrl"]

    print("Reading messages from queue")
    count = 0
    while messages := read(sqs, url, args.wait):
        for message in messages:
            count += 1
            print(f"Message {count}: {message['Body']}")
        delete(sqs, url, messages)
    print(f"Read {count} messages from queue")


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
