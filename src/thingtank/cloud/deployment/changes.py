"""How a group that is there differs from what a deployment describes; nothing is changed here."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from thingtank.cloud.deployment import parts
from thingtank.cloud.deployment.description import BOOK_POLICIES, Deployment

NONE = "none"
_OTHER = "other"
_AS_DESCRIBED = "as described"


class Difference(NamedTuple):
    """A part of a deployment that is to be another, in words."""

    part: str
    is_now: str
    will_be: str


class Door(NamedTuple):
    """A network that a security group lets in; ports are None for all."""

    protocol: str
    first_port: int | None
    last_port: int | None
    cidr: str

    @property
    def ports(self) -> str:
        """In words."""
        if self.first_port is None:
            return "all"
        last = "" if self.last_port == self.first_port else f"-{self.last_port}"
        return f"{self.first_port}{last}"

    @property
    def permission(self) -> dict[str, Any]:
        """As EC2 has it."""
        kind, field = ("Ipv6Ranges", "CidrIpv6") if ":" in self.cidr else ("IpRanges", "CidrIp")
        found: dict[str, Any] = {"IpProtocol": self.protocol, kind: [{field: self.cidr}]}
        if self.first_port is not None:
            found |= {"FromPort": self.first_port, "ToPort": self.last_port}
        return found


_LAUNCH_PARTS = {
    "ImageId": "image",
    "InstanceType": "type",
    "KeyName": "key pair",
    "IamInstanceProfile": "role",
    "SecurityGroupIds": "security group",
    "BlockDeviceMappings": "disk",
    "MetadataOptions": "metadata",
    "Monitoring": "monitoring",
    "UserData": "package and settings",
}


def launch_differences(wanted: dict[str, Any], found: dict[str, Any]) -> Iterator[Difference]:
    """What a version of a launch template has otherwise."""
    for key, part in _LAUNCH_PARTS.items():
        if not _fits(_ordered(wanted.get(key)), _ordered(found.get(key))):
            yield Difference(
                part, _shown(key, found.get(key), _OTHER),
                _shown(key, wanted.get(key), _AS_DESCRIBED),
            )  # fmt: skip


def _ordered(value: Any) -> Any:
    """Names of one kind in one order."""
    is_names = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return sorted(value) if is_names else value


def _shown(key: str, value: Any, otherwise: str) -> str:
    """A value in words; `otherwise` for what is too long, or says nothing to people."""
    if not value:
        return NONE
    if key in ("ImageId", "InstanceType", "KeyName"):
        return str(value)
    if key == "SecurityGroupIds":
        return ", ".join(value)
    if key == "IamInstanceProfile":
        return str(value.get("Name") or value.get("Arn") or otherwise)
    if key == "BlockDeviceMappings":
        sizes = [each.get("Ebs", {}).get("VolumeSize") for each in value]
        return ", ".join(f"{size} GiB" for size in sizes if size) or otherwise
    return otherwise


def group_differences(
    deployment: Deployment, group: dict[str, Any], subnets: Sequence[str]
) -> dict[str, tuple[Difference, Any]]:
    """What a group has otherwise than described: by argument of `update_auto_scaling_group`.

    How many machines it has stays, where that is not given and within the bounds.
    """
    wanted = parts.group(deployment, subnets)
    if deployment.desired is None:
        within = max(deployment.min_size, group["DesiredCapacity"])
        wanted["DesiredCapacity"] = min(deployment.max_size, within)
    found: dict[str, tuple[Difference, Any]] = {}
    for key, part in (
        ("MinSize", "fewest machines"),
        ("MaxSize", "most machines"),
        ("DesiredCapacity", "machines"),
        ("HealthCheckType", "health check"),
    ):
        if wanted[key] != group[key]:
            found[key] = Difference(part, str(group[key]), str(wanted[key])), wanted[key]
    there = set(group.get("VPCZoneIdentifier", "").split(",")) - {""}
    if there != set(subnets):
        difference = Difference("subnets", _joined(there), _joined(subnets))
        found["VPCZoneIdentifier"] = difference, wanted["VPCZoneIdentifier"]
    return found


def policy_differences(
    deployment: Deployment,
    policies: Iterable[dict[str, Any]],
    alarms: Iterable[dict[str, Any]],
) -> Iterator[Difference]:
    """What a group's policies, and the alarms of the chapter's, have otherwise."""
    by_name = {each["PolicyName"]: each for each in policies}
    wanted = {each["PolicyName"]: each for each in parts.policies(deployment)}
    for name, policy in wanted.items():
        if not _fits(policy, by_name.get(name)):
            now = _OTHER if name in by_name else NONE
            yield Difference(f"policy {name}", now, _AS_DESCRIBED)
    for name in surplus_policies(deployment, by_name):
        yield Difference(f"policy {name}", "there", NONE)
    has = {each["AlarmName"]: each for each in alarms}
    for rule in BOOK_POLICIES:
        name = parts.alarm_name(deployment.name, rule)
        if rule.name in wanted:
            arn = by_name.get(rule.name, {}).get("PolicyARN")
            if not _fits(parts.alarm(deployment.name, rule, arn), has.get(name)):
                now = _OTHER if name in has else NONE
                yield Difference(f"alarm {name}", now, _AS_DESCRIBED)
        elif name in has:
            yield Difference(f"alarm {name}", "there", NONE)


def surplus_policies(deployment: Deployment, names: Collection[str]) -> list[str]:
    """Which policies of ours a group has that it is to have no more; a person's own stay."""
    ours = {parts.TARGET_POLICY, *(policy.name for policy in BOOK_POLICIES)}
    return sorted(ours & set(names) - {each["PolicyName"] for each in parts.policies(deployment)})


def doors_of(security_group: dict[str, Any]) -> set[Door]:
    """Which networks a security group lets in; what lets in other groups is left out."""
    return {
        Door(
            permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort"),
            str(network.get("CidrIp") or network.get("CidrIpv6")),
        )
        for permission in security_group.get("IpPermissions", [])
        for kind in ("IpRanges", "Ipv6Ranges")
        for network in permission.get(kind, [])
    }  # fmt: skip


def wanted_doors(deployment: Deployment) -> set[Door]:
    """Which networks are to be let in."""
    return {Door("tcp", port, port, cidr) for cidr in deployment.cidrs for port in deployment.ports}


def in_words(doors: Collection[Door]) -> list[str]:
    """Each network once, with its ports."""
    ordered = sorted(doors, key=lambda door: door.first_port or 0)
    ports = {cidr: [door.ports for door in ordered if door.cidr == cidr]
             for cidr in sorted({door.cidr for door in doors})}  # fmt: skip
    return [f"{cidr} to ports {', '.join(each)}" for cidr, each in ports.items()]


def _joined(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or NONE


def _fits(wanted: Any, found: Any) -> bool:
    """Whether what is there has all that is wanted; AWS tells more of most things."""
    if not wanted:
        return not found
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            _fits(value, found.get(key)) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(wanted) == len(found)
            and all(_fits(*pair) for pair in zip(wanted, found, strict=True))
        )
    return bool(wanted == found)
