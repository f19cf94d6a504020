"""One session of Socket.IO, revision 3, 4 or 5, the server's side. It has one namespace, `/`.

```
 revisions 3, 4    opening --- the server says 40 -------------------> OPEN
 revision 5        opening --- 40 or 40{auth}, answered 40{"sid"} ---> OPEN
                   OPEN ------ 41 -----------------------------------> PARTED (Closed; nothing more)
 any --- the session of Engine.IO is closed -------------------------> closed
```

It owns its session of Engine.IO and is driven as that is (`engineio.session`): the same calls, and
its `events_received()` gives the events of `events`. Malformed packets, and packets that have no
place, end the session, as the protocol asks for.

Revisions 3 and 4 cannot be told apart from here, and read the same.

Source: Socket.IO protocol, Exchange protocol.
"""

from typing import Any, Final

import msgspec

from thingtank.protocols.engineio import session as engineio
from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.engineio.errors import BAD_REQUEST, LocalProtocolError, Refusal
from thingtank.protocols.socketio import frames
from thingtank.protocols.socketio.attachments import Reconstruction
from thingtank.protocols.socketio.bounds import Bounds
from thingtank.protocols.socketio.events import (
    AckId,
    AckReceived,
    Closed,
    Event,
    Opened,
    SocketEvent,
)
from thingtank.protocols.socketio.json_values import NotJson, decode, decode_with
from thingtank.protocols.socketio.packets import (
    MalformedPacket,
    Packet,
    PacketType,
    parse_packet,
)

_ARGS: Final = msgspec.json.Decoder(list[Any])
_PLAIN_EVENT: Final = b"42["
_US_PER_S: Final = 1_000_000


class Session:
    """One session.

    Attributes:
        engine: its session of Engine.IO.
        socket_id: what `identify` calls it, and revision 5 its `sid`.
        is_open: events can be sent.
        frame_event: see `events.SocketSession`.
    """

    __slots__ = (
        "_bounds",
        "_connect_due_us",
        "_events",
        "_has_closed",
        "_reconstruction",
        "engine",
        "is_open",
        "socket_id",
    )

    frame_event = staticmethod(frames.frame_event)

    def __init__(
        self, engine: engineio.Session, socket_id: str, now_us: int, bounds: Bounds
    ) -> None:
        """Begin on a session of Engine.IO that has just been made.

        Args:
            socket_id: random, of letters that need no escapes in JSON; not the session's sid,
                which is a secret of the client's.
        """
        self.engine = engine
        self.socket_id = socket_id
        self.is_open = False
        self._bounds = bounds
        self._events: list[SocketEvent] = []
        self._has_closed = False
        self._reconstruction: Reconstruction | None = None
        self._connect_due_us: int | None = None
        if engine.revision < 4:
            engine.send_packet(frames.CONNECT)
            self._open(None)
        else:
            self._connect_due_us = now_us + bounds.connect_s_max * _US_PER_S

    # What the client does.

    def receive_text(self, frame: bytes, now_us: int) -> None:
        """Take a text frame of its WebSocket, also of one that is to replace polling."""
        engine = self.engine
        if (
            self.is_open
            and frame[:3] == _PLAIN_EVENT
            and self._reconstruction is None
            and engine.accepts(frame)
        ):
            engine.heard_us = now_us
            try:
                self._events.append(_event(_decoded_args(frame[2:]), None))
            except MalformedPacket:
                self._fail()
        else:
            engine.receive_text(frame, now_us)
            self._take_messages(now_us)

    def receive_binary(self, frame: bytes, now_us: int) -> None:
        """Take a binary frame, as `receive_text` does."""
        self.engine.receive_binary(frame, now_us)
        self._take_messages(now_us)

    def receive_payload(self, body: bytes, now_us: int, *, is_binary: bool) -> Refusal | None:
        """Take the body of a POST; see `engineio.session`."""
        refusal = self.engine.receive_payload(body, now_us, is_binary=is_binary)
        if not self._take_messages(now_us) and refusal is None:
            return BAD_REQUEST
        return refusal

    def open_poll(self) -> Refusal | None:
        """Take a GET; see `engineio.session`."""
        refusal = self.engine.open_poll()
        self._take_closed()
        return refusal

    def lose_poll(self) -> None:
        """See `engineio.session`."""
        self.engine.lose_poll()

    def begin_upgrade(self, now_us: int) -> Refusal | None:
        """Take a WebSocket for a session that polls; see `engineio.session`."""
        return self.engine.begin_upgrade(now_us)

    def lose_websocket(self) -> None:
        """Its WebSocket has ended; see `engineio.session`."""
        self.engine.lose_websocket()
        self._take_closed()

    # What the server does.

    def send_event(self, name: bytes, args_json: bytes, ack: AckId | None = None) -> None:
        """Send one event; see `events.SocketSession`."""
        if ack is None:
            self.send_frame(frames.frame_event(name, args_json))
        else:
            self.send_frame(frames.frame_event_with_ack(name, args_json, ack))

    def send_ack(self, ack: AckId, args_json: bytes) -> None:
        """Acknowledge an event of the client, with n >= 0 values in JSON."""
        self.send_frame(frames.frame_ack(ack, args_json))

    def send_frame(self, frame: bytes) -> None:
        """Send an event that `frame_event` has made. It is lost if the session has ended."""
        if self.is_open:
            self.engine.send_packet(frame)
            self._take_closed()
        elif not self._has_closed:
            raise LocalProtocolError("nothing is sent before Opened")

    def close(self, reason: CloseReason = CloseReason.SERVER, *, may_return: bool = False) -> None:
        """End it. Clients come back by themselves only if they may."""
        if self.is_open and not may_return:
            self.engine.send_packet(frames.DISCONNECT)
        self.engine.close(reason)
        self._take_closed()

    # What the driver asks.

    @property
    def is_direct(self) -> bool:
        """Whether frames may go to the WebSocket past `send_frame`: none waits before them."""
        return self.is_open and self.engine.is_direct

    @property
    def has_websocket(self) -> bool:
        """Whether its WebSocket, if there is one, is to stay open."""
        return self.engine.has_websocket

    @property
    def is_drained(self) -> bool:
        """Whether all that there was to say has been taken."""
        return self.engine.is_drained

    @property
    def is_over(self) -> bool:
        """Whether it can be forgotten."""
        return self.engine.is_over

    @property
    def payload_type(self) -> str:
        """The content type of what `take_payload` returns."""
        return self.engine.payload_type

    def events_received(self) -> list[SocketEvent]:
        """What has happened since it was last asked."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> list[bytes]:
        """Text frames for its WebSocket, once."""
        return self.engine.data_to_send()

    def take_payload(self) -> bytes | None:
        """The body that answers the poll that is held; None if none is, or nothing waits."""
        return self.engine.take_payload()

    def next_due_us(self) -> int | None:
        """When `take_due` is to be called; None for never."""
        due_us = self.engine.next_due_us()
        if due_us is None or self._connect_due_us is None:
            return due_us
        return min(due_us, self._connect_due_us)

    def take_due(self, now_us: int) -> None:
        """Ping, or end what has been waited for long enough."""
        if self._connect_due_us is not None and now_us >= self._connect_due_us:
            self._connect_due_us = None
            self.engine.close(CloseReason.NOT_CONNECTED)
        self.engine.take_due(now_us)
        self._take_closed()

    # Its own.

    def _take_messages(self, now_us: int) -> bool:
        """Read what Engine.IO has brought, in order; False if it made no sense."""
        for event in self.engine.events_received():
            if isinstance(event, engineio.Closed):
                self._end(event.reason)
                continue
            try:
                self._take_message(event, now_us)
            except MalformedPacket:
                self._fail()
                return False
        return True

    def _take_closed(self) -> None:
        """See whether Engine.IO has closed; messages do not come of what was done."""
        for event in self.engine.events_received():
            assert isinstance(event, engineio.Closed)
            self._end(event.reason)

    def _take_message(self, message: engineio.Message, now_us: int) -> None:
        if self._has_closed:
            return
        if message.is_binary:
            self._take_attachment(message.data)
        elif self._reconstruction is not None:
            raise MalformedPacket("text where an attachment is due")
        else:
            self._take_packet(parse_packet(message.data), now_us)

    def _take_packet(self, packet: Packet, now_us: int) -> None:
        match packet.type:
            case PacketType.CONNECT:
                self._take_connect(packet)
            case PacketType.DISCONNECT:
                if packet.namespace == b"/":
                    self._part(now_us)
            case PacketType.CONNECT_ERROR:
                raise MalformedPacket("only the server refuses")
            case _:
                self._take_args(packet)

    def _take_connect(self, packet: Packet) -> None:
        is_old = self.engine.revision < 4
        if packet.namespace != b"/":
            self.engine.send_packet(frames.frame_refusal(packet.namespace, is_old=is_old))
        elif is_old:
            return  # it was connected from the start
        elif self.is_open:
            raise MalformedPacket("connected already")
        else:
            auth = _decoded(packet.data_json) if packet.data_json else None
            if auth is not None and not isinstance(auth, dict):
                raise MalformedPacket("auth that is no object")
            self._connect_due_us = None
            self.engine.send_packet(frames.frame_connect(self.socket_id))
            self._open(auth)

    def _take_args(self, packet: Packet) -> None:
        if packet.namespace != b"/":
            if self.engine.revision < 4:
                return  # as the servers of their time
            raise MalformedPacket("not connected to this namespace")
        if not self.is_open:
            raise MalformedPacket("not connected")
        if packet.attachments_count == 0:
            self._give_args(packet, _decoded_args(packet.data_json))
            return
        if packet.attachments_count > self._bounds.attachments_max:
            raise MalformedPacket("too many attachments")
        args = _decoded_args(packet.data_json)
        self._reconstruction = Reconstruction(packet, args, self._bounds.attachment_bytes_max)

    def _take_attachment(self, data: bytes) -> None:
        reconstruction = self._reconstruction
        if reconstruction is None:
            raise MalformedPacket("an attachment of nothing")
        reconstruction.add(data)
        if reconstruction.is_whole:
            self._reconstruction = None
            self._give_args(reconstruction.packet, reconstruction.args())

    def _give_args(self, packet: Packet, args: list[Any]) -> None:
        if packet.type in (PacketType.EVENT, PacketType.BINARY_EVENT):
            self._events.append(_event(args, packet.ack))
        elif packet.ack is None:
            raise MalformedPacket("an acknowledgement of nothing")
        else:
            self._events.append(AckReceived(packet.ack, args))

    def _open(self, auth: Any) -> None:
        self.is_open = True
        self._events.append(Opened(auth))

    def _part(self, now_us: int) -> None:
        """The client has left the only namespace; what carries it is the client's to close."""
        self._end(CloseReason.CLIENT_LEFT)
        self._connect_due_us = now_us + self._bounds.connect_s_max * _US_PER_S

    def _fail(self) -> None:
        self.engine.drop(CloseReason.MALFORMED)
        self._end(CloseReason.MALFORMED)

    def _end(self, reason: CloseReason) -> None:
        self.is_open = False
        self._reconstruction = None
        self._connect_due_us = None
        if not self._has_closed:
            self._has_closed = True
            self._events.append(Closed(reason))


def _decoded(data_json: bytes) -> Any:
    try:
        return decode(data_json)
    except NotJson:
        raise MalformedPacket("no JSON within the bounds") from None


def _decoded_args(data_json: bytes) -> list[Any]:
    try:
        return decode_with(_ARGS, data_json)
    except NotJson:
        raise MalformedPacket("no array in JSON within the bounds") from None


def _event(args: list[Any], ack: AckId | None) -> Event:
    name = args.pop(0) if args else None
    if type(name) is str:
        return Event(name, args, ack)
    if type(name) is int:  # JavaScript lets numbers be names
        return Event(str(name), args, ack)
    raise MalformedPacket("an event without a name")
