"""Xively's TCP socket: JSON objects one behind the other, with or without line feeds.

Source: Xively API v2, sockets (port 8081).
"""

import asyncio
from collections import deque
from typing import cast

import structlog

from thingtank.doors.xively.sockets import UNREAD_S_MAX, SocketDoor, SocketSession
from thingtank.protocols.xively.socket_messages import MalformedMessage, MessageSplitter

log = structlog.get_logger()


class Turns:
    """Numbers the turns of the loop in which something was written; one handle for each of them."""

    def __init__(self) -> None:
        self.number = 1
        self._next: asyncio.Handle | None = None

    def mark(self) -> int:
        """This turn's number; the next turn has another."""
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._begin)
        return self.number

    def _begin(self) -> None:
        self.number += 1
        self._next = None


class TcpConnection(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: "TcpSocket") -> None:
        self._server = server
        self._door = server.door
        self._transport: asyncio.Transport | None = None
        self._session: SocketSession | None = None
        self._splitter = MessageSplitter(self._door.tank.limits.request_bytes_max)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._written_in_turn = 0
        self._turn: asyncio.Handle | None = None  # to come, for what waits
        self._greeting_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self.address = ""

    # --- as an asyncio protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self._server.connections) >= self._door.settings.connections_max:
            self._transport.abort()
            return
        self._server.connections.add(self)
        self.address = (transport.get_extra_info("peername") or ("",))[0]
        self._session = self._door.session(self, "xively_tcp")
        loop = asyncio.get_running_loop()
        self._greeting_timer = loop.call_later(
            self._door.settings.greeting_s_max, self._end_silence
        )

    def data_received(self, data: bytes) -> None:
        """Take requests apart and answer them."""
        session = self._session
        if session is None:
            return
        try:
            for message in self._splitter.receive_data(data):
                session.receive_message(message)
                if not session.is_reading:
                    break  # the splitter keeps the rest for `resume`
        except MalformedMessage as error:
            session.refuse(error)

    def eof_received(self) -> bool:
        """Let a client that has said all read its answers; those that come, and no pushes."""
        if self._session is None:
            return False
        self._session.finish()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._server.connections.discard(self)
        if self._session is not None:
            self._session.end()
        for timer in (self._greeting_timer, self._unread_timer, self._turn):
            if timer is not None:
                timer.cancel()
        self._drop_waiting()

    def pause_writing(self) -> None:
        """The peer reads too slowly; it has a while to catch up."""
        if self._transport is not None and self._unread_timer is None:
            loop = asyncio.get_running_loop()
            self._unread_timer = loop.call_later(UNREAD_S_MAX, self._transport.abort)

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _end_silence(self) -> None:
        if self._session is not None and not self._session.has_spoken:
            self.close()

    # --- as a peer ---

    def send(self, message: bytes) -> None:
        """Write one message; the next of the same turn waits for another.

        One client takes what it reads at once for one message, so that two may not leave together.
        """
        transport, turns = self._transport, self._server.turns
        if transport is None or transport.is_closing():
            return
        if self._written_in_turn != turns.number and not self._waiting:
            transport.write(message)
            self._written_in_turn = turns.mark()
        else:
            self._waiting.append(message)
            self._waiting_bytes += len(message)
            if self._turn is None:
                self._turn = asyncio.get_running_loop().call_soon(self._send_next)

    def _send_next(self) -> None:
        self._turn = None
        if not self._waiting or self._transport is None or self._transport.is_closing():
            return
        message = self._waiting.popleft()
        self._waiting_bytes -= len(message)
        self._transport.write(message)
        self._written_in_turn = self._server.turns.mark()
        if self._waiting:
            self._turn = asyncio.get_running_loop().call_soon(self._send_next)

    def unread_bytes(self) -> int:
        """How much was written and not taken yet."""
        if self._transport is None:
            return 0
        size: int = self._transport.get_write_buffer_size()
        return size + self._waiting_bytes

    def _drop_waiting(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0

    def pause(self) -> None:
        """Read no more for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self.data_received(b"")  # what came in one piece with what made us pause
        if (
            self._transport is not None
            and self._session is not None
            and self._session.is_reading
            and not self._transport.is_closing()
        ):
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection, what was written first."""
        if self._transport is None:
            return
        for message in self._waiting:
            self._transport.write(message)
        self._drop_waiting()
        self._transport.close()

    def abort(self) -> None:
        """End the connection at once; what was not taken yet is dropped."""
        if self._transport is not None:
            self._drop_waiting()
            self._transport.abort()


class TcpSocket:
    """The listening port and its connections."""

    def __init__(self, door: SocketDoor) -> None:
        self.door = door
        self.connections: set[TcpConnection] = set()
        self.turns = Turns()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: TcpConnection(self), host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            self._server.close()
            for connection in list(self.connections):
                connection.close()
            await self._server.wait_closed()
