"""`thingtank user`: accounts that sign in to the workbench and own devices."""

import sys
from pathlib import Path
from typing import Any

import click

from thingtank.cli.options import data_option, json_option, page_option, per_page_option
from thingtank.cli.session import Session


@click.group()
def user() -> None:
    """Accounts."""


@user.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="May see and change everything.")
@click.option("--password", help="Seen by others on this machine; --password-stdin is not.")
@click.option("--password-stdin", is_flag=True, help="Read the password's line from stdin.")
@click.option("--email", default="")
@json_option
@data_option
def create(
    data: Path, as_json: bool, password: str | None, password_stdin: bool, **asked: Any
) -> None:
    """Make an account. Without a password it gets a one-time link."""
    with Session(data, makes_folder=True) as session:
        password = sys.stdin.readline().rstrip("\n") if password_stdin else password
        _print(session.call("user.create", password=password, **asked), "Made account", as_json)


@user.command("list")
@page_option
@per_page_option
@json_option
@data_option
def list_all(data: Path, as_json: bool, page: int, per_page: int) -> None:
    """List accounts, oldest first."""
    from thingtank.cli.output import print_json, print_rest, print_table

    with Session(data) as session:
        found = session.call("user.list", page=page, per_page=per_page)
    rows = found["users"]
    for row in rows:
        del row["sign_in_link"]
    if as_json:
        print_json(found)
        return
    print_table(
        ["login", "admin", "active", "password", "devices"],
        [tuple(row.values()) for row in rows],
        "No accounts. Make one with: thingtank user create NAME",
    )
    print_rest(found, page, per_page)


@user.command()
@click.argument("name")
@click.option("--password", help="Asked for when it is not given.")
@click.option("--password-stdin", is_flag=True, help="Read the password's line from stdin.")
@json_option
@data_option
def password(
    data: Path, as_json: bool, name: str, password: str | None, password_stdin: bool
) -> None:
    """Set an account's password; its sessions end."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    elif password is None:
        password = click.prompt("New password", hide_input=True, confirmation_prompt=True)
    with Session(data) as session:
        row = session.call("user.password", name=name, password=password)
    _print(row, "Set the password of", as_json)


def _add_command(word: str, did: str, words_of_help: str) -> None:
    """A command that names an account and says nothing else."""

    @user.command(word, help=words_of_help)
    @click.argument("name")
    @json_option
    @data_option
    def run(data: Path, as_json: bool, name: str) -> None:
        with Session(data) as session:
            _print(session.call(f"user.{word}", name=name), did, as_json)


_add_command("link", "Made a link for", "Make a one-time link that signs an account in.")
_add_command(
    "disable",
    "Switched off",
    "Switch an account off: its sessions and keys are dead, its devices stay.",
)
_add_command("enable", "Switched on", "Switch an account on again.")


def _print(row: dict[str, Any], did: str, as_json: bool) -> None:
    from thingtank.cli.output import print_json

    if as_json:
        print_json(row)
        return
    click.echo(f"{did} {row['login']}.")
    sign_in_link = row["sign_in_link"]
    if sign_in_link.startswith("http"):
        click.echo(f"Signs in once, within an hour: {sign_in_link}")
    elif sign_in_link:
        click.echo(f"Signs in once, within an hour, when the server runs: …{sign_in_link}")
