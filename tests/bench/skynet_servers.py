"""The SkyNet servers that are compared: Thing Tank, and bare relays on what others build on.

The relays check no token and no permission and keep nothing, which Thing Tank does; so they show what the
transports under them can do at most. socket.io is the one for Node, in the version of 2014 and in today's; it
is installed into `build/peers/` when first needed. What cannot be had is left out, and the bench says so.
"""

import importlib.util
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
from tests.bench.bench_http_server import Candidate, candidate_process
from tests.bench.mqtt_feeds import count_datapoints
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
from tests.bench.skynet_load import WIRE_0_9, WIRE_4, Device
from tests.live_server import LiveServer, start_server
from tests.ports import free_port

BARE, PYTHON_SOCKETIO = "a bare ASGI app", "python-socketio"
SOCKET_IO_0_9, SOCKET_IO_4 = "socket.io 0.9 on Node", "socket.io 4 on Node"
_PACKAGES = {SOCKET_IO_0_9: "socket.io@0.9.19", SOCKET_IO_4: "socket.io@4.8.4"}
_FOLDER = Path(__file__).parent
_BARE_APP = Candidate("uvicorn-bounded", "uvloop", "bare-alone")
_REGISTERING = 8  # connections
_LIMITS = {
    **dict.fromkeys(("rate_messages_s", "rate_data_s", "rate_queries_s", "rate_connections_s"), 0),
    **dict.fromkeys(("connections_max", "connections_per_address_max"), 20_000),
}
OUR_FLAGS = tuple(f"--set=skynet.{name}={most}" for name, most in _LIMITS.items())


class Server(NamedTuple):
    """One that runs.

    Attributes:
        name: as its makers write it.
        wires: of sockets that it speaks.
        targets: of POST that it answers.
        live: ours, with its other doors; None for others.
        registered: devices that there are already.
    """

    name: str
    port: int
    root_pid: int
    wires: tuple[str, ...]
    targets: tuple[str, ...]
    live: LiveServer | None
    registered: list[Device]

    def pids(self) -> list[int]:
        """All its processes now."""
        return process_tree(self.root_pid)

    def devices(self, count: int) -> Sequence[Device]:
        """So many devices of the server; registered when there are fewer."""
        missing = range(len(self.registered), count)
        if self.live is None:
            self.registered.extend(_unknown_device(number) for number in missing)
        elif missing:
            self.registered.extend(_register(self.port, len(missing)))
        return self.registered[:count]


@contextmanager
def thing_tank(folder: Path) -> Iterator[Server]:
    """Ours, as `thingtank serve` starts it, with its limits raised."""
    with start_server(folder / "data", *OUR_FLAGS) as live:
        port = urlsplit(live.sockets["skynet"]).port
        assert port is not None
        wires, targets = (WIRE_0_9, WIRE_4), ("messages", "data")
        yield Server(OURS, port, live.process.pid, wires, targets, live, [])


def _register(port: int, count: int) -> list[Device]:
    def register(amount: int) -> list[Device]:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            return [_one(client) for _ in range(amount)]

    shares = [
        count // _REGISTERING + (number < count % _REGISTERING) for number in range(_REGISTERING)
    ]
    with ThreadPoolExecutor(_REGISTERING) as pool:
        return [device for made in pool.map(register, shares) for device in made]


def _one(client: httpx.Client) -> Device:
    answer = client.post("/devices", json={"type": "bench"})
    answer.raise_for_status()
    record = answer.json()
    # The last 16 digits of a record's id are the device's number, and that is its feed's.
    return Device(record["uuid"], record["token"], int(record["_id"][-16:], 16))


def stored_data(server: Server, devices: Sequence[Device], since_us: int) -> int:
    """How many readings of some devices ours gives back, by their feeds."""
    assert server.live is not None
    with (
        httpx.Client(
            base_url=server.live.url, headers={"X-ApiKey": server.live.master_key()}, timeout=30
        ) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        return sum(
            pool.map(
                lambda device: count_datapoints(client, device.feed_id, since_us),
                devices,
            )
        )


def _unknown_device(number: int) -> Device:
    return Device(f"00000000-0000-4000-8000-{number:012}", "token")


@contextmanager
def bare(_folder: Path) -> Iterator[Server]:
    """An app that reads the body and answers nothing, on the HTTP server that ours has."""
    with candidate_process(_BARE_APP) as (port, pid):
        yield Server(BARE, port, pid, (), ("messages", "data"), None, [])


@contextmanager
def python_socketio(folder: Path) -> Iterator[Server]:
    """A relay on python-socketio and uvicorn.

    Raises:
        PeerMissing
    """
    if importlib.util.find_spec("socketio") is None:
        raise PeerMissing("python-socketio is not installed; run: make dev")
    port = free_port()
    command = [sys.executable, str(_FOLDER / "skynet_relay.py"), str(port)]
    with running(command, folder / "python-socketio.log", [port]) as process:
        yield Server(PYTHON_SOCKETIO, port, process.pid, (WIRE_4,), ("messages",), None, [])


@contextmanager
def _node_relay(name: str, wire: str, folder: Path) -> Iterator[Server]:
    package, port = _installed(_PACKAGES[name]), free_port()
    command = ["node", str(_FOLDER / "skynet_relay.js"), str(package), str(port)]
    with running(command, folder / f"relay-{wire}.log", [port]) as process:
        yield Server(name, port, process.pid, (wire,), (), None, [])


def socket_io_0_9(folder: Path) -> AbstractContextManager[Server]:
    """A relay on socket.io of 2014.

    Raises:
        PeerMissing
    """
    return _node_relay(SOCKET_IO_0_9, WIRE_0_9, folder)


def socket_io_4(folder: Path) -> AbstractContextManager[Server]:
    """A relay on socket.io of today.

    Raises:
        PeerMissing
    """
    return _node_relay(SOCKET_IO_4, WIRE_4, folder)


def _installed(package: str) -> Path:
    folder = PEERS / package.replace("@", "-")
    if not is_installed(folder, package):
        if shutil.which("npm") is None:
            raise PeerMissing("npm is not installed; on Debian: apt-get install npm")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # Its parts in C++, which scripts would build, are not needed.
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
        install(f"installing {package}", ["npm", "install", *options, package])
        mark_installed(folder, package)
    return folder / "node_modules" / "socket.io"
