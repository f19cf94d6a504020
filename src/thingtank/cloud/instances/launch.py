"""Launching a machine that installs and starts Thing Tank.

What is made on the way, a key pair or a security group, goes again when the launch fails.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.errors import NotDone
from thingtank.cloud.instances import access
from thingtank.cloud.instances.images import Image, architecture_of, image_of
from thingtank.cloud.instances.machines import named
from thingtank.cloud.instances.plan import MachinePlan
from thingtank.cloud.making import Making
from thingtank.cloud.progress import Progress
from thingtank.cloud.stand_in_gaps import is_lacking
from thingtank.tank.failures import FailureKind

_NEXT_ZONE = {"InsufficientInstanceCapacity", "Unsupported"}


class Launch(MachinePlan, frozen=True, kw_only=True):
    """One machine.

    Attributes:
        tags: besides Name and app.
        token: the same one gets the same machine, however often it is asked for.
    """

    token: str
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class Zone(NamedTuple):
    """A subnet, and the zone that it is in."""

    subnet_id: str
    name: str
    vpc_id: str


def launch(
    clients: AwsClients,
    wanted: Launch,
    told: Progress,
    answered: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Launch one machine; does not wait for it.

    Args:
        answered: is called as soon as there is a machine.

    Returns:
        The instance as EC2 describes it.

    Raises:
        NotDone: as asked it cannot be; nothing is left behind.
        botocore's exceptions: see `aws.failures.classify`; nothing is left behind.
    """
    refuse_second(clients, wanted.name)
    image = image_of(clients, wanted.image, architecture_of(clients, wanted.instance_type))
    zones = zones_of(clients, wanted.subnets, wanted.instance_type)
    told.did(f"Image {image.id} {image.name}".rstrip())
    with Making(told, "give the same command again") as making:
        have_key(clients, wanted, making)
        groups = wanted.groups or (own_group(clients, wanted, zones[0].vpc_id, making),)
        request = request_of(wanted, image, groups)
        instance = _run(clients, request, zones, wanted.token, told)
        answered()
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
    zones = zones_of(clients, wanted.subnets, wanted.instance_type)
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
    """Raises NotDone where a machine of that name has not ended, or none can have it."""
    there = named(clients, name)
    if there:
        raise NotDone(
            f"there is an instance {name!r}: {there[0]['InstanceId']}, {there[0]['State']['Name']};"
            " choose another --name, or terminate it"
        )


def zones_of(clients: AwsClients, subnets: Sequence[str], instance_type: str) -> list[Zone]:
    """The given subnets, in their order; without any, those of the default VPC that have the type.

    Raises:
        NotDone: there is no default VPC, none of its zones has the type, or they are of several
            VPCs.
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
        raise NotDone(
            "this region has no default VPC: give a subnet with --subnet, or make one with"
            " `aws ec2 create-default-vpc`"
        )
    if len({zone.vpc_id for zone in found}) > 1:
        raise NotDone("the subnets are of several VPCs; a security group is of one")
    if not subnets:
        found = _with_type(ec2, found, instance_type)
    order = {subnet: number for number, subnet in enumerate(subnets)}
    return sorted(found, key=lambda zone: (order.get(zone.subnet_id, 0), zone.name))


def _with_type(ec2: Any, zones: list[Zone], instance_type: str) -> list[Zone]:
    """Those that have the type: in us-east-1 there is one that lacks all newer ones."""
    try:
        offered = ec2.describe_instance_type_offerings(
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": [instance_type]}],
        )["InstanceTypeOfferings"]
    except Exception as error:
        is_refused = is_aws_failure(error) and classify(error).kind is FailureKind.NOT_ALLOWED
        if not is_refused and not is_lacking(ec2, error):
            raise
        return zones  # MiniStack does not know the call; who may not ask finds out by trying
    names = {each["Location"] for each in offered}
    found = [zone for zone in zones if zone.name in names]
    if not found:
        raise NotDone(f"no zone of the default VPC has {instance_type}: take another --type")
    return found


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
    own = [{"Key": "Name", "Value": name}, APP_TAG]
    return own + [{"Key": key, "Value": value} for key, value in tags.items()]


def have_key(clients: AwsClients, wanted: MachinePlan, making: Making) -> None:
    """Make the key pair, where one is wanted that AWS does not know."""
    if not wanted.key:
        return
    if access.has_key_pair(clients.client("ec2"), wanted.key):
        if not wanted.key_file.is_file():
            making.told.did(
                f"AWS has the key pair {wanted.key}; its private half is not in {wanted.key_file}"
            )
        return
    take_back = access.make_key_pair(clients, wanted.key, wanted.key_file)
    making.made(f"key pair {wanted.key}, its private half in {wanted.key_file}", take_back)


def own_group(clients: AwsClients, wanted: MachinePlan, vpc_id: str, making: Making) -> str:
    """A security group of its own, made or as it is there, that lets in who is to come.

    Returns:
        Its id.
    """
    name = group_name(wanted.name)
    there = access.group_named(clients.client("ec2"), name, vpc_id)
    if there is None:
        group_id, take_back = access.make_group(clients, name, vpc_id)
        making.made(f"security group {name} ({group_id})", take_back)
    else:
        group_id = str(there["GroupId"])
        making.told.did(f"Security group {name} ({group_id}) is there")
        others = access.others_let_in(there, wanted.cidrs)
        if others:
            making.told.did(f"Besides, it lets in {', '.join(others)}")
    each_alone = (access.permissions_of([cidr], wanted.ports) for cidr in wanted.cidrs)
    access.let_in(clients, group_id, chain.from_iterable(each_alone))
    return group_id


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
            code = error.response["Error"]["Code"]
            if code == "IdempotentInstanceTerminated":
                raise NotDone(
                    "an earlier try of this command launched the machine, and it has"
                    " ended since: give the same command again for another one"
                ) from None
            if code not in _NEXT_ZONE:
                raise
            told.did(f"Not in {zone.name}: {classify(error).message}")
            if number == len(zones) - 1:
                told.did("No zone is left: take another --type, or other zones by --subnet")
                raise
        else:
            instance: dict[str, Any] = made["Instances"][0]
            return instance
    raise AssertionError("there is a zone")
