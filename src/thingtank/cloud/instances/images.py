"""Which image a machine starts from: the newest of a system, or a given one.

Source: AWS, Systems Manager public parameters; the Debian wiki, Cloud/AmazonEC2Image.
"""

import re
from typing import Any, NamedTuple

from thingtank.aws.clients import AwsClients
from thingtank.cloud.defaults import AMAZON_LINUX
from thingtank.cloud.errors import NotDone

DEBIAN = "debian"
SYSTEMS = (AMAZON_LINUX, DEBIAN)
_AMAZON_LINUX_PARAMETER = (
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
)
_DEBIAN_PARAMETER = "/aws/service/debian/release/13/latest/{}"
_DEBIAN_OWNER = "136693071363"
_DEBIAN_NAMES = {"x86_64": "debian-13-amd64-*", "arm64": "debian-13-arm64-*"}


ROOT_DEVICE = "/dev/xvda"  # of both systems


class Image(NamedTuple):
    """An image.

    Attributes:
        id: such as `ami-0123456789abcdef0`.
        root_device: where its disk is, such as `/dev/xvda`.
        disk_gib: the least size of that disk.
    """

    id: str
    name: str
    root_device: str
    disk_gib: int


def architecture_of(clients: AwsClients, instance_type: str) -> str:
    """`x86_64` or `arm64`.

    Raises:
        NotDone: there is no such type, or it can run neither.
    """
    from botocore.exceptions import ClientError

    try:
        found = clients.client("ec2").describe_instance_types(InstanceTypes=[instance_type])
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("InvalidInstanceType", "InvalidParameterValue"):
            raise
        raise NotDone(
            f"there is no instance type {instance_type!r} in this region; t3.micro and t4g.micro"
            " are small ones"
        ) from None
    supported = found["InstanceTypes"][0]["ProcessorInfo"]["SupportedArchitectures"]
    for architecture in _DEBIAN_NAMES:
        if architecture in supported:
            return architecture
    raise NotDone(f"{instance_type} is of {', '.join(supported)}, for which there is no image")


def architecture_by_name(instance_type: str) -> str:
    """The same from the name alone, without asking: `t4g` and `m7gd` have a g, and are arm64."""
    return "arm64" if re.match(r"(a1|[a-z]+\d+g[a-z]*)\.", instance_type) else "x86_64"


def template_parameter(wanted: str, instance_type: str) -> str:
    """The SSM parameter that a CloudFormation template names for an image; blank for an id."""
    architecture = architecture_by_name(instance_type)
    if wanted == DEBIAN:
        return _DEBIAN_PARAMETER.format(_DEBIAN_NAMES[architecture].split("-")[2])
    return image_parameter(wanted, architecture)


def image_parameter(wanted: str, architecture: str) -> str:
    """The SSM parameter that names an image; blank where it is found in another way."""
    if wanted == AMAZON_LINUX:
        return _AMAZON_LINUX_PARAMETER.format(architecture=architecture)
    return wanted if wanted.startswith("/") else ""


def image_of(clients: AwsClients, wanted: str, architecture: str) -> Image:
    """The image for `amazon-linux`, `debian`, an SSM parameter (`/aws/…`) or an id (`ami-…`).

    Raises:
        NotDone: there is none in this region.
    """
    ec2 = clients.client("ec2")
    parameter = image_parameter(wanted, architecture)
    if parameter:
        image_id = _parameter_value(clients, parameter)
    elif wanted == DEBIAN:
        return _newest_debian(ec2, architecture)
    elif wanted.startswith("ami-"):
        image_id = wanted
    else:
        raise NotDone(
            f"{wanted!r} is no image: {', '.join(SYSTEMS)}, an id such as ami-…, or the name of"
            " an SSM parameter that holds one, /aws/…"
        )
    images = ec2.describe_images(ImageIds=[image_id])["Images"]
    if not images:
        raise NotDone(f"there is no image {image_id} in this region; images are of one region")
    return _image(images[0])


def _parameter_value(clients: AwsClients, name: str) -> str:
    ssm = clients.client("ssm")
    try:
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        raise NotDone(f"there is no SSM parameter {name} in this region") from None


def _newest_debian(ec2: Any, architecture: str) -> Image:
    names = _DEBIAN_NAMES[architecture]
    found = ec2.describe_images(
        Owners=[_DEBIAN_OWNER],
        Filters=[
            {"Name": "name", "Values": [names]},
            {"Name": "state", "Values": ["available"]},
        ],
    )["Images"]
    if not found:
        raise NotDone(f"Debian has no image {names} in this region; take another with --image")
    return _image(max(found, key=lambda image: image["CreationDate"]))


def _image(found: dict[str, Any]) -> Image:
    root = found.get("RootDeviceName") or ROOT_DEVICE
    sizes = [
        mapping.get("Ebs", {}).get("VolumeSize", 0)
        for mapping in found.get("BlockDeviceMappings", [])
        if mapping.get("DeviceName") == root
    ]
    return Image(found["ImageId"], found.get("Name", ""), root, max([*sizes, 0]))
