"""Xively's WebSocket: each message, text or binary, is a request as on the TCP socket."""

from thingtank.doors.xively.sockets import SocketDoor, SocketSession
from thingtank.net.websocket import WebSocketPeer, WebSocketRoute


class _Conversation:
    """One connection."""

    def __init__(self, session: SocketSession) -> None:
        self._session = session
        self.end = session.end

    def receive_message(self, message: bytes, is_text: bool) -> None:
        """Answer one request."""
        del is_text
        self._session.receive_message(message)

    def pause_writing(self) -> None:
        """The peer is behind; the session looks by itself."""

    def resume_writing(self) -> None:
        """The peer has caught up; the session looks by itself."""


def websocket_route(door: SocketDoor) -> WebSocketRoute:
    """The route of the WebSocket's path."""

    def begin(peer: WebSocketPeer, protocol: str) -> _Conversation:
        del protocol
        return _Conversation(door.session(peer, "xively_websocket"))

    bytes_max = door.tank.limits.request_bytes_max
    return WebSocketRoute(begin, door.settings.connections_max, bytes_max)
