"""The WAMP routers that are compared: Thing Tank, Crossbar.io and fox-wamp, each as it comes.

The peers are installed into `build/peers/`, each with its own packages, when they are first needed.
Those that cannot be had are left out, and the bench says so.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.bench.wamp_load import REALM, Line
from tests.live_server import start_server

PEERS = Path(__file__).parents[2] / "build" / "peers"
CROSSBAR = "crossbar==26.10.1"
FOX_WAMP = "fox-wamp@0.7.28"
INSTALL_S_MAX = 900
START_S_MAX = 60
STOP_S_MAX = 15

_EVERYTHING = dict.fromkeys(("call", "register", "publish", "subscribe"), True)


class PeerMissing(RuntimeError):
    """A router that cannot be installed or started; the message says why."""


class Router(NamedTuple):
    """One that runs.

    Attributes:
        name: as its makers write it.
        ports: by transport, `ws` and, where there is one, `raw`.
        encodings: that it speaks.
        process: the first of its processes.
    """

    name: str
    ports: dict[str, int]
    encodings: tuple[str, ...]
    process: "subprocess.Popen[bytes] | subprocess.Popen[str]"

    def line(self, transport: str, encoding: str, is_batched: bool) -> Line | None:
        """How to speak to it; None when it does not speak so."""
        name = encoding + (".batched" if is_batched else "")
        if transport not in self.ports or name not in self.encodings:
            return None
        return Line(self.ports[transport], transport, encoding, is_batched)

    def pids(self) -> list[int]:
        """All its processes now."""
        return process_tree(self.process.pid)


def process_tree(root: int) -> list[int]:
    """A process and all that come from it, as far as they are there."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
        children.setdefault(parent, []).append(int(path.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


@contextmanager
def crossbar(folder: Path) -> Iterator[Router]:
    """Crossbar.io with one router worker, WebSocket and RawSocket open to anonymous.

    Raises:
        PeerMissing
    """
    program = _installed_crossbar()
    ports = {"ws": free_port(), "raw": free_port()}
    node = folder / "crossbar"
    (node / ".crossbar").mkdir(parents=True)
    (node / ".crossbar" / "config.json").write_text(json.dumps(_crossbar_config(ports)))
    command = [str(program), "start", "--cbdir", str(node / ".crossbar"), "--loglevel", "warn"]
    encodings = ("json", "msgpack", "cbor", "msgpack.batched", "cbor.batched")
    with _running(command, folder / "crossbar.log", list(ports.values())) as process:
        yield Router("Crossbar.io", ports, encodings, process)


def _crossbar_config(ports: dict[str, int]) -> dict[str, object]:
    permissions = [{"uri": "", "match": "prefix", "allow": _EVERYTHING, "cache": True}]
    kinds = {"ws": "websocket", "raw": "rawsocket"}
    transports = [
        {
            "type": kinds[name],
            "endpoint": {"type": "tcp", "interface": "127.0.0.1", "port": port, "backlog": 1024},
            "serializers": ["json", "msgpack", "cbor"],
        }
        for name, port in ports.items()
    ]
    roles = [{"name": "anonymous", "permissions": permissions}]
    worker = {
        "type": "router",
        "realms": [{"name": REALM, "roles": roles}],
        "transports": transports,
    }
    return {"version": 2, "workers": [worker]}


def _installed_crossbar() -> Path:
    folder = PEERS / "crossbar"
    program = folder / "bin" / "crossbar"
    if not _is_installed(folder, CROSSBAR):
        shutil.rmtree(folder, ignore_errors=True)
        _install(f"installing {CROSSBAR}", [sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "pip"), "install", "-q", CROSSBAR]
        _install("this takes a few minutes, once", pip)
        _mark_installed(folder, CROSSBAR)
    return program


@contextmanager
def fox_wamp(folder: Path) -> Iterator[Router]:
    """fox-wamp with its engine in memory; it speaks JSON over WebSocket only.

    Raises:
        PeerMissing
    """
    package = _installed_fox_wamp()
    port = free_port()
    script = folder / "fox_wamp.js"
    script.write_text(
        f"const Router = require({json.dumps(str(package))})\n"
        "const router = new Router()\n"
        f"router.getRealm({json.dumps(REALM)}, () => {{\n"
        f"  router.listenWAMP({{host: '127.0.0.1', port: {port}, path: '/ws'}})\n"
        "})\n"
    )
    with _running(["node", str(script)], folder / "fox_wamp.log", [port]) as process:
        yield Router("fox-wamp", {"ws": port}, ("json",), process)


def _installed_fox_wamp() -> Path:
    folder = PEERS / "fox-wamp"
    if not _is_installed(folder, FOX_WAMP):
        if shutil.which("npm") is None:
            raise PeerMissing("npm is not installed; on Debian: apt-get install npm")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # Its storage in SQLite, which scripts would build, is not used.
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
        _install(f"installing {FOX_WAMP}", ["npm", "install", *options, FOX_WAMP])
        _mark_installed(folder, FOX_WAMP)
    return folder / "node_modules" / "fox-wamp"


def _is_installed(folder: Path, what: str) -> bool:
    mark = folder / "installed"
    return mark.exists() and mark.read_text() == what


def _mark_installed(folder: Path, what: str) -> None:
    (folder / "installed").write_text(what)


def _install(saying: str, command: list[str]) -> None:
    print(saying, file=sys.stderr)
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S_MAX)
    except subprocess.CalledProcessError as error:
        last_words = " ".join(error.stderr.split("\n")[-3:]).strip()
        raise PeerMissing(f"{command[0]} failed: {last_words}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(str(error)) from error


@contextmanager
def _running(
    command: list[str], log: Path, ports: list[int]
) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "PYTHONPATH": ""}
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=log.parent
            )
        except OSError as error:
            raise PeerMissing(str(error)) from error
    try:
        for port in ports:
            _wait_until_open(port, process, log)
        yield process
    finally:
        _stop(process)


def _wait_until_open(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(START_S_MAX * 10):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise PeerMissing(f"it did not start: {log.read_text(errors='replace')[-300:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def thing_tank(folder: Path) -> Iterator[Router]:
    """Ours, as `thingtank serve` starts it."""
    encodings = ("json", "msgpack", "cbor", "msgpack.batched", "cbor.batched")
    with start_server(folder / "data") as server:
        port = urlsplit(server.sockets["wamp"]).port
        assert port is not None
        yield Router("Thing Tank", {"ws": port, "raw": port}, encodings, server.process)
