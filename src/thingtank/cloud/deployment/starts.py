"""What the machines of a group start from: a launch template with its versions, or a configuration.

AWS gives launch configurations only to accounts that are old enough.
"""

from functools import partial
from typing import Any, NamedTuple

from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import classify
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.deployment import parts
from thingtank.cloud.deployment.changes import Difference, launch_differences
from thingtank.cloud.deployment.description import CONFIGURATION, Deployment
from thingtank.cloud.deployment.groups import own_template
from thingtank.cloud.errors import NotDone
from thingtank.cloud.instances.images import Image
from thingtank.cloud.making import Making
from thingtank.tank.failures import FailureKind

LATEST = "$Latest"
DEFAULT = "$Default"  # which is also what a group means that says none


class Version(NamedTuple):
    """A version of a launch template."""

    template_id: str
    number: int
    data: dict[str, Any]

    @property
    def reference(self) -> dict[str, str]:
        """As Auto Scaling has it: by number, as AWS goes back from no other."""
        return {"LaunchTemplateId": self.template_id, "Version": str(self.number)}


def make_start(
    clients: AwsClients,
    deployment: Deployment,
    image: Image,
    groups: tuple[str, ...],
    making: Making,
) -> dict[str, Any]:
    """Make what machines start from.

    Args:
        groups: ids of security groups.

    Returns:
        It as an argument of the group.
    """
    if deployment.launch == CONFIGURATION:
        from botocore.exceptions import ClientError

        request = parts.launch_configuration(deployment, image, groups)
        try:
            return make_configuration(clients, request, making)
        except ClientError as error:
            failure = classify(error)
            if failure.kind is not FailureKind.REFUSED:
                raise
            # AWS gives none to accounts made after 1 June 2023, nor to any of some later days.
            making.told.did(f"No launch configuration: {failure.message} Taking a launch template")
    data = parts.launch_template_data(deployment, image, groups)
    return {"LaunchTemplate": make_template(clients, deployment.name, data, making).reference}


def make_template(clients: AwsClients, name: str, data: dict[str, Any], making: Making) -> Version:
    """Make a launch template; or a version of one of ours, which a stopped try has left."""
    from botocore.exceptions import ClientError

    ec2 = clients.client("ec2")
    try:
        made = ec2.create_launch_template(
            LaunchTemplateName=name,
            LaunchTemplateData=data,
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": [APP_TAG]}],
        )["LaunchTemplate"]
    except ClientError as error:
        there = own_template(clients, name) if classify(error).kind is FailureKind.EXISTS else None
        if there is None:
            raise
        _, latest = versions_of(
            clients, {"LaunchTemplateId": there["LaunchTemplateId"], "Version": LATEST}
        )
        return make_version(clients, latest, data, making)
    own_id = made["LaunchTemplateId"]
    take_back = partial(ec2.delete_launch_template, LaunchTemplateId=own_id)
    making.made(f"launch template {name}", take_back)
    return Version(own_id, 1, data)


def make_configuration(
    clients: AwsClients, request: dict[str, Any], making: Making
) -> dict[str, Any]:
    """Make a launch configuration; one of that name is the same, and is taken."""
    from botocore.exceptions import ClientError

    autoscaling = clients.client("autoscaling")
    name = request["LaunchConfigurationName"]
    own = {"LaunchConfigurationName": name}
    try:
        autoscaling.create_launch_configuration(**request)
    except ClientError as error:
        if classify(error).kind is not FailureKind.EXISTS:
            raise
        making.told.did(f"Launch configuration {name} is there")
    else:
        take_back = partial(autoscaling.delete_launch_configuration, **own)
        making.made(f"launch configuration {name}", take_back)
    return own


def versions_of(clients: AwsClients, template: dict[str, str]) -> tuple[Version, Version]:
    """The version that a group has of its launch template, and the latest one.

    Args:
        template: as the group tells of it.

    Raises:
        NotDone: the template is gone.
    """
    own_id, number = template["LaunchTemplateId"], template.get("Version", DEFAULT)
    found = clients.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=own_id, Versions=sorted({number, LATEST})
    )["LaunchTemplateVersions"]
    versions = [
        Version(own_id, each["VersionNumber"], each["LaunchTemplateData"]) for each in found
    ]
    if not versions:
        raise NotDone(
            f"the launch template {own_id} of the group is gone, so what its machines start from"
            " is not known: destroy the group, and deploy it again"
        )
    latest = max(versions, key=lambda version: version.number)
    if number == DEFAULT:
        number = next(
            (str(each["VersionNumber"]) for each in found if each.get("DefaultVersion")), ""
        )
    has = next((version for version in versions if str(version.number) == number), latest)
    return has, latest


def make_version(
    clients: AwsClients, latest: Version, data: dict[str, Any], making: Making
) -> Version:
    """Make a version of a launch template, unless the latest one is just that."""
    if not list(launch_differences(data, latest.data)):
        making.told.did(f"Version {latest.number} of the launch template is there")
        return latest
    ec2 = clients.client("ec2")
    own_id = latest.template_id
    made = ec2.create_launch_template_version(LaunchTemplateId=own_id, LaunchTemplateData=data)
    number = made["LaunchTemplateVersion"]["VersionNumber"]
    take_back = partial(
        ec2.delete_launch_template_versions, LaunchTemplateId=own_id, Versions=[str(number)]
    )
    making.made(f"version {number} of the launch template", take_back)
    return Version(own_id, number, data)


def configuration_differences(wanted: dict[str, Any], has: str) -> list[Difference]:
    """A launch configuration is another by its name."""
    name = wanted["LaunchConfigurationName"]
    return [] if name == has else [Difference("launch configuration", has, name)]
