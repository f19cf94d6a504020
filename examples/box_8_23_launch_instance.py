"""Box 8.23 in Python 3: launch an EC2 instance, wait until it runs, and print what it is.

    python box_8_23_launch_instance.py --key my-key --security-group sg-0123456789abcdef0

The book's image and instance type are gone: this takes the newest Amazon Linux, on a t3.micro. The
book says nothing when the instance ends instead of starting; this says why, and does not wait for
ever. A lost answer makes no second instance, as EC2 knows the request by its token.
"""

import argparse
import sys
import uuid

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

NEWEST_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
DISK = {"VolumeType": "gp3", "VolumeSize": 16, "Encrypted": True}  # in GiB
ATTEMPTS_MAX = 60


def request_of(args, image_id):
    """What EC2 is asked for: one instance, with an encrypted disk and a name."""
    tags = [{"Key": "Name", "Value": args.name}]
    request = {
        "ImageId": image_id,
        "InstanceType": args.type,
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": str(uuid.uuid4()),
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": DISK}],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
    }
    if args.key:
        request["KeyName"] = args.key
    if args.security_group:  # the id: names are for the default network only
        request["SecurityGroupIds"] = [args.security_group]
    return request


def found(ec2, instance_id):
    """The instance as EC2 describes it now."""
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def main():
    """Launch it, wait for it, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", help="such as ami-0123456789abcdef0; default: the newest")
    parser.add_argument("--type", default="t3.micro")
    parser.add_argument("--key", help="the name of a key pair")
    parser.add_argument("--security-group", help="the id of one, sg-…")
    parser.add_argument("--name", default="my-instance")
    parser.add_argument("--pause", type=float, default=10, help="seconds between two questions")
    args = parser.parse_args()

    print("Connecting to EC2")
    ec2 = boto3.client("ec2")
    image_id = args.image
    if not image_id:
        image_id = boto3.client("ssm").get_parameter(Name=NEWEST_IMAGE)["Parameter"]["Value"]

    print(
        f"Launching instance with AMI-ID {image_id}, with keypair {args.key},"
        f" instance type {args.type}, security group {args.security_group}"
    )
    instance_id = ec2.run_instances(**request_of(args, image_id))["Instances"][0]["InstanceId"]

    print("Waiting for instance", instance_id, "to be up and running")
    try:
        ec2.get_waiter("instance_running").wait(
            InstanceIds=[instance_id],
            WaiterConfig={"Delay": args.pause, "MaxAttempts": ATTEMPTS_MAX},
        )
    except WaiterError:
        instance = found(ec2, instance_id)
        reason = instance.get("StateReason", {}).get("Message", "no reason given")
        sys.exit(f"{instance_id} is {instance['State']['Name']}: {reason}")

    instance = found(ec2, instance_id)
    print("\nInstance is now running. Instance details are:")
    print("Instance Size:", instance["InstanceType"])
    print("Instance State:", instance["State"]["Name"])
    print("Instance Launch Time:", instance["LaunchTime"])
    print("Instance Public DNS:", instance.get("PublicDnsName"))
    print("Instance Private DNS:", instance.get("PrivateDnsName"))
    print("Instance IP:", instance.get("PublicIpAddress"))
    print("Instance Private IP:", instance.get("PrivateIpAddress"))


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
