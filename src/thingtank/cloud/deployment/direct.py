"""A deployment made by direct calls, as the chapter makes it.

What is made on the way goes again when a later call is refused.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from thingtank.aws.clients import AwsClients
from thingtank.cloud.deployment import parts
from thingtank.cloud.deployment.description import BOOK, BOOK_POLICIES, Deployment
from thingtank.cloud.deployment.groups import wait_in_service
from thingtank.cloud.deployment.starts import make_start
from thingtank.cloud.instances.images import Image, architecture_of, image_of
from thingtank.cloud.instances.launch import Zone, have_key, own_group, zones_of
from thingtank.cloud.making import Making, TakeBack
from thingtank.cloud.progress import Progress


def deploy(
    clients: AwsClients, deployment: Deployment, told: Progress, *, is_waited_for: bool = True
) -> None:
    """Make what machines start from, the group, its policies and alarms; wait for its machines.

    Raises:
        NotDone: as asked it cannot be, and nothing is left behind; or machines do not come,
            and the group is there.
        botocore's exceptions: see `aws.failures.classify`; nothing is left behind.
    """
    deployment.check()
    image, zones = looked_up(clients, deployment)
    if_unknown = f"`thingtank cloud destroy {deployment.name}` shows what there is, and ends it"
    with Making(told, if_unknown) as making:
        have_key(clients, deployment, making)
        groups = deployment.groups or (own_group(clients, deployment, zones[0].vpc_id, making),)
        start = make_start(clients, deployment, image, groups, making)
        _make_group(clients, deployment, start, zones, making)
        make_policies(clients, deployment, making.made)
    if is_waited_for:
        wait_in_service(clients, deployment.name, told)
        told.did(f"{deployment.at_first} in service")


def looked_up(clients: AwsClients, deployment: Deployment) -> tuple[Image, list[Zone]]:
    """The image and the subnets that it would be made with; makes nothing.

    Raises:
        NotDone: as asked it cannot be.
    """
    architecture = architecture_of(clients, deployment.instance_type)
    image = image_of(clients, deployment.image, architecture)
    return image, zones_of(clients, deployment.subnets, deployment.instance_type)


def _make_group(
    clients: AwsClients,
    deployment: Deployment,
    start: dict[str, Any],
    zones: list[Zone],
    making: Making,
) -> None:
    autoscaling = clients.client("autoscaling")
    request = parts.group(deployment, [zone.subnet_id for zone in zones])
    autoscaling.create_auto_scaling_group(**request, **start)
    name = deployment.name
    take_back = partial(
        autoscaling.delete_auto_scaling_group, AutoScalingGroupName=name, ForceDelete=True
    )
    sizes = f"{deployment.min_size} to {deployment.max_size} machines"
    making.made(f"group {name}, {sizes}", take_back)


def make_policies(
    clients: AwsClients, deployment: Deployment, made: Callable[[str, TakeBack], None]
) -> None:
    """The policies, and the alarms of those of the chapter; those that are there are set anew.

    Args:
        made: is told of each, and how it goes again.
    """
    autoscaling, cloudwatch = clients.client("autoscaling"), clients.client("cloudwatch")
    name = deployment.name
    for request in parts.policies(deployment):
        autoscaling.put_scaling_policy(**request)
        policy_name = request["PolicyName"]
        take_back = partial(
            autoscaling.delete_policy, AutoScalingGroupName=name, PolicyName=policy_name
        )
        made(f"policy {policy_name}", take_back)
    if deployment.policies != BOOK:
        return
    # moto's reply to the call above has no ARN; this one's has it, as AWS's.
    found = autoscaling.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
    arns = {policy["PolicyName"]: policy["PolicyARN"] for policy in found}
    for policy in BOOK_POLICIES:
        request = parts.alarm(name, policy, arns[policy.name])
        cloudwatch.put_metric_alarm(**request)
        alarm = request["AlarmName"]
        made(f"alarm {alarm}", partial(cloudwatch.delete_alarms, AlarmNames=[alarm]))
