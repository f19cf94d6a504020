"""The port of SockJS: what speaks it is loaded when the first client comes.

aiohttp is a fifth of what a server computes as it starts, and 20 MB, and few servers need it.
"""

import asyncio
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from thingtank.doors.xively.sockets import SocketDoor

if TYPE_CHECKING:
    from thingtank.doors.xively.sockjs_app import SockJsApp

_APP = "thingtank.doors.xively.sockjs_app"


class _Early(asyncio.Protocol):
    """A connection that waits for the application; of what it says the first piece is read."""

    def __init__(self, early: "set[_Early]") -> None:
        self._early = early
        self._transport: asyncio.Transport | None = None
        self._said = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._early.add(self)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._said += data
        self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._early.discard(self)

    def hand_on(self, protocol: asyncio.Protocol) -> None:
        """Let `protocol` go on, as if the connection had just been made."""
        assert self._transport is not None
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if self._said:
            protocol.data_received(self._said)
            self._transport.resume_reading()


class SockJsPort:
    """Listens, and hands each connection to the application.

    Attributes:
        port: the number, once it listens.
    """

    def __init__(self, door: SocketDoor) -> None:
        self._door = door
        self._server: asyncio.Server | None = None
        self._app: SockJsApp | None = None
        self._make_protocol: Callable[[], asyncio.Protocol] | None = None
        self._loading: asyncio.Task[None] | None = None
        self._early: set[_Early] = set()
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, host, port, backlog=128)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and all sessions."""
        if self._server is not None:
            self._server.close()
        if self._loading is not None:
            await self._loading
        if self._app is not None:
            await self._app.stop()

    def _protocol(self) -> asyncio.Protocol:
        if self._make_protocol is not None:
            return self._make_protocol()
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        return _Early(self._early)

    async def _load(self) -> None:
        """Load the application beside the loop, and give it those that wait for it."""
        module = await asyncio.to_thread(importlib.import_module, _APP)
        self._app = cast("SockJsApp", module.SockJsApp(self._door))
        self._make_protocol = await self._app.start()
        for connection in self._early:
            connection.hand_on(self._make_protocol())
        self._early.clear()
