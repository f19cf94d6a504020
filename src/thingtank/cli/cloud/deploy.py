"""`thingtank cloud deploy`, `status`, `scale` and `destroy`: a group of machines."""

from typing import TYPE_CHECKING, Any

import click

from thingtank.cli.cloud.machine_options import machine_options, machine_plan
from thingtank.cli.cloud.session import aws_command, say
from thingtank.cli.options import json_option, yes_option

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients
    from thingtank.cloud.deployment.description import Deployment
    from thingtank.cloud.deployment.groups import Standing

GROUP_COLUMNS = ("name", "min", "max", "desired", "in service")


@click.command()
@click.option("--name", default="thingtank", show_default=True, help="Of the group.")
@click.option(
    "--min",
    "min_size",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="The fewest machines.",
)
@click.option(
    "--max", "max_size", type=click.IntRange(1), default=2, show_default=True, help="The most."
)
@click.option("--desired", type=click.IntRange(0), help="How many at first; default: the fewest.")
@click.option(
    "--policies",
    type=click.Choice(["book", "target"]),
    default="book",
    show_default=True,
    help="book: one more above 70 % of the processors, one less below 50 %; target: as"
    " many as keep them near --target.",
)
@click.option(
    "--target",
    "target_percent",
    type=click.IntRange(1, 100),
    default=60,
    show_default=True,
    metavar="PERCENT",
)
@click.option(
    "--launch",
    type=click.Choice(["template", "configuration"]),
    default="template",
    show_default=True,
    help="What machines start from; AWS gives no more configurations to newer accounts.",
)
@click.option(
    "--target-group",
    "target_groups",
    multiple=True,
    metavar="ARN",
    help="Of a load balancer, that the machines join; several times.",
)
@machine_options
@click.option("--dry-run", is_flag=True, help="Print what would be made, and make nothing.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the machines are in service.")
@aws_command
@click.pass_context
def deploy(
    context: click.Context, clients: "AwsClients", /, *, dry_run: bool, no_wait: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Make a group of machines that grows and shrinks with its load.

    Each of them installs Thing Tank and starts it. The exit code is 3 where the account's quota is
    reached.
    """
    from thingtank.cli.cloud.progress import Lines
    from thingtank.cloud.deployment import direct

    wanted = _wanted(context, clients, options)
    if dry_run:
        _print_dry(clients, wanted)
        return
    with Lines() as told:
        try:
            direct.deploy(clients, wanted, told, is_waited_for=not no_wait)
        except KeyboardInterrupt:
            told.did(f"What is there goes on, and costs: thingtank cloud status {wanted.name}")
            raise
    click.echo(f"Deployed {wanted.name}")


@click.command()
@click.argument("name", required=False)
@json_option
@aws_command
def status(clients: "AwsClients", name: str | None, as_json: bool) -> None:
    """Show a group: machines, policies, alarms, what it did last. Without NAME list all groups."""
    from thingtank.cli.output import print_json, print_table
    from thingtank.cloud.deployment.groups import own_groups, standing_of

    if name is None:
        rows = [_row(group) for group in own_groups(clients)]
        if as_json:
            print_json([dict(zip(map(_key, GROUP_COLUMNS), row, strict=True)) for row in rows])
        else:
            print_table(GROUP_COLUMNS, rows, "There is none yet; make one with: thingtank cloud"
                        " deploy")  # fmt: skip
        return
    standing = standing_of(clients, name)
    if as_json:
        print_json(_plain(standing))
    else:
        _print_standing(standing)


@click.command()
@click.argument("name")
@click.argument("count", type=click.IntRange(0))
@aws_command
def scale(clients: "AwsClients", name: str, count: int) -> None:
    """Have a group keep COUNT machines, until its policies say otherwise."""
    from thingtank.cli.cloud.progress import Lines
    from thingtank.cloud.deployment.groups import scale as scaled

    with Lines() as told:
        scaled(clients, name, count, told)
    click.echo(f"{name} has {count} in service")


@click.command()
@click.argument("name")
@yes_option
@aws_command
def destroy(clients: "AwsClients", name: str, yes: bool) -> None:
    """End a group and all that was made for it. What stays is named at the end."""
    from thingtank.cli.cloud.progress import Lines
    from thingtank.cloud.deployment.destroy import destroy as destroyed
    from thingtank.cloud.deployment.destroy import own_parts

    parts = own_parts(clients, name)
    if not parts:
        click.echo(f"There is nothing of {name}")
        return
    for part in parts:
        say(f"  {part}")
    if not yes:
        click.confirm(f"Destroy all of this, with what is on the disks of {name}?", abort=True)
    with Lines() as told:
        destroyed(clients, name, told)
    click.echo(f"Destroyed {name}")
    say("Key pairs stay: `aws ec2 delete-key-pair` deletes one.")


def _wanted(context: click.Context, clients: "AwsClients", options: dict[str, Any]) -> "Deployment":
    from thingtank.cloud.deployment.description import Deployment

    plan = machine_plan(context, clients, options)
    if plan["desired"] is None:
        plan["desired"] = plan["min_size"]
    wanted = Deployment(**plan)
    wanted.check()
    return wanted


def _print_dry(clients: "AwsClients", wanted: "Deployment") -> None:
    from thingtank.cli.output import print_facts
    from thingtank.cloud.deployment.description import estimate_of, rules_of
    from thingtank.cloud.deployment.direct import looked_up
    from thingtank.cloud.instances.launch import group_name

    image, zones = looked_up(clients, wanted)
    estimate = estimate_of(wanted)
    least, most = estimate.hours
    print_facts([
        ("would make", f"group {wanted.name}"),
        ("launch", f"{wanted.launch} {wanted.name}: {wanted.instance_type},"
                   f" {image.id} {image.name}".strip()),
        ("disk", f"{max(wanted.disk_gib, image.disk_gib)} GiB gp3 each, encrypted"),
        ("zones", ", ".join(zone.name for zone in zones)),
        ("security group", ", ".join(wanted.groups) or
                   f"{group_name(wanted.name)}, for {', '.join(wanted.cidrs) or 'nobody'}"),
        ("machines", f"{estimate.at_first} at first, {estimate.fewest} to {estimate.most}"),
        ("hours a month", f"{least:,} to {most:,}"),
        *(("rule", rule) for rule in rules_of(wanted)),
    ])  # fmt: skip


def _row(group: dict[str, Any]) -> tuple[object, ...]:
    in_service = [each for each in group["Instances"] if each["LifecycleState"] == "InService"]
    sizes = (group["MinSize"], group["MaxSize"], group["DesiredCapacity"])
    return (group["AutoScalingGroupName"], *sizes, len(in_service))


def _key(column: str) -> str:
    return column.replace(" ", "_")


def _plain(standing: "Standing") -> dict[str, Any]:
    """What a script wants of a group."""
    group = standing.group
    return dict(zip(map(_key, GROUP_COLUMNS), _row(group), strict=True)) | {
        "instances": [
            {
                "id": each["InstanceId"],
                "zone": each["AvailabilityZone"],
                "state": each["LifecycleState"],
                "health": each["HealthStatus"],
            }
            for each in group["Instances"]
        ],
        "policies": [
            {"name": each["PolicyName"], "type": each["PolicyType"]} for each in standing.policies
        ],
        "alarms": [
            {
                "name": each["AlarmName"],
                "state": each["StateValue"],
                "threshold": each.get("Threshold"),
            }
            for each in standing.alarms
        ],
        "activities": [
            {
                "at": str(each["StartTime"]),
                "status": each["StatusCode"],
                "description": each.get("Description", ""),
                "message": each.get("StatusMessage"),
            }
            for each in standing.activities
        ],
    }


def _print_standing(standing: "Standing") -> None:
    from thingtank.cli.output import print_facts, print_table

    plain = _plain(standing)
    print_facts([(column, plain[_key(column)]) for column in GROUP_COLUMNS])
    for title, empty in (
        ("instances", "No machine."),
        ("policies", "No policy: the number of machines stays as it is."),
        ("alarms", "No alarm."),
        ("activities", "It has done nothing yet."),
    ):
        rows = plain[title]
        click.echo()
        click.secho(title, bold=True)
        columns = tuple(rows[0]) if rows else ()
        print_table(columns, [tuple(row.values()) for row in rows], empty)
