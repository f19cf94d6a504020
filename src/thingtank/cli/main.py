"""The `thingtank` command: `serve`, `config`, and the groups of the other files here.

Exit codes: 0 done, 1 it could not be done, 2 the command or a setting is wrong.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from thingtank.cli.archive import archive
from thingtank.cli.backup import backup, restore
from thingtank.cli.batch import batch
from thingtank.cli.cloud import cloud
from thingtank.cli.database import database
from thingtank.cli.deliveries import delivery
from thingtank.cli.devices import device
from thingtank.cli.doctor import doctor
from thingtank.cli.feeds import feed
from thingtank.cli.json_text import json_text
from thingtank.cli.keys import key
from thingtank.cli.mqtt import mqtt
from thingtank.cli.options import config_option, data_option, json_option, set_option
from thingtank.cli.process import importing, run_and_leave
from thingtank.cli.products import product
from thingtank.cli.queue import queue
from thingtank.cli.simulate import simulate
from thingtank.cli.sinks import sink
from thingtank.cli.skynet import skynet
from thingtank.cli.sources import source
from thingtank.cli.table import table
from thingtank.cli.triggers import trigger
from thingtank.cli.users import user
from thingtank.cli.wamp import wamp

if TYPE_CHECKING:
    from thingtank.server.config import Loaded


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="thingtank")
def main() -> None:
    """Thing Tank: the IoT cloud you own."""


@main.command()
@data_option
@config_option
@set_option
@click.option("--host", help="The address to listen on; default 127.0.0.1.")
@click.option(
    "--web", metavar="PORT", help="Web and Xively API: a port, 0 for any free one, or off."
)
@click.option(
    "--wamp",
    metavar="PORT",
    help="WAMP, by WebSocket at /ws or by RawSocket, and Xively's WebSockets at /.",
)
@click.option(
    "--socket",
    metavar="PORT",
    help="Xively's TCP socket; with 0 or off the same for its SockJS, unless that is set.",
)
@click.option("--mqtt", metavar="PORT", help="MQTT: a port, 0 for any free one, or off.")
@click.option("--skynet", metavar="PORT", help="SkyNet: REST, socket.io and WebSocket.")
@click.option(
    "--database",
    metavar="URL",
    help="Where the directory is, instead of SQLite: postgres://…, mysql://… or mongodb://….",
)
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write addresses and first steps there as JSON once the doors are open.",
)
def serve(
    data: Path,
    file: Path | None,
    sets: tuple[str, ...],
    host: str | None,
    database: str | None,
    ready_file: Path | None,
    **ports: str | None,
) -> None:
    """Start the server; Ctrl-C stops it."""
    flags = {f"{door}.port": port for door, port in ports.items() if port is not None}
    if host is not None:
        flags["server.host"] = json.dumps(host)
    if database is not None:
        flags["database"] = database
    loaded = _load(data, file, sets, flags)
    if ports.get("socket") in ("0", "off") and "socket.sockjs_port" not in loaded.sources:
        loaded = _load(data, file, sets, {**flags, "socket.sockjs_port": flags["socket.port"]})
    with importing():
        from thingtank.server.serve import serve as run_server  # heavy: Django, DuckDB

    sys.exit(run_server(loaded.config, data, ready_file))


@main.group()
def config() -> None:
    """Settings."""


@config.command("show")
@data_option
@config_option
@set_option
@json_option
def show(data: Path, file: Path | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Print each setting in force and where it comes from."""
    from msgspec import to_builtins

    from thingtank.net.identity.secret_urls import shown_url
    from thingtank.server.config import setting, setting_names

    loaded = _load(data, file, sets, {})
    rows = []
    for name in setting_names():
        value = to_builtins(setting(loaded.config, name))
        if isinstance(value, str):
            value = shown_url(value)
        rows.append((name, value, loaded.sources.get(name, "default")))
    if as_json:
        click.echo(
            json.dumps({name: {"value": v, "source": origin} for name, v, origin in rows}, indent=2)
        )
        return
    for name, value, origin in rows:
        click.echo(f"{name:<36} {json_text(value):<24} {origin}")


for command in (
    device, product, feed, trigger, delivery, key, user, archive, database, wamp, mqtt, skynet,
    sink, source, queue, table, simulate, backup, restore, doctor, batch, cloud,
):  # fmt: skip
    main.add_command(command)


def _load(data: Path, file: Path | None, sets: tuple[str, ...], flags: dict[str, str]) -> "Loaded":
    from thingtank.server.config import FILE_NAME, BadSettings, load_config

    try:
        return load_config(file or data / FILE_NAME, sets=sets, flags=flags, folder=data)
    except BadSettings as error:
        raise click.UsageError(str(error)) from None


def run() -> NoReturn:
    """The program `thingtank`."""
    run_and_leave(main)


if __name__ == "__main__":
    run()
