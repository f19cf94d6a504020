"""A WAMP client that shows every message: JSON over WebSocket, nothing done by itself."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from websockets.sync.client import ClientConnection, connect

ROLES: dict[str, Any] = {name: {} for name in ("publisher", "subscriber", "caller", "callee")}
ANSWER_S_MAX = 10.0


class JsonClient:
    """One session, from WELCOME on.

    Attributes:
        session_id: of its WELCOME.
    """

    def __init__(self, socket: ClientConnection, realm: str, authid: str, ticket: str) -> None:
        self._socket = socket
        details = {"authmethods": ["ticket"], "authid": authid} if authid else {}
        welcome = self.ask([1, realm, {"roles": ROLES, **details}])
        if authid:
            assert welcome[:2] == [4, "ticket"], welcome
            welcome = self.ask([5, ticket, {}])
        assert welcome[0] == 2, welcome
        self.session_id: int = welcome[1]

    def send(self, message: list[Any]) -> None:
        self._socket.send(json.dumps(message))

    def receive(self) -> list[Any]:
        """The next message; an error if there is none for long."""
        message: list[Any] = json.loads(self._socket.recv(ANSWER_S_MAX))
        return message

    def ask(self, message: list[Any]) -> list[Any]:
        """Send a request; its answer, which comes next."""
        self.send(message)
        return self.receive()


@contextlib.contextmanager
def json_client(
    url: str, realm: str = "realm1", authid: str = "", ticket: str = ""
) -> Iterator[JsonClient]:
    """Connect, until the end of the block; anonymously, if there is no authid."""
    with connect(url, subprotocols=["wamp.2.json"], proxy=None) as socket:  # type: ignore[list-item] # a NewType of str
        yield JsonClient(socket, realm, authid, ticket)
