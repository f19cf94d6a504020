"""One session of socket.io 0.9, the server's side, over one WebSocket or long polling.

```
                open_websocket(), open_poll()
 handshaken ----------------------------------> OPEN: the server says 1::
 any --- 0::, time is up, lost, too much, close() ---> closed
```

It is driven as one of Engine.IO is (`engineio.session`): after each call, ask `events_received()`,
`data_to_send()` (and close the WebSocket behind it unless `has_websocket`) and, if a poll is being
held, `take_payload()`; call `take_due` when `next_due_us()` has come, which is to be asked at the
start, after `take_due`, `open_websocket`, `open_poll`, and when Closed has come.

Heartbeats are of WebSockets only; a client that polls is there as long as it polls again in time.
Packets that cannot be read are ignored, as the original did, but the client is told (`7:::+`).

A transport is for good: a session that has a WebSocket answers polls with `7:::1+0`, and the client
shakes hands anew.
"""

from typing import Any, Final

import msgspec

from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.engineio.errors import LocalProtocolError
from thingtank.protocols.engineio.heartbeats import Step, next_step
from thingtank.protocols.engineio.outgoing import Outgoing
from thingtank.protocols.engineio.session import Transport
from thingtank.protocols.socketio.events import (
    AckId,
    AckReceived,
    Closed,
    Event,
    Opened,
    SocketEvent,
)
from thingtank.protocols.socketio.json_values import NotJson, decode, decode_with
from thingtank.protocols.socketio.legacy import frames
from thingtank.protocols.socketio.legacy.bounds import Bounds
from thingtank.protocols.socketio.legacy.packets import (
    MalformedPacket,
    Packet,
    PacketType,
    parse_ack,
    parse_packet,
)
from thingtank.protocols.socketio.legacy.payloads import parse_payload, serialize_payload

_PLAIN_EVENT: Final = b"5:::{"
_US_PER_S: Final = 1_000_000


class _EventJson(msgspec.Struct, gc=False):
    name: str
    args: Any = None


_EVENT: Final = msgspec.json.Decoder(_EventJson)
_ARGS: Final = msgspec.json.Decoder(list[Any])


class Session:
    """One session, from its handshake on.

    Attributes:
        sid: its id.
        socket_id: what `identify` calls it; not the sid, which is a secret of the client's.
        transport: None until it is open.
        is_open: events can be sent.
        is_closed: nothing is received or can be sent any more.
        frame_event: see `events.SocketSession`.
    """

    __slots__ = (
        "_beaten_us",
        "_bounds",
        "_due_us",
        "_events",
        "_heard_us",
        "_is_away",
        "_is_lingering",
        "_is_polled",
        "_waiting",
        "is_closed",
        "is_open",
        "sid",
        "socket_id",
        "transport",
    )

    frame_event = staticmethod(frames.frame_event)

    def __init__(self, sid: str, socket_id: str, now_us: int, bounds: Bounds) -> None:
        """Shake hands: a transport is to come.

        Args:
            sid: random, of letters that need no escapes in a path; no colons.
        """
        self.sid = sid
        self.socket_id = socket_id
        self.transport: Transport | None = None
        self.is_open = False
        self.is_closed = False
        self._bounds = bounds
        self._is_polled = False
        self._is_away = False
        self._is_lingering = False
        self._heard_us = self._beaten_us = now_us
        self._events: list[SocketEvent] = []
        self._waiting = Outgoing(bounds.queue_bytes_max)
        self._due_us = now_us + bounds.close_timeout_s * _US_PER_S

    # What the client does.

    def open_websocket(self, now_us: int) -> bool:
        """A WebSocket comes for it.

        Returns:
            False if it has a transport already, or is closed: send NOT_HANDSHAKEN and close.
        """
        if self.is_closed or self.transport is not None:
            return False
        self._open(Transport.WEBSOCKET)
        self._heard_us = self._beaten_us = now_us
        self._due_us = now_us + self._bounds.heartbeat_interval_s * _US_PER_S
        return True

    def open_poll(self, now_us: int) -> bool:
        """A GET asks for what waits: `take_payload` has its answer, now or later.

        A poll that is being held already is to be answered by NOOP before: the new one replaces it.

        Returns:
            False if it has a WebSocket, or is closed: answer NOT_HANDSHAKEN.
        """
        if self.is_closed and not self._waiting:
            return False
        if self.transport is Transport.WEBSOCKET:
            return False
        if self.transport is None:
            self._open(Transport.POLLING)
        self._is_polled = True
        self._is_away = False
        if not self.is_closed:
            self._due_us = now_us + self._bounds.poll_s_max * _US_PER_S
        return True

    def lose_poll(self) -> None:
        """The connection of the poll that is held was lost; the client may poll again."""
        self._is_polled = False

    def receive_text(self, frame: bytes, now_us: int) -> None:
        """Take a text frame of its WebSocket."""
        if self.is_closed:
            return
        self._heard_us = now_us
        if len(frame) > self._bounds.payload_bytes_max:
            self._drop(CloseReason.TOO_LONG)
        elif frame[:5] == _PLAIN_EVENT:
            self._take_plain_event(frame)
        else:
            self._receive(frame)

    def receive_binary(self, frame: bytes, now_us: int) -> None:
        """Take a binary frame; there is none in this protocol."""
        self.receive_text(b"", now_us)

    def receive_payload(self, body: bytes, now_us: int) -> bool:
        """Take the body of a POST. That of jsonp-polling is `parse_jsonp_post` of it.

        Returns:
            False if it has a WebSocket, or is closed: answer NOT_HANDSHAKEN; else TAKEN.
        """
        if self.is_closed or self.transport is Transport.WEBSOCKET:
            return False
        if len(body) > self._bounds.payload_bytes_max:
            self._drop(CloseReason.TOO_LONG)
            return False
        self._heard_us = now_us
        if self.transport is None:
            self._open(Transport.POLLING)
        try:
            packets = parse_payload(body, self._bounds.payload_packets_max)
        except MalformedPacket:
            self.refuse_packet()
            return True
        for packet in packets:
            if not self.is_closed:
                self._receive(packet)
        return True

    def receive_disconnect(self) -> None:
        """A request with `disconnect` in its query says that the client leaves."""
        self._leave()

    def lose_websocket(self) -> None:
        """Its WebSocket has ended."""
        if self.transport is Transport.WEBSOCKET:
            self._drop(CloseReason.TRANSPORT_LOST)
            self._waiting.take()

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
            self._send(frame)
        elif not self.is_closed:
            raise LocalProtocolError("nothing is sent before Opened")

    def refuse_packet(self) -> None:
        """Tell the client that something of it cannot be read."""
        self._send(frames.NOT_READABLE)

    def close(self, reason: CloseReason = CloseReason.SERVER, *, may_return: bool = False) -> None:
        """End it. Clients come back by themselves only if they may."""
        if self.is_closed:
            return
        if self.is_open and not may_return:
            self._waiting.put(frames.DISCONNECT)
        self._close(reason)

    # What the driver asks.

    @property
    def is_direct(self) -> bool:
        """Whether frames may go to the WebSocket past `send_frame`: none waits before them."""
        return self.is_open and self.transport is Transport.WEBSOCKET and not self._waiting

    @property
    def has_websocket(self) -> bool:
        """Whether its WebSocket, if there is one, is to stay open."""
        return self.transport is Transport.WEBSOCKET and not self.is_closed

    @property
    def is_drained(self) -> bool:
        """Whether all that there was to say has been taken."""
        return not self._waiting

    @property
    def is_over(self) -> bool:
        """Whether it can be forgotten: it is closed, and has nothing more to say."""
        return self.is_closed and not self._waiting and not self._is_polled

    def events_received(self) -> list[SocketEvent]:
        """What has happened since it was last asked."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> list[bytes]:
        """Text frames for the WebSocket, once."""
        return self._waiting.take() if self.transport is Transport.WEBSOCKET else []

    def take_payload(self) -> bytes | None:
        """The body that answers the poll that is held; None if none is, or nothing waits.

        For jsonp-polling it is still to be wrapped.
        """
        if not self._is_polled:
            return None
        packets = self._waiting.take()
        if not packets:
            if not self.is_closed:
                return None
            packets = [frames.NOOP]
        self._is_polled = False
        return serialize_payload(packets)

    def next_due_us(self) -> int | None:
        """When `take_due` is to be called; None for never."""
        return None if self.is_over else self._due_us

    def take_due(self, now_us: int) -> None:
        """Send a heartbeat or noop, or end what has been waited for long enough."""
        if now_us < self._due_us:
            return
        if self.is_closed:
            self._linger(now_us)
        elif self.transport is Transport.WEBSOCKET:
            self._beat(now_us)
        elif self.transport is None:
            self._drop(CloseReason.NOT_CONNECTED)
        elif self._is_away:
            self._drop(CloseReason.TIMEOUT)
        else:
            self._await_poll(now_us)

    # Its own.

    def _open(self, transport: Transport) -> None:
        self.transport = transport
        self.is_open = True
        self._waiting.put(frames.CONNECT)
        self._events.append(Opened())

    def _take_plain_event(self, frame: bytes) -> None:
        try:
            self._events.append(_event(frame[4:], None))
        except NotJson:
            self.refuse_packet()

    def _receive(self, text: bytes) -> None:
        try:
            self._take_packet(parse_packet(text))
        except (MalformedPacket, NotJson):
            self.refuse_packet()

    def _take_packet(self, packet: Packet) -> None:
        match packet.type:
            case PacketType.HEARTBEAT | PacketType.NOOP | PacketType.ERROR:
                return
            case PacketType.DISCONNECT:
                if not packet.endpoint:
                    self._leave()
            case PacketType.CONNECT:
                is_known = not packet.endpoint
                self._send(frames.CONNECT if is_known else frames.frame_refusal(packet.endpoint))
            case PacketType.ACK:
                ack, args_json = parse_ack(packet.data)
                args = decode_with(_ARGS, args_json) if args_json else []
                self._events.append(AckReceived(ack, args))
            case _:
                self._take_message(packet)

    def _take_message(self, packet: Packet) -> None:
        if packet.id is not None and not packet.wants_data:
            self._send(frames.frame_receipt(packet.id, packet.endpoint))
        if packet.endpoint:
            return  # never connected to, as that is refused
        ack = packet.id if packet.wants_data else None
        match packet.type:
            case PacketType.EVENT:
                event = _event(packet.data, ack)
            case PacketType.JSON:
                event = Event("message", [decode(packet.data)], ack)
            case _:
                event = Event("message", [_text(packet.data)], ack)
        self._events.append(event)

    def _leave(self) -> None:
        if not self.is_closed:
            self._drop(CloseReason.CLIENT_LEFT)
            if self.transport is not None:
                self._waiting.put(frames.DISCONNECT)

    def _send(self, packet: bytes) -> None:
        if self.is_closed:
            return
        if self._waiting.has_room(packet):
            self._waiting.put(packet)
        else:
            self._drop(CloseReason.QUEUE_FULL)
            self._waiting.put(frames.DISCONNECT)

    def _drop(self, reason: CloseReason) -> None:
        """End it, and forget what waits."""
        if not self.is_closed:
            self._waiting.take()
            self._close(reason)

    def _close(self, reason: CloseReason) -> None:
        self.is_closed = True
        self.is_open = False
        self._events.append(Closed(reason))
        self._due_us = 0

    def _linger(self, now_us: int) -> None:
        """Let the last words wait for a poll for a while."""
        if self._is_lingering:
            self._waiting.take()
            self._is_polled = False
        self._is_lingering = True
        self._due_us = now_us + self._bounds.linger_s_max * _US_PER_S

    def _await_poll(self, now_us: int) -> None:
        """From here on the client has the close timeout to poll again."""
        if self._is_polled:
            self._waiting.put(frames.NOOP)
        self._is_away = True
        self._due_us = now_us + self._bounds.close_timeout_s * _US_PER_S

    def _beat(self, now_us: int) -> None:
        # Python's socketIO_client sends its own every 30 s, and does not answer.
        interval_us = self._bounds.heartbeat_interval_s * _US_PER_S
        timeout_us = self._bounds.heartbeat_timeout_s * _US_PER_S
        step, self._due_us = next_step(
            now_us, self._heard_us, self._beaten_us, interval_us, timeout_us
        )
        if step is Step.BEAT:
            self._beaten_us = now_us
            self._send(frames.HEARTBEAT)
        elif step is Step.GIVE_UP:
            self._drop(CloseReason.TIMEOUT)


def _event(data_json: bytes, ack: AckId | None) -> Event:
    event = decode_with(_EVENT, data_json)
    args = event.args
    if type(args) is not list:  # JavaScript: args || [], and what is no array is one argument
        args = [args] if args else []
    return Event(event.name, args, ack)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedPacket("text that is not UTF-8") from None
