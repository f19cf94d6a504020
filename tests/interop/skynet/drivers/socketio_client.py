"""Programs on bare socket.io clients in Python, unmodified: commands as JSON lines in, answers out.

    socketio_client.py socketIO-client FOLDER    version 0.5 or 0.7, whichever is in the folder
    socketio_client.py python-socketio

They emit the events of SkyNet's documentation, as programs of the time did. What arrives is kept by
event until a command asks for it.
"""

import json
import os
import queue
import sys
import time
from collections import defaultdict
from typing import Any, Protocol
from urllib.parse import urlsplit

WAIT_S_MAX = 5.0
KEPT = ("message", "config", "unregistered", "data")


class Socket(Protocol):
    """What the programs need of a client.

    Attributes:
        greeting: the event upon which a program says who it is.
    """

    greeting: str

    def on(self, event: str, handler: Any) -> Any: ...

    def call(self, event: str, *args: Any) -> Any:
        """Emit, and wait for the answer."""

    def send(self, event: str, *args: Any) -> None:
        """Emit without asking for an answer."""

    def until(self, arrived: "queue.Queue[Any]") -> Any:
        """Wait for the next of something."""

    def close(self) -> None: ...


class OldSocket:
    """socketIO-client, which is read only while its program waits; the program has no threads."""

    greeting = "identify"

    def __init__(self, url: str, transports: list[str]) -> None:
        from socketIO_client import BaseNamespace, SocketIO

        address = urlsplit(url)
        options = {"transports": transports} if transports else {}
        self._io = SocketIO(address.hostname, address.port, BaseNamespace, **options)
        # How long to wait until one packet has come. 0.7 waits a second for each of them, and has
        # to be told to stop after one.
        self._step_s = 0.1 if hasattr(self._io, "_base_url") else 1e-6

    def on(self, event: str, handler: Any) -> None:
        # 0.7 also hands the packet itself to the handler of messages, as bytes.
        self._io.on(event, lambda *args: handler(*args) if type(args[0]) is not bytes else None)

    def call(self, event: str, *args: Any) -> Any:
        answers: queue.Queue[Any] = queue.Queue()
        self._io.emit(event, *args, lambda *answer: answers.put(answer[0] if answer else None))
        self._io.wait_for_callbacks(seconds=WAIT_S_MAX)
        return answers.get_nowait()

    def send(self, event: str, *args: Any) -> None:
        self._io.emit(event, *args)

    def until(self, arrived: "queue.Queue[Any]") -> Any:
        end_s = time.monotonic() + WAIT_S_MAX
        while arrived.empty() and time.monotonic() < end_s:
            self._io.wait(seconds=self._step_s)
        return arrived.get_nowait()

    def close(self) -> None:
        self._io.disconnect()


class NewSocket:
    """python-socketio, which reads in threads of its own: one for each event.

    So the server's `identify` may be handled before the client knows that it is connected, and can
    send nothing then. Its own `connect` comes after.
    """

    greeting = "connect"

    def __init__(self, url: str, transports: list[str]) -> None:
        import socketio

        self._client = socketio.Client()
        self._url, self._transports = url, transports or None
        self._is_connected = False

    def on(self, event: str, handler: Any) -> None:
        self._client.on(event, handler)

    def call(self, event: str, *args: Any) -> Any:
        return self._client.call(event, args or None, timeout=WAIT_S_MAX)

    def send(self, event: str, *args: Any) -> None:
        self._client.emit(event, args)

    def until(self, arrived: "queue.Queue[Any]") -> Any:
        if not self._is_connected:  # once the handlers are there
            self._is_connected = True
            self._client.connect(self._url, transports=self._transports)
        return arrived.get(timeout=WAIT_S_MAX)

    def close(self) -> None:
        self._client.disconnect()


class Session:
    """A device on a socket."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._arrived: defaultdict[str, queue.Queue[Any]] = defaultdict(queue.Queue)

    def open(self, **credentials: str) -> Any:
        """Identify; without credentials the server makes a device."""
        self._socket.on(
            self._socket.greeting, lambda *args: self._socket.send("identity", credentials)
        )
        for event in ("ready", "notReady"):
            self._socket.on(
                event, lambda answer, is_in=event == "ready": self._enter(is_in, answer)
            )
        for event in KEPT:
            self._socket.on(event, self._arrived[event].put)
        is_in, answer = self._socket.until(self._arrived["entry"])
        if not is_in:
            self._socket.close()
            raise ConnectionRefusedError(answer)
        self._uuid, self._token = answer["uuid"], answer["token"]
        return answer

    def _enter(self, is_in: bool, answer: Any) -> None:
        self._arrived["entry"].put((is_in, answer))

    def status(self) -> Any:
        return self._socket.call("status")

    def register(self, properties: Any) -> Any:
        return self._socket.call("register", properties)

    def whoami(self) -> Any:
        return self._socket.call("whoami", {"uuid": self._uuid})

    def update(self, properties: Any) -> Any:
        return self._socket.call("update", {**self._credentials, **properties})

    def devices(self, query: Any) -> Any:
        return self._socket.call("devices", query)

    def message(self, message: Any) -> None:
        self._socket.send("message", message)

    def question(self, message: Any) -> Any:
        return self._socket.call("message", message)

    def subscribe(self, uuid: str) -> Any:
        return self._socket.call("subscribe", {"uuid": uuid})

    def unsubscribe(self, uuid: str) -> Any:
        return self._socket.call("unsubscribe", {"uuid": uuid})

    def data(self, values: Any) -> Any:
        return self._socket.call("data", {**self._credentials, **values})

    def getdata(self, limit: int) -> Any:
        return self._socket.call("getdata", {**self._credentials, "limit": limit})

    def unregister(self) -> Any:
        return self._socket.call("unregister", self._credentials)

    def events(self, name: str, count: int) -> list[Any]:
        return [self._socket.until(self._arrived[name]) for _ in range(count)]

    def close(self) -> None:
        self._socket.close()

    @property
    def _credentials(self) -> dict[str, str]:
        return {"uuid": self._uuid, "token": self._token}


def answer_to(sessions: dict[str, Session], command: dict[str, Any]) -> Any:
    """Carry out one command."""
    verb, name = command.pop("do"), command.pop("session")
    if verb == "open":
        command.pop("client")
        socket = SOCKETS[sys.argv[1]](command.pop("url"), command.pop("transports"))
        command.pop("mqtt")
        sessions[name] = Session(socket)
    return getattr(sessions[name], verb)(**command)


SOCKETS: dict[str, type[Socket]] = {"socketIO-client": OldSocket, "python-socketio": NewSocket}


def main() -> None:
    sys.path[:0] = sys.argv[2:]
    sessions: dict[str, Session] = {}
    for line in sys.stdin:
        command = json.loads(line)
        number = command.pop("id")
        try:
            said = {"id": number, "result": answer_to(sessions, command)}
        except Exception as error:  # noqa: BLE001 # whatever a client raises is an answer
            said = {"id": number, "error": {"message": repr(error)}}
        print(json.dumps(said), flush=True)
    # socketIO-client connects once more when it is deleted.
    os._exit(0)


if __name__ == "__main__":
    main()
