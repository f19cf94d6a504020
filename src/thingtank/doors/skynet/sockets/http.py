"""Everything under `/socket.io` that is plain HTTP: handshakes and long polling of all ages.

Source: socket.io 0.9, `manager.js` and its transports; Engine.IO, HTTP long-polling.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from thingtank.doors.skynet.origins import may_come_from
from thingtank.doors.skynet.sockets.client import Arrival
from thingtank.doors.skynet.sockets.door import SkynetSockets
from thingtank.doors.skynet.sockets.socketio_client import EngineClient, LegacyClient
from thingtank.net.asgi_answers import BodyTooLong, LateRespond, PeerLeft, read_body
from thingtank.net.forwarded import SIGNS, ClientOf, client_of
from thingtank.net.http_request import Headers, LongRespond, RequestHead, Respond
from thingtank.protocols.engineio.errors import (
    FORBIDDEN,
    SESSION_UNKNOWN,
    Refusal,
)
from thingtank.protocols.engineio.payloads import BINARY_TYPE
from thingtank.protocols.engineio.requests import Handshake, read_request
from thingtank.protocols.socketio.legacy.frames import NOOP, NOT_HANDSHAKEN
from thingtank.protocols.socketio.legacy.packets import MalformedPacket
from thingtank.protocols.socketio.legacy.payloads import (
    HANDSHAKE_TYPE,
    JSONP_HANDSHAKE_TYPE,
    JSONP_TYPE,
    POLLING_TYPE,
    TAKEN,
    VERSION_NOT_SUPPORTED,
    WELCOME,
    handshake_body,
    parse_jsonp_post,
    wrap_jsonp,
)

PREFIX = "/socket.io"
_PROTOCOL = "1"  # of socket.io 0.9
_TRANSPORTS = ("websocket", "xhr-polling", "jsonp-polling")
_QUERY_FIELDS_MAX = 50
_JSON_TYPE, _TEXT_TYPE = "application/json", "text/plain; charset=UTF-8"
_SIGNS = frozenset(sign.encode() for sign in SIGNS)  # of a proxy
_NO_SCRIPT = b"There is no script here: take the socket.io client that your program was made for."
_OPTIONS = (
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", b"Content-Type"),
    (b"access-control-max-age", b"86400"),
)


class SocketHttp:
    """Answers requests."""

    def __init__(self, sockets: SkynetSockets, find_client: ClientOf | None = None) -> None:
        """Let clients of some sockets in.

        Args:
            find_client: believes the proxies in front.
        """
        self._sockets = sockets
        self._find_client = find_client or client_of(())
        self._settings = sockets.door.settings

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request whose body is still to be read."""
        head = RequestHead.of_scope(scope)
        respond = LateRespond(send)
        try:
            body = await read_body(receive, self._settings.message_bytes_max)
        except PeerLeft:
            return
        except BodyTooLong:
            exchange = _Exchange(head, respond, head.address)
            exchange.answer(413, _TEXT_TYPE, b"The body is too long.")
        else:
            # Who serves ASGI has believed the proxies already.
            self._answer(_Exchange(head, respond, head.address), body)
        await respond.finish(receive)

    def answer(self, head: RequestHead, body: bytes, respond: Respond) -> None:
        """Answer one request that is here, its body too; polls are answered later."""
        address = head.address
        if not _SIGNS.isdisjoint(head.headers):
            texts = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in head.headers.items()
            }
            address = self._find_client(address, texts)
        self._answer(_Exchange(head, respond, address), body)

    def _answer(self, exchange: "_Exchange", body: bytes) -> None:
        head = exchange.head
        if head.method == "OPTIONS":
            exchange.answer(200, _TEXT_TYPE, b"", _OPTIONS)
            return
        allowed = self._settings.allowed_origins
        if not may_come_from(exchange.origin, exchange.host, allowed, exchange.fetch_site):
            exchange.refuse(FORBIDDEN)
            return
        steps = head.raw_path.removeprefix(PREFIX).strip("/").split("/")
        match steps:
            case [""]:
                self._answer_engine(exchange, body)
            case ["1"]:
                self._shake_hands(exchange)
            case ["1", "xhr-polling" | "jsonp-polling" as transport, sid]:
                self._answer_legacy(exchange, body, sid, is_jsonp=transport == "jsonp-polling")
            case ["1", _, sid] if "disconnect" in exchange.query:
                self._leave(exchange, self._sockets.find_legacy(sid))
            case ["socket.io.js"]:
                exchange.answer(404, _TEXT_TYPE, _NO_SCRIPT)
            case [number, *_] if number != _PROTOCOL and number.isdigit():
                exchange.answer(500, HANDSHAKE_TYPE, VERSION_NOT_SUPPORTED)
            case _:
                exchange.answer(404, _TEXT_TYPE, b"There is nothing here.")

    # --- Engine.IO ---

    def _answer_engine(self, exchange: "_Exchange", body: bytes) -> None:
        query = exchange.query
        if not {"EIO", "transport", "sid"} & query.keys():
            exchange.answer(200, HANDSHAKE_TYPE, WELCOME)
            return
        asked = read_request(query, exchange.head.method, is_websocket=False)
        if isinstance(asked, Refusal):
            exchange.refuse(asked)
        elif isinstance(asked, Handshake):
            if self._has_room(exchange):
                client = self._sockets.open_engine(asked, self._arrival_of(exchange))
                self._poll_engine(exchange, client)
        else:
            found = self._sockets.find_engine(asked.sid)
            if found is None:
                exchange.refuse(SESSION_UNKNOWN)
            elif exchange.head.method == "GET":
                self._poll_engine(exchange, found)
            else:
                self._take_engine(exchange, found, body)

    def _poll_engine(self, exchange: "_Exchange", client: EngineClient) -> None:
        _ = client.held_poll  # one whose peer has gone is no second poll
        refusal = client.session.open_poll()
        if refusal is not None:
            exchange.refuse(refusal)
            client.pump()
            return
        content_type = client.session.payload_type
        poll = _Poll(exchange, lambda payload: exchange.answer(200, content_type, payload))
        poll.hold(client)

    def _take_engine(self, exchange: "_Exchange", client: EngineClient, body: bytes) -> None:
        kind = exchange.head.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        is_binary = kind == BINARY_TYPE.encode()
        now_us = self._sockets.door.now_us()
        refusal = client.session.receive_payload(body, now_us, is_binary=is_binary)
        if refusal is None:
            exchange.answer(200, "text/html", b"ok")
        else:
            exchange.refuse(refusal)
        client.pump()

    # --- socket.io 0.9 ---

    def _shake_hands(self, exchange: "_Exchange") -> None:
        if not self._has_room(exchange):
            return
        client = self._sockets.open_legacy(self._arrival_of(exchange))
        body = handshake_body(client.session.sid, _TRANSPORTS, self._sockets.legacy_bounds)
        index = exchange.query.get("jsonp")
        if index is None:
            exchange.answer(200, HANDSHAKE_TYPE, body)
        else:
            exchange.answer(200, JSONP_HANDSHAKE_TYPE, wrap_jsonp(body, index))

    def _answer_legacy(
        self, exchange: "_Exchange", body: bytes, sid: str, *, is_jsonp: bool
    ) -> None:
        client = self._sockets.find_legacy(sid)
        if "disconnect" in exchange.query:
            self._leave(exchange, client)
        elif exchange.head.method == "POST":
            self._take_legacy(exchange, client, body, is_jsonp=is_jsonp)
        else:
            self._poll_legacy(exchange, client, is_jsonp=is_jsonp)

    def _poll_legacy(
        self, exchange: "_Exchange", client: LegacyClient | None, *, is_jsonp: bool
    ) -> None:
        index = exchange.query.get("i", "0")

        def answer(payload: bytes) -> None:
            if is_jsonp:
                exchange.answer(200, JSONP_TYPE, wrap_jsonp(payload, index), _NO_SNIFFING)
            else:
                exchange.answer(200, POLLING_TYPE, payload)

        older = None if client is None else client.held_poll
        if client is None or not client.session.open_poll(self._sockets.door.now_us()):
            answer(NOT_HANDSHAKEN)
            return
        if older is not None:
            older.answer(NOOP)
        _Poll(exchange, answer).hold(client)
        self._sockets.deadlines.watch(client)

    def _take_legacy(
        self, exchange: "_Exchange", client: LegacyClient | None, body: bytes, *, is_jsonp: bool
    ) -> None:
        is_taken = client is not None
        if client is not None:
            try:
                payload = parse_jsonp_post(body) if is_jsonp else body
            except MalformedPacket:
                client.session.refuse_packet()
            else:
                now_us = self._sockets.door.now_us()
                is_taken = client.session.receive_payload(payload, now_us)
        exchange.answer(200, POLLING_TYPE, TAKEN if is_taken else NOT_HANDSHAKEN)
        if client is not None:
            client.pump()

    def _leave(self, exchange: "_Exchange", client: LegacyClient | None) -> None:
        exchange.answer(200, _TEXT_TYPE, b"")
        if client is not None:
            client.session.receive_disconnect()
            client.pump()

    def _arrival_of(self, exchange: "_Exchange") -> Arrival:
        is_let_in = self._sockets.door.lets_in(exchange.head.texts())
        return Arrival(exchange.address, exchange.head.scheme == "https", is_let_in)

    def _has_room(self, exchange: "_Exchange") -> bool:
        refused = self._sockets.refusal_of(exchange.address)
        if refused is not None:
            exchange.answer(refused.status.value, _TEXT_TYPE, refused.text.encode())
        return refused is None


# Old browsers would guess that it is a page.
_NO_SNIFFING = ((b"x-content-type-options", b"nosniff"), (b"x-xss-protection", b"0"))


class _Exchange:
    """One request and the way to answer it."""

    __slots__ = ("address", "head", "query", "respond")

    def __init__(self, head: RequestHead, respond: Respond, address: str) -> None:
        self.head = head
        self.address = address
        self.respond = respond
        self.query = read_query(head.query.decode("latin-1"))

    @property
    def origin(self) -> str:
        return self.head.headers.get(b"origin", b"").decode("latin-1")

    @property
    def host(self) -> str:
        return self.head.headers.get(b"host", b"").decode("latin-1")

    @property
    def fetch_site(self) -> str:
        return self.head.headers.get(b"sec-fetch-site", b"").decode("latin-1")

    def refuse(self, refusal: Refusal) -> None:
        self.answer(refusal.status, _JSON_TYPE, refusal.body)

    def answer(
        self,
        status: int,
        content_type: str,
        body: bytes,
        more: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        headers: Headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", b"%d" % len(body)),
            *self._cors(),
            *more,
        ]
        self.respond(status, headers, b"" if self.head.method == "HEAD" else body)

    def _cors(self) -> tuple[tuple[bytes, bytes], ...]:
        """As the originals answered browsers; cookies mean nothing here."""
        origin = self.head.headers.get(b"origin")
        if origin is None or b"\n" in origin or b"\r" in origin:
            return ((b"access-control-allow-origin", b"*"),)
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
        )


class _Poll:
    """A GET that waits."""

    __slots__ = ("_answer", "_respond")

    def __init__(self, exchange: _Exchange, answer: Callable[[bytes], None]) -> None:
        self._answer = answer
        self._respond = exchange.respond

    def hold(self, client: EngineClient | LegacyClient) -> None:
        """Have a client answer it."""
        respond = self._respond
        if isinstance(respond, LongRespond):
            respond.hold(lambda: client.lose_poll(self))
        client.hold_poll(self)

    def answer(self, body: bytes) -> None:
        self._answer(body)

    def is_gone(self) -> bool:
        respond = self._respond
        return isinstance(respond, LongRespond) and respond.is_gone()


def read_query(query: str) -> Mapping[str, str]:
    """The last value of each name; nothing of a query that has too many."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_QUERY_FIELDS_MAX)
    except ValueError:
        return {}
    return dict(pairs)
