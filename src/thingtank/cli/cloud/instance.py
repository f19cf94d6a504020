"""`thingtank cloud instance`: single machines of EC2 that run Thing Tank."""

from typing import TYPE_CHECKING, Any

import click

from thingtank.cli.cloud.machine_options import (
    data_folder,
    machine_options,
    machine_plan,
    with_key,
)
from thingtank.cli.cloud.session import aws_command, say
from thingtank.cli.options import json_option, yes_option

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients
    from thingtank.cloud.instances.launch import Launch

COLUMNS = ("id", "name", "state", "type", "zone", "public IP", "launch time")


@click.group()
def instance() -> None:
    """Single machines of EC2 that run Thing Tank."""


@instance.command("launch")
@click.option("--name", default="thingtank", show_default=True, help="Its tag Name.")
@machine_options
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag; several times.")
@click.option("--dry-run", is_flag=True, help="Ask AWS whether it would, and print what.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it runs.")
@json_option
@aws_command
@click.pass_context
def launch(
    context: click.Context, clients: "AwsClients", /, *, dry_run: bool, no_wait: bool,
    as_json: bool, name: str, **options: Any,
) -> None:  # fmt: skip
    """Launch a machine that installs Thing Tank and starts it.

    Without --allow nobody comes to it by the network. The exit code is 3 where the account's quota
    is reached.
    """
    from thingtank.cli.cloud.progress import Lines, on_interrupt
    from thingtank.cloud.instances.launch import launch as launched
    from thingtank.cloud.instances.machines import wait_until_reached
    from thingtank.cloud.instances.tokens import launch_token

    folder = data_folder(context) / "cloud"
    wanted = _wanted(context, clients, {"name": name, **options})
    if dry_run:
        _print_dry(clients, wanted)
        return
    goes_on = f"If it was launched it goes on, and costs: thingtank cloud instance terminate {name}"
    with Lines() as told, on_interrupt(told.did, goes_on):
        with launch_token(folder, name) as token:
            instance = launched(clients, _with_token(wanted, token.value), told, token.forget)
        if not no_wait:
            instance = wait_until_reached(clients, instance["InstanceId"], told)
    _print_instance(instance, as_json)
    if not as_json and not wanted.cidrs and not wanted.groups:
        say("Nobody may come to its ports yet: --allow at its launch says who.")


@instance.command("list")
@click.option("--all", "of_all", is_flag=True, help="Also those of others, and ended ones.")
@json_option
@aws_command
def list_(clients: "AwsClients", of_all: bool, as_json: bool) -> None:
    """List machines."""
    from thingtank.cli.output import print_json, print_table
    from thingtank.cloud.instances.machines import facts_of, listed

    found = [dict(facts_of(each)) for each in listed(clients, of_all=of_all)]
    if as_json:
        print_json([_plain(facts) for facts in found])
        return
    rows = [[facts[column] for column in COLUMNS] for facts in found]
    print_table(COLUMNS, rows, "There is none yet; make one with: thingtank cloud instance launch")


@instance.command("stop")
@click.argument("name", metavar="NAME|ID")
@json_option
@aws_command
def stop(clients: "AwsClients", name: str, as_json: bool) -> None:
    """Stop a machine; its disk stays, and costs."""
    from thingtank.cli.cloud.progress import Lines
    from thingtank.cloud.instances.machines import stop as stopped

    with Lines() as told:
        instance = stopped(clients, name, told)
    _print_instance(instance, as_json)


@instance.command("start")
@click.argument("name", metavar="NAME|ID")
@json_option
@aws_command
def start(clients: "AwsClients", name: str, as_json: bool) -> None:
    """Start a stopped machine; it has another public address then."""
    from thingtank.cli.cloud.progress import Lines
    from thingtank.cloud.instances.machines import start as started

    with Lines() as told:
        instance = started(clients, name, told)
    _print_instance(instance, as_json)


@instance.command("terminate")
@click.argument("name", metavar="NAME|ID")
@yes_option
@aws_command
@click.pass_context
def terminate(context: click.Context, clients: "AwsClients", /, *, name: str, yes: bool) -> None:
    """End a machine for ever, with its disk and its security group. The key pair stays."""
    from thingtank.cli.cloud.progress import Lines
    from thingtank.cloud.instances.machines import chosen, name_of
    from thingtank.cloud.instances.machines import terminate as terminated
    from thingtank.cloud.instances.tokens import token_of

    instance = chosen(clients, name)
    shown = f"{instance['InstanceId']} {name_of(instance)}".strip()
    token = token_of(data_folder(context) / "cloud", name_of(instance))
    if instance["State"]["Name"] == "terminated":
        token.forget()
        click.echo(f"{shown} is terminated already")
        return
    if not yes:
        click.confirm(f"Terminate {shown}, with all that is on its disk?", abort=True)
    token.forget()  # of a launch that was stopped: or the next one would be of this machine
    with Lines() as told:
        terminated(clients, instance, told)
    click.echo(f"Terminated {shown}")


def _wanted(context: click.Context, clients: "AwsClients", options: dict[str, Any]) -> "Launch":
    from thingtank.cloud.instances.launch import Launch
    from thingtank.cloud.instances.user_data import SETTINGS
    from thingtank.cloud.names import INSTANCE, check_name

    check_name(INSTANCE, options["name"])
    tags = dict(_tag(text) for text in options.pop("tags"))
    plan = with_key(machine_plan(options, SETTINGS), context, clients)
    return Launch(tags=tags, token="", **plan)


def _with_token(wanted: "Launch", token: str) -> "Launch":
    import msgspec

    return msgspec.structs.replace(wanted, token=token)


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals or key.startswith("aws:") or key in ("Name", "app"):
        raise click.UsageError(f"{text!r} is no tag of your own, KEY=VALUE")
    return key, value


def _print_dry(clients: "AwsClients", wanted: "Launch") -> None:
    from thingtank.cli.output import print_facts
    from thingtank.cloud.instances.launch import group_name, try_launch

    image, zones = try_launch(clients, wanted)
    who = ", ".join(wanted.cidrs) or "nobody"
    group = ", ".join(wanted.groups) or f"{group_name(wanted.name)}, for {who}"
    print_facts([
        ("would launch", wanted.name),
        ("type", wanted.instance_type),
        ("image", f"{image.id} {image.name}".strip()),
        ("disk", f"{max(wanted.disk_gib, image.disk_gib)} GiB gp3, encrypted"),
        ("zones, in turn", ", ".join(zone.name for zone in zones)),
        ("key pair", wanted.key),
        ("security group", group),
        ("ports", ", ".join(map(str, wanted.ports)) if wanted.cidrs else "none"),
    ])  # fmt: skip


def _plain(facts: dict[str, str | None]) -> dict[str, str | None]:
    return {label.lower().replace(" ", "_"): value for label, value in facts.items()}


def _print_instance(instance: dict[str, Any], as_json: bool) -> None:
    from thingtank.cli.output import print_facts, print_json
    from thingtank.cloud.instances.machines import facts_of

    facts = facts_of(instance)
    if as_json:
        print_json(_plain(dict(facts)))
    else:
        print_facts(facts)
