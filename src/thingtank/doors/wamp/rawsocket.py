"""WAMP over RawSocket: TCP, TLS and Unix sockets.

Clients' PINGs are answered, and none are sent: Autobahn for Python, on asyncio and on Twisted, and
swampyer lose the connection over one. Whether a silent client's machine is there, TCP asks.

Source: WAMP, RawSocket Transport.
"""

import asyncio
from typing import TYPE_CHECKING

from thingtank.doors.wamp.connection import Connection, told_bytes
from thingtank.doors.wamp.transport_facts import facts_of
from thingtank.net.forwarded import UNIX
from thingtank.net.tcp_keep_alive import watch_by_tcp
from thingtank.protocols.wamp.authentication import TransportFacts
from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.rawsocket import (
    MAGIC,
    Failed,
    Opened,
    Pong,
    RawSocketConnection,
)
from thingtank.protocols.wamp.serializers import RAWSOCKET_SERIALIZERS

if TYPE_CHECKING:
    from thingtank.doors.wamp.door import WampDoor

FIRST_OCTET = MAGIC
HANDSHAKE_S_MAX = 10.0
CLOSE_S_MAX = 5.0  # until a client that is to go must have taken what was written to it


class RawSocket(asyncio.Protocol):
    """One connection; its own link."""

    def __init__(self, door: "WampDoor", transport: asyncio.Transport) -> None:
        """Wait for the handshake."""
        self._door = door
        self._transport = transport
        self._frames = RawSocketConnection(
            RAWSOCKET_SERIALIZERS,
            door.settings.message_bytes_max,
            is_full=door.is_full,
        )
        door.handshakes.add(self)
        self._connection: Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._frame_timer: asyncio.TimerHandle | None = None
        self._goes_on = False  # the frame, since the timer was set
        self._wait(HANDSHAKE_S_MAX)
        self.pause = transport.pause_reading
        self.unread_bytes = transport.get_write_buffer_size
        self.abort = transport.abort

    # --- as an asyncio protocol ---

    def data_received(self, data: bytes) -> None:
        """Take the frames that these bytes complete."""
        self._goes_on = True
        for event in self._frames.receive_data(data):
            connection = self._connection
            if type(event) is bytes:
                assert connection is not None, "no frames before the handshake"
                connection.receive(event)
            elif isinstance(event, Opened):
                self._open(event)
            elif isinstance(event, Failed):
                self._fail(event)
            else:
                assert isinstance(event, Pong)
        if self._frame_timer is None and self._frames.is_amid and self._connection is not None:
            self._watch_frame()
        replies = self._frames.data_to_send()
        if replies and not self._transport.is_closing():
            self._transport.write(replies)
            if self._connection is not None:
                self._connection.look_at_unread()

    def _open(self, opened: Opened) -> None:
        self._stop_timer()
        self._door.handshakes.discard(self)
        self._transport.set_write_buffer_limits(told_bytes(self._door.settings.unread_bytes_max))
        self._transport.write(self._frames.data_to_send())
        serializer = RAWSOCKET_SERIALIZERS[opened.serializer_id]
        self._connection = Connection(
            self._door,
            self,
            serializer,
            None,
            opened.send_bytes_max,
            self._facts(),
        )
        self._door.remember(self._connection)
        watch_by_tcp(self._transport, self._door.settings.silence_s)

    def _watch_frame(self) -> None:
        """See to it that a frame that has begun goes on: what has come of it is kept."""
        self._goes_on = False
        loop = asyncio.get_running_loop()
        silence_s = self._door.settings.silence_s
        self._frame_timer = loop.call_later(silence_s, self._look_at_frame)

    def _look_at_frame(self) -> None:
        self._frame_timer = None
        connection = self._connection
        if not self._frames.is_amid or connection is None:
            return
        if self._goes_on or connection.is_paused:
            self._watch_frame()
        else:
            self._transport.abort()

    def _facts(self) -> TransportFacts:
        peer = self._transport.get_extra_info("peername")
        address = peer[0] if isinstance(peer, tuple) else UNIX
        return facts_of(self._transport, "rawsocket", address)

    def _fail(self, failed: Failed) -> None:
        if self._connection is None:
            self._transport.write(self._frames.data_to_send())
            self.close()
        else:
            self._connection.fail(ProtocolViolation(failed.reason))

    def eof_received(self) -> bool:
        """Close: a client that says no more cannot take part."""
        return False

    def pause_writing(self) -> None:
        """The client reads too slowly; the connection looks at that by itself."""

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._connection is not None:
            self._connection.catch_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        self._door.handshakes.discard(self)
        if self._frame_timer is not None:
            self._frame_timer.cancel()
        if self._connection is not None:
            self._connection.lose()

    # --- as a link ---

    def write(self, messages: list[bytes]) -> None:
        """Write each as a frame."""
        self._frames.send_messages(messages)
        self._transport.write(self._frames.data_to_send())

    def resume(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection, what was written first, if the client takes it soon."""
        if not self._transport.is_closing():
            self._transport.close()
            self._wait(CLOSE_S_MAX)

    def _wait(self, seconds: float) -> None:
        self._stop_timer()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
