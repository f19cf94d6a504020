"""Who may come to a machine: the key pair for SSH, and the security group for all ports."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from thingtank.aws.clients import AwsClients
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.errors import NotDone
from thingtank.cloud.making import TakeBack, is_undecided
from thingtank.cloud.progress import Progress
from thingtank.cloud.waiting import turns

SSH_PORT = 22
_LEAVE_PAUSE_S, _LEAVE_TURNS = 5.0, 4


def has_key_pair(ec2: Any, name: str) -> bool:
    """Whether AWS knows a key pair in this region."""
    from botocore.exceptions import ClientError

    try:
        return bool(ec2.describe_key_pairs(KeyNames=[name])["KeyPairs"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidKeyPair.NotFound":
            raise
        return False


def make_key_pair(clients: AwsClients, name: str, file: Path) -> TakeBack:
    """Make a key pair, whose private half is told once: it goes to a file that only we may read.

    Returns:
        What takes it back.

    Raises:
        NotDone: the file is there already, of a key pair that AWS does not know.
    """
    ec2 = clients.client("ec2")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise NotDone(
            f"{file} is there, but AWS has no key pair {name!r} in this region: move the file away,"
            " or name another key pair with --key"
        ) from None
    try:
        with os.fdopen(descriptor, "w") as opened:
            made = ec2.create_key_pair(
                KeyName=name,
                KeyType="ed25519",
                TagSpecifications=[{"ResourceType": "key-pair", "Tags": [APP_TAG]}],
            )
            opened.write(made["KeyMaterial"])
    except BaseException as error:
        file.unlink()
        if is_undecided(error):  # AWS may have one by now, whose private half nobody has
            with suppress(Exception):
                ec2.delete_key_pair(KeyName=name)
        raise

    def take_back() -> None:
        ec2.delete_key_pair(KeyName=name)
        file.unlink(missing_ok=True)

    return take_back


def group_named(ec2: Any, name: str, vpc_id: str) -> dict[str, Any] | None:
    """The security group of that name in a VPC."""
    found = ec2.describe_security_groups(
        Filters=[
            {"Name": "group-name", "Values": [name]},
            {"Name": "vpc-id", "Values": [vpc_id]},
        ]
    )["SecurityGroups"]
    return next((each for each in found if each["GroupName"] == name), None)


def make_group(clients: AwsClients, name: str, vpc_id: str) -> tuple[str, TakeBack]:
    """Make a security group that lets nobody in yet.

    Returns:
        Its id, and what takes it back.
    """
    ec2 = clients.client("ec2")
    made = ec2.create_security_group(
        GroupName=name,
        Description="Thing Tank: who may come to its doors",
        VpcId=vpc_id,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": [APP_TAG]}],
    )
    group_id = str(made["GroupId"])
    return group_id, lambda: ec2.delete_security_group(GroupId=group_id)


def permissions_of(cidrs: Sequence[str], ports: Sequence[int]) -> list[dict[str, Any]]:
    """What lets networks reach ports, as EC2 has it."""
    v4 = [{"CidrIp": cidr} for cidr in cidrs if ":" not in cidr]
    v6 = [{"CidrIpv6": cidr} for cidr in cidrs if ":" in cidr]
    if not cidrs:
        return []
    return [
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
        | ({"IpRanges": v4} if v4 else {})
        | ({"Ipv6Ranges": v6} if v6 else {})
        for port in ports
    ]


def let_in(clients: AwsClients, group_id: str, permissions: Iterable[dict[str, Any]]) -> None:
    """Let networks in, each rule by itself, as one that is there refuses all beside it."""
    from botocore.exceptions import ClientError

    ec2 = clients.client("ec2")
    for permission in permissions:
        try:
            ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[permission])
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidPermission.Duplicate":
                raise


def others_let_in(group: dict[str, Any], cidrs: Sequence[str]) -> list[str]:
    """Which networks a group lets in besides the given ones."""
    found = {
        network.get("CidrIp") or network.get("CidrIpv6")
        for permission in group.get("IpPermissions", [])
        for kind in ("IpRanges", "Ipv6Ranges")
        for network in permission.get(kind, [])
    }
    return sorted(cidr for cidr in found if cidr and cidr not in cidrs)


def delete_group_if_unused(clients: AwsClients, name: str, vpc_id: str, told: Progress) -> None:
    """Delete the group that was made for a machine, unless others are in it or it is not ours."""
    from botocore.exceptions import ClientError

    ec2 = clients.client("ec2")
    group = group_named(ec2, name, vpc_id)
    if group is None or APP_TAG not in group.get("Tags", []):
        return
    for _ in turns(ec2, _LEAVE_PAUSE_S, _LEAVE_TURNS):  # a machine that ended may be in it still
        try:
            ec2.delete_security_group(GroupId=group["GroupId"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("DependencyViolation", "InvalidGroup.InUse"):
                raise
        else:
            told.did(f"Deleted security group {name}")
            return
    told.did(f"Security group {name} ({group['GroupId']}) stays: others use it")
