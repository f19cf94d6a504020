"""`thingtank cloud status`, `scale`, `rollback`, `destroy`: a group of machines that is there."""

from typing import TYPE_CHECKING, Any

import click

from thingtank.cli.cloud.session import aws_command, say
from thingtank.cli.options import json_option, yes_option
from thingtank.cli.session import Refusal

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients
    from thingtank.cloud.deployment.standing import Standing

GROUP_COLUMNS = ("name", "min", "max", "desired", "in service")


def _checked(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    """A name that a deployment can have. Raise WrongUse."""
    from thingtank.cli.cloud.session import WrongUse
    from thingtank.cloud.deployment.description import check_deployment_name
    from thingtank.cloud.errors import NotTaken

    try:
        if name is not None:
            check_deployment_name(name)
    except NotTaken as error:
        raise WrongUse(str(error)) from None
    return name


@click.command()
@click.argument("name", required=False, callback=_checked)
@json_option
@aws_command
def status(clients: "AwsClients", name: str | None, as_json: bool) -> None:
    """Show a group: machines, policies, alarms, what it did last. Without NAME list all groups."""
    from thingtank.cli.output import print_json, print_table
    from thingtank.cloud.deployment.destroy import leftover_names
    from thingtank.cloud.deployment.groups import own_groups
    from thingtank.cloud.deployment.standing import standing_of

    if name is None:
        rows = [_row(group) for group in own_groups(clients)]
        if as_json:
            print_json([dict(zip(map(_key, GROUP_COLUMNS), row, strict=True)) for row in rows])
        else:
            print_table(GROUP_COLUMNS, rows, "There is none yet; make one with: thingtank cloud"
                        " deploy")  # fmt: skip
        for each in leftover_names(clients):
            say(f"There are parts left of {each}: thingtank cloud status {each}")
        return
    _refuse_leftovers(clients, name)
    standing = standing_of(clients, name)
    if as_json:
        print_json(_plain(standing))
    else:
        _print_standing(standing)


@click.command()
@click.argument("name", callback=_checked)
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
@click.argument("name", callback=_checked)
@click.option("--no-wait", is_flag=True, help="Do not wait until all machines are as before.")
@yes_option
@aws_command
def rollback(clients: "AwsClients", name: str, no_wait: bool, yes: bool) -> None:
    """Go back while machines are being replaced, after a deploy of another description.

    Those that are new already are replaced by such as were there before.
    """
    from thingtank.cli.cloud.progress import Lines, on_interrupt
    from thingtank.cloud.deployment.refreshes import roll_back

    if not yes:
        click.confirm(f"Replace the new machines of {name}, with what is on their disks?",
                      abort=True)  # fmt: skip
    goes_on = f"What was begun goes on at AWS: thingtank cloud status {name}"
    with Lines() as told, on_interrupt(told.did, goes_on):
        roll_back(clients, name, told, is_waited_for=not no_wait)
    click.echo(f"{name} is going back" if no_wait else f"{name} is as it was before")


@click.command()
@click.argument("name", callback=_checked)
@yes_option
@aws_command
def destroy(clients: "AwsClients", name: str, yes: bool) -> None:
    """End a group, or a stack, and all that was made for it. What stays is named at the end."""
    from thingtank.cli.cloud.progress import Lines, on_interrupt
    from thingtank.cloud.deployment.destroy import destroy as destroyed
    from thingtank.cloud.deployment.destroy import own_parts
    from thingtank.cloud.deployment.stacks import delete_stack, find_stack, is_ours, resources_of

    stack = find_stack(clients, name)
    is_stack = stack is not None and is_ours(stack)
    parts = list(resources_of(clients, name)) if is_stack else own_parts(clients, name)
    if not parts and not is_stack:
        click.echo(f"There is nothing of {name}")
        return
    for part in parts:
        say(f"  {part}")
    if not yes:
        click.confirm(f"Destroy all of this, with what is on the disks of {name}?", abort=True)
    goes_on = (
        "What was begun goes on at AWS; the rest is still there, and may cost: thingtank cloud"
        f" destroy {name} again ends it"
    )
    with Lines() as told, on_interrupt(told.did, goes_on):
        if stack is not None and is_stack:
            kept = delete_stack(clients, stack, told)
        else:
            destroyed(clients, name, told)
            kept = ["key pairs: `aws ec2 delete-key-pair` deletes one"]
    click.echo(f"Destroyed {name}")
    for each in kept:
        say(f"Left: {each}")


def _refuse_leftovers(clients: "AwsClients", name: str) -> None:
    """Say what there is of a deployment whose group is gone. Raise Refusal."""
    from thingtank.cloud.deployment.destroy import own_parts
    from thingtank.cloud.deployment.groups import find_group
    from thingtank.cloud.deployment.stacks import find_stack, is_ours

    if find_group(clients, name) is not None:
        return
    stack = find_stack(clients, name)
    of_stack = [f"stack {name}, {stack['StackStatus']}"] if stack and is_ours(stack) else []
    if parts := of_stack + own_parts(clients, name):
        raise Refusal(
            f"there is no group {name!r}. What there is of it: {', '.join(parts)}."
            f" `thingtank cloud destroy {name}` ends it"
        )


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
                "starts_from": _start_of(each),
            }
            for each in group["Instances"]
        ],
        "instance_refreshes": [
            {
                "id": each["InstanceRefreshId"],
                "started": str(each.get("StartTime") or ""),
                "status": each["Status"],
                "percent": each.get("PercentageComplete", 0),
                "machines_to_go": each.get("InstancesToUpdate"),
                "reason": each.get("StatusReason", ""),
            }
            for each in standing.refreshes
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


def _start_of(machine: dict[str, Any]) -> str:
    """What a machine started from: the version of its launch template, or a configuration."""
    template = machine.get("LaunchTemplate")
    if template:
        return f"version {template.get('Version', '')}"
    return str(machine.get("LaunchConfigurationName", ""))


def _print_standing(standing: "Standing") -> None:
    from thingtank.cli.output import print_facts, print_table

    plain = _plain(standing)
    print_facts([(column, plain[_key(column)]) for column in GROUP_COLUMNS])
    for title, empty in (
        ("instances", "No machine."),
        ("instance_refreshes", "Its machines were not replaced lately."),
        ("policies", "No policy: the number of machines stays as it is."),
        ("alarms", "No alarm."),
        ("activities", "It has done nothing yet."),
    ):
        rows = plain[title]
        click.echo()
        click.secho(title.replace("_", " "), bold=True)
        columns = tuple(each.replace("_", " ") for each in rows[0]) if rows else ()
        print_table(columns, [tuple(row.values()) for row in rows], empty)
