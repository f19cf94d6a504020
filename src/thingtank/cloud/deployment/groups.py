"""A group that is there: finding it, another number of machines, waiting for them."""

import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeVar

from thingtank.aws.clients import AwsClients
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.errors import NotDone
from thingtank.cloud.patience import patiently
from thingtank.cloud.progress import Progress
from thingtank.cloud.waiting import pause_s_of, turns

PAUSE_S, TURNS_MAX = 10.0, 90  # a quarter of an hour
ACTIVITIES_MAX = 10

TAGGED = {"Name": f"tag:{APP_TAG['Key']}", "Values": [APP_TAG["Value"]]}

T = TypeVar("T")


def find_group(clients: AwsClients, name: str) -> dict[str, Any] | None:
    """The group of a name."""
    found = clients.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[name]
    )["AutoScalingGroups"]
    return found[0] if found else None


def group_of(clients: AwsClients, name: str) -> dict[str, Any]:
    """The group of a name.

    Raises:
        NotDone: there is none.
    """
    found = find_group(clients, name)
    if found is None:
        raise NotDone(
            f"there is no group {name!r} in this region; `thingtank cloud status` lists those"
            " that there are"
        )
    return found


def own_group_of(clients: AwsClients, name: str) -> dict[str, Any]:
    """The group of a name, if it is Thing Tank's.

    Raises:
        NotDone: there is none, or it is another's.
    """
    group = group_of(clients, name)
    refuse_others(group)
    return group


def refuse_others(group: dict[str, Any]) -> None:
    """Raises NotDone where a group is another's."""
    if not any(APP_TAG.items() <= tag.items() for tag in group.get("Tags", [])):
        raise NotDone(
            f"the group {group['AutoScalingGroupName']!r} has no tag app=thingtank, so it is not"
            " touched"
        )


def own_groups(clients: AwsClients) -> list[dict[str, Any]]:
    """All groups of Thing Tank in the region."""
    pages = clients.client("autoscaling").get_paginator("describe_auto_scaling_groups")
    return [
        group for page in pages.paginate(Filters=[TAGGED]) for group in page["AutoScalingGroups"]
    ]


def own_template(clients: AwsClients, name: str) -> dict[str, Any] | None:
    """The launch template of a deployment."""
    filters = [{"Name": "launch-template-name", "Values": [name]}, TAGGED]
    found = clients.client("ec2").describe_launch_templates(Filters=filters)["LaunchTemplates"]
    return next((dict(each) for each in found if each["LaunchTemplateName"] == name), None)


def alarms_of(
    clients: AwsClients, name: str, policies: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The alarms that start a group's policies: ours by their names, AWS's own by the policies."""
    named = {alarm["AlarmName"] for policy in policies for alarm in policy.get("Alarms", [])}
    cloudwatch = clients.client("cloudwatch")
    found = {
        alarm["AlarmName"]: alarm
        for page in cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{name}-")
        for alarm in page["MetricAlarms"]
        if {"Name": "AutoScalingGroupName", "Value": name} in alarm.get("Dimensions", [])
    }
    others = sorted(named - set(found))
    if others:
        for alarm in cloudwatch.describe_alarms(AlarmNames=others)["MetricAlarms"]:
            found[alarm["AlarmName"]] = alarm
    return [found[each] for each in sorted(found)]


def scale(clients: AwsClients, name: str, count: int, told: Progress) -> dict[str, Any]:
    """Have a group keep so many machines from now on, and wait for them.

    Raises:
        NotDone: no such group, a number outside of its bounds, or a machine that cannot be.
    """
    group = own_group_of(clients, name)
    if not group["MinSize"] <= count <= group["MaxSize"]:
        raise NotDone(
            f"{name} has {group['MinSize']} to {group['MaxSize']} machines, not {count}; for other"
            " bounds deploy it again with them"
        )
    before = [each["ActivityId"] for each in activities_of(clients, name)]
    clients.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=name, DesiredCapacity=count, HonorCooldown=False
    )
    told.did(f"{name}: {group['DesiredCapacity']} -> {count}")
    return wait_in_service(clients, name, told, before)


def wait_in_service(
    clients: AwsClients, name: str, told: Progress, before: Collection[str] = ()
) -> dict[str, Any]:
    """Wait until as many machines are in service as the group is to have.

    Args:
        before: the ids of activities that are not those of what is waited for.

    Raises:
        NotDone: AWS says that a machine cannot be, or the time is up.
    """
    for _ in turns(clients.client("autoscaling"), PAUSE_S, TURNS_MAX):
        group = looked(clients, partial(group_of, clients, name))
        machines = group["Instances"]
        ready = [machine for machine in machines if _is_ready(machine)]
        desired = group["DesiredCapacity"]
        told.waits(f"{name}: {len(ready)} of {desired} in service")
        if len(ready) == len(machines) == desired:
            return group
        looked(clients, partial(_refuse_failed, clients, name, before))
    raise NotDone(
        f"{name} has {len(ready)} of {desired} machines in service after"
        f" {PAUSE_S * TURNS_MAX:.0f} s; `thingtank cloud status {name}` shows how it goes on"
    )


def looked(clients: AwsClients, look: Callable[[], T]) -> T:
    """What a look gives while somebody waits; a connection lost for a while ends no wait."""
    return patiently(look, pause_s_of(clients, "autoscaling"), time.sleep)


def _is_ready(machine: dict[str, Any]) -> bool:
    return (machine["LifecycleState"], machine["HealthStatus"]) == ("InService", "Healthy")


def _refuse_failed(clients: AwsClients, name: str, before: Collection[str]) -> None:
    for activity in activities_of(clients, name):
        if activity["StatusCode"] == "Failed" and activity["ActivityId"] not in before:
            message = str(activity.get("StatusMessage") or activity.get("Cause") or "").strip()
            raise NotDone(
                f"{message.rstrip('.')}. The group goes on trying: `thingtank cloud status {name}`"
                f" shows it, `thingtank cloud destroy {name}` ends it"
            )


def activities_of(clients: AwsClients, name: str) -> list[dict[str, Any]]:
    """What a group did last, the newest first, ACTIVITIES_MAX at most."""
    found = clients.client("autoscaling").describe_scaling_activities(
        AutoScalingGroupName=name, MaxRecords=ACTIVITIES_MAX
    )["Activities"]
    return list(found[:ACTIVITIES_MAX])
