"""The clients of SkyNet and Meshblu that the tests run, and what each cannot do.

All are unmodified. The npm ones share one process, the Python ones have one each; they take commands
as JSON lines (`drivers/socketio_client.py`, `node/skynet/main.js`), so each scenario is written once
and run with all of them.
"""

import itertools
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.interop.driven_program import DrivenProgram
from tests.needed import NODE, needed_file, needed_program, node_package

DRIVER = Path(__file__).parent / "drivers" / "socketio_client.py"
OLD_CLIENTS = Path(__file__).parents[3] / ".venv-socketio"

EVERYTHING = frozenset(
    {
        "be_made",  # by the server, when it identifies without a uuid
        "register", "devices", "status", "hear", "data", "getdata", "unregister", "config",
        "unregistered", "presence", "order",
    }
)  # fmt: skip


class Client(NamedTuple):
    """One client library.

    Attributes:
        package: from npm; of the Python ones, what the driver is told.
        wire: the protocol that it speaks.
        ways: the transports it can be told to use, joined by `+`; "" is what it does by itself.
        cannot: beside identifying, whoami, update and sending messages, which all can.
        is_new: still maintained, or of Meshblu's last years.
        content: what its programs call the content of a message.
    """

    package: str
    wire: str
    ways: tuple[str, ...] = ("",)
    cannot: frozenset[str] = frozenset()
    is_new: bool = False
    content: str = "payload"


CLIENTS = {
    "socketio-client-0.5": Client(
        "socketIO-client", "socket.io 0.9", ("websocket", "xhr-polling", "jsonp-polling"),
        content="message",
    ),
    "skynet": Client(
        "skynet", "socket.io 0.9",
        cannot=frozenset({"unregistered"}),  # is not passed on to the program
    ),
    "socketio-client-0.7": Client(
        "socketIO-client", "Engine.IO 3", ("xhr-polling+websocket", "xhr-polling"),
        content="message",
    ),
    "meshblu": Client("meshblu", "Engine.IO 3", ("", "polling", "websocket")),
    "skynet-mqtt": Client(
        "skynet-mqtt", "MQTT 3.1",
        # It has no calls for these; it cannot connect without a uuid.
        cannot=frozenset(
            {"be_made", "register", "devices", "status", "getdata", "unregister", "unregistered"}
        ),
    ),
    "meshblu-mqtt": Client(
        "meshblu-mqtt", "MQTT",
        cannot=frozenset(
            {
                "be_made", "register", "devices", "status", "data", "getdata", "unregister",
                "unregistered",
            }
        ),
        is_new=True,
    ),
    "meshblu-http": Client(
        "meshblu-http", "HTTP",
        cannot=EVERYTHING - {"register", "devices", "unregister"},  # it cannot hear
        is_new=True,
    ),
    "meshblu-websocket": Client(
        "meshblu-websocket", "WebSocket",
        cannot=frozenset({"be_made", "data", "getdata", "unregistered"}),
        is_new=True,
    ),
    "socket.io-client": Client(
        "socket.io-client", "Engine.IO 4", ("", "polling", "websocket"), is_new=True
    ),
    "python-socketio": Client(
        "python-socketio", "Engine.IO 4", ("", "websocket"),
        cannot=frozenset({"order"}),  # it hands each message over in a thread of its own
        is_new=True,
    ),
}  # fmt: skip


class Way(NamedTuple):
    """A client by the transports it is told to use."""

    client: str
    transports: str = ""

    def __str__(self) -> str:
        return f"{self.client}({self.transports})" if self.transports else self.client

    def can(self, *words: str) -> bool:
        return CLIENTS[self.client].cannot.isdisjoint(words)


WAYS = [Way(name, way) for name, client in CLIENTS.items() for way in client.ways]
REFERENCE = Way("socket.io-client", "websocket")  # what is asked about the others


class Failed(Exception):
    """A command was answered by an error."""


class Program(DrivenProgram):
    """The program of one client or of several."""

    def failure(self, error: dict[str, Any]) -> Exception:
        return Failed(error["message"])


def command_of(client: str) -> list[str]:
    """How to start the program of a client; the same for clients that share one."""
    old = OLD_CLIENTS / client.removeprefix("socketio-client-")
    if CLIENTS[client].package == "socketIO-client":
        needed_file(old / "socketIO_client")
        return [sys.executable, "-W", "ignore", str(DRIVER), "socketIO-client", str(old)]
    if client == "python-socketio":
        return [sys.executable, str(DRIVER), "python-socketio"]
    node_package("skynet")
    return [needed_program("node"), "--no-deprecation", str(NODE / "skynet" / "main.js")]


class Device:
    """A device that a client is for; the verbs are those of the driver's `Session`."""

    _numbers = itertools.count(1)

    def __init__(self, program: Program, way: Way) -> None:
        self.way = way
        self.uuid = self.token = ""
        self.is_open = False
        self._program, self._name = program, f"device{next(self._numbers)}"

    def open(self, url: str, mqtt: str, **credentials: str) -> None:
        """Connect and identify; raises Failed."""
        where = {"client": CLIENTS[self.way.client].package, "url": url, "mqtt": mqtt}
        transports = self.way.transports.split("+") if self.way.transports else []
        answer = self.do("open", **where, transports=transports, **credentials)
        self.uuid = answer["uuid"]
        self.token = answer.get("token") or credentials["token"]
        self.is_open = True

    def do(self, verb: str, **parameters: Any) -> Any:
        return self._program.ask(do=verb, session=self._name, **parameters)

    def find(self, **query: Any) -> set[str]:
        """The uuids of devices with properties; each generation has an answer of its own."""
        answer = self.do("devices", query=query)
        found = answer if isinstance(answer, list) else answer.get("devices", [])
        return {each if isinstance(each, str) else each["uuid"] for each in found}

    def send(self, devices: str | list[str], content: Any, **members: Any) -> None:
        message = {"devices": devices, CLIENTS[self.way.client].content: content, **members}
        self.do("message", message=message)

    def question(self, device: str, content: Any) -> Any:
        """Send a message that the other program answers."""
        message = {"devices": device, CLIENTS[self.way.client].content: content}
        return self.do("question", message=message)

    def call(self, method: str, *parameters: Any) -> Any:
        """Call another function of the client, which has an answer."""
        return self.do("call", method=method, parameters=parameters)

    def say(self, method: str, *parameters: Any) -> None:
        """Call another function, which has none."""
        self.do("say", method=method, parameters=parameters)

    def heard(self, name: str = "message") -> Any:
        """Wait for the next event."""
        (event,) = self.do("events", name=name, count=1)
        return event

    def close(self) -> None:
        self.is_open = False
        self.do("close")


def contents_of(messages: list[dict[str, Any]], device: Device, wanted: list[Any]) -> list[Any]:
    """What messages hold; in the order that is wanted where the client has none."""
    contents = [content_of(message) for message in messages]
    if device.way.can("order") or not all(content in wanted for content in contents):
        return contents
    return sorted(contents, key=wanted.index)


def content_of(message: dict[str, Any]) -> Any:
    """What a message holds, whichever generation it comes from."""
    return message["payload"] if "payload" in message else message["message"]
