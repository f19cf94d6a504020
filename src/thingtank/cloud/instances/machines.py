"""Machines that are there: found by id or name, waited for, stopped, started, terminated."""

from collections.abc import Sequence
from typing import Any

from thingtank.aws.clients import AwsClients
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.errors import NotDone
from thingtank.cloud.instances.access import delete_group_if_unused
from thingtank.cloud.names import INSTANCE, check_name
from thingtank.cloud.progress import Progress
from thingtank.cloud.waiting import WaitFailed, wait

OURS = {"Name": f"tag:{APP_TAG['Key']}", "Values": [APP_TAG["Value"]]}
NOT_ENDED = {
    "Name": "instance-state-name",
    "Values": ["pending", "running", "stopping", "stopped"],
}
ENDED = ("shutting-down", "terminated")
FACTS = (
    ("type", "InstanceType"),
    ("launch time", "LaunchTime"),
    ("public DNS", "PublicDnsName"),
    ("private DNS", "PrivateDnsName"),
    ("public IP", "PublicIpAddress"),
    ("private IP", "PrivateIpAddress"),
)


def found_by(clients: AwsClients, filters: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The instances that all filters fit, oldest first."""
    pages = clients.client("ec2").get_paginator("describe_instances")
    found = [
        instance
        for page in pages.paginate(Filters=list(filters))
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]
    return sorted(found, key=lambda instance: instance["LaunchTime"])


def listed(clients: AwsClients, *, of_all: bool) -> list[dict[str, Any]]:
    """Those of Thing Tank that have not ended, or all of the region, ended ones as well."""
    return found_by(clients, [] if of_all else [OURS, NOT_ENDED])


def named(clients: AwsClients, name: str) -> list[dict[str, Any]]:
    """Those that have a name and have not ended; for EC2 alone `*` in it would be any characters.

    Raises:
        NotTaken: no instance of ours can have the name.
    """
    check_name(INSTANCE, name)
    found = found_by(clients, [{"Name": "tag:Name", "Values": [name]}, NOT_ENDED])
    return [each for each in found if name_of(each) == name]


def chosen(clients: AwsClients, name: str) -> dict[str, Any]:
    """The instance of an id, or the one that has a name and has not ended.

    Raises:
        NotDone: there is none, or several have the name.
        botocore.exceptions.ClientError: there is no such id.
    """
    if name.startswith("i-"):
        reservations = clients.client("ec2").describe_instances(InstanceIds=[name])["Reservations"]
        found = [each for reservation in reservations for each in reservation["Instances"]]
    else:
        found = named(clients, name)
    if not found:
        raise NotDone(
            f"there is no instance {name!r} in this region; `thingtank cloud instance list` shows"
            " those that there are"
        )
    if len(found) > 1:
        ids = ", ".join(f"{each['InstanceId']} ({each['State']['Name']})" for each in found)
        raise NotDone(f"{len(found)} instances have the name {name!r}; choose by id: {ids}")
    (only,) = found
    return dict(only)


def name_of(instance: dict[str, Any]) -> str:
    """Its tag Name, else blank."""
    return next((str(tag["Value"]) for tag in instance.get("Tags", []) if tag["Key"] == "Name"), "")


def facts_of(instance: dict[str, Any]) -> list[tuple[str, str | None]]:
    """What the chapter prints of an instance, and its id, name and zone."""
    facts = [(label, str(instance.get(field) or "") or None) for label, field in FACTS]
    zone = instance.get("Placement", {}).get("AvailabilityZone")
    return [
        ("id", instance["InstanceId"]),
        ("name", name_of(instance) or None),
        ("state", instance["State"]["Name"]),
        ("zone", zone),
        *facts,
    ]


def wait_for(
    clients: AwsClients, waiter_name: str, instance_id: str, told: Progress
) -> dict[str, Any]:
    """Wait for a state of one instance; see `waiting.wait`.

    Returns:
        The instance as it is then.

    Raises:
        WaitFailed: with the reason that EC2 states.
    """

    def tell(response: dict[str, Any]) -> None:
        told.waits(f"{instance_id}: {_state_in(response)}")

    ec2 = clients.client("ec2")
    try:
        wait(ec2, waiter_name, tell, InstanceIds=[instance_id])
    except WaitFailed as error:
        reason = _reason(clients, instance_id)
        raise WaitFailed(
            f"{instance_id}: {error}. {reason}".strip() + " It may still cost money: `thingtank"
            " cloud instance list` shows it",
            error.response,
        ) from None
    return chosen(clients, instance_id)


def wait_until_reached(clients: AwsClients, instance_id: str, told: Progress) -> dict[str, Any]:
    """Wait until it runs and its checks are passed."""
    wait_for(clients, "instance_running", instance_id, told)
    told.did(f"{instance_id} is running; waiting for its checks")
    return wait_for(clients, "instance_status_ok", instance_id, told)


def stop(clients: AwsClients, name: str, told: Progress) -> dict[str, Any]:
    """Stop one, and wait."""
    instance = _in_state(clients, name, "stop")
    instance_id = instance["InstanceId"]
    if instance["State"]["Name"] != "stopped":
        clients.client("ec2").stop_instances(InstanceIds=[instance_id])
        told.did(f"Stopping {instance_id} {name_of(instance)}".rstrip())
    return wait_for(clients, "instance_stopped", instance_id, told)


def start(clients: AwsClients, name: str, told: Progress) -> dict[str, Any]:
    """Start one again, and wait; its public address is another one then."""
    instance = _in_state(clients, name, "start")
    instance_id = instance["InstanceId"]
    if instance["State"]["Name"] != "running":
        clients.client("ec2").start_instances(InstanceIds=[instance_id])
        told.did(f"Starting {instance_id} {name_of(instance)}".rstrip())
    return wait_for(clients, "instance_running", instance_id, told)


def terminate(clients: AwsClients, instance: dict[str, Any], told: Progress) -> None:
    """End one for ever, its disk with it, wait, and delete the security group of its own."""
    instance_id = instance["InstanceId"]
    clients.client("ec2").terminate_instances(InstanceIds=[instance_id])
    told.did(f"Terminating {instance_id} {name_of(instance)}".rstrip())
    wait_for(clients, "instance_terminated", instance_id, told)
    for group in instance.get("SecurityGroups", []):
        if group["GroupName"] == f"thingtank-{name_of(instance)}":
            delete_group_if_unused(clients, group["GroupName"], instance["VpcId"], told)


def _in_state(clients: AwsClients, name: str, verb: str) -> dict[str, Any]:
    instance = chosen(clients, name)
    state = instance["State"]["Name"]
    if state in ENDED:
        raise NotDone(f"{instance['InstanceId']} is {state}, so nothing can {verb} it")
    return instance


def _state_in(response: dict[str, Any]) -> str:
    for reservation in response.get("Reservations", []):
        for instance in reservation["Instances"]:
            return str(instance["State"]["Name"])
    for status in response.get("InstanceStatuses", []):
        return f"checks {status['InstanceStatus']['Status']}"
    return "not seen yet"


def _reason(clients: AwsClients, instance_id: str) -> str:
    from botocore.exceptions import ClientError

    try:
        instance = chosen(clients, instance_id)
    except (ClientError, NotDone):
        return ""
    message = str(instance.get("StateReason", {}).get("Message", ""))
    return f"EC2 says: {message}." if message else ""
