"""`thingtank database`: look at the database of a data folder, and copy it to another."""

import sys
from pathlib import Path

import click
from msgspec import to_builtins

from thingtank.cli.options import config_option, data_option, json_option, set_option
from thingtank.cli.process import importing
from thingtank.cli.session import Refusal, explain


@click.group()
def database() -> None:
    """Where accounts, devices and keys are kept."""


@database.command("check")
@data_option
@config_option
@set_option
@json_option
def check(data: Path, file: Path | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Look whether the database can be used; change nothing."""
    with importing():
        from thingtank.server.config import FILE_NAME, load_config
        from thingtank.server.database_commands import check_database

    _require_folder(data)
    try:
        found = check_database(load_config(file or data / FILE_NAME, sets=sets).config, data)
    except Exception as error:
        explain(data, error)
        raise
    if as_json:
        from thingtank.cli.output import print_json

        print_json(to_builtins(found))
        return
    use = "; a Thing Tank is using it" if found.is_in_use else ""
    click.echo(f"{found.kind} {found.version}, {found.database}: tables are {found.tables}{use}.")


@database.command("copy")
@click.argument("url")
@data_option
@config_option
@set_option
def copy(url: str, data: Path, file: Path | None, sets: tuple[str, ...]) -> None:
    """Copy the directory to the empty database of a URL; `-` reads the URL from standard input.

    The server must be stopped. The data folder goes on with its old database until `database` in
    its settings names the new one. Datapoints are not in it, and stay where they are.
    """
    with importing():
        from thingtank.server.config import FILE_NAME, load_config
        from thingtank.server.database_commands import copy_database

    _require_folder(data)
    to = sys.stdin.readline().strip() if url == "-" else url
    try:
        config = load_config(file or data / FILE_NAME, sets=sets).config
        shown, count = copy_database(config, data, to, _show_progress)
    except Exception as error:
        explain(data, error)
        raise
    click.echo(f"Copied {count} rows to {shown}.")
    click.echo(f"Now set `database` to it, with its password, in {data / FILE_NAME}.")


def _require_folder(data: Path) -> None:
    from thingtank.server.secret import has_secret

    if not has_secret(data):
        raise Refusal(f"there is no Thing Tank in {data}; name its folder with --data")


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{done} of {total} rows", err=True, nl=done == total)
