"""The end of a deployment that was made by direct calls: in order, with what stays named.

It can be given again: what is gone already is passed over.
"""

from functools import partial
from typing import Any

from thingtank.aws.clients import AwsClients
from thingtank.cloud.deployment.groups import (
    PAUSE_S,
    TAGGED,
    TURNS_MAX,
    alarms_of,
    find_group,
    looked,
    own_groups,
    own_template,
    refuse_others,
)
from thingtank.cloud.deployment.parts import is_configuration_of, own_alarm_names
from thingtank.cloud.errors import NotDone
from thingtank.cloud.instances.access import delete_group_if_unused
from thingtank.cloud.instances.launch import group_name
from thingtank.cloud.instances.machines import listed, name_of
from thingtank.cloud.progress import Progress
from thingtank.cloud.waiting import turns


def own_parts(clients: AwsClients, name: str) -> list[str]:
    """What of a deployment is there, in words; none where there is nothing of it.

    Raises:
        NotDone: there is a group of that name, which is not Thing Tank's.
    """
    found = []
    group = find_group(clients, name)
    if group is not None:
        refuse_others(group)
        found.append(f"group {name}, machines: {len(group['Instances'])}")
    found += [f"alarm {each}" for each in _alarm_names(clients, name)]
    if own_template(clients, name) is not None:
        found.append(f"launch template {name}")
    found += [f"launch configuration {each}" for each in _configurations(clients, name)]
    found += [f"security group {each['GroupName']}" for each in _security_groups(clients, name)]
    return found


def leftover_names(clients: AwsClients) -> list[str]:
    """The deployments of the region whose group is gone, or was never made, but not all else."""
    groups = {group["AutoScalingGroupName"] for group in own_groups(clients)}
    return sorted((_names_of_templates(clients) | _names_of_alarms(clients)
                   | _names_of_security_groups(clients)) - groups)  # fmt: skip


def _names_of_templates(clients: AwsClients) -> set[str]:
    pages = clients.client("ec2").get_paginator("describe_launch_templates")
    return {
        each["LaunchTemplateName"]
        for page in pages.paginate(Filters=[TAGGED])
        for each in page["LaunchTemplates"]
    }


def _names_of_alarms(clients: AwsClients) -> set[str]:
    pages = clients.client("cloudwatch").get_paginator("describe_alarms")
    return {
        dimension["Value"]
        for page in pages.paginate()
        for each in page["MetricAlarms"]
        for dimension in each.get("Dimensions", [])
        if dimension["Name"] == "AutoScalingGroupName"
        and each["AlarmName"] in own_alarm_names(dimension["Value"])
    }


def _names_of_security_groups(clients: AwsClients) -> set[str]:
    """Of those that no single machine has, as it has one of the same name."""
    prefix = group_name("")
    pages = clients.client("ec2").get_paginator("describe_security_groups")
    filters = [TAGGED, {"Name": "group-name", "Values": [f"{prefix}*"]}]
    found = {
        each["GroupName"].removeprefix(prefix)
        for page in pages.paginate(Filters=filters)
        for each in page["SecurityGroups"]
        if each["GroupName"].startswith(prefix)
    }
    return found - {name_of(each) for each in listed(clients, of_all=False)} if found else found


def destroy(clients: AwsClients, name: str, told: Progress) -> None:
    """End a deployment, its machines with it, and wait until they are gone.

    A launch configuration has no tags: it is known to be ours by its name, which is no person's.

    Raises:
        NotDone: the group is not gone in time.
    """
    alarms = _alarm_names(clients, name)
    autoscaling, ec2 = clients.client("autoscaling"), clients.client("ec2")
    group = find_group(clients, name)
    if group is not None:
        autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        told.did(f"Ending group {name} with its machines and policies")
        _wait_until_gone(clients, name, told)
    if alarms:
        clients.client("cloudwatch").delete_alarms(AlarmNames=alarms)
        told.did(f"Deleted alarms {', '.join(alarms)}")
    template = own_template(clients, name)
    if template is not None:
        ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])
        told.did(f"Deleted launch template {name}")
    for configuration in _configurations(clients, name):
        autoscaling.delete_launch_configuration(LaunchConfigurationName=configuration)
        told.did(f"Deleted launch configuration {configuration}")
    for each in _security_groups(clients, name):
        delete_group_if_unused(clients, each["GroupName"], each["VpcId"], told)


def _wait_until_gone(clients: AwsClients, name: str, told: Progress) -> None:
    for _ in turns(clients.client("autoscaling"), PAUSE_S, TURNS_MAX):
        group = looked(clients, partial(find_group, clients, name))
        if group is None:
            return
        told.waits(f"{name}: machines left: {len(group['Instances'])}")
    raise NotDone(
        f"the group {name} still ends its machines after {PAUSE_S * TURNS_MAX:.0f} s; give the same"
        " command again later for what is left"
    )


def _alarm_names(clients: AwsClients, name: str) -> list[str]:
    ours = own_alarm_names(name)
    return [each["AlarmName"] for each in alarms_of(clients, name, []) if each["AlarmName"] in ours]


def _configurations(clients: AwsClients, name: str) -> list[str]:
    """The launch configurations that are named as those of a deployment."""
    pages = clients.client("autoscaling").get_paginator("describe_launch_configurations")
    return [
        each["LaunchConfigurationName"]
        for page in pages.paginate()
        for each in page["LaunchConfigurations"]
        if is_configuration_of(name, each["LaunchConfigurationName"])
    ]


def _security_groups(clients: AwsClients, name: str) -> list[dict[str, Any]]:
    filters = [
        {"Name": "group-name", "Values": [group_name(name)]},
        TAGGED,
    ]
    found = clients.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return [each for each in found if each["GroupName"] == group_name(name)]
