"""Ports whose clients show by their first octet what they speak: WebSocket, or something else."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from thingtank.net.adoption import Adopt
from thingtank.net.unix_socket import bind_unix, mark_of
from thingtank.net.websocket import WebSockets

FIRST_S_MAX = 10.0  # for the first octet, and the handshake of TLS


class _FirstOctet(asyncio.Protocol):
    """A connection that has said nothing yet."""

    def __init__(self, port: "SharedPort") -> None:
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if len(self._port.silent) >= self._port.connections_max:
            self._transport.abort()
            return
        self._port.silent.add(self)
        self._timer = asyncio.get_running_loop().call_later(FIRST_S_MAX, self.abort)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self.connection_lost(None)
        self._port.adopt(self._transport, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.silent.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class SharedPort:
    """Listens, and hands each connection to whom its first octet belongs.

    Attributes:
        silent: connections that have said nothing yet.
        connections_max: of those.
        port: the number; 0 for a path.
    """

    def __init__(
        self,
        websockets: WebSockets,
        adopt_by_octet: Mapping[int, Adopt],
        connections_max: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Listen nowhere yet.

        Args:
            adopt_by_octet: who takes connections that begin with this octet; all others are
                WebSockets.
            connections_max: that have said nothing yet.
        """
        self._tls = tls
        self._websockets = websockets
        self._adopt_by_octet = adopt_by_octet
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._path_mark = (0, 0)
        self.silent: set[_FirstOctet] = set()
        self.connections_max = connections_max
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        handshake_s_max = FIRST_S_MAX if self._tls is not None else None
        self._server = await loop.create_server(
            lambda: _FirstOctet(self),
            host,
            port,
            ssl=self._tls,
            ssl_handshake_timeout=handshake_s_max,
            backlog=1024,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def start_unix(self, path: Path) -> None:
        """Listen on a Unix socket, which this user's processes may use.

        Raises:
            OSError: it cannot be made, or there is something else at its path, such as a socket
                that is in use.
        """
        loop = asyncio.get_running_loop()
        listening = bind_unix(path)
        self._server = await loop.create_unix_server(
            lambda: _FirstOctet(self), sock=listening, backlog=1024
        )
        self._path, self._path_mark = path, mark_of(path)

    def adopt(self, transport: asyncio.Transport, data: bytes) -> None:
        """Hand a connection on."""
        self._adopt_by_octet.get(data[0], self._websockets.adopt)(transport, data)

    async def stop(self) -> None:
        """Listen no more. Connections that were handed on go on."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self.silent):
            connection.abort()
        if self._path is not None:
            with contextlib.suppress(FileNotFoundError):
                if mark_of(self._path) == self._path_mark:  # another server's is left alone
                    self._path.unlink()
