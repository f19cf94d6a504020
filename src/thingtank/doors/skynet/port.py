"""The SkyNet door's one port: who answers which path, and who takes over which WebSocket."""

from collections.abc import Mapping
from typing import Any

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.raw_websocket import raw_websocket_route
from thingtank.doors.skynet.rest.rest import SkynetRest
from thingtank.doors.skynet.sockets.door import SkynetSockets
from thingtank.doors.skynet.sockets.http import PREFIX, SocketHttp
from thingtank.doors.skynet.sockets.websockets import SocketioWebSockets
from thingtank.net.adoption import Adopt
from thingtank.net.forwarded import ClientOf
from thingtank.net.http_request import RequestHead, Respond


class SkynetApp:
    """Answers all requests of the port.

    Attributes:
        upgrades: who takes over connections that ask for a WebSocket at a path.
    """

    def __init__(self, door: SkynetDoor, find_client: ClientOf) -> None:
        """Let nobody in yet.

        Args:
            find_client: believes the proxies in front.
        """
        self._rest = SkynetRest(door)
        self._sockets = SkynetSockets(door)
        self._socket_http = SocketHttp(self._sockets, find_client)
        routes = SocketioWebSockets(self._sockets).routes() | raw_websocket_route(self._sockets)
        self.upgrades: Mapping[bytes, Adopt] = self._sockets.upgrades(routes, find_client)

    @property
    def client_count(self) -> int:
        """Clients on sockets."""
        return len(self._sockets.clients)

    def start(self) -> None:
        """Watch over who is in."""
        self._sockets.start()

    async def stop(self) -> None:
        """Let all clients go."""
        self._rest.stop()
        await self._sockets.stop()

    def answer(self, head: RequestHead, body: bytes, respond: Respond) -> None:
        """Answer a request that came whole, some time."""
        if head.raw_path.startswith(PREFIX):
            self._socket_http.answer(head, body, respond)
        else:
            self._rest.answer(head, body, respond)

    def skips(self, target: bytes) -> bool:
        """Whether a request is one for `__call__`."""
        return self._rest.skips(target)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request whose body is long, or whose answer never ends."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
        elif scope["path"].startswith(PREFIX):
            await self._socket_http(scope, receive, send)
        else:
            await self._rest(scope, receive, send)
