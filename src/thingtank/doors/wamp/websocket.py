"""WAMP over WebSocket: a subprotocol for each serializer, batched or not.

Source: WAMP, WebSocket Transport.
"""

from http import HTTPStatus
from typing import TYPE_CHECKING

from thingtank.doors.wamp.connection import Connection, told_bytes
from thingtank.doors.wamp.transport_facts import facts_of
from thingtank.net.origins import is_own
from thingtank.net.websocket import Refused, WebSocketHead, WebSocketPeer, WebSocketRoute
from thingtank.net.websocket_errors import CloseCode
from thingtank.protocols.wamp.batching import Batching, PrefixedBatching, SeparatedBatching
from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.serializer import MESSAGE_BYTES_MAX, Serializer
from thingtank.protocols.wamp.serializers import SERIALIZERS

if TYPE_CHECKING:
    from thingtank.doors.wamp.door import WampDoor

_PREFIX, _BATCHED = "wamp.2.", ".batched"
_OF_PROTOCOL: dict[str, tuple[Serializer, bool]] = {
    f"{_PREFIX}{serializer.name}{suffix}": (serializer, bool(suffix))
    for serializer in SERIALIZERS.values()
    for suffix in (_BATCHED, "")
}


class _Link:
    """What a connection writes to."""

    __slots__ = ("_is_text", "_peer")

    def __init__(self, peer: WebSocketPeer, serializer: Serializer) -> None:
        self._peer = peer
        self._is_text = not serializer.is_binary

    def write(self, messages: list[bytes]) -> None:
        """Write each as a WebSocket message."""
        self._peer.send_all(messages, is_text=self._is_text)

    def unread_bytes(self) -> int:
        """How much was written and not taken yet."""
        return self._peer.unread_bytes()

    def pause(self) -> None:
        """Read no more for now."""
        self._peer.pause()

    def resume(self) -> None:
        """Read on."""
        self._peer.resume()

    def close(self) -> None:
        """End the connection, what was written first."""
        self._peer.close(CloseCode.NORMAL)

    def abort(self) -> None:
        """End the connection at once."""
        self._peer.abort()


class _Conversation:
    """One connection."""

    __slots__ = ("_connection", "_is_text")

    def __init__(self, door: "WampDoor", peer: WebSocketPeer, protocol: str) -> None:
        serializer, is_batched = _OF_PROTOCOL[protocol]
        peer.transport.set_write_buffer_limits(told_bytes(door.settings.unread_bytes_max))
        self._is_text = not serializer.is_binary
        connection = Connection(
            door,
            _Link(peer, serializer),
            serializer,
            _batching_of(serializer) if is_batched else None,
            MESSAGE_BYTES_MAX,
            facts_of(peer.transport, "websocket", peer.address, peer.head.headers),
        )
        door.remember(connection)
        self._connection = connection

    def receive_message(self, message: bytes, is_text: bool) -> None:
        """Take what a client has sent."""
        if is_text == self._is_text:
            self._connection.receive(message)
        else:
            kind = "text" if self._is_text else "binary"
            self._connection.fail(ProtocolViolation(f"this subprotocol wants {kind} messages"))

    def pause_writing(self) -> None:
        """The client is behind; the connection looks at that by itself."""

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._connection.catch_up()

    def end(self) -> None:
        """The connection is gone."""
        self._connection.lose()


def _batching_of(serializer: Serializer) -> Batching:
    return PrefixedBatching() if serializer.is_binary else SeparatedBatching()


def websocket_route(door: "WampDoor") -> WebSocketRoute:
    """The route of the door's WebSocket."""

    def begin(peer: WebSocketPeer, protocol: str) -> _Conversation:
        return _Conversation(door, peer, protocol)

    def check(head: WebSocketHead) -> Refused | None:
        if door.is_full:
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.")
        origin = head.headers.get("origin")
        host = head.headers.get("host", "")
        if origin is None or is_own(origin, host, door.settings.allowed_origins):
            return None
        return Refused(
            HTTPStatus.FORBIDDEN,
            f"Pages of {origin[:200]} may not connect; wamp.allowed_origins lists those that may.",
        )

    return WebSocketRoute(
        begin,
        door.settings.connections_max,
        door.settings.message_bytes_max,
        tuple(_OF_PROTOCOL),
        check,
        door.cookie_headers,
    )
