"""The server that the tests of commands go to by MQTT, and processes that talk to it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.certificates import make_certificate
from tests.live_server import start_server
from tests.needed import needed_program
from tests.prepared_commands import run_prepared_in_bytes

RUN_S_MAX = 30.0
OURS = [sys.executable, "-m", "thingtank.cli.main", "mqtt"]
USERNAME, PASSWORD = "roof", "a secret"
SETTINGS = f"""
[server]
tls_certificate = "{{folder}}/ca.pem"
tls_key = "{{folder}}/key.pem"

[mqtt]
tls_port = 0
unix_socket = "{{folder}}/mqtt.sock"

[[mqtt.users]]
name = "{USERNAME}"
password = "{PASSWORD}"

[[mqtt.acl]]
topic = "denied/#"
deny = "both"
"""


class Broker(NamedTuple):
    """Where the server has MQTT.

    Attributes:
        port: for everybody on this machine, and for USERNAME with PASSWORD; nobody may write or
            read below `denied/`.
        tls_port: with the certificate `ca`, of `localhost`.
        websocket_port: at `/mqtt`.
        path: of a Unix socket.
    """

    port: int
    tls_port: int
    websocket_port: int
    path: Path
    ca: Path


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A server with each kind of listener, until the end."""
    make_certificate(folder, "localhost")
    settings = folder / "thingtank.toml"
    settings.write_text(SETTINGS.format(folder=folder))
    with start_server(folder / "data", "--config", str(settings)) as server:
        sockets = server.sockets
        yield Broker(
            _port_of(sockets["mqtt"]),
            _port_of(sockets["mqtt_tls"]),
            _port_of(sockets["mqtt_websocket"]),
            Path(sockets["mqtt_unix"]),
            folder / "ca.pem",
        )


def ours(word: str, *flags: str) -> list[str]:
    """The command line of `thingtank mqtt pub` or `sub`."""
    return [*OURS, word, *flags]


def theirs(word: str, *flags: str) -> list[str]:
    """The same of mosquitto's clients."""
    return [needed_program(f"mosquitto_{word}"), *flags]


def run(command: list[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command until it ends; ours is spared its imports."""
    if command[: len(OURS)] == OURS:
        return run_prepared_in_bytes("mqtt", *command[len(OURS) :], stdin=stdin)
    return subprocess.run(command, input=stdin, capture_output=True, timeout=RUN_S_MAX, check=False)


def _port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
