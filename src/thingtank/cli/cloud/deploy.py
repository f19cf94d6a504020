"""`thingtank cloud deploy`: a group of machines, by direct calls or as a stack."""

from typing import TYPE_CHECKING, Any

import click

from thingtank.cli.cloud.machine_options import machine_options, machine_plan, with_key
from thingtank.cli.cloud.session import aws_command, say
from thingtank.cli.options import Duration

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients
    from thingtank.cloud.deployment.description import Deployment
    from thingtank.cloud.deployment.redeploy import Redeployment
    from thingtank.cloud.deployment.refreshes import Pace
    from thingtank.cloud.deployment.stacks import ChangeSet


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
@click.option(
    "--desired",
    type=click.IntRange(0),
    help="How many at first; default: the fewest, or as many as a group has that is there.",
)
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
@click.option(
    "--template",
    "is_template",
    is_flag=True,
    help="Print a CloudFormation template of the same, with a network, load balancers and"
    " the services that sinks use.",
)
@click.option(
    "--stack",
    "is_stack",
    is_flag=True,
    help="Deploy that template, or change a stack of this name into it.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of the template, such as DatabaseEngine=postgres; several times.",
)
@click.option(
    "--min-healthy",
    "min_healthy_percent",
    type=click.IntRange(0, 100),
    default=100,
    show_default=True,
    metavar="PERCENT",
    help="Of a group's machines that stay in service while they are replaced.",
)
@click.option(
    "--warm-up",
    "warm_up_s",
    type=Duration(),
    default="5m",
    show_default=True,
    help="From when a new machine runs until the next one is replaced.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be made, and make nothing.")
@click.option("--no-wait", is_flag=True, help="Do not wait until all is there.")
@click.option("--yes", is_flag=True, help="Change a group or stack that is there without asking.")
@aws_command
@click.pass_context
def deploy(
    context: click.Context,
    clients: "AwsClients",
    /,
    *,
    is_template: bool,
    is_stack: bool,
    parameters: tuple[str, ...],
    dry_run: bool,
    no_wait: bool,
    yes: bool,
    min_healthy_percent: int,
    warm_up_s: int,
    **options: Any,
) -> None:
    """Make a group of machines that grows and shrinks with its load, or change one.

    A group that is there is made as it is described now, its machines replaced where need be: give
    the whole description again.

    Each of them installs Thing Tank and starts it. The exit code is 3 where the account's quota is
    reached.
    """
    from thingtank.cloud.deployment.redeploy import Redeployment, own_group_to_change
    from thingtank.cloud.deployment.refreshes import Pace
    from thingtank.cloud.instances.user_data import SETTINGS

    given = dict(_parameter(text) for text in parameters)
    if is_template:
        click.echo(_template_text(clients, options, given))
    elif is_stack:
        _deploy_stack(
            clients, options, given, is_dry=dry_run, is_sure=yes, is_waited_for=not no_wait
        )
    elif given:
        raise click.UsageError("--parameter is for --stack and --template")
    else:
        wanted = _wanted(with_key(machine_plan(options, SETTINGS), context, clients))
        group = own_group_to_change(clients, wanted.name)
        if group is None:
            _deploy_directly(clients, wanted, is_dry=dry_run, is_waited_for=not no_wait)
        else:
            changes = Redeployment(clients, wanted, group)
            pace = Pace(min_healthy_percent, warm_up_s)
            _redeploy(
                changes, wanted.name, pace, is_dry=dry_run, is_sure=yes, is_waited_for=not no_wait
            )


def _deploy_directly(
    clients: "AwsClients", wanted: "Deployment", *, is_dry: bool, is_waited_for: bool
) -> None:
    from thingtank.cli.cloud.progress import Lines, on_interrupt
    from thingtank.cloud.deployment import direct

    if is_dry:
        _print_dry(clients, wanted)
        return
    goes_on = f"What is there goes on, and costs: thingtank cloud status {wanted.name}"
    with Lines() as told, on_interrupt(told.did, goes_on):
        direct.deploy(clients, wanted, told, is_waited_for=is_waited_for)
    click.echo(f"Deployed {wanted.name}")


def _redeploy(
    changes: "Redeployment",
    name: str,
    pace: "Pace",
    *,
    is_dry: bool,
    is_sure: bool,
    is_waited_for: bool,
) -> None:
    from thingtank.cli.cloud.progress import Lines, on_interrupt
    from thingtank.cli.output import print_table

    if changes.keeps_template:
        say(
            f"{name} keeps its launch template: a group that has one gets no launch configuration."
            " For one destroy it, and deploy it again"
        )
    print_table(
        ("part", "is now", "will be"),
        changes.differences,
        f"{name} is as described: there is nothing to change",
    )
    if is_dry or not changes.differences:
        return
    if not is_sure:
        replaced = f", and replace machines with what is on their disks: {changes.replaced_count}"
        click.confirm(
            f"Change the group {name} like this{replaced if changes.replaced_count else ''}?",
            abort=True,
        )
    goes_on = (
        f"What was begun goes on at AWS: thingtank cloud status {name}; while machines are being"
        f" replaced, thingtank cloud rollback {name} goes back"
    )
    with Lines() as told, on_interrupt(told.did, goes_on):
        changes.run(told, pace, is_waited_for=is_waited_for)
    if changes.replaced_count and not is_waited_for:
        click.echo(f"AWS goes on by itself: thingtank cloud status {name}")
    else:
        click.echo(f"Deployed {name}")


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r} is no NAME=VALUE")
    return name, value


def _deploy_stack(
    clients: "AwsClients",
    options: dict[str, Any],
    given: dict[str, str],
    *,
    is_dry: bool,
    is_sure: bool,
    is_waited_for: bool,
) -> None:
    from thingtank.cli.cloud.progress import Lines, on_interrupt
    from thingtank.cli.output import print_facts
    from thingtank.cloud.deployment.stacks import ChangeSet, find_stack, outputs_of

    wanted, made = _template(clients, options, given)
    with Lines() as told, ChangeSet(clients, wanted.name, made, told, given) as changes:
        _print_changes(changes, wanted)
        if is_dry:
            return
        if changes.changes:
            if not changes.is_new and not is_sure:
                click.confirm(f"Change the stack {wanted.name} like this?", abort=True)
            goes_on = f"What is there goes on, and costs: thingtank cloud status {wanted.name}"
            with on_interrupt(told.did, goes_on):
                changes.run(is_waited_for=is_waited_for)
    if changes.changes and not is_waited_for:
        click.echo(f"CloudFormation goes on by itself: thingtank cloud status {wanted.name}")
        return
    stack = find_stack(clients, wanted.name)
    print_facts([("stack", wanted.name), *sorted(outputs_of(stack or {}).items())])


def _template_text(clients: "AwsClients", options: dict[str, Any], given: dict[str, str]) -> str:
    from thingtank.cloud.deployment.template import text_of

    return text_of(_template(clients, options, given)[1], indent=2)


def _template(
    clients: "AwsClients", options: dict[str, Any], given: dict[str, str]
) -> tuple["Deployment", dict[str, Any]]:
    """What is wanted, and its template; AWS is only asked for an image that was given by its id."""
    from thingtank.cloud.deployment.template import SETTINGS, template, with_parameters
    from thingtank.cloud.instances.images import (
        ROOT_DEVICE,
        Image,
        architecture_of,
        image_of,
        template_parameter,
    )

    wanted = _wanted(machine_plan(options, SETTINGS))
    parameter = template_parameter(wanted.image, wanted.instance_type)
    if parameter:
        image = Image("", "", ROOT_DEVICE, 0)
    else:
        architecture = architecture_of(clients, wanted.instance_type)
        image = image_of(clients, wanted.image, architecture)
    return wanted, with_parameters(template(wanted, image, parameter), given)


def _wanted(plan: dict[str, Any]) -> "Deployment":
    from thingtank.cloud.deployment.description import Deployment

    wanted = Deployment(**plan)
    wanted.check()
    return wanted


def _print_changes(changes: "ChangeSet", wanted: "Deployment") -> None:
    from thingtank.cli.output import print_table
    from thingtank.cloud.deployment.description import estimate_of

    estimate = estimate_of(wanted)
    least, most = estimate.hours
    print_table(("change", "name", "kind"), changes.changes, "There is nothing to change")
    click.echo(
        f"machines: {estimate.at_first} at first, {estimate.fewest} to {estimate.most};"
        f" {least:,} to {most:,} hours a month"
    )
    click.echo(f"costs as well, however many machines there are: {', '.join(changes.standing)}")


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
