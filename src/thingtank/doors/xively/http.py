"""The Xively HTTP API: route, authenticate, read, act, answer, remember.

Plain callables, because a write from a device should cost little more than the HTTP server itself.
"""

import time
from typing import Any

import msgspec
import structlog

from thingtank.doors.xively.authentication import Credentials, caller_of, credentials_of
from thingtank.doors.xively.error_table import answer_of
from thingtank.doors.xively.exchange import Exchange
from thingtank.doors.xively.request_recorder import RequestRecorder
from thingtank.doors.xively.requests import PeerLeft, Request, plain_body, read_body
from thingtank.doors.xively.resources import HANDLERS, Handler, Resources
from thingtank.doors.xively.responses import (
    JAVASCRIPT_TYPE,
    PREFLIGHT_HEADERS,
    Reply,
    headers_of,
)
from thingtank.doors.xively.settings import XivelySettings
from thingtank.net.eager import run_eagerly
from thingtank.net.http_request import Headers, RequestHead, Respond
from thingtank.protocols.xively import json_format
from thingtank.protocols.xively.errors import ErrorBody, NotRouted, XivelyError
from thingtank.protocols.xively.formats import select_format
from thingtank.protocols.xively.paths import Target, parse_path
from thingtank.protocols.xively.query import Parameters, first, parse_parameters
from thingtank.tank.errors import TankError, Unavailable
from thingtank.tank.tank import Tank

log = structlog.get_logger()

_CHANGES = frozenset({"PUT", "POST"})
_READS = frozenset({"GET", "HEAD"})
_WITH_BODY = frozenset({"PUT", "POST", "DELETE"})


class _Reading(msgspec.Struct, frozen=True, gc=False):
    """What a head asks for. The same head asks for the same each time, so it is read once."""

    target: Target
    handler: Handler
    parameters: Parameters
    callback: str
    credentials: Credentials


class XivelyHttp:
    """The door for paths under `/v2`: an ASGI app, and `answer` for requests that came whole."""

    def __init__(
        self,
        tank: Tank,
        settings: XivelySettings,
        public_url: str = "",
        door: str = "xively_http",
    ) -> None:
        self._tank = tank
        self._resources = Resources(tank, settings)
        self._recorder = RequestRecorder(tank, door)
        self._public_url = public_url.rstrip("/")
        self._public_reads_keyless = settings.public_reads_keyless

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request whose body is still to be read."""
        answers: list[tuple[int, Headers, bytes]] = []
        await self._answer(
            RequestHead.of_scope(scope), b"", receive, lambda *answer: answers.append(answer)
        )
        for status, headers, body in answers:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    def answer(self, head: RequestHead, body: bytes, respond: Respond) -> None:
        """Answer one request that is here, its body too."""
        run_eagerly(self._answer(head, body, None, respond))

    async def _answer(self, head: RequestHead, body: bytes, receive: Any, respond: Respond) -> None:
        method = head.method
        if method == "OPTIONS":
            respond(200, PREFLIGHT_HEADERS, b"")
            return
        started_ns = time.perf_counter_ns()
        exchange = Exchange(head)
        try:
            reply = await self._reply(exchange, body, receive)
        except PeerLeft:
            return
        except (TankError, XivelyError) as error:
            reply = _refusal(error, is_query=method not in _CHANGES)
            exchange.reason = str(error)
        except Exception:
            # The edge of the door: the peer gets no details, the log all of them.
            log.exception("xively_http_request_failed", method=method)
            reply = _internal_error()
            exchange.reason = "an error of the server's own; see its log"
        if exchange.callback:
            reply = Reply(
                reply.status,
                json_format.wrap_callback(reply.body, exchange.callback),
                content_type=JAVASCRIPT_TYPE,
            )
        headers, sent = headers_of(reply, b"gzip" in head.headers.get(b"accept-encoding", b""))
        respond(reply.status, headers, b"" if method == "HEAD" else sent)
        self._recorder.record(exchange, reply, (time.perf_counter_ns() - started_ns) // 1000)

    async def _reply(self, exchange: Exchange, body: bytes, receive: Any) -> Reply:
        head = exchange.head
        reading: _Reading | None = head.reading
        if reading is None:
            reading = head.reading = _read(exchange)
        else:
            exchange.path, exchange.callback = reading.target.path, reading.callback
        reads_public = self._public_reads_keyless and head.method in _READS
        caller = caller_of(self._tank, reading.credentials, head.address, reads_public)
        request = Request(
            "GET" if head.method == "HEAD" else head.method,
            reading.target,
            reading.parameters,
            caller,
            head,
            self._public_url,
        )
        if head.method in _WITH_BODY:
            limit = self._tank.limits.request_bytes_max
            if receive is not None:  # only now, so that nobody without a key is read much from
                body = await read_body(receive, head.headers, limit)
            request.body = exchange.body = plain_body(body, head.headers, limit)
        return await reading.handler(self._resources, request)


def _read(exchange: Exchange) -> _Reading:
    """Read a head; what it says of the answer goes into the exchange, even if it is refused."""
    head = exchange.head
    method = "GET" if head.method == "HEAD" else head.method
    target = parse_path(head.raw_path)
    exchange.path = target.path
    handler = HANDLERS.get((type(target.path), method)) if target.path else None
    # Paths of the API v1 are known, and not answered yet.
    if target.path is None or handler is None or target.version != 2:
        raise NotRouted(head.method, head.raw_path)
    if method != "DELETE":  # has no format: the C library deletes `….csv` and reads no body
        select_format(target.extension, head.headers.get(b"accept"), ("json",))
    parameters = parse_parameters(head.query)
    if method == "GET" and parameters:
        exchange.callback = first(parameters, "callback") or ""
    credentials = credentials_of(head.headers, parameters)
    return _Reading(target, handler, parameters, exchange.callback, credentials)


def _refusal(error: TankError | XivelyError, is_query: bool) -> Reply:
    status, body = answer_of(error, is_query)
    retry_after_s = error.retry_after_s if isinstance(error, Unavailable) else 0
    return Reply(status, json_format.serialize(body), retry_after_s=retry_after_s)


def _internal_error() -> Reply:
    body = ErrorBody("Internal Server Error", "The server failed; the failure has been logged")
    return Reply(500, json_format.serialize(body))
