"""Box 8.30 in Python 3: write an item to a DynamoDB table, and read it back.

    python box_8_30_dynamodb_items.py --table my-test-table --body "Test message"

The book's item has lost its braces in print. Its hash key is the day, so that a day has one item,
which each later one takes the place of; here each message has an id of its own, and is only written
if there is none such. Runs on the table that box 8.29 makes.
"""

import argparse
import sys
import uuid
from datetime import UTC, datetime

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def write(table, item):
    """Put an item unless one with its key is there, so that a second try is harmless."""
    try:
        table.put_item(Item=item, ConditionExpression="attribute_not_exists(msgid)")
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        print("It has been written before")


def read(table, key):
    """The item of a key as it is now; None when there is none."""
    return table.get_item(Key=key, ConsistentRead=True).get("Item")


def main():
    """Look at the table, write, read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", default="my-test-table")
    parser.add_argument("--body", default="Test message")
    parser.add_argument("--created-by", default="Vijay")
    args = parser.parse_args()

    print("Connecting to DynamoDB")
    dynamodb = boto3.resource("dynamodb")

    print("Available tables:", [table.name for table in dynamodb.tables.all()])
    table = dynamodb.Table(args.table)
    table.load()
    print(f"{table.name}: {table.table_status}, about {table.item_count} items")

    now = datetime.now(UTC)
    key = {"msgid": f"Entry/{uuid.uuid4()}", "date": now.date().isoformat()}
    item = {"Body": args.body, "CreatedBy": args.created_by, "Time": now.isoformat()}
    print("Writing data")
    write(table, key | item)

    print("Reading data")
    print(read(table, key))
    print("Done!")


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
