"""Starts an instance and stops it; prints in which order its parts had begun and had ended, as JSON.

A process of its own: Django is configured once in each.
"""

import asyncio
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thingtank.doors.xively.sockjs_port import SockJsPort
from thingtank.doors.xively.tcp_socket import TcpSocket
from thingtank.net.shared_port import SharedPort
from thingtank.server.assemble import start_instance
from thingtank.server.config import load_config
from thingtank.server.control import ControlSocket
from thingtank.server.http_server import HttpServer
from thingtank.server.triggers.engine import TriggerEngine
from thingtank.sinks.dispatcher import Dispatcher
from thingtank.stores.sqlite_outbox import SqliteOutbox

PARTS = [
    TriggerEngine,
    Dispatcher,
    HttpServer,
    TcpSocket,
    SharedPort,
    SockJsPort,
    ControlSocket,
    SqliteOutbox,
]
PORTS = [
    "web.port=0",
    "wamp.port=0",
    "socket.port=0",
    "socket.sockjs_port=0",
    "mqtt.port=0",
    "skynet.port=0",
]


def noted(method: Callable[..., Any], noted_in: list[str], name: str) -> Callable[..., Any]:
    """The method, which also notes that it is done."""

    async def done(result: Any) -> None:
        await result
        noted_in.append(name)

    def call(*args: Any) -> Any:
        result = method(*args)
        if inspect.isawaitable(result):
            return done(result)
        noted_in.append(name)
        return result

    return call


async def main(folder: Path) -> None:
    began: list[str] = []
    ended: list[str] = []
    for part in PARTS:
        for verb, noted_in in (("start", began), ("stop", ended), ("close", ended)):
            if part is HttpServer and verb == "close":
                continue  # gives the port back once more
            if method := vars(part).get(verb):
                setattr(part, verb, noted(method, noted_in, part.__name__))
    instance = await start_instance(load_config(None, {}, PORTS).config, folder)
    await instance.stop()
    print(json.dumps({"began": began, "ended": ended}))


asyncio.run(main(Path(sys.argv[1])))
