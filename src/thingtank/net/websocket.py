"""WebSocket connections: framing is picows' (ADR 8), what the frames make up is checked here.

A connection is given to the conversation of its path, by whichever port it came in.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Protocol

import msgspec
import structlog
from multidict import CIMultiDict
from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import (  # type: ignore[attr-defined] # what its server makes for each client
    WSProtocol,
)

from thingtank.net.deflate import COMPRESSED_BYTES_MIN, Deflate, agree
from thingtank.net.forwarded import SIGNS, UNIX, ClientOf, client_of
from thingtank.net.keep_alive import KeepAlive
from thingtank.net.paths import find_path
from thingtank.net.picows_transport import Gathering, PicowsLog, feed
from thingtank.net.websocket_errors import BrokenWebSocket, CloseCode
from thingtank.net.websocket_messages import FrameType, MessageReader

log = structlog.get_logger()

SILENCE_S = 30.0  # see KeepAlive
HANDSHAKE_S_MAX = 10.0
UNREAD_S_MAX = 60.0  # for how long a peer may take nothing of what it was sent; pings do not tell
CLOSE_S_MAX = 5.0  # until a peer that is to go must have taken what was written to it
PROTOCOLS_MAX = 32  # that an offer may name
_READ_BYTES = 2048  # at first; the buffer of who sends more grows

KEPT_HEADERS = SIGNS | {"cookie", "host", "origin", "user-agent"}

_NO_HEADERS: CIMultiDict[str] = CIMultiDict()
_NOBODY = asyncio.Protocol()
_LOG = PicowsLog()
_TEXT, _BINARY = WSMsgType.TEXT, WSMsgType.BINARY
_FRAME_TYPES = {
    WSMsgType.CONTINUATION: FrameType.CONTINUATION,
    WSMsgType.TEXT: FrameType.TEXT,
    WSMsgType.BINARY: FrameType.BINARY,
}


class Conversation(Protocol):
    """What happens on one connection."""

    def receive_message(self, message: bytes, is_text: bool) -> None:
        """A whole message has come; text is UTF-8."""

    def pause_writing(self) -> None:
        """The peer is behind with what was written to it."""

    def resume_writing(self) -> None:
        """The peer has caught up with what was written to it."""

    def end(self) -> None:
        """The connection is gone."""


class WebSocketHead(msgspec.Struct, frozen=True):
    """What a client said when it asked for a WebSocket.

    Attributes:
        protocols: the subprotocols that it offers, in its order.
        headers: those of KEPT_HEADERS; of several with one name, joined by commas.
        address: the client's, as far as proxies are believed; UNIX, or words, if it is none.
        query: as sent, without the question mark.
        route_path: of the route that answers it.
    """

    path: str
    protocols: Sequence[str]
    headers: dict[str, str]
    address: str
    is_secure: bool
    query: str = ""
    route_path: str = ""


class Refused(msgspec.Struct, frozen=True):
    """No WebSocket; an HTTP answer with words for people."""

    status: HTTPStatus
    text: str


class WebSocketPeer:
    """The other side of one connection, as conversations see it.

    Attributes:
        head: how the connection began.
    """

    def __init__(self, head: WebSocketHead, transport: Gathering, deflate: Deflate | None) -> None:
        self.head = head
        self.address = head.address
        self.transport = transport
        self._deflate = deflate
        self._frames: WSTransport | None = None  # None before and after
        self._end_timer: asyncio.TimerHandle | None = None

    def open(self, frames: WSTransport) -> None:
        """The WebSocket is there."""
        self._frames = frames

    def send(self, message: bytes) -> None:
        """Write one text message."""
        self._write(_TEXT, message)

    def send_binary(self, message: bytes) -> None:
        """Write one binary message."""
        self._write(_BINARY, message)

    def _write(self, kind: WSMsgType, message: bytes) -> None:
        frames = self._frames
        if frames is None:
            return
        if self._deflate is not None and len(message) >= COMPRESSED_BYTES_MIN:
            frames.send(kind, self._deflate.compress(message), True, True)
        else:
            frames.send(kind, message)

    def write_frames(self, frames: bytes) -> None:
        """Write what `text_frame` has made; only where the route does not compress."""
        if self._frames is not None:
            self.transport.write(frames)

    def send_all(self, messages: list[bytes], *, is_text: bool) -> None:
        """Write several messages at once."""
        if self._frames is None:
            return
        kind = _TEXT if is_text else _BINARY
        self.transport.gather()
        try:
            if self._deflate is None:
                send = self._frames.send
                for message in messages:
                    send(kind, message)
            else:
                for message in messages:
                    self._write(kind, message)
        finally:
            self.transport.release()

    def unread_bytes(self) -> int:
        """How much was written and not taken yet."""
        return self.transport.unread_bytes() if self._frames is not None else 0

    def pause(self) -> None:
        """Read no more for now; what has been read already still comes."""
        if self._frames is not None:
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._frames is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def ping(self) -> None:
        """Ask whether the peer is there."""
        if self._frames is not None:
            self._frames.send_ping(b"?")

    def pong(self, payload: bytes) -> None:
        """Answer a ping."""
        if self._frames is not None:
            self._frames.send_pong(payload)

    def close(self, code: CloseCode = CloseCode.POLICY_VIOLATION, text: str = "") -> None:
        """End the connection, what was written first, if the peer takes it soon."""
        frames, self._frames = self._frames, None
        if frames is None:
            return
        frames.send_close(WSCloseCode(code.value), text[:60])
        frames.disconnect()
        loop = asyncio.get_running_loop()
        self._end_timer = loop.call_later(CLOSE_S_MAX, self.transport.abort)

    def abort(self) -> None:
        """End the connection at once; what was not taken yet is dropped."""
        self._frames = None
        self.transport.abort()

    def forget(self) -> None:
        """The connection is gone."""
        self._frames = None
        if self._end_timer is not None:
            self._end_timer.cancel()


def text_frame(message: bytes) -> bytes:
    """A text message as one frame of a server, for many clients at once.

    Source: RFC 6455, 5.2.
    """
    size = len(message)
    if size < 126:
        return bytes((0x81, size)) + message
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + message
    return b"\x81\x7f" + size.to_bytes(8, "big") + message


class WebSocketRoute(msgspec.Struct, frozen=True):
    """Who answers a path.

    Attributes:
        begin: makes the conversation with a new peer.
        connections_max: more are refused.
        message_bytes_max: a longer message ends its connection.
        protocols: subprotocols, one of which a client must offer; the first that it offers is
            spoken. Blank for none.
        check: answers who may not come in.
        make_headers: further headers of the answer to a client that comes in.
        compresses: where the client offers to.
    """

    begin: Callable[[WebSocketPeer, str], Conversation]
    connections_max: int
    message_bytes_max: int
    protocols: Sequence[str] = ()
    check: Callable[[WebSocketHead], Refused | None] | None = None
    make_headers: Callable[[WebSocketHead], Sequence[tuple[str, str]]] | None = None
    compresses: bool = True


class _Connection(WSListener):
    """One connection."""

    def __init__(
        self,
        server: "WebSockets",
        route: WebSocketRoute,
        peer: WebSocketPeer,
        protocol: str,
        deflate: Deflate | None,
    ) -> None:
        super().__init__()
        self._server = server
        self._route = route
        self._peer = peer
        self._protocol = protocol
        self._reader = MessageReader(route.message_bytes_max, deflate)
        self._conversation: Conversation | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        # RFC 6455, 5.5.3: who reads slowly may be answered the last of its pings alone.
        self._owed_pong: bytes | None = None
        self.is_heard = True
        self.is_asked = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin the conversation."""
        # picows would keep what was said for as long as the connection is there.
        transport.request.headers = transport.response.headers = _NO_HEADERS
        self._peer.open(transport)
        self._server.add(self, self._peer.head.route_path)
        self._conversation = self._route.begin(self._peer, self._protocol)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Hand over a message once it is whole."""
        self.is_heard = True
        kind = frame.msg_type
        conversation = self._conversation
        if conversation is None:
            return  # it is to end
        try:
            if frame.rsv2 or frame.rsv3:
                raise BrokenWebSocket(CloseCode.PROTOCOL_ERROR, "reserved bits are set")
            frame_type = _FRAME_TYPES.get(kind)
            if frame_type is None:
                self._control(transport, frame, kind)
                return
            reader = self._reader
            message = reader.receive_frame(
                frame_type, frame.get_payload_as_bytes(), fin=bool(frame.fin), rsv1=bool(frame.rsv1)
            )
        except BrokenWebSocket as error:
            self._end(error.code, str(error))
            return
        if message is not None:
            conversation.receive_message(message, reader.is_text)

    def _control(self, transport: WSTransport, frame: WSFrame, kind: WSMsgType) -> None:
        if frame.rsv1:
            raise BrokenWebSocket(CloseCode.PROTOCOL_ERROR, "reserved bits are set")
        if kind == WSMsgType.PING:
            payload = frame.get_payload_as_bytes()
            if self._unread_timer is None:
                transport.send_pong(payload)
            else:
                self._owed_pong = payload
        elif kind == WSMsgType.CLOSE:
            code = frame.get_close_code() if frame.payload_size else CloseCode.NORMAL
            self._end(_echoed(code), "")

    def _end(self, code: CloseCode, text: str) -> None:
        conversation, self._conversation = self._conversation, None
        self._peer.close(code, text)
        if conversation is not None:
            conversation.end()

    def ping(self) -> None:
        """Ask whether the peer is there."""
        self._peer.ping()

    def cut_off(self) -> None:
        """The peer is gone without a word."""
        self._peer.abort()

    def close(self, code: CloseCode) -> None:
        """End the connection; the server stops."""
        self._peer.close(code)

    def pause_writing(self) -> None:
        """The peer is behind; as long as it takes anything, it may be."""
        if self._unread_timer is None:
            self._watch_unread()
        if self._conversation is not None:
            self._conversation.pause_writing()

    def _watch_unread(self) -> None:
        loop = asyncio.get_running_loop()
        taken_bytes = self._peer.transport.taken_bytes
        self._unread_timer = loop.call_later(UNREAD_S_MAX, self._look_at_unread, taken_bytes)

    def _look_at_unread(self, taken_bytes: int) -> None:
        if self._peer.transport.taken_bytes > taken_bytes:
            self._watch_unread()
        else:
            self._peer.abort()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._stop_timer()
        payload, self._owed_pong = self._owed_pong, None
        if payload is not None:
            self._peer.pong(payload)
        if self._conversation is not None:
            self._conversation.resume_writing()

    def _stop_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the connection."""
        self._stop_timer()
        self._peer.forget()
        self._server.remove(self, self._peer.head.route_path)
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.end()


def _echoed(code: object) -> CloseCode:
    """What answers a close frame. picows has let pass what it knows, and all from 3000 on.

    Source: RFC 6455, 7.4.
    """
    if code in _NEVER_SENT or not 1000 <= code < 5000:  # type: ignore[operator] # an int enum
        return CloseCode.PROTOCOL_ERROR
    return CloseCode.NORMAL


_NEVER_SENT = frozenset({1005, 1006, 1015})


class WebSockets:
    """All WebSocket connections of some routes, whichever ports they come in by."""

    def __init__(
        self,
        routes: Mapping[str, WebSocketRoute],
        silence_s: float = SILENCE_S,
        find_client: ClientOf | None = None,
    ) -> None:
        """Take routes by path, without query; `/` is one too; see `paths.find_path`."""
        self.routes = routes
        self._find_client = find_client or client_of(())
        self._connections: dict[str, set[_Connection]] = {path: set() for path in routes}
        self._handshakes: set[_Handshake] = set()
        self._handshakes_max = max(route.connections_max for route in routes.values())
        self._keep_alive = KeepAlive(silence_s)
        self._frame_bytes_max = max(route.message_bytes_max for route in routes.values()) + 1024

    def adopt(self, transport: asyncio.Transport, data: bytes) -> None:
        """Take over a connection whose request, or its beginning, has been read already."""
        if len(self._handshakes) >= self._handshakes_max:
            transport.abort()
            return
        gathering = Gathering(transport)
        protocol: _Handshake = _Handshake(
            None,
            None,
            False,  # a server
            lambda request: self._answer(protocol, gathering, request),
            _LOG,
            True,  # who causes an exception is disconnected
            HANDSHAKE_S_MAX,
            False,  # pings are KeepAlive's
            2 * SILENCE_S,
            SILENCE_S,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # pongs are given here, where pings are heard
            self._frame_bytes_max,
            None,
            _READ_BYTES,
        )
        protocol.among = self._handshakes
        self._handshakes.add(protocol)
        # uvloop chooses how a connection is read when reading begins.
        transport.pause_reading()
        # And it keeps `data_received` of the last protocol that had one, with all that belongs to
        # it: of HTTP 5 KB, for as long as the WebSocket lasts.
        transport.set_protocol(_NOBODY)
        transport.set_protocol(protocol)
        protocol.connection_made(gathering)
        feed(protocol, data)
        if not transport.is_closing() and not gathering.is_paused:
            transport.resume_reading()

    def close_all(self) -> None:
        """Let all peers go."""
        for connections in self._connections.values():
            for connection in list(connections):
                connection.close(CloseCode.GOING_AWAY)

    def add(self, connection: _Connection, path: str) -> None:
        """Watch a connection."""
        self._connections[path].add(connection)
        self._keep_alive.add(connection)

    def remove(self, connection: _Connection, path: str) -> None:
        """One connection less."""
        self._connections[path].discard(connection)
        self._keep_alive.remove(connection)

    def _answer(
        self, handshake: "_Handshake", transport: Gathering, request: WSUpgradeRequest
    ) -> WSUpgradeResponseWithListener:
        if "upgrade" in _words(request.headers.getall("Connection", [])):
            request.headers["Connection"] = "upgrade"  # picows takes no list; Firefox sends one
        head = _head_of(request, transport, self._find_client)
        path = find_path(self.routes, head.path)
        if path is None:
            return _refusal(Refused(HTTPStatus.NOT_FOUND, "There is no WebSocket here."))
        route = self.routes[path]
        if len(self._connections[path]) >= route.connections_max:
            log.warning("websocket_connections_full", path=path)
            return _refusal(_FULL)
        protocol = next((name for name in head.protocols if name in route.protocols), "")
        if route.protocols and not protocol:
            return _refusal(
                Refused(
                    HTTPStatus.BAD_REQUEST,
                    f"Offer one of these as Sec-WebSocket-Protocol: {', '.join(route.protocols)}",
                )
            )
        refused = route.check(head) if route.check is not None else None
        if refused is not None:
            return _refusal(refused)
        headers = list(route.make_headers(head)) if route.make_headers is not None else []
        if protocol:
            headers.append(("Sec-WebSocket-Protocol", protocol))
        offers = request.headers.getall("Sec-WebSocket-Extensions", []) if route.compresses else []
        agreed = agree(offers)
        if agreed is not None:
            headers.append(("Sec-WebSocket-Extensions", agreed[1]))
        deflate = agreed[0] if agreed is not None else None
        self._handshakes.discard(handshake)
        # What was offered is told, and a path is the same for many: nothing to keep of each.
        head = msgspec.structs.replace(
            head, path=sys.intern(head.path), protocols=(), route_path=sys.intern(path)
        )
        peer = WebSocketPeer(head, transport, deflate)
        connection = _Connection(self, route, peer, protocol, deflate)
        return WSUpgradeResponseWithListener(
            WSUpgradeResponse.create_101_response(headers), connection
        )


class _Handshake(WSProtocol):  # type: ignore[misc] # has no types
    """picows' side of a connection, which is counted until it is a WebSocket.

    Attributes:
        among: those that are not yet.
    """

    __slots__ = ("among",)

    among: "set[_Handshake]"

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, whatever had become of it."""
        self.among.discard(self)
        super().connection_lost(exc)


_FULL = Refused(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.")


def _refusal(refused: Refused) -> WSUpgradeResponseWithListener:
    body = f"{refused.text}\n".encode()
    return WSUpgradeResponseWithListener(
        WSUpgradeResponse.create_error_response(refused.status, body), None
    )


def _words(values: Sequence[str]) -> set[str]:
    """What a header lists, in lower case."""
    return {word.strip().lower() for word in ",".join(values).split(",")}


def _head_of(
    request: WSUpgradeRequest, transport: Gathering, find_client: ClientOf
) -> WebSocketHead:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        name = name.lower()
        if name in KEPT_HEADERS:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    offered = request.headers.getall("Sec-WebSocket-Protocol", [])
    peer = transport.get_extra_info("peername")
    address = find_client(peer[0], headers) if isinstance(peer, tuple) else UNIX
    path, _, query = request.path.decode("latin-1").partition("?")
    return WebSocketHead(
        path=path,
        protocols=[word.strip() for word in ",".join(offered).split(",")[:PROTOCOLS_MAX]],
        headers=headers,
        address=address,
        is_secure=transport.get_extra_info("ssl_object") is not None,
        query=query,
    )
