"""`thingtank skynet`: register devices, send messages, watch what a device hears."""

import json
import os
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from thingtank.cli.json_text import escaped, json_text
from thingtank.cli.options import InterruptedGroup, NumbersCommand, data_option, json_option

TOKEN = "THINGTANK_SKYNET_TOKEN"  # noqa: S105 - the variable's name
TOKEN_CHARS_MAX = 4096
_TYPES = ("broadcast", "received", "sent", "config", "data")


@click.group(cls=InterruptedGroup)
def skynet() -> None:
    """Talk SkyNet: register devices, send messages, watch what a device hears."""


def device_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options that say where to go and as which device; the command gets them as `address`."""

    @wraps(command)
    def with_address(
        data: Path, url: str | None, uuid: str, token_file: Any, ca: Path | None, **rest: Any
    ) -> None:
        from thingtank.cli.skynet_http import Address, url_of_server

        token = os.environ.get(TOKEN, "")
        if token_file is not None:
            token = token_file.read(TOKEN_CHARS_MAX).strip()
        if bool(uuid) != bool(token):
            raise click.UsageError(
                f"--uuid goes with --token-file, or {TOKEN} in the environment; both or neither"
            )
        command(address=Address(url or url_of_server(data), uuid, token, ca), **rest)

    options = (
        click.option(
            "--url",
            envvar="THINGTANK_SKYNET_URL",
            help="Server. Default: the data folder's server, else http://127.0.0.1:3000.",
        ),
        click.option(
            "--uuid",
            default="",
            envvar="THINGTANK_SKYNET_UUID",
            help="The device that you are; without one, a stranger.",
        ),
        click.option(
            "--token-file", type=click.File(), help=f"File with its token; - for stdin; or {TOKEN}."
        ),
        click.option(
            "--ca",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            help="File with certificates, PEM, to believe in place of the system's; over TLS.",
        ),
        data_option,
    )
    decorated: Callable[..., None] = with_address
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


@skynet.command()
@click.argument("properties", nargs=-1, metavar="[NAME=VALUE]...")
@json_option
@device_options
def register(address: Any, properties: tuple[str, ...], as_json: bool) -> None:
    """Register a device. Each value is JSON where it is some, else text."""
    from thingtank.cli.skynet_http import ask

    document = dict(_property_of(word) for word in properties)
    made = ask(address, "POST", "/devices", document)
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(f"uuid   {made['uuid']}")
    click.echo(f"token  {made['token']}   (shown this once)")


@skynet.command(cls=NumbersCommand)
@click.argument("devices")
@click.argument("payload")
@click.option("--topic", default="", help="What it is about.")
@json_option
@device_options
def send(address: Any, devices: str, payload: str, topic: str, as_json: bool) -> None:
    """Send a message to DEVICES: uuids with commas, `*` or `tag:NAME`. PAYLOAD is JSON, or text."""
    from thingtank.cli.skynet_http import ask

    message: dict[str, Any] = {"devices": devices.split(","), "payload": _value_of(payload)}
    if topic:
        message["topic"] = topic
    if address.uuid:
        message["receipts"] = True
    receipts = ask(address, "POST", "/messages", message).get("receipts")
    if as_json:
        click.echo(json.dumps({"receipts": receipts}))
    elif receipts is None:
        click.echo("Sent; what becomes of it only a device is told, with --uuid.")
    for receipt in receipts or () if not as_json else ():
        count = f" ({receipt['count']})" if receipt["count"] != 1 else ""
        click.echo(f"{receipt['devices']}  {receipt['outcome']}{count}")


@skynet.command()
@click.argument("device", default="")
@click.option(
    "--type", "types", type=click.Choice(_TYPES), multiple=True, help="Only this; repeatable."
)
@click.option("--count", type=click.IntRange(1), help="End after so many.")
@json_option
@device_options
def watch(
    address: Any, device: str, types: tuple[str, ...], count: int | None, as_json: bool
) -> None:
    """Print what a device hears and says, a line each, until Ctrl-C; your own unless named.

    When the connection is lost it ends, with exit code 1.
    """
    if not address.uuid:
        raise click.UsageError("to watch needs --uuid and its token")
    path = f"/subscribe/{quote(device or address.uuid, safe='')}"
    if types:
        path += f"?types={','.join(types)}"
    for said in _first(count, address, path):
        click.echo(json.dumps(said) if as_json else _line_of(said))


def _first(count: int | None, address: Any, path: str) -> Iterator[Any]:
    from thingtank.cli.skynet_http import stream

    for number, said in enumerate(stream(address, path), 1):
        yield said
        if number == count:
            return


def _line_of(said: Any) -> str:
    """A message as people read it; a record as it is."""
    if not isinstance(said, dict) or "payload" not in said:
        return json_text(said)
    topic = f" {said['topic']}" if said.get("topic") else ""
    payload = json_text(said["payload"])
    return escaped(f"{said.get('fromUuid') or 'somebody'}{topic}: {payload}")


def _property_of(word: str) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    if not equals or not name:
        raise click.UsageError(f"a property is NAME=VALUE, not {word}")
    return name, _value_of(text)


def _value_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
