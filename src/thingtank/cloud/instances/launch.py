"""Launching a machine that installs and starts Thing Tank.

What is made on the way, a key pair or a security group, goes again when the launch fails.
"""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.cloud.instances import access
from thingtank.cloud.instances.images import AMAZON_LINUX, Image, architecture_of, image_of
from thingtank.cloud.instances.machines import NOT_ENDED, found_by
from thingtank.cloud.instances.tokens import is_undecided
from thingtank.cloud.progress import CloudRefusal, Progress

TYPE = "t3.micro"
NAME = "thingtank"
DISK_GIB = 16
PORTS = (access.SSH_PORT, 8000, 8080, 1883, 3000)
_NEXT_ZONE = {"InsufficientInstanceCapacity", "Unsupported"}


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        image: see `images.image_of`.
        key: the name of a key pair; of one that AWS does not know, `key_file` gets the private
            half. Blank for none.
        groups: ids of security groups; none for one of its own.
        cidrs, ports: who may come to which ports of its own group.
        subnets: tried in turn; none for those of the default VPC.
        role: of an instance profile; blank for none.
        tags: besides Name and app.
        token: the same one gets the same machine, however often it is asked for.
    """

    name: str = NAME
    instance_type: str = TYPE
    image: str = AMAZON_LINUX
    key: str = ""
    key_file: Path = Path()
    groups: tuple[str, ...] = ()
    cidrs: tuple[str, ...] = ()
    ports: tuple[int, ...] = PORTS
    subnets: tuple[str, ...] = ()
    disk_gib: int = DISK_GIB
    role: str = ""
    tags: dict[str, str] = {}
    token: str
    user_data: str = ""


class Zone(NamedTuple):
    """A subnet, and the zone that it is in."""

    subnet_id: str
    name: str
    vpc_id: str


def launch(clients: AwsClients, wanted: Launch, told: Progress) -> dict[str, Any]:
    """Launch one machine; does not wait for it.

    Returns:
        The instance as EC2 describes it.

    Raises:
        CloudRefusal: as asked it cannot be; nothing is left behind.
        botocore's exceptions: see `aws.failures.classify`; nothing is left behind.
    """
    refuse_second(clients, wanted.name)
    image = image_of(clients, wanted.image, architecture_of(clients, wanted.instance_type))
    zones = zones_of(clients, wanted.subnets)
    told.did(f"Image {image.id} {image.name}".rstrip())
    with ExitStack() as undo:
        _have_key(clients, wanted, told, undo)
        groups = wanted.groups or (_own_group(clients, wanted, zones[0].vpc_id, told, undo),)
        request = request_of(wanted, image, groups)
        try:
            instance = _run(clients, request, zones, wanted.token, told)
        except Exception as error:
            if is_undecided(error):
                undo.pop_all()
                told.did("Whether it was launched is not known: give the same command again")
            raise
        undo.pop_all()
    told.did(f"Launched {instance['InstanceId']}")
    return instance


def try_launch(clients: AwsClients, wanted: Launch) -> tuple[Image, list[Zone]]:
    """Ask EC2 whether it would launch one, with nothing made.

    A key pair or group that would be made first is left out of the question.

    Returns:
        What it would start from, and where it would be tried.

    Raises:
        As `launch`.
    """
    from botocore.exceptions import ClientError

    refuse_second(clients, wanted.name)
    ec2 = clients.client("ec2")
    image = image_of(clients, wanted.image, architecture_of(clients, wanted.instance_type))
    zones = zones_of(clients, wanted.subnets)
    request = request_of(wanted, image, wanted.groups)
    if wanted.key and not access.has_key_pair(ec2, wanted.key):
        del request["KeyName"]
    try:
        made = ec2.run_instances(**request, SubnetId=zones[0].subnet_id, DryRun=True)
    except ClientError as error:
        if error.response["Error"]["Code"] != "DryRunOperation":
            raise
    else:  # MiniStack launches it all the same
        ec2.terminate_instances(InstanceIds=[each["InstanceId"] for each in made["Instances"]])
    return image, zones


def refuse_second(clients: AwsClients, name: str) -> None:
    """Raises CloudRefusal where a machine of that name has not ended."""
    there = found_by(clients, [{"Name": "tag:Name", "Values": [name]}, NOT_ENDED])
    if there:
        raise CloudRefusal(
            f"there is an instance {name!r}: {there[0]['InstanceId']}, {there[0]['State']['Name']};"
            " choose another --name, or terminate it"
        )


def zones_of(clients: AwsClients, subnets: Sequence[str]) -> list[Zone]:
    """The given subnets, in their order; without any, those of the default VPC.

    Raises:
        CloudRefusal: there is no default VPC, or they are of several VPCs.
    """
    ec2 = clients.client("ec2")
    if subnets:
        asked: dict[str, Any] = {"SubnetIds": list(subnets)}
    else:
        asked = {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
    found = [
        Zone(each["SubnetId"], each["AvailabilityZone"], each["VpcId"])
        for each in ec2.describe_subnets(**asked)["Subnets"]
    ]
    if not found:
        raise CloudRefusal(
            "this region has no default VPC: give a subnet with --subnet, or make one with"
            " `aws ec2 create-default-vpc`"
        )
    if len({zone.vpc_id for zone in found}) > 1:
        raise CloudRefusal("the subnets are of several VPCs; a security group is of one")
    order = {subnet: number for number, subnet in enumerate(subnets)}
    return sorted(found, key=lambda zone: (order.get(zone.subnet_id, 0), zone.name))


def request_of(wanted: Launch, image: Image, groups: Sequence[str]) -> dict[str, Any]:
    """The arguments of `run_instances`, without subnet and token."""
    request: dict[str, Any] = {
        "ImageId": image.id,
        "InstanceType": wanted.instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "MetadataOptions": METADATA,
        "BlockDeviceMappings": disks_of(image, wanted.disk_gib),
        "UserData": wanted.user_data,
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": tags_of(wanted.name, wanted.tags)}
            for kind in ("instance", "volume")
        ],
    }
    if groups:
        request["SecurityGroupIds"] = list(groups)
    if wanted.key:
        request["KeyName"] = wanted.key
    if wanted.role:
        request["IamInstanceProfile"] = {"Name": wanted.role}
    return request


# IMDSv2 only; two hops, so that a container of the machine can ask as well.
METADATA = {"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "HttpEndpoint": "enabled"}


def disks_of(image: Image, disk_gib: int) -> list[dict[str, Any]]:
    """The root disk: encrypted, gone with its machine, no smaller than the image."""
    disk = {
        "VolumeType": "gp3",
        "VolumeSize": max(disk_gib, image.disk_gib),
        "Encrypted": True,
        "DeleteOnTermination": True,
    }
    return [{"DeviceName": image.root_device, "Ebs": disk}]


def tags_of(name: str, tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as EC2 has them."""
    own = [{"Key": "Name", "Value": name}, access.APP_TAG]
    return own + [{"Key": key, "Value": value} for key, value in tags.items()]


def _have_key(clients: AwsClients, wanted: Launch, told: Progress, undo: ExitStack) -> None:
    if not wanted.key or access.has_key_pair(clients.client("ec2"), wanted.key):
        return
    made = access.make_key_pair(clients, wanted.key, wanted.key_file)
    undo.callback(_take_back, made, f"key pair {wanted.key}", told)
    told.did(f"Made key pair {wanted.key}; its private half is in {wanted.key_file}")


def _own_group(
    clients: AwsClients, wanted: Launch, vpc_id: str, told: Progress, undo: ExitStack
) -> str:
    name = group_name(wanted.name)
    there = access.group_named(clients.client("ec2"), name, vpc_id)
    if there is None:
        group_id, take_back = access.make_group(clients, name, vpc_id)
        undo.callback(_take_back, take_back, f"security group {name}", told)
        told.did(f"Made security group {name} ({group_id})")
    else:
        group_id = there["GroupId"]
        told.did(f"Security group {name} ({group_id}) is there")
        others = access.others_let_in(there, wanted.cidrs)
        if others:
            told.did(f"Besides, it lets in {', '.join(others)}")
    access.let_in(clients, group_id, wanted.cidrs, wanted.ports)
    return str(group_id)


def _take_back(undo: access.Undo, what: str, told: Progress) -> None:
    try:
        undo()
    except Exception as error:
        if not is_aws_failure(error):
            raise
        told.did(f"The {what} is left: {classify(error)}")
    else:
        told.did(f"Took back the {what}")


def group_name(name: str) -> str:
    """The name of the security group of a machine of its own."""
    return f"thingtank-{name}"


def _run(
    clients: AwsClients, request: dict[str, Any], zones: list[Zone], token: str, told: Progress
) -> dict[str, Any]:
    """Ask for it in each zone in turn, until one has room."""
    from botocore.exceptions import ClientError

    ec2 = clients.client("ec2")
    for number, zone in enumerate(zones):
        own_token = uuid.uuid5(uuid.NAMESPACE_OID, f"{token} {zone.subnet_id} {request}")
        try:
            made = ec2.run_instances(**request, SubnetId=zone.subnet_id, ClientToken=str(own_token))
        except ClientError as error:
            is_last = number == len(zones) - 1
            if error.response["Error"]["Code"] not in _NEXT_ZONE or is_last:
                raise
            told.did(f"Not in {zone.name}: {classify(error).message}")
        else:
            instance: dict[str, Any] = made["Instances"][0]
            return instance
    raise AssertionError("there is a zone")
