"""A client of socket.io: drives one session over a WebSocket, polls, or polls and then a WebSocket.

Frames for many clients are made once, down to the WebSocket's own header, and written once a turn
of the loop with what else is for the same client.
"""

import asyncio
import math
from abc import abstractmethod
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import msgspec

from thingtank.doors.skynet.errors import RateLimited
from thingtank.doors.skynet.sockets.client import Arrival, Client
from thingtank.doors.skynet.sockets.events.table import answer_event
from thingtank.doors.skynet.sockets.relays import RELAYS_MAX, Relay
from thingtank.net.websocket import WebSocketPeer, text_frame
from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.socketio import frames
from thingtank.protocols.socketio import session as socketio
from thingtank.protocols.socketio.events import (
    AckId,
    AckReceived,
    Closed,
    Event,
    FrameEvent,
    Opened,
    SocketEvent,
    SocketSession,
)
from thingtank.protocols.socketio.legacy import frames as legacy_frames
from thingtank.protocols.socketio.legacy import session as legacy
from thingtank.tank.messaging.messages import Message
from thingtank.tank.messaging.switchboard import Delivery, Replied

if TYPE_CHECKING:
    from thingtank.doors.skynet.sockets.door import SkynetSockets

_encode = msgspec.json.encode


class Poll(Protocol):
    """A GET that waits for its answer."""

    def answer(self, body: bytes) -> None:
        """Answer it."""

    def is_gone(self) -> bool:
        """Whether nobody waits for the answer any more."""


class _Session(SocketSession, Protocol):
    """What is asked of a session whatever its wire."""

    @property
    def has_websocket(self) -> bool:
        """Whether its WebSocket, if there is one, is to stay open."""

    @property
    def is_drained(self) -> bool:
        """Whether all that there was to say has been taken."""

    def receive_text(self, frame: bytes, now_us: int) -> None:
        """Take a text frame of its WebSocket."""

    def receive_binary(self, frame: bytes, now_us: int) -> None:
        """Take a binary frame."""

    def lose_poll(self) -> None:
        """The connection of the poll that is held was lost."""

    def lose_websocket(self) -> None:
        """Its WebSocket has ended."""


class _Wire(msgspec.Struct, frozen=True):
    """How messages are framed for all clients of one wire.

    Attributes:
        text, direct: names of what is made for sessions, and with the header of a WebSocket.
    """

    text: str
    direct: str
    is_legacy: bool
    frame_event: FrameEvent

    def text_of(self, message: Message) -> bytes:
        """A message for `send_frame`."""
        encoded = message.encoded("legacy" if self.is_legacy else "modern")
        return self.frame_event(b"message", encoded)

    def direct_of(self, message: Message) -> bytes:
        """A message for a WebSocket, past the session."""
        return text_frame(message.framed(self.text, self.text_of))


class SocketioClient(Client):
    """One client.

    Attributes:
        session: its own, of whichever wire.
    """

    __slots__ = (
        "_ack_count",
        "_is_handed",
        "_poll",
        "_relays",
        "_taken",
        "_warned_us",
        "session",
    )

    wire: ClassVar[_Wire]
    session: _Session

    def __init__(self, sockets: "SkynetSockets", socket_id: str, arrival: Arrival) -> None:
        super().__init__(sockets, socket_id, arrival)
        self._poll: Poll | None = None
        self._taken: asyncio.Future[bool] | None = None
        self._is_handed = False
        self._relays: OrderedDict[AckId, Replied] | None = None
        self._ack_count = 0
        self._warned_us = 0

    # --- its transports ---

    def open_peer(self, peer: WebSocketPeer) -> None:
        """A WebSocket has come for it, and was found right."""
        self._peer = peer

    def lose_peer(self, peer: WebSocketPeer) -> None:
        """A WebSocket has ended."""
        if self._peer is peer:
            self._peer = None
            self._out.clear()
            self.session.lose_websocket()
            self.pump()

    def receive_frame(self, frame: bytes, is_text: bool) -> None:
        """Its WebSocket has brought something."""
        session = self.session
        if is_text:
            session.receive_text(frame, self.door.now_us())
        else:
            session.receive_binary(frame, self.door.now_us())
        self.pump()

    def hold_poll(self, poll: Poll) -> None:
        """Answer a poll as soon as there is something; the session knows of it."""
        if self._is_handed:
            self._tell_taken(True)  # the answer to the one before has arrived
        self._poll = poll
        self.pump()

    def lose_poll(self, poll: Poll | None = None) -> None:
        """Nobody waits any more for the answer of a poll, or of the one that is held."""
        if self._poll is not None and (poll is None or self._poll is poll):
            self._poll = None
            self.session.lose_poll()

    @property
    def held_poll(self) -> Poll | None:
        """The poll that waits for an answer; not one whose peer has gone."""
        if self._poll is not None and self._poll.is_gone():
            self.lose_poll()
        return self._poll

    @property
    @abstractmethod
    def sid(self) -> str:
        """The session's id, which only its client knows."""

    def pump(self) -> None:
        """Take from the session what has come, and send what it has to say."""
        session = self.session
        for event in session.events_received():
            self._take_event(event)
        if self._poll is None and session.is_direct:
            self._tell_taken(True)
            return
        if self._peer is not None:
            for frame in session.data_to_send():
                self.write(text_frame(frame))
            if not session.has_websocket:
                self._close_peer()
        if self._poll is not None:
            self._answer_poll()
        if session.is_over:
            self.sockets.drop(self)
        elif self._poll is None and session.is_direct:
            self._tell_taken(True)  # what waited for the change to the WebSocket went there

    def _answer_poll(self) -> None:
        poll = self.held_poll
        if poll is not None:
            body = self.session.take_payload()
            if body is not None:
                self._poll = None
                poll.answer(body)
                self._is_handed = self._taken is not None and self.session.is_drained

    async def has_taken(self) -> bool:
        """Wait until what it was sent is on its way to it; False if it left before.

        What answers a poll has arrived when the client polls again.
        """
        if self.is_over or self.session.is_direct:
            return not self.is_over
        assert self._taken is None, "what it asks is done one after another"
        self._taken = asyncio.get_running_loop().create_future()
        self._is_handed = self.session.is_drained
        return await self._taken

    def _tell_taken(self, is_taken: bool) -> None:
        taken, self._taken = self._taken, None
        self._is_handed = False
        if taken is not None:
            taken.set_result(is_taken)

    def leave(self) -> None:
        """Its connection is gone."""
        super().leave()
        self._tell_taken(False)

    def _take_event(self, event: SocketEvent) -> None:
        if type(event) is Event or isinstance(event, Opened):
            self.take(event)
        elif isinstance(event, AckReceived):
            relay = None if self._relays is None else self._relays.pop(event.ack, None)
            if relay is not None:
                relay(event.args[0] if event.args else None)
        else:
            assert isinstance(event, Closed)
            self.leave()
            self.sockets.deadlines.watch(self)

    # --- what it is sent ---

    def deliver(self, delivery: Delivery) -> None:
        """Take what the switchboard has for it."""
        message = delivery.message
        if self.is_over:
            return
        if message is None:
            self.emit_record(delivery)
        elif delivery.reply is not None and self.is_legacy:
            self._ask_for_reply(message, delivery.reply)
        elif message.event != "message":
            self.emit_message(message)
        elif self.wants_payload_only(delivery):
            self.emit_json(b"message", message.encoded_payload())
        elif self.session.is_direct:
            wire = self.wire
            self.write(message.framed(wire.direct, wire.direct_of))
        else:
            self.session.send_frame(message.framed(self.wire.text, self.wire.text_of))
            self.pump()

    def _ask_for_reply(self, message: Message, reply: Replied) -> None:
        if self._relays is None:
            self._relays = OrderedDict()
        self._ack_count += 1
        ack = AckId(self._ack_count)
        self._relays[ack] = reply
        if len(self._relays) > RELAYS_MAX:
            self._relays.popitem(last=False)
        if isinstance(reply, Relay):
            reply.is_taken = True
        self.session.send_event(message.event.encode(), self.message_json(message), ack)
        self.pump()

    def emit_json(self, name: bytes, args_json: bytes) -> None:
        """Send one event."""
        if self.session.is_open:
            self.session.send_event(name, args_json)
            self.pump()

    def acknowledge(self, ack: AckId, args: tuple[Any, ...]) -> None:
        """Acknowledge an event, with values."""
        if self.session.is_open:
            self.session.send_ack(ack, self._ack_json(b",".join([_encode(arg) for arg in args])))
            self.pump()

    def _ack_json(self, args_json: bytes) -> bytes:
        return args_json

    # --- as a client ---

    def finish(self) -> None:
        """End the connection, what was sent first; the client is not to come back by itself."""
        self.session.close(CloseReason.SERVER)
        self.pump()

    def let_go(self) -> None:
        """End the connection, what was sent first; the client may come back by itself."""
        self.session.close(CloseReason.SERVER, may_return=True)
        self.pump()

    def next_due_us(self) -> int | None:
        """When `take_due` is to be called."""
        return self.session.next_due_us()

    def take_due(self, now_us: int) -> None:
        """Send heartbeats, end what has been waited for long enough."""
        self.session.take_due(now_us)
        self.pump()

    # --- what it asks ---

    async def _answer(self, asked: Any) -> None:
        if isinstance(asked, Opened):
            await self._greet()
            return
        args = await answer_event(self, asked)
        if asked.ack is not None and args is not None:
            self.acknowledge(asked.ack, args)

    async def _greet(self) -> None:
        try:
            await self.door.rates.count("connections", self.party)
        except RateLimited as error:
            self.emit("notReady", too_many_connections(error))
            self.finish()
        else:
            self.emit("identify", {"socketid": self.socket_id})

    def warn_of_rate(self, error: RateLimited) -> None:
        """Tell who asks for no acknowledgement that it asks too often; once a second."""
        now_us = self.door.now_us()
        if now_us >= self._warned_us + 1_000_000:
            self._warned_us = now_us
            told = {"code": 429, "message": "Too Many Requests", "retryAfter": error.retry_after_s}
            self.emit("ratelimited", told)


def too_many_connections(error: RateLimited) -> dict[str, Any]:
    """What who connects too often is told; Meshblu's client looks at the code."""
    return {
        "api": "connect",
        "status": 429,
        "error": {
            "message": "Rate Limit Exceeded",
            "code": 429,
            "retryAfter": math.ceil(error.retry_after_s * 1000) / 1000,
        },
    }


class EngineClient(SocketioClient):
    """A client of socket.io 1.0 and later, over Engine.IO."""

    __slots__ = ()

    wire = _Wire("socket.io", "socket.io in a frame", False, frames.frame_event)
    session: socketio.Session

    @property
    def sid(self) -> str:
        """The session's id."""
        return self.session.engine.sid


class LegacyClient(SocketioClient):
    """A client of socket.io 0.9."""

    __slots__ = ()

    is_legacy = True
    wire = _Wire("socket.io 0.9", "socket.io 0.9 in a frame", True, legacy_frames.frame_event)
    session: legacy.Session

    @property
    def sid(self) -> str:
        """The session's id."""
        return self.session.sid

    def _ack_json(self, args_json: bytes) -> bytes:
        # Its JavaScript client reads acknowledgements by a pattern that ends at these two.
        if b"\xe2\x80" in args_json:
            args_json = args_json.replace(b"\xe2\x80\xa8", rb"\u2028")
            args_json = args_json.replace(b"\xe2\x80\xa9", rb"\u2029")
        return args_json
