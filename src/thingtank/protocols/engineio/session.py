"""One session of Engine.IO, the server's side, over polling, WebSocket, or first one and then both.

```
            begin_upgrade()       2probe            5
 POLLING ------------------> (AWAITS) ----> (PROBED) ----> WEBSOCKET
    ^                           |              |
    +---- lose_websocket(), upgrade_s_max -----+

 any --- 1, time is up, lost, malformed, too much, close() ---> closed
```

Who drives a session does so in three steps, after each call of a `receive_…`, `send_…`,
`open_poll`, `close`, `lose_…` or `take_due`:

1. `events_received()`: what has happened;
2. `data_to_send()`: text frames for its WebSocket, in order; behind them the WebSocket is to be
   closed unless `has_websocket`;
3. `take_payload()`: if a poll is being held, its answer, or None to hold it on.

And `take_due(now_us)` is called when `next_due_us()` has come. That time is asked for at the
start, after `take_due`, after `begin_upgrade`, and when Closed has come; otherwise it does not come
nearer.

While an upgrade has not been completed messages go by polling; a poll is then answered at once, by
a noop if there is nothing else, so that the client gets to the end of its polling.

A poll whose connection is lost before it has been answered loses nothing: `lose_poll`.

Source: Engine.IO protocol, Transports, Protocol; its revision 3.
"""

from enum import Enum, auto
from typing import Final

import msgspec

from thingtank.protocols.engineio.bounds import Bounds
from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.engineio.errors import (
    BAD_REQUEST,
    PAYLOAD_TOO_LONG,
    SESSION_UNKNOWN,
    LocalProtocolError,
    MalformedPacket,
    PayloadTooLong,
    Refusal,
)
from thingtank.protocols.engineio.heartbeats import Step, next_step
from thingtank.protocols.engineio.outgoing import Outgoing
from thingtank.protocols.engineio.packets import (
    REVISIONS,
    Packet,
    PacketType,
    parse_binary,
    parse_text,
)
from thingtank.protocols.engineio.payloads import (
    content_type,
    parse_payload,
    serialize_payload,
)


class Transport(Enum):
    """How packets of a session travel."""

    POLLING = "polling"
    WEBSOCKET = "websocket"


class Message(msgspec.Struct, frozen=True, gc=False):
    """The client has sent a message.

    Attributes:
        data: UTF-8 if it is text and came by polling; unchecked if by WebSocket.
    """

    data: bytes
    is_binary: bool


class Closed(msgspec.Struct, frozen=True, gc=False):
    """The session has ended. Comes once, and is the last event."""

    reason: CloseReason


class _Upgrade(Enum):
    NONE = auto()
    AWAITS = auto()
    PROBED = auto()


_CLOSE: Final = b"1"
_PING: Final = b"2"
_PROBE_ANSWER: Final = b"3probe"
_NOOP: Final = b"6"
_PROBE: Final = Packet(PacketType.PING, b"probe")
_UPGRADE: Final = Packet(PacketType.UPGRADE)
_US_PER_MS: Final = 1_000
_US_PER_S: Final = 1_000_000


class Session:
    """One session.

    Attributes:
        sid: its id.
        revision: 2, 3 or 4.
        transport: how messages travel now.
        is_closed: nothing is received or can be sent any more.
        heard_us: when the client was last heard of. Who receives frames past the session (a fast
            path) sets it.
    """

    __slots__ = (
        "_bounds",
        "_due_us",
        "_events",
        "_is_base64",
        "_is_lingering",
        "_is_opening",
        "_is_polled",
        "_pinged_us",
        "_probe_frames",
        "_upgrade",
        "_upgrade_due_us",
        "_waiting",
        "heard_us",
        "is_closed",
        "revision",
        "sid",
        "transport",
    )

    def __init__(
        self,
        sid: str,
        revision: int,
        transport: Transport,
        now_us: int,
        bounds: Bounds,
        *,
        is_base64: bool = False,
    ) -> None:
        """Open it: the open packet waits to be sent.

        Args:
            sid: random, of letters that need no escapes in a query or in JSON.
            transport: of the request that opens it.
            is_base64: its query has `b64=1`.
        """
        if revision not in REVISIONS:
            raise LocalProtocolError(f"there is no revision {revision}")
        self.sid = sid
        self.revision = revision
        self.transport = transport
        self.is_closed = False
        self.heard_us = now_us
        self._bounds = bounds
        self._is_base64 = is_base64
        self._is_polled = False
        self._is_opening = True
        self._is_lingering = False
        self._upgrade = _Upgrade.NONE
        self._upgrade_due_us = 0
        self._pinged_us = now_us
        self._events: list[Message | Closed] = []
        self._waiting = Outgoing(bounds.queue_bytes_max)
        self._waiting.put(self._open_packet())
        self._probe_frames: list[bytes] = []
        self._due_us = now_us + self._heartbeat_us

    # What the client does.

    def receive_text(self, frame: bytes, now_us: int) -> None:
        """Take a text frame of its WebSocket, also of one that is to replace polling."""
        self._receive_frame(frame, now_us, is_binary=False)

    def receive_binary(self, frame: bytes, now_us: int) -> None:
        """Take a binary frame, as `receive_text` does."""
        self._receive_frame(frame, now_us, is_binary=True)

    def receive_payload(self, body: bytes, now_us: int, *, is_binary: bool) -> Refusal | None:
        """Take the body of a POST.

        Args:
            is_binary: its content type is application/octet-stream.

        Returns:
            None if it was taken, and is to be answered by 200 and `ok`.
        """
        refusal = self._refusal_of_polling()
        if refusal is not None:
            return refusal
        if len(body) > self._bounds.payload_bytes_max:
            return PAYLOAD_TOO_LONG
        packets_max = self._bounds.payload_packets_max
        try:
            packets = parse_payload(body, self.revision, packets_max, is_binary=is_binary)
            for packet in packets:
                if not self.is_closed:
                    self._receive(packet, now_us)
        except PayloadTooLong:
            self.drop(CloseReason.TOO_LONG)
            return PAYLOAD_TOO_LONG
        except MalformedPacket:
            self.drop(CloseReason.MALFORMED)
            return BAD_REQUEST
        return None

    def open_poll(self) -> Refusal | None:
        """A GET asks for what waits: `take_payload` has its answer, now or later.

        Two at a time end the session: the order of packets would be lost.
        """
        if self.is_closed and self._waiting and not self._is_polled:
            self._is_polled = True  # it comes for the last words
            return None
        refusal = self._refusal_of_polling()
        if refusal is not None:
            return refusal
        if self._is_polled:
            self.drop(CloseReason.OVERLAP)
            self._waiting.put(_CLOSE)
            return BAD_REQUEST
        self._is_polled = True
        return None

    def lose_poll(self) -> None:
        """The connection of the poll that is held was lost; the client may poll again."""
        self._is_polled = False

    def begin_upgrade(self, now_us: int) -> Refusal | None:
        """A WebSocket asks, by this session's id, to replace polling.

        Returns:
            None if its frames are to be given to `receive_text` from now on.
        """
        if self.is_closed:
            return SESSION_UNKNOWN
        if self.has_websocket:
            return BAD_REQUEST
        self._upgrade = _Upgrade.AWAITS
        self._upgrade_due_us = now_us + self._bounds.upgrade_s_max * _US_PER_S
        return None

    def lose_websocket(self) -> None:
        """Its WebSocket has ended. One that has not replaced polling yet is no loss."""
        if self.transport is Transport.WEBSOCKET:
            self.drop(CloseReason.TRANSPORT_LOST)
            self._waiting.take()
        else:
            self._upgrade = _Upgrade.NONE
            self._probe_frames.clear()

    # What the server does.

    def send_message(self, text: bytes) -> None:
        """Send a text message, in UTF-8; what is not ASCII in it stands in JSON strings."""
        self.send_packet(b"4" + text)

    def send_packet(self, packet: bytes) -> None:
        """Send a text packet as a frame holds it. A queue that is full ends the session."""
        if self.is_closed:
            return
        if self._waiting.has_room(packet):
            self._waiting.put(packet)
        else:
            self.drop(CloseReason.QUEUE_FULL)
            self._waiting.put(_CLOSE)

    def close(self, reason: CloseReason = CloseReason.SERVER) -> None:
        """End it; what waits, and a close packet, are still to be sent."""
        if self.is_closed:
            return
        self._close(reason)
        self._waiting.put(_CLOSE)

    def drop(self, reason: CloseReason) -> None:
        """End it without a word, for what the client has done; what waits is forgotten."""
        if not self.is_closed:
            self._waiting.take()
            self._close(reason)

    # What the driver asks.

    def accepts(self, frame: bytes) -> bool:
        """Whether `receive_text` would take this frame of a message; for a fast path past it."""
        return (
            self.transport is Transport.WEBSOCKET
            and not self.is_closed
            and len(frame) <= self._bounds.payload_bytes_max
        )

    @property
    def has_websocket(self) -> bool:
        """Whether its WebSocket, if there is one, is to stay open."""
        if self.is_closed:
            return False
        return self.transport is Transport.WEBSOCKET or self._upgrade is not _Upgrade.NONE

    @property
    def is_direct(self) -> bool:
        """Whether frames may go to the WebSocket past `send_packet`: none waits before them."""
        return not self.is_closed and self.transport is Transport.WEBSOCKET and not self._waiting

    @property
    def is_drained(self) -> bool:
        """Whether all that there was to say has been taken."""
        return not self._waiting

    @property
    def is_over(self) -> bool:
        """Whether it can be forgotten: it is closed, and has nothing more to say."""
        return self.is_closed and not self._waiting and not self._is_polled

    @property
    def payload_type(self) -> str:
        """The content type of what `take_payload` returns."""
        return content_type(self.revision, is_base64=self._is_base64)

    def events_received(self) -> list[Message | Closed]:
        """What has happened since it was last asked."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> list[bytes]:
        """Text frames for the WebSocket, once."""
        frames, self._probe_frames = self._probe_frames, []
        if self.transport is Transport.WEBSOCKET and self._waiting:
            frames += self._waiting.take()
        return frames

    def take_payload(self) -> bytes | None:
        """The body that answers the poll that is held; None if there is no poll, or nothing yet."""
        if not self._is_polled:
            return None
        packets = self._take_polled()
        if not packets:
            return None
        self._is_polled = False
        return serialize_payload(packets, self.revision, is_base64=self._is_base64)

    def next_due_us(self) -> int | None:
        """When `take_due` is to be called; None for never."""
        if self.is_over:
            return None
        if self._upgrade is _Upgrade.NONE:
            return self._due_us
        return min(self._due_us, self._upgrade_due_us)

    def take_due(self, now_us: int) -> None:
        """Ping, or end what has been waited for long enough."""
        if self._upgrade is not _Upgrade.NONE and now_us >= self._upgrade_due_us:
            self.lose_websocket()
        if now_us < self._due_us:
            return
        if self.is_closed:
            self._linger(now_us)
        elif self.revision >= 4:
            self._watch_pongs(now_us)
        else:
            self._watch_pings(now_us)

    # Its own.

    def _receive_frame(self, frame: bytes, now_us: int, *, is_binary: bool) -> None:
        if self.is_closed:
            return
        if len(frame) > self._bounds.payload_bytes_max:
            self.drop(CloseReason.TOO_LONG)
            return
        try:
            parse = parse_binary if is_binary else parse_text
            packet = parse(frame, self.revision)
            if self.transport is Transport.POLLING:
                self._receive_probe(packet, now_us)
            else:
                self._receive(packet, now_us)
        except MalformedPacket:
            if self.transport is Transport.POLLING:
                self.lose_websocket()
            else:
                self.drop(CloseReason.MALFORMED)

    def _receive_probe(self, packet: Packet, now_us: int) -> None:
        if packet == _PROBE and self._upgrade is not _Upgrade.NONE:
            self._probe_frames.append(_PROBE_ANSWER)
            self._upgrade = _Upgrade.PROBED
        elif packet == _UPGRADE and self._upgrade is _Upgrade.PROBED:
            self.transport = Transport.WEBSOCKET
            self._upgrade = _Upgrade.NONE
            self._is_opening = False
            self.heard_us = now_us
        else:
            self.lose_websocket()

    def _receive(self, packet: Packet, now_us: int) -> None:
        self.heard_us = now_us
        match packet.type:
            case PacketType.MESSAGE:
                self._events.append(Message(packet.data, packet.is_binary))
            case PacketType.PING:
                if self.revision >= 4:
                    raise MalformedPacket("in revision 4 the server pings")
                self.send_packet(b"3" + packet.data)
            case PacketType.CLOSE:
                self.drop(CloseReason.CLIENT_LEFT)
            case PacketType.OPEN:
                raise MalformedPacket("the server opens")
            case PacketType.PONG | PacketType.UPGRADE | PacketType.NOOP:
                pass

    def _refusal_of_polling(self) -> Refusal | None:
        if self.is_closed:
            return SESSION_UNKNOWN
        return BAD_REQUEST if self.transport is Transport.WEBSOCKET else None

    def _take_polled(self) -> list[bytes]:
        if self.transport is Transport.POLLING and self._waiting:
            # Revisions 2 and 3: the first body holds nothing else, as of the servers of their
            # time. python socketIO_client 0.7 forgets what comes behind it.
            if self._is_opening and self.revision < 4 and len(self._waiting) > 1:
                self._is_opening = False
                return [self._waiting.take_first()]
            self._is_opening = False
            return self._waiting.take()
        if self.is_closed or self._upgrade is _Upgrade.PROBED:
            return [_NOOP]
        return [_NOOP] if self.transport is Transport.WEBSOCKET else []

    def _close(self, reason: CloseReason) -> None:
        self.is_closed = True
        self._upgrade = _Upgrade.NONE
        self._probe_frames.clear()
        self._events.append(Closed(reason))
        self._due_us = 0

    def _linger(self, now_us: int) -> None:
        """Let the last words wait for a poll for a while."""
        if self._is_lingering:
            self._waiting.take()
            self._is_polled = False
        self._is_lingering = True
        self._due_us = now_us + self._bounds.linger_s_max * _US_PER_S

    def _watch_pings(self, now_us: int) -> None:
        self._due_us = self.heard_us + self._heartbeat_us
        if now_us >= self._due_us:
            self.drop(CloseReason.TIMEOUT)

    def _watch_pongs(self, now_us: int) -> None:
        interval_us = self._bounds.ping_interval_ms * _US_PER_MS
        timeout_us = self._bounds.ping_timeout_ms * _US_PER_MS
        step, self._due_us = next_step(
            now_us, self.heard_us, self._pinged_us, interval_us, timeout_us
        )
        if step is Step.BEAT:
            self._pinged_us = now_us
            self.send_packet(_PING)
        elif step is Step.GIVE_UP:
            self.drop(CloseReason.TIMEOUT)

    @property
    def _heartbeat_us(self) -> int:
        """How long after it was heard of an old client is lost, or a new one is pinged."""
        wait_ms = self._bounds.ping_interval_ms
        if self.revision < 4:
            wait_ms += self._bounds.old_ping_timeout_ms
        return wait_ms * _US_PER_MS

    def _open_packet(self) -> bytes:
        bounds = self._bounds
        is_old = self.revision < 4
        members: dict[str, object] = {
            "sid": self.sid,
            "upgrades": ["websocket"] if self.transport is Transport.POLLING else [],
            "pingInterval": bounds.ping_interval_ms,
            "pingTimeout": bounds.old_ping_timeout_ms if is_old else bounds.ping_timeout_ms,
        }
        if not is_old:
            members["maxPayload"] = bounds.payload_bytes_max
        return b"0" + msgspec.json.encode(members)
