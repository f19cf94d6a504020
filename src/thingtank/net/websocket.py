"""The WebSocket port: which path is whose, with bounds; framing is picows' (ADR 8)."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
import structlog
from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

log = structlog.get_logger()

PING_IDLE_S = 30.0  # a peer that says nothing for so long is asked whether it is there
PONG_S_MAX = 20.0
HANDSHAKE_S_MAX = 10.0
UNREAD_S_MAX = 60.0  # for how long a peer may leave what it was sent unread; pings do not tell


class Conversation(Protocol):
    """What happens on one connection."""

    def receive_message(self, message: bytes) -> None:
        """A whole text or binary message has come."""
        ...

    def end(self) -> None:
        """The connection is gone."""
        ...


class WebSocketPeer:
    """The other side of one connection, as conversations see it."""

    def __init__(self, transport: WSTransport) -> None:
        self._transport = transport
        peer = transport.underlying_transport.get_extra_info("peername")
        self.address: str = peer[0] if peer else ""

    def send(self, message: bytes) -> None:
        """Write one text message."""
        if not self._transport.is_disconnected and not self._transport.is_close_frame_sent:
            self._transport.send(WSMsgType.TEXT, message)

    def unread_bytes(self) -> int:
        """How much was written and not taken yet."""
        count: int = self._transport.underlying_transport.get_write_buffer_size()
        return count

    def pause(self) -> None:
        """Read no more for now."""
        self._transport.underlying_transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._transport.underlying_transport.is_closing():
            self._transport.underlying_transport.resume_reading()

    def close(self) -> None:
        """End the connection, what was written first."""
        self._transport.send_close(WSCloseCode.POLICY_VIOLATION)
        self._transport.disconnect()

    def abort(self) -> None:
        """End the connection at once; what was not taken yet is dropped."""
        self._transport.disconnect(graceful=False)


class WebSocketRoute(msgspec.Struct, frozen=True):
    """Who answers a path.

    Attributes:
        begin: makes the conversation with a new peer.
        connections_max: more are refused.
        message_bytes_max: a longer message ends its connection.
    """

    begin: Callable[[WebSocketPeer], Conversation]
    connections_max: int
    message_bytes_max: int


class _Listener(WSListener):
    """One connection."""

    def __init__(self, server: "WebSocketServer", path: str, route: WebSocketRoute) -> None:
        super().__init__()
        self._server = server
        self._path = path
        self._route = route
        self._transport: WSTransport | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._conversation: Conversation | None = None
        self._parts: list[bytes] = []
        self._parts_bytes = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin the conversation."""
        self._transport = transport
        self._server.transports.add(transport)
        self._conversation = self._route.begin(WebSocketPeer(transport))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Hand over a message once it is whole."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._receive(transport, frame)

    def _receive(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        self._parts_bytes += len(payload)
        if self._parts_bytes > self._route.message_bytes_max:
            transport.send_close(WSCloseCode.MESSAGE_TOO_BIG)
            transport.disconnect()
            return
        if not frame.fin:
            self._parts.append(payload)
            return
        message = b"".join([*self._parts, payload]) if self._parts else payload
        self._parts.clear()
        self._parts_bytes = 0
        if self._conversation is not None:
            self._conversation.receive_message(message)

    def pause_writing(self) -> None:
        """The peer reads too slowly; it has a while to catch up."""
        if self._transport is not None and self._unread_timer is None:
            loop = asyncio.get_running_loop()
            self._unread_timer = loop.call_later(UNREAD_S_MAX, self._end_unread)

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _end_unread(self) -> None:
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the connection."""
        self.resume_writing()
        self._server.transports.discard(transport)
        self._server.leave(self._path)
        if self._conversation is not None:
            self._conversation.end()


class WebSocketServer:
    """The listening port."""

    def __init__(self, routes: Mapping[str, WebSocketRoute]) -> None:
        """Take routes by path, without query; `/` is one too."""
        self._routes = routes
        self._counts = dict.fromkeys(routes, 0)
        self._server: asyncio.Server | None = None
        self.transports: set[WSTransport] = set()
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""
        frame_bytes_max = max(route.message_bytes_max for route in self._routes.values())
        self._server = await ws_create_server(
            self._listener,
            host,
            port,
            websocket_handshake_timeout=HANDSHAKE_S_MAX,
            enable_auto_ping=True,
            auto_ping_idle_timeout=PING_IDLE_S,
            auto_ping_reply_timeout=PONG_S_MAX,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            max_frame_size=frame_bytes_max,
            use_aiofastnet=False,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is None:
            return
        self._server.close()
        for transport in list(self.transports):
            transport.send_close(WSCloseCode.GOING_AWAY)
            transport.disconnect()
        await self._server.wait_closed()

    def _listener(self, request: WSUpgradeRequest) -> _Listener | None:
        path = request.path.decode("latin-1").partition("?")[0]
        route = self._routes.get(path)
        if route is None:
            return None  # picows answers 404
        if self._counts[path] >= route.connections_max:
            log.warning("websocket_connections_full", path=path)
            return None
        self._counts[path] += 1
        return _Listener(self, path, route)

    def leave(self, path: str) -> None:
        """One connection less."""
        self._counts[path] -= 1
