"""The WebSockets of socket.io: of all ages, opened as such or in place of polling."""

from http import HTTPStatus

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.origins import refuse_page
from thingtank.doors.skynet.sockets.client import Arrival
from thingtank.doors.skynet.sockets.door import SkynetSockets
from thingtank.doors.skynet.sockets.http import PREFIX, read_query
from thingtank.doors.skynet.sockets.socketio_client import SocketioClient
from thingtank.net.websocket import Refused, WebSocketHead, WebSocketPeer, WebSocketRoute
from thingtank.net.websocket_errors import CloseCode
from thingtank.protocols.engineio.errors import SESSION_UNKNOWN, Refusal
from thingtank.protocols.engineio.requests import Continuation, Handshake, read_request
from thingtank.protocols.socketio.legacy.frames import NOT_HANDSHAKEN

LEGACY_PATH = f"{PREFIX}/1/websocket/*"
ENGINE_PATHS = (f"{PREFIX}/", PREFIX)


class _Conversation:
    """A WebSocket of one client."""

    __slots__ = ("_client", "_peer")

    def __init__(self, client: SocketioClient, peer: WebSocketPeer) -> None:
        self._client = client
        self._peer = peer
        client.open_peer(peer)
        client.pump()
        client.sockets.deadlines.watch(client)

    def receive_message(self, message: bytes, is_text: bool) -> None:
        """Take a frame."""
        self._client.receive_frame(message, is_text)

    def pause_writing(self) -> None:
        """The client is behind; what it leaves unread is looked at with each write."""

    def resume_writing(self) -> None:
        """The client has caught up."""

    def end(self) -> None:
        """The connection is gone."""
        self._client.lose_peer(self._peer)


class _Refusing:
    """A WebSocket that is told why it is of no use, and closed."""

    def __init__(self, peer: WebSocketPeer, words: bytes) -> None:
        if words:
            peer.send(words)
        peer.close(CloseCode.NORMAL)

    def receive_message(self, message: bytes, is_text: bool) -> None:
        """Nobody listens."""

    def pause_writing(self) -> None:
        """It is about to end."""

    def resume_writing(self) -> None:
        """It is about to end."""

    def end(self) -> None:
        """It has ended."""


class SocketioWebSockets:
    """Makes the routes."""

    def __init__(self, sockets: SkynetSockets) -> None:
        self._sockets = sockets

    def routes(self) -> dict[str, WebSocketRoute]:
        """By path."""
        settings = self._sockets.door.settings
        # A client that sends too much is told so by its session.
        bounds = settings.connections_max, settings.message_bytes_max + 1024
        legacy = WebSocketRoute(
            self._begin_legacy, *bounds, check=self._check_legacy, compresses=False
        )
        engine = WebSocketRoute(
            self._begin_engine, *bounds, check=self._check_engine, compresses=False
        )
        return {LEGACY_PATH: legacy, **dict.fromkeys(ENGINE_PATHS, engine)}

    def _check_legacy(self, head: WebSocketHead) -> Refused | None:
        return refuse_page(head, self._sockets.door.settings.allowed_origins)

    def _check_engine(self, head: WebSocketHead) -> Refused | None:
        refused = self._check_legacy(head)
        if refused is not None:
            return refused
        asked = _read(head)
        if isinstance(asked, Handshake):
            return self._sockets.refusal_of(head.address)
        if isinstance(asked, Refusal):
            return _refused(asked)
        return None if self._sockets.find_engine(asked.sid) else _refused(SESSION_UNKNOWN)

    def _begin_legacy(self, peer: WebSocketPeer, protocol: str) -> _Conversation | _Refusing:
        client = self._sockets.find_legacy(peer.head.path.rpartition("/")[2])
        if client is None or not client.session.open_websocket(self._sockets.door.now_us()):
            return _Refusing(peer, NOT_HANDSHAKEN)
        return _Conversation(client, peer)

    def _begin_engine(self, peer: WebSocketPeer, protocol: str) -> _Conversation | _Refusing:
        asked = _read(peer.head)
        if isinstance(asked, Handshake):
            arrival = arrival_of(peer.head, self._sockets.door)
            client = self._sockets.open_engine(asked, arrival)
            return _Conversation(client, peer)
        assert isinstance(asked, Continuation), "it was checked before"
        found = self._sockets.find_engine(asked.sid)
        if found is None or found.session.begin_upgrade(self._sockets.door.now_us()):
            return _Refusing(peer, b"")
        return _Conversation(found, peer)


def arrival_of(head: WebSocketHead, door: SkynetDoor) -> Arrival:
    """How a client has come by a WebSocket of its own."""
    return Arrival(head.address, head.is_secure, door.lets_in(head.headers))


def _read(head: WebSocketHead) -> Handshake | Continuation | Refusal:
    return read_request(read_query(head.query), "GET", is_websocket=True)


def _refused(refusal: Refusal) -> Refused:
    return Refused(HTTPStatus(refusal.status), refusal.body.decode())
