"""The WAMP routers that are compared: Thing Tank, Crossbar.io and fox-wamp, each as it comes.

The peers are installed into `build/peers/`, each with its own packages, when they are first needed.
Those that cannot be had are left out, and the bench says so.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.bench.peers import (
    PEERS,
    PeerMissing,
    install,
    is_installed,
    mark_installed,
    process_tree,
    running,
)
from tests.bench.wamp_load import REALM, Line
from tests.live_server import start_server
from tests.ports import free_port

CROSSBAR = "crossbar==26.10.1"
FOX_WAMP = "fox-wamp@0.7.28"

_EVERYTHING = dict.fromkeys(("call", "register", "publish", "subscribe"), True)


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
    with running(command, folder / "crossbar.log", list(ports.values())) as process:
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
    if not is_installed(folder, CROSSBAR):
        shutil.rmtree(folder, ignore_errors=True)
        install(f"installing {CROSSBAR}", [sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "pip"), "install", "-q", CROSSBAR]
        install("this takes a few minutes, once", pip)
        mark_installed(folder, CROSSBAR)
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
    with running(["node", str(script)], folder / "fox_wamp.log", [port]) as process:
        yield Router("fox-wamp", {"ws": port}, ("json",), process)


def _installed_fox_wamp() -> Path:
    folder = PEERS / "fox-wamp"
    if not is_installed(folder, FOX_WAMP):
        if shutil.which("npm") is None:
            raise PeerMissing("npm is not installed; on Debian: apt-get install npm")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # Its storage in SQLite, which scripts would build, is not used.
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
        install(f"installing {FOX_WAMP}", ["npm", "install", *options, FOX_WAMP])
        mark_installed(folder, FOX_WAMP)
    return folder / "node_modules" / "fox-wamp"


@contextmanager
def thing_tank(folder: Path) -> Iterator[Router]:
    """Ours, as `thingtank serve` starts it."""
    encodings = ("json", "msgpack", "cbor", "msgpack.batched", "cbor.batched")
    with start_server(folder / "data") as server:
        port = urlsplit(server.sockets["wamp"]).port
        assert port is not None
        yield Router("Thing Tank", {"ws": port, "raw": port}, encodings, server.process)
