"""MQTT over WebSocket (MQTT 5 and 3.1.1, chapter 6)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from thingtank.net.origins import is_own
from thingtank.net.websocket import Refused, WebSocketHead, WebSocketPeer, WebSocketRoute
from thingtank.net.websocket_errors import CloseCode

if TYPE_CHECKING:
    from thingtank.doors.mqtt.door import MqttDoor

# The standard's, and that of MQTT 3.1, which libraries of its time offer.
_PROTOCOLS = ("mqtt", "mqttv3.1")


class _Link:
    """What a connection writes to."""

    __slots__ = ("_door", "_peer")

    def __init__(self, door: "MqttDoor", peer: WebSocketPeer) -> None:
        self._door = door
        self._peer = peer

    @property
    def certificate(self) -> bytes | None:
        """The web port asks for none."""
        return None

    @property
    def kind(self) -> str:
        """For people."""
        return "websocket"

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the request that became a WebSocket."""
        return self._peer.head.headers

    def write(self, data: bytes) -> None:
        """Write octets as one message."""
        self._peer.send_binary(data)

    def write_all(self, pieces: list[bytes]) -> None:
        """Write octets as one message."""
        self._peer.send_binary(b"".join(pieces))

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

    __slots__ = ("_connection", "_door", "_peer")

    def __init__(self, door: "MqttDoor", peer: WebSocketPeer) -> None:
        self._door = door
        self._peer = peer
        peer.transport.set_write_buffer_limits(door.settings.unread_bytes_max)
        self._connection = door.open(_Link(door, peer), peer.address)

    def receive_message(self, message: bytes, is_text: bool) -> None:
        """Take octets; packets need not end with messages [MQTT-6.0.0-2]."""
        if is_text:  # [MQTT-6.0.0-1]
            self._door.lose(self._connection)
            self._peer.close(CloseCode.UNSUPPORTED_DATA, "MQTT wants binary messages")
        else:
            self._door.receive(self._connection, message)

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._door.fall_behind(self._connection)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._door.catch_up(self._connection)

    def end(self) -> None:
        """The connection is gone."""
        self._door.lose(self._connection)


def websocket_route(door: "MqttDoor") -> WebSocketRoute:
    """The route of the door's WebSocket."""

    def begin(peer: WebSocketPeer, protocol: str) -> _Conversation:
        return _Conversation(door, peer)

    def check(head: WebSocketHead) -> Refused | None:
        if door.is_full:
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.")
        origin = head.headers.get("origin")
        if origin is None or is_own(
            origin, head.headers.get("host", ""), door.settings.allowed_origins
        ):
            return None
        return Refused(
            HTTPStatus.FORBIDDEN,
            f"Pages of {origin[:200]} may not connect; mqtt.allowed_origins lists those that may.",
        )

    settings = door.settings
    # A message may hold many packets: a client is free to gather them.
    bytes_max = max(2**20, settings.packet_bytes_max + 5)
    return WebSocketRoute(begin, settings.connections_max, bytes_max, _PROTOCOLS, check)
