"""A deployment made by direct calls, as the chapter makes it.

What is made on the way goes again when a later call is refused.
"""

from functools import partial
from typing import Any

from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import FailureKind, classify
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.deployment import parts
from thingtank.cloud.deployment.description import BOOK, BOOK_POLICIES, CONFIGURATION, Deployment
from thingtank.cloud.deployment.groups import find_group, wait_in_service
from thingtank.cloud.errors import NotDone
from thingtank.cloud.instances.images import Image, architecture_of, image_of
from thingtank.cloud.instances.launch import Zone, have_key, own_group, zones_of
from thingtank.cloud.making import Making
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
    image, zones = looked_up(clients, deployment)
    if_unknown = f"`thingtank cloud destroy {deployment.name}` shows what there is, and ends it"
    with Making(told, if_unknown) as making:
        have_key(clients, deployment, making)
        groups = deployment.groups or (own_group(clients, deployment, zones[0].vpc_id, making),)
        start = _start(clients, deployment, image, groups, making)
        _make_group(clients, deployment, start, zones, making)
        make_policies(clients, deployment, making)
    if is_waited_for:
        wait_in_service(clients, deployment.name, told)
        told.did(f"{deployment.desired} in service")


def looked_up(clients: AwsClients, deployment: Deployment) -> tuple[Image, list[Zone]]:
    """The image and the subnets that it would be made with; makes nothing.

    Raises:
        NotDone: as asked it cannot be, or there is one of its name.
    """
    deployment.check()
    if find_group(clients, deployment.name) is not None:
        raise NotDone(
            f"there is a group {deployment.name!r}: choose another --name, or"
            f" `thingtank cloud destroy {deployment.name}`. A stack can be changed as it stands"
        )
    architecture = architecture_of(clients, deployment.instance_type)
    image = image_of(clients, deployment.image, architecture)
    return image, zones_of(clients, deployment.subnets, deployment.instance_type)


def _start(
    clients: AwsClients,
    deployment: Deployment,
    image: Image,
    groups: tuple[str, ...],
    making: Making,
) -> dict[str, Any]:
    """What machines start from, as an argument of the group."""
    if deployment.launch == CONFIGURATION:
        from botocore.exceptions import ClientError

        try:
            return _configuration(clients, deployment, image, groups, making)
        except ClientError as error:
            failure = classify(error)
            if failure.kind is not FailureKind.REFUSED:
                raise
            # AWS gives none to accounts made after 1 June 2023, nor to any of some later days.
            making.told.did(f"No launch configuration: {failure.message} Taking a launch template")
    ec2 = clients.client("ec2")
    made = ec2.create_launch_template(
        LaunchTemplateName=deployment.name,
        LaunchTemplateData=parts.launch_template_data(deployment, image, groups),
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": [APP_TAG]}],
    )["LaunchTemplate"]
    own_id = made["LaunchTemplateId"]
    take_back = partial(ec2.delete_launch_template, LaunchTemplateId=own_id)
    making.made(f"launch template {deployment.name}", take_back)
    return {"LaunchTemplate": {"LaunchTemplateId": own_id, "Version": "$Latest"}}


def _configuration(
    clients: AwsClients,
    deployment: Deployment,
    image: Image,
    groups: tuple[str, ...],
    making: Making,
) -> dict[str, Any]:
    autoscaling = clients.client("autoscaling")
    autoscaling.create_launch_configuration(**parts.launch_configuration(deployment, image, groups))
    name = {"LaunchConfigurationName": deployment.name}
    take_back = partial(autoscaling.delete_launch_configuration, **name)
    making.made(f"launch configuration {deployment.name}", take_back)
    return name


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


def make_policies(clients: AwsClients, deployment: Deployment, making: Making) -> None:
    """The policies, which go with their group, and the alarms of those of the chapter."""
    autoscaling, cloudwatch = clients.client("autoscaling"), clients.client("cloudwatch")
    for request in parts.policies(deployment):
        autoscaling.put_scaling_policy(**request)
        making.told.did(f"Made policy {request['PolicyName']}")
    if deployment.policies != BOOK:
        return
    # moto's reply to the call above has no ARN; this one's has it, as AWS's.
    found = autoscaling.describe_policies(AutoScalingGroupName=deployment.name)["ScalingPolicies"]
    arns = {policy["PolicyName"]: policy["PolicyARN"] for policy in found}
    for policy in BOOK_POLICIES:
        request = parts.alarm(deployment.name, policy, arns[policy.name])
        cloudwatch.put_metric_alarm(**request)
        name = request["AlarmName"]
        making.made(f"alarm {name}", partial(cloudwatch.delete_alarms, AlarmNames=[name]))
