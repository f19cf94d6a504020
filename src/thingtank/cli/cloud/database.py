"""`thingtank cloud database`: databases of RDS that can be the tank's own."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from thingtank.cli.cloud.session import aws_command, say
from thingtank.cli.options import json_option, yes_option
from thingtank.cli.session import Refusal
from thingtank.cloud.defaults import DATABASE_GB, DATABASE_MACHINE

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients
    from thingtank.cloud.databases import Database

ENGINES = ("mysql", "postgresql")
COLUMNS = ("name", "status", "engine", "machine", "storage", "address", "created")


def url_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that write the URL."""
    return click.option(
        "--url-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write the URL with its password to this file, which only this user may read.",
    )(
        click.option(
            "--ca",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            help="The certificates of RDS, by which the URL has the tank know the server:"
            " global-bundle.pem, as AWS hands it out.",
        )(function)
    )


@click.group()
def database() -> None:
    """Databases of RDS: MySQL or PostgreSQL, kept by AWS.

    They cost as long as they are there.
    """


@database.command()
@click.argument("name")
@click.option("--engine", type=click.Choice(ENGINES), default="mysql", show_default=True)
@click.option("--version", default="", help="Of the engine; default: the newest of 8.4 or 17.")
@click.option("--machine", default=DATABASE_MACHINE, show_default=True, help="The type of machine.")
@click.option(
    "--storage", "storage_gb", type=click.IntRange(20, 65_536), default=DATABASE_GB,
    show_default=True, help="GB.",
)  # fmt: skip
@click.option("--user", default="tank", show_default=True)
@click.option("--database", "database_name", default="tank", show_default=True)
@click.option("--security-group", "security_groups", multiple=True, metavar="ID")
@click.option("--subnet-group", default="", help="Default: the VPC's own.")
@click.option("--public", "is_public", is_flag=True, help="With an address in the internet.")
@click.option("--no-protection", is_flag=True, help="Deleting it takes one step, not two.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it takes connections.")
@url_options
@json_option
@aws_command
def create(
    clients: "AwsClients", *, name: str, database_name: str, no_protection: bool, no_wait: bool,
    url_file: Path | None, ca: Path | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Make an encrypted database, whose password AWS makes and keeps in Secrets Manager.

    It is reached only from where its security group allows it.
    """
    from thingtank.cli.cloud.progress import Lines, on_interrupt
    from thingtank.cloud.databases import Wanted, create_database, wait_until_available

    if url_file is not None and no_wait:
        raise click.UsageError("there is no URL before it takes connections: leave --no-wait out")
    wanted = Wanted(identifier=name, name=database_name, is_protected=not no_protection, **options)
    goes_on = f"If it was begun it goes on, and costs: thingtank cloud database delete {name}"
    with Lines() as told, on_interrupt(told.did, goes_on):
        instance = create_database(clients, wanted, told)
        if not no_wait:
            instance = wait_until_available(clients, name, told)
    _answer(clients, instance, url_file, ca, as_json)


@database.command()
@click.argument("name")
@url_options
@json_option
@aws_command
def show(
    clients: "AwsClients", name: str, url_file: Path | None, ca: Path | None, as_json: bool
) -> None:
    """Say how a database stands, and how the tank can have it."""
    from thingtank.cloud.databases import get_database

    _answer(clients, get_database(clients, name), url_file, ca, as_json)


@database.command("list")
@json_option
@aws_command
def list_(clients: "AwsClients", as_json: bool) -> None:
    """List databases."""
    from thingtank.cli.output import print_json, print_table
    from thingtank.cloud.databases import list_databases

    found = list(list_databases(clients))
    if as_json:
        print_json([_plain(each) for each in found])
        return
    rows = [
        (
            each.identifier, each.status, f"{each.engine} {each.version}", each.machine,
            f"{each.storage_gb} GB", each.host or None, each.created_at or None,
        )
        for each in found
    ]  # fmt: skip
    print_table(COLUMNS, rows, "There is none; make one with: thingtank cloud database create NAME")


@database.command()
@click.argument("name")
@click.option("--snapshot", default="", help="What its last copy is called; default: NAME-last.")
@click.option("--no-snapshot", is_flag=True, help="Without a last copy: what is in it is lost.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is gone.")
@click.option(
    "--url-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Remove this file as well, which `create` or `show` has written.",
)
@yes_option
@aws_command
def delete(
    clients: "AwsClients", *, name: str, snapshot: str, no_snapshot: bool, no_wait: bool,
    url_file: Path | None, yes: bool,
) -> None:  # fmt: skip
    """Delete a database, after a last copy of it."""
    from thingtank.cli.cloud.progress import Lines
    from thingtank.cloud.databases import delete_database, get_database, wait_until_deleted

    if snapshot and no_snapshot:
        raise click.UsageError("either --snapshot or --no-snapshot")
    copy = "" if no_snapshot else snapshot or f"{name}-last"
    found = get_database(clients, name)
    if not yes:
        what = f"keeping the copy {copy}" if copy else "WITH ALL THAT IS IN IT"
        click.confirm(f"Delete {found.engine} {name} ({found.status}), {what}?", abort=True)
    with Lines() as told:
        delete_database(clients, name, copy, told)
        if not no_wait:
            wait_until_deleted(clients, name, told)
            told.did(f"The database {name} is gone.")
    if url_file is not None:
        url_file.unlink(missing_ok=True)
        say(f"Removed {url_file}.")
    else:
        say("A file of --url-file that has its URL is still there, with the password: remove it,"
            " and take it out of thingtank.toml.")  # fmt: skip
    if copy:
        say(f"The copy {copy} stays, and costs, until it is deleted in RDS.")


def _answer(
    clients: "AwsClients",
    instance: "Database",
    url_file: Path | None,
    ca: Path | None,
    as_json: bool,
) -> None:
    from thingtank.cli.output import print_facts, print_json
    from thingtank.cloud.databases import database_url

    if url_file is not None:
        _write_secret(url_file, database_url(clients, instance, str(ca.absolute()) if ca else ""))
    if as_json:
        print_json(_plain(instance))
        return
    print_facts(
        [
            ("name", instance.identifier),
            ("status", instance.status),
            ("engine", f"{instance.engine} {instance.version}".rstrip()),
            ("machine", f"{instance.machine}, {instance.storage_gb} GB"),
            ("created", instance.created_at or None),
            ("address", f"{instance.host}:{instance.port}" if instance.host else None),
            ("database", instance.name or None),
            ("user", instance.user),
            ("password", instance.secret_arn or None),
            ("encrypted", instance.is_encrypted),
            ("public", instance.is_public),
            ("protected", instance.is_protected),
        ]
    )
    if instance.host:
        click.echo(_how_to_use(instance, url_file))


def _how_to_use(instance: "Database", url_file: Path | None) -> str:
    if url_file is not None:
        return f"""
For Thing Tank, at the beginning of thingtank.toml:

  database = {{file = "{url_file.absolute()}"}}"""
    return f"""
For Thing Tank, at the beginning of thingtank.toml, with a file that holds the URL:

  database = {{file = "…"}}

  thingtank cloud database show {instance.identifier} --url-file FILE   writes one"""


def _write_secret(file: Path, text: str) -> None:
    """Write a file that nobody else may read, also not for a moment. Raise Refusal."""
    draft = file.with_name(f".{file.name}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            os.fchmod(descriptor, 0o600)  # it may have been there
            opened.write(text + "\n")
        draft.rename(file)
    except OSError as error:
        raise Refusal(f"{file} cannot be written: {error.strerror or error}") from None


def _plain(instance: "Database") -> dict[str, object]:
    import msgspec

    plain: dict[str, object] = msgspec.to_builtins(instance)
    return plain
