"""Box 8.29 in Python 3: make a DynamoDB table whose items are found by `msgid` and `date`.

    pip install boto3
    python box_8_29_dynamodb_table.py --table my-test-table

The book's program waits for nothing, so that the next one may find a table that cannot be used yet;
this waits. It can be run again: a table that is there is taken if it has the same keys. Keys and
region come from where AWS's own programs have them (`aws configure`), not from the program. With
AWS_ENDPOINT_URL=http://127.0.0.1:4566 it runs against a stand-in.
"""

import argparse
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

KEYS = [
    {"AttributeName": "msgid", "KeyType": "HASH"},
    {"AttributeName": "date", "KeyType": "RANGE"},
]


def create_table(dynamodb, name, units):
    """Make the table; one that is there, or that is being made, is fine."""
    # Only what is part of a key is defined: an item may have any other attribute.
    attributes = [{"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in KEYS]
    try:
        dynamodb.create_table(
            TableName=name,
            KeySchema=KEYS,
            AttributeDefinitions=attributes,
            ProvisionedThroughput={"ReadCapacityUnits": units, "WriteCapacityUnits": units},
        )
    except dynamodb.exceptions.ResourceInUseException:
        print(f"Table {name} is there already")


def main():
    """Make it, wait for it, and show it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", default="my-test-table")
    parser.add_argument("--units", type=int, default=1, help="reads and writes a second")
    parser.add_argument("--wait", type=int, default=20, help="seconds between looks at its state")
    args = parser.parse_args()

    print("Connecting to DynamoDB")
    dynamodb = boto3.client("dynamodb")

    print("Creating table with schema:", KEYS)
    create_table(dynamodb, args.table, args.units)
    dynamodb.get_waiter("table_exists").wait(
        TableName=args.table, WaiterConfig={"Delay": args.wait, "MaxAttempts": 25}
    )

    table = dynamodb.describe_table(TableName=args.table)["Table"]
    print(f"Table {table['TableName']} is {table['TableStatus']}")
    if table["KeySchema"] != KEYS:
        sys.exit(f"It has other keys: {table['KeySchema']}")
    print("Done!")


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
