"""`thingtank cloud local`: a stand-in for AWS on this machine."""

import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from thingtank.cli.options import data_option
from thingtank.cli.session import Refusal

if TYPE_CHECKING:
    from thingtank.cloud.stand_in import StandIn

PORT = 4566
SERVICES = "EC2, Auto Scaling, CloudWatch, S3, RDS, DynamoDB, Kinesis, SQS, EMR"


@click.command()
@click.option("--port", type=click.IntRange(1, 65_535), default=PORT, show_default=True)
@click.option("--install", is_flag=True, help="Install MiniStack first, from PyPI.")
@click.option("--temporary", is_flag=True, help="moto instead, which keeps nothing.")
@data_option
def local(data: Path, port: int, install: bool, temporary: bool) -> None:
    """Run a stand-in for AWS on this machine, until Ctrl-C.

    It is for trying: it checks no permission, runs no machine and no job, and is slow. What is made
    in it is kept in DATA/stand-in, if it is MiniStack.
    """
    from thingtank.cloud.stand_in import StandInFailed, started

    folder = data / "stand-in"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        stand_in = _chosen(folder, port, install, temporary)
        with started(stand_in, folder / "log.txt") as process:
            _greet(stand_in, folder, is_wanted=temporary)
            with contextlib.suppress(KeyboardInterrupt):
                signal.signal(signal.SIGTERM, signal.default_int_handler)
                sys.exit(process.wait())
            click.echo("Stopping." if not stand_in.keeps else "Stopping; what was made is kept.")
    except StandInFailed as error:
        raise Refusal(str(error)) from None


def _chosen(folder: Path, port: int, install: bool, temporary: bool) -> "StandIn":
    from thingtank.cloud.stand_in import install_ministack, ministack, ministack_program, moto

    if temporary:
        found = moto(port)
        if found is None:
            raise Refusal("moto is not installed: pip install 'moto[all,server]'")
        return found
    if install and ministack_program(folder) is None:
        click.echo("Installing MiniStack into an environment of its own…")
        install_ministack(folder)
    program = ministack_program(folder)
    if program is not None:
        return ministack(program, folder, port)
    found = moto(port)
    if found is None:
        raise Refusal(
            "there is no stand-in yet; to have MiniStack installed in an environment of its own:"
            " thingtank cloud local --install"
        )
    return found


def _greet(stand_in: "StandIn", folder: Path, *, is_wanted: bool) -> None:
    click.echo(f"{stand_in.name} stands in for {SERVICES} at {stand_in.url}")
    if stand_in.keeps:
        click.echo(f"What is made in it is kept in {folder}")
    else:
        click.secho("Nothing is kept: all is gone when it stops.", fg="yellow")
        if not is_wanted:
            click.echo("To have it kept, with MiniStack: thingtank cloud local --install")
    click.echo(
        f"""
For Thing Tank, in thingtank.toml:

  [aws]
  endpoint_url = "{stand_in.url}"
  region = "us-east-1"

For other programs:

  export AWS_ENDPOINT_URL={stand_in.url} AWS_DEFAULT_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test

Then: thingtank cloud check. Ctrl-C stops it."""
    )
