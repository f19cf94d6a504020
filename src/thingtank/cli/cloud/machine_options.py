"""Options of machines, for one alone and for those of a group."""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from thingtank.cloud.defaults import AMAZON_LINUX, DISK_GIB, MACHINE_TYPE, PACKAGE

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients

KEY = "thingtank"


def machine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a machine starts from, and who may come to it; `machine_plan` takes their values."""
    for option in reversed(_MACHINE_OPTIONS):
        function = option(function)
    return function


_MACHINE_OPTIONS = (
    click.option("--type", "instance_type", default=MACHINE_TYPE, show_default=True,
                 help="How large it is."),
    click.option("--image", default=AMAZON_LINUX, show_default=True,
                 help="amazon-linux or debian, the newest; an id, ami-…; or an SSM parameter,"
                 " /aws/…, that holds one."),
    click.option("--key", metavar="NAME",
                 help="The key pair for SSH; default: thingtank. One that AWS does not know in the"
                 " region is made, with its private half in the data folder."),
    click.option("--allow", "cidrs", multiple=True, metavar="CIDR", callback=lambda *given:
                 tuple(_network(text) for text in given[2]),
                 help="Who may come to its ports, such as 198.51.100.7/32; several times."),
    click.option("--port", "ports", multiple=True, type=click.IntRange(1, 65_535), metavar="PORT",
                 help="Which ports these may come to; default: 22 and those of the doors."),
    click.option("--security-group", "groups", multiple=True, metavar="SG-…",
                 help="Instead of a security group of its own."),
    click.option("--subnet", "subnets", multiple=True, metavar="SUBNET-…",
                 help="Where; several times. Default: any of the default VPC."),
    click.option("--disk", "disk_gib", type=click.IntRange(1, 65_536), default=DISK_GIB,
                 show_default=True, metavar="GIB", help="The size of its disk."),
    click.option("--role", default="", metavar="NAME",
                 help="An instance profile: what the machine itself may do in AWS."),
    click.option("--package", default=PACKAGE, show_default=True,
                 help="What pip installs there: also with a version, or a URL."),
    click.option("--settings", type=click.Path(path_type=Path, dir_okay=False, exists=True),
                 help="A thingtank.toml for it. No place for a secret: the account can read it."),
)  # fmt: skip


def machine_plan(options: dict[str, Any], default_settings: str) -> dict[str, Any]:
    """The fields of a `MachinePlan` from the options of `machine_options`; others stay as they are.

    Args:
        default_settings: the text of thingtank.toml where none is given.

    Raises:
        click.UsageError: options that do not go together.
    """
    from thingtank.cloud.instances.plan import PORTS

    if options["groups"] and options["cidrs"]:
        raise click.UsageError("--allow is for a group of its own, not for --security-group")
    plan = dict(options)
    settings: Path | None = plan.pop("settings")
    text = settings.read_text() if settings else default_settings
    plan["user_data"] = user_data_of(plan.pop("package"), text)
    return plan | {"ports": plan["ports"] or PORTS, "key": plan["key"] or ""}


def with_key(plan: dict[str, Any], context: click.Context, clients: "AwsClients") -> dict[str, Any]:
    """The same with a key pair, and with where its private half goes if it is made."""
    key = plan["key"] or KEY
    region = clients.client("ec2").meta.region_name  # key pairs are of one region
    file = data_folder(context) / "cloud" / f"{quote(key, safe='')}-{region}.pem"
    return plan | {"key": key, "key_file": file}


def data_folder(context: click.Context) -> Path:
    """The data folder that the command was given; `aws_command` keeps it from the function."""
    folder: Path = context.params["data"]
    return folder


def user_data_of(package: str, settings: str) -> str:
    """The script of a machine's first start.

    Raises:
        click.UsageError: the settings do not fit into it.
    """
    from thingtank.cloud.instances.user_data import user_data

    try:
        return user_data(package, settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise click.BadParameter(f"{error}; a network is such as 198.51.100.7/32") from None
