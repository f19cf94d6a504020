"""The MQTT brokers that are compared: Thing Tank, Debian's Mosquitto, and amqtt.

Their limits are on, but far above what the bench has under way, so nobody has a reason to drop
anything: 5,000 messages at most wait for one client, 20,000 where it is away.
"""

import getpass
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.bench.mqtt_load import VERSION_3_1_1, VERSION_5, Line
from tests.bench.peers import (
    PEERS,
    PeerMissing,
    install,
    is_installed,
    mark_installed,
    process_tree,
    running,
)
from tests.bench.side_by_side import OURS
from tests.live_server import LiveServer, start_server
from tests.ports import free_port

MOSQUITTO, AMQTT = "Mosquitto", "amqtt"
AMQTT_VERSION = "amqtt==0.12.1"
INFLIGHT_MAX = 1_000
# Mosquitto 2.0.11 never takes off its count some messages that had to wait and then went out. With a
# limit of 1,000 it dropped messages of QoS 1 before 2,000 were through, with 100,000 before 170,000,
# while never more than 1,000 were under way. It is a count for each connection, and this is not reached.
MOSQUITTO_QUEUED_MAX = 10_000_000
OUR_QUEUED_MAX = 100_000
OUR_FLAGS = (
    *("--mqtt", "0"),
    *("--skynet", "0"),
    *("--set", f"mqtt.inflight_max={INFLIGHT_MAX}"),
    *("--set", f"mqtt.queue_messages_max={OUR_QUEUED_MAX}"),
)

# Access checks are on: one user, who may use the topics of the bench and no others. What a client
# reads is checked as well as what it writes. Persistence is off, as Debian's package is without it in
# a folder of its own; nothing that is compared needs the disk.
_MOSQUITTO_CONF = """\
listener {port} 127.0.0.1
user {account}
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
max_inflight_messages {inflight_max}
max_queued_messages {queued_max}
set_tcp_nodelay true
persistence false
log_dest stderr
log_type error
"""
_MOSQUITTO_ACL = "user bench\ntopic readwrite bench/#\n"
_AMQTT_CONF = """\
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:{port}
    max_connections: 0
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
"""


class Broker(NamedTuple):
    """One that runs.

    Attributes:
        name: as its makers write it.
        line: how to speak to it.
        process: the first of its processes.
        server: ours, with its HTTP API; None for others.
        versions: of the protocol that it speaks.
    """

    name: str
    line: Line
    process: "subprocess.Popen[bytes] | subprocess.Popen[str]"
    server: LiveServer | None = None
    versions: tuple[int, ...] = (VERSION_3_1_1, VERSION_5)

    def pids(self) -> list[int]:
        """All its processes now."""
        return process_tree(self.process.pid)


@contextmanager
def thing_tank(folder: Path) -> Iterator[Broker]:
    """Ours, as `thingtank serve` starts it; clients come with a key of the owner's."""
    with start_server(folder / "data", *OUR_FLAGS) as server:
        address = urlsplit(server.sockets["mqtt"])
        assert address.port is not None
        yield Broker(OURS, Line(address.port, server.master_key()), server.process, server)


@contextmanager
def mosquitto(folder: Path, name: str = MOSQUITTO) -> Iterator[Broker]:
    """Debian's, with a password file and an access list.

    Raises:
        PeerMissing: install Debian's package mosquitto.
    """
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    maker = shutil.which("mosquitto_passwd")
    if program is None or maker is None:
        raise PeerMissing("mosquitto is not installed; on Debian: apt-get install mosquitto")
    own, port, password = folder / name, free_port(), secrets.token_urlsafe(12)
    own.mkdir()
    (own / "passwords").write_text(f"bench:{password}\n")
    (own / "acl").write_text(_MOSQUITTO_ACL)
    subprocess.run([maker, "-U", str(own / "passwords")], check=True, timeout=30)
    (own / "mosquitto.conf").write_text(
        _MOSQUITTO_CONF.format(
            port=port,
            account=getpass.getuser(),
            folder=own,
            inflight_max=INFLIGHT_MAX,
            queued_max=MOSQUITTO_QUEUED_MAX,
        )
    )
    command = [program, "-c", str(own / "mosquitto.conf")]
    with running(command, own / "output.log", [port]) as process:
        yield Broker(name, Line(port, "bench", password), process)


@contextmanager
def amqtt(folder: Path) -> Iterator[Broker]:
    """amqtt, open to anonymous, without the plugins that log each packet.

    Raises:
        PeerMissing
    """
    program, port = _installed_amqtt(), free_port()
    config = folder / "amqtt.yaml"
    config.write_text(_AMQTT_CONF.format(port=port))
    with running([str(program), "-c", str(config)], folder / "amqtt.log", [port]) as process:
        yield Broker(AMQTT, Line(port), process, versions=(VERSION_3_1_1,))


def _installed_amqtt() -> Path:
    folder = PEERS / "amqtt"
    if not is_installed(folder, AMQTT_VERSION):
        shutil.rmtree(folder, ignore_errors=True)
        install(f"installing {AMQTT_VERSION}", [sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "pip"), "install", "-q", AMQTT_VERSION]
        install("this takes a minute, once", pip)
        mark_installed(folder, AMQTT_VERSION)
    return folder / "bin" / "amqtt"
