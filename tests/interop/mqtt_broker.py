"""The MQTT server that the tests of commands go to, and processes that talk to it.

`running_broker` is the one place that knows which server it is.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.certificates import make_certificate
from tests.needed import needed_program

START_S_MAX = 20.0
RUN_S_MAX = 30.0
USERNAME, PASSWORD = "roof", "a secret"


class Broker(NamedTuple):
    """Where a server has MQTT.

    Attributes:
        port: for everybody, but nobody may write or read below `denied/`.
        guarded_port: asks for USERNAME and PASSWORD.
        tls_port: with the certificate `ca`, of `localhost`.
        websocket_port: at `/mqtt`.
        path: of a Unix socket.
    """

    port: int
    guarded_port: int
    tls_port: int
    websocket_port: int
    path: Path
    ca: Path


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A server with each kind of listener, until the end."""
    make_certificate(folder, "localhost")
    ports = _free_ports(4)
    broker = Broker(*ports, folder / "mqtt.sock", folder / "ca.pem")
    passwords = folder / "passwords"
    subprocess.run(
        [needed_program("mosquitto_passwd"), "-c", "-b", passwords, USERNAME, PASSWORD],
        check=True,
        timeout=RUN_S_MAX,
    )
    (folder / "acl").write_text("topic readwrite #\ntopic deny denied/#\n")
    (folder / "mosquitto.conf").write_text(
        "per_listener_settings true\nuser root\n"  # which it looks at where that is who starts it
        f"listener {broker.port} 127.0.0.1\nallow_anonymous true\nacl_file {folder}/acl\n"
        f"listener {broker.guarded_port} 127.0.0.1\nallow_anonymous false\n"
        f"password_file {passwords}\n"
        f"listener {broker.tls_port} 127.0.0.1\nallow_anonymous true\n"
        f"certfile {broker.ca}\nkeyfile {folder}/key.pem\n"
        f"listener {broker.websocket_port} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n"
        f"listener 0 {broker.path}\nallow_anonymous true\n"
    )
    process = subprocess.Popen(
        [needed_program("mosquitto"), "-c", folder / "mosquitto.conf"],
        stderr=subprocess.DEVNULL,
    )
    try:
        for port in ports:
            _wait_for(port)
        yield broker
    finally:
        process.terminate()
        process.wait(RUN_S_MAX)


def ours(word: str, *flags: str) -> list[str]:
    """The command line of `thingtank mqtt pub` or `sub`."""
    return [sys.executable, "-m", "thingtank.cli.main", "mqtt", word, *flags]


def theirs(word: str, *flags: str) -> list[str]:
    """The same of mosquitto's clients."""
    return [needed_program(f"mosquitto_{word}"), *flags]


def run(command: list[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=stdin, capture_output=True, timeout=RUN_S_MAX, check=False)


def _free_ports(count: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


def _wait_for(port: int) -> None:
    deadline_s = time.monotonic() + START_S_MAX
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline_s, "the broker did not start"
            time.sleep(0.02)
        else:
            return
