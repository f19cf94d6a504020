"""SockJS at `/sockjs`: what Xively's JavaScript library asks for first.

The protocol and its fallbacks are the libraries' sockjs and aiohttp; here a session of theirs
becomes a peer of ours.

Source: xively-js, `SocketTransport` (port 8082, path `/sockjs`).
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web
from sockjs import MsgType, SessionManager, SockjsMessage, add_endpoint

from thingtank.doors.xively.sockets import SocketDoor, SocketSession
from thingtank.doors.xively.sockjs_session import MeasuredSession

log = structlog.get_logger()

HEARTBEAT_S = 25
DISCONNECT_S = 10  # between two polls
STOP_S_MAX = 1.0
PREFLIGHT_S = 86_400  # for how long a browser need not ask again
_PREFIX = "/sockjs"


class SockJsPeer:
    """The other side of one session."""

    def __init__(self, session: MeasuredSession) -> None:
        self._session = session
        self.readable = asyncio.Event()
        self.readable.set()
        self.held_count = 0  # messages, each in a request of its own, that wait until we read on
        request = session.request
        self.address: str = (request.remote or "") if request is not None else ""

    def send(self, message: bytes) -> None:
        """Queue one message for the session's transport; nothing after the end."""
        if self._session.is_open and not self._session.expired:
            self._session.send(message.decode())

    def unread_bytes(self) -> int:
        """How much was queued and not taken yet, by characters."""
        return self._session.waiting_chars

    def pause(self) -> None:
        """Read no more for now."""
        self.readable.clear()

    def resume(self) -> None:
        """Read on."""
        self.readable.set()

    def close(self) -> None:
        """End the session, what was queued first."""
        self._session.close(1008, "Policy violation")

    def abort(self) -> None:
        """End the session at once; what was not taken yet is dropped."""
        self._session.drop_waiting()
        self.close()
        self.readable.set()  # whoever waits to be read finds that it is over
        request = self._session.request
        if request is not None and request.transport is not None:
            request.transport.abort()  # or what it does not read would hold up the end


class SockJsApp:
    """What answers the connections of a port."""

    def __init__(self, door: SocketDoor) -> None:
        self._door = door
        self._sessions: dict[str, tuple[SockJsPeer, SocketSession]] = {}
        app = web.Application(client_max_size=door.tank.limits.request_bytes_max)
        manager = SessionManager("xively", app, self._handle, HEARTBEAT_S, DISCONNECT_S)
        manager.factory = MeasuredSession
        add_endpoint(
            app,
            self._handle,
            name=manager.name,
            prefix=_PREFIX,
            manager=manager,
            sockjs_cdn="",  # the page of the iframe transports loads nothing from elsewhere
            cookie_needed=False,
        )
        app.router.add_route("OPTIONS", _PREFIX + "{rest:.*}", _answer_preflight)
        app.on_response_prepare.append(_let_any_page_read)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S_MAX)

    async def start(self) -> Callable[[], asyncio.Protocol]:
        """Get ready; returns what makes the protocol of a connection."""
        await self._runner.setup()
        assert self._runner.server is not None
        return self._runner.server

    async def stop(self) -> None:
        """Close all sessions and connections."""
        for peer, session in list(self._sessions.values()):
            session.end()
            peer.close()
        self._sessions.clear()
        await self._runner.cleanup()

    async def _handle(
        self, manager: SessionManager, session: MeasuredSession, message: SockjsMessage
    ) -> None:
        if message.type == MsgType.OPEN:
            self._begin(session)
        elif message.type == MsgType.MESSAGE:
            await self._receive(session, message.data)
        elif message.type in (MsgType.CLOSE, MsgType.CLOSED):
            peer, conversation = self._sessions.pop(session.id, (None, None))
            if peer is not None and conversation is not None:
                conversation.end()
                peer.readable.set()

    async def _receive(self, session: MeasuredSession, data: Any) -> None:
        while True:
            peer, conversation = self._sessions.get(session.id, (None, None))
            if peer is None or conversation is None or not session.is_open:
                return
            if peer.readable.is_set():
                conversation.receive_message(str(data).encode("utf-8", "replace"))
                return
            if peer.held_count >= self._door.settings.requests_max:
                log.info("sockjs_session_asks_too_much", address=peer.address)
                peer.abort()
                return
            peer.held_count += 1
            try:
                await peer.readable.wait()
            finally:
                peer.held_count -= 1

    def _begin(self, session: MeasuredSession) -> None:
        if len(self._sessions) >= self._door.settings.connections_max:
            log.warning("sockjs_sessions_full", sessions_max=self._door.settings.connections_max)
            session.close(1013, "Try again later")
            return
        peer = SockJsPeer(session)
        self._sessions[session.id] = (peer, self._door.session(peer, "xively_websocket"))


async def _let_any_page_read(request: web.Request, response: web.StreamResponse) -> None:
    """Allow pages from elsewhere (CORS), as on the HTTP door: no cookie means anything here.

    SockJS clients ask with credentials, and then `*` is not an answer that browsers take.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Credentials"] = "true"
    response.headers["Vary"] = "Origin"


async def _answer_preflight(request: web.Request) -> web.Response:
    asked = request.headers.get("Access-Control-Request-Headers", "")
    headers = {
        "Access-Control-Allow-Methods": "OPTIONS, GET, POST",
        "Access-Control-Max-Age": str(PREFLIGHT_S),
    }
    if asked:
        headers["Access-Control-Allow-Headers"] = asked
    return web.Response(status=204, headers=headers)
