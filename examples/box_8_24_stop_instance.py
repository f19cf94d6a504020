"""Box 8.24 in Python 3: list the running EC2 instances, and stop one of them.

    python box_8_24_stop_instance.py
    python box_8_24_stop_instance.py i-0123456789abcdef0

The book stops the first instance that the account has, whatever it is, and waits for ever for one
that was terminated. This lists them, and stops the one that is named.
"""

import argparse
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

ATTEMPTS_MAX = 60


def running_instances(ec2):
    """All of them: EC2 answers page by page."""
    running = [{"Name": "instance-state-name", "Values": ["running"]}]
    for page in ec2.get_paginator("describe_instances").paginate(Filters=running):
        for reservation in page["Reservations"]:
            yield from reservation["Instances"]


def main():
    """List them; stop one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("instance", nargs="?", help="the id of the one to stop")
    parser.add_argument("--pause", type=float, default=10, help="seconds between two questions")
    args = parser.parse_args()

    print("Connecting to EC2")
    ec2 = boto3.client("ec2")

    print("Getting all running instances")
    running = list(running_instances(ec2))
    for instance in running:
        names = [tag["Value"] for tag in instance.get("Tags", []) if tag["Key"] == "Name"]
        print(instance["InstanceId"], instance["InstanceType"], *names)
    if not args.instance:
        return
    if args.instance not in [instance["InstanceId"] for instance in running]:
        sys.exit(f"{args.instance} is not among the running instances")

    print("Stopping instance with ID:", args.instance)
    ec2.stop_instances(InstanceIds=[args.instance])
    try:
        ec2.get_waiter("instance_stopped").wait(
            InstanceIds=[args.instance],
            WaiterConfig={"Delay": args.pause, "MaxAttempts": ATTEMPTS_MAX},
        )
    except WaiterError as error:
        sys.exit(f"{args.instance} did not stop: {error}")
    print("Stopped instance with ID:", args.instance)


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
