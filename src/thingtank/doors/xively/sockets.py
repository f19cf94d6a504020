"""Xively's sockets: requests as over HTTP, and subscriptions that push every update.

What TCP, WebSocket and SockJS share. A request is handed to the HTTP door's own `answer`, so that
every resource is here as it is there; only `subscribe` and `unsubscribe` are this module's.

Source: Xively API v2, sockets.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Literal, Protocol
from urllib.parse import quote

import msgspec
import structlog

from thingtank.doors.xively.authentication import Credentials, caller_of, credentials_of
from thingtank.doors.xively.error_table import answer_of
from thingtank.doors.xively.settings import SocketSettings
from thingtank.doors.xively.subscribing import Subscribing
from thingtank.doors.xively.subscriptions import Subscription, Subscriptions
from thingtank.net.http_request import DirectApp, Headers, RequestHead
from thingtank.protocols.xively import json_format
from thingtank.protocols.xively.errors import XivelyError
from thingtank.protocols.xively.paths import DatastreamPath, FeedPath, parse_path
from thingtank.protocols.xively.query import parse_parameters
from thingtank.protocols.xively.socket_messages import (
    MalformedMessage,
    Pushes,
    SocketRequest,
    answer,
    parse_request,
    refusal_of_nothing,
)
from thingtank.tank.access import check_reach
from thingtank.tank.actions.datastreams import get_datastream
from thingtank.tank.errors import LimitReached, RateExceeded, TankError
from thingtank.tank.tank import Tank

log = structlog.get_logger()

Transport = Literal["xively_tcp", "xively_websocket"]
"""A door by its name in the request log. SockJS is a WebSocket for browsers without."""

UNREAD_S_MAX = 60.0  # for how long a peer may leave what it asked for unread
_LOOK_S_MIN, _LOOK_S_MAX = 0.02, 1.0  # between two looks whether it has read
_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "HEAD"})
_FORBIDDEN = b'"Forbidden: You are not authorized"'  # letter for letter, as clients recorded it
_SHOWN_HEADERS = {
    b"content-type": "CONTENT_TYPE",
    b"location": "LOCATION",
    b"retry-after": "RETRY_AFTER",
}


class Peer(Protocol):
    """A connection, whatever it runs over."""

    @property
    def address(self) -> str:
        """The other side's IP address."""
        ...

    def send(self, message: bytes) -> None:
        """Write one message; nothing after the end."""
        ...

    def unread_bytes(self) -> int:
        """How much was written and not taken yet."""
        ...

    def pause(self) -> None:
        """Read no more requests for now."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def close(self) -> None:
        """End the connection, what was written first."""
        ...

    def abort(self) -> None:
        """End the connection at once; what was not taken yet is dropped."""
        ...


class SocketSession:
    """One connection's requests and subscriptions."""

    def __init__(self, door: "SocketDoor", peer: Peer, transport: Transport) -> None:
        self._door = door
        self._peer = peer
        self._transport = transport
        self._ask_http = door.answers[transport]
        self._subscriptions: dict[tuple[str, bytes], Subscription] = {}
        self._waiting_count = 0
        self._held: deque[bytes] = deque()  # came in one piece with what made us pause
        self._is_paused = False
        self._has_said_all = False
        self._is_over = False
        self._unread_timer: asyncio.TimerHandle | None = None
        self._unread_until_s = 0.0
        self.has_spoken = False

    @property
    def is_reading(self) -> bool:
        """Whether the next request would be answered now; else it is held until it can be."""
        return not (self._is_paused or self._held or self._is_over)

    def receive_message(self, message: bytes) -> None:
        """Answer one request, now or later."""
        if self.is_reading:
            self._handle(message)
        elif not self._is_over:
            self._held.append(message)

    def _handle(self, message: bytes) -> None:
        try:
            request = parse_request(message)
        except MalformedMessage as error:
            self.refuse(error)
            return
        self.has_spoken = True
        method = request.method.upper()
        if method == "SUBSCRIBE":
            self._begin_subscription(request)
        elif method == "UNSUBSCRIBE":
            self._unsubscribe(request)
        elif method in _METHODS:
            self._ask(request, method)
        else:
            known = "get put post delete subscribe unsubscribe"
            self.refuse(MalformedMessage(f"method must be one of {known}"))

    def refuse(self, error: MalformedMessage) -> None:
        """Answer what is no request; where one ends is no longer known after a fatal error."""
        self._send(refusal_of_nothing(str(error)))
        if error.is_fatal:
            self._is_over = True
            self._held.clear()
            self._peer.close()

    def finish(self) -> None:
        """The peer says no more: close when all that it asked is answered."""
        self._has_said_all = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        is_done = not (self._waiting_count or self._held or self._is_paused)
        if self._has_said_all and is_done and not self._is_over:
            self._peer.close()

    def end(self) -> None:
        """The connection is gone."""
        self._is_over = True
        self._held.clear()
        if self._unread_timer is not None:
            self._unread_timer.cancel()
        for subscription in self._subscriptions.values():
            self._door.subscriptions.remove(subscription)
        self._subscriptions.clear()

    # --- requests ---

    def _ask(self, request: SocketRequest, method: str) -> None:
        try:
            head = self._head(request, method)
            body = request.document
        except (MalformedMessage, UnicodeError) as error:
            self.refuse(MalformedMessage(str(error)))
            return
        self._waiting_count += 1
        if self._waiting_count >= self._door.settings.requests_max:
            self._pause()
        self._ask_http(head, body, partial(self._respond, request))

    def _head(self, request: SocketRequest, method: str) -> RequestHead:
        resource, _, query = request.resource.partition("?")
        if not resource.startswith("/"):
            raise MalformedMessage("resource must begin with a slash, such as /feeds/504")
        parameters = b"&".join(part for part in (query.encode(), request.query) if part)
        path = f"/v2{quote(resource, safe='/%+.:,-_~')}"
        headers = _headers_of(request)
        return RequestHead(method, path, parameters, headers, "http", self._peer.address)

    def _respond(self, request: SocketRequest, status: int, headers: Headers, body: bytes) -> None:
        self._waiting_count -= 1
        if self._is_over:
            return
        shown = {
            _SHOWN_HEADERS[bytes(name).lower()]: value.decode("latin-1")
            for name, value in headers
            if bytes(name).lower() in _SHOWN_HEADERS
        }
        if body and not shown.get("CONTENT_TYPE", "").startswith("application/json"):
            body = msgspec.json.encode(body.decode("utf-8", "replace"))
        self._send(answer(request, status, shown, body))
        self._resume_if_free()
        self._close_if_done()

    # --- pacing ---

    def _send(self, message: bytes) -> None:
        """Answer; a peer that leaves answers unread is not asked for more."""
        self._peer.send(message)
        if self._unread_timer is None and self._peer.unread_bytes() > self._unread_bytes_max:
            self._pause()
            loop = asyncio.get_running_loop()
            self._unread_until_s = loop.time() + UNREAD_S_MAX
            self._unread_timer = loop.call_later(_LOOK_S_MIN, self._look, _LOOK_S_MIN)

    @property
    def _unread_bytes_max(self) -> int:
        """Half of what ends a connection, so that a push finds room behind answers."""
        return self._door.settings.unread_bytes_max // 2

    def _look(self, waited_s: float) -> None:
        """Read on once half is taken; looking is the same for all transports, and costs little."""
        self._unread_timer = None
        if self._is_over:
            return
        loop = asyncio.get_running_loop()
        if self._peer.unread_bytes() <= self._unread_bytes_max // 2:
            self._resume_if_free()
        elif loop.time() >= self._unread_until_s:
            log.info("xively_socket_reads_too_slowly", address=self._peer.address)
            self._peer.abort()
        else:
            wait_s = min(waited_s * 2, _LOOK_S_MAX)
            self._unread_timer = loop.call_later(wait_s, self._look, wait_s)

    def _pause(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._peer.pause()

    def _resume_if_free(self) -> None:
        if (
            self._is_paused
            and self._unread_timer is None
            and self._waiting_count <= self._door.settings.requests_max // 2
        ):
            self._is_paused = False
            # Not within the request whose answer made room.
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        """Answer what was held; then what the peer sends from now on."""
        while self._held and not self._is_paused:
            self._handle(self._held.popleft())
        if not self._is_paused and not self._is_over:
            self._peer.resume()
            self._close_if_done()

    # --- subscriptions ---

    def _begin_subscription(self, request: SocketRequest) -> None:
        started_ns = time.perf_counter_ns()
        asked = Subscribing(request, _headers_of(request), self._peer.address)
        try:
            self._subscribe(asked)
        except (TankError, XivelyError) as error:
            asked.reason = str(error)
            status, body = answer_of(error, is_query=True)
            said, headers = json_format.serialize(body), {}
            if isinstance(error, RateExceeded):
                headers["RETRY_AFTER"] = str(error.retry_after_s)
            elif status in (401, 403):
                said = _FORBIDDEN
            self._send(answer(request, status, headers, said))
        else:
            status = 200
            self._send(answer(request, 200))
        duration_us = (time.perf_counter_ns() - started_ns) // 1000
        asked.note(self._door.tank, self._transport, status, duration_us)

    def _subscribe(self, asked: Subscribing) -> None:
        request = asked.request
        path = asked.path = parse_path("/v2" + request.resource).path
        if not isinstance(path, FeedPath | DatastreamPath):
            raise NotSubscribable(f"{request.resource[:64]} cannot be subscribed to")
        credentials = credentials_of(asked.headers, parse_parameters(request.query))
        self._check(credentials, path, asked)
        known_by = (request.resource, bytes(request.token))
        known = self._subscriptions.get(known_by)
        if known is not None:  # what is on its way to it is not lost, and the newest key counts
            known.credentials = credentials
            return
        if len(self._subscriptions) >= self._door.settings.subscriptions_max:
            raise LimitReached(
                f"a connection may have {self._door.settings.subscriptions_max} subscriptions"
            )
        subscription = Subscription(
            path.feed_id,
            path.datastream_id if isinstance(path, DatastreamPath) else None,
            Pushes(request),
            known_by,
            credentials,
            self._peer,
            self._forget,
        )
        self._subscriptions[known_by] = subscription
        self._door.subscriptions.add(subscription)

    def _forget(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription.known_by, None)

    def _check(
        self, credentials: Credentials, path: FeedPath | DatastreamPath, asked: Subscribing
    ) -> None:
        tank = self._door.tank
        caller = asked.caller = caller_of(
            tank, credentials, self._peer.address, self._door.reads_public
        )
        if isinstance(path, DatastreamPath):
            get_datastream(tank, caller, path.feed_id, path.datastream_id)
        else:
            check_reach(caller, "get", tank.directory.get_device(path.feed_id))

    def _unsubscribe(self, request: SocketRequest) -> None:
        subscription = self._subscriptions.pop((request.resource, bytes(request.token)), None)
        if subscription is not None:
            self._door.subscriptions.remove(subscription)
        self._send(answer(request, 200))


class NotSubscribable(XivelyError):
    """Only feeds and datastreams change by themselves."""

    status = 404
    title = "Not found"


class SocketDoor:
    """What all sessions share."""

    def __init__(
        self,
        tank: Tank,
        answers: Mapping[Transport, DirectApp],
        subscriptions: Subscriptions,
        settings: SocketSettings,
        reads_public: bool = False,
    ) -> None:
        """Serve nobody yet.

        Args:
            answers: the HTTP API, for each transport: the request log tells them apart.
        """
        self.tank = tank
        self.answers = answers
        self.subscriptions = subscriptions
        self.settings = settings
        self.reads_public = reads_public

    def session(self, peer: Peer, transport: Transport) -> SocketSession:
        """A session for a new connection."""
        return SocketSession(self, peer, transport)


def _headers_of(request: SocketRequest) -> dict[bytes, bytes]:
    """Its headers as an HTTP request's, but for those that speak of the HTTP connection itself."""
    headers = {
        name.lower().encode("latin-1", "replace"): str(value).encode("latin-1", "replace")
        for name, value in request.headers.items()
        if value is not None
    }
    for name in (b"accept-encoding", b"content-encoding", b"content-length", b"accept"):
        headers.pop(name, None)
    return headers
