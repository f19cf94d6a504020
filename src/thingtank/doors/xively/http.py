"""The Xively HTTP API: route, authenticate, read, act, answer, remember.

Plain callables, because a write from a device should cost little more than the HTTP server itself.
"""

import time
from typing import Any

import msgspec
import structlog

from thingtank.doors.xively.authentication import Credentials, caller_of, credentials_of
from thingtank.doors.xively.error_table import RATE_STATUS_V1, answer_of
from thingtank.doors.xively.exchange import Exchange
from thingtank.doors.xively.graphs.graphs import Graphs
from thingtank.doors.xively.request_recorder import DoorWords, RequestRecorder
from thingtank.doors.xively.requests import Request, plain_body, read_body
from thingtank.doors.xively.resources.routes import HANDLERS
from thingtank.doors.xively.resources.shared import Context, Handler
from thingtank.doors.xively.responses import (
    JAVASCRIPT_TYPE,
    PREFLIGHT_HEADERS,
    Reply,
    headers_of,
)
from thingtank.doors.xively.settings import XivelySettings
from thingtank.net.asgi_answers import PeerLeft
from thingtank.net.eager import run_eagerly
from thingtank.net.http_request import Headers, RequestHead, Respond
from thingtank.protocols.xively import json_format
from thingtank.protocols.xively.errors import (
    ErrorBody,
    NotAcceptable,
    NotRouted,
    XivelyError,
)
from thingtank.protocols.xively.formats import (
    CONTENT_TYPES,
    ERROR_SERIALIZERS,
    FORMATS,
    default_format,
    select_format,
)
from thingtank.protocols.xively.paths import ActivationPath, Target, parse_path
from thingtank.protocols.xively.query import Parameters, first, parse_parameters
from thingtank.tank.access import Caller
from thingtank.tank.errors import RateExceeded, TankError, Unavailable
from thingtank.tank.events import Asked
from thingtank.tank.tank import Tank

log = structlog.get_logger()

_CHANGES = frozenset({"PUT", "POST"})
_READS = frozenset({"GET", "HEAD"})
_WITH_BODY = frozenset({"PUT", "POST", "DELETE"})


class _Reading(msgspec.Struct, frozen=True, gc=False):
    """What a head asks for. The same head asks for the same each time, so it is read once."""

    target: Target
    format: str
    handler: Handler
    parameters: Parameters
    callback: str
    credentials: Credentials
    is_keyless: bool
    asked: Asked | None


class XivelyHttp:
    """The door for paths under `/v2`: an ASGI app, and `answer` for requests that came whole."""

    def __init__(
        self,
        tank: Tank,
        settings: XivelySettings,
        public_url: str = "",
        door: str = "xively_http",
        graphs: Graphs | None = None,
        words: DoorWords | None = None,
    ) -> None:
        """Answer nothing yet.

        Args:
            door: by which name entries of the request log know it.
            words: of that door's protocol, for the request log.
        """
        self._tank = tank
        self._context = Context(tank, settings, graphs)
        self._recorder = RequestRecorder(tank, door, words)
        self._public_url = public_url
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

    def answer_for(self, caller: Caller, head: RequestHead, body: bytes, respond: Respond) -> None:
        """Answer a request of somebody whom another door has authenticated, and counted."""
        run_eagerly(self._answer(head, body, None, respond, caller))

    async def _answer(
        self,
        head: RequestHead,
        body: bytes,
        receive: Any,
        respond: Respond,
        caller: Caller | None = None,
    ) -> None:
        method = head.method
        if method == "OPTIONS":
            respond(200, PREFLIGHT_HEADERS, b"")
            return
        started_ns = time.perf_counter_ns()
        exchange = Exchange(head)
        try:
            reply = await self._reply(exchange, body, receive, caller)
        except PeerLeft:
            return
        except (TankError, XivelyError) as error:
            reply = _refusal(error, exchange, is_query=method not in _CHANGES)
            exchange.reason = str(error)
            if isinstance(error, RateExceeded) and exchange.caller is None:
                exchange.caller = self._holder(head)
        except Exception:
            # The edge of the door: the peer gets no details, the log all of them.
            log.exception("xively_http_request_failed", method=method)
            reply = _internal_error(exchange.format)
            exchange.reason = "an error of the server's own; see its log"
        if exchange.callback:
            reply = Reply(
                reply.status,
                json_format.wrap_callback(reply.body, exchange.callback),
                content_type=JAVASCRIPT_TYPE,
            )
        accepts_gzip = b"gzip" in head.headers.get(b"accept-encoding", b"")
        headers, sent = headers_of(reply, CONTENT_TYPES[exchange.format], accepts_gzip)
        respond(reply.status, headers, b"" if method == "HEAD" else sent)
        self._recorder.record(exchange, reply, (time.perf_counter_ns() - started_ns) // 1000)

    def _holder(self, head: RequestHead) -> Caller | None:
        """Who holds the key of a request that is not looked at because there were too many."""
        try:
            return caller_of(self._tank, head.reading.credentials, head.address, is_counted=False)
        except TankError:
            return None

    async def _reply(
        self, exchange: Exchange, body: bytes, receive: Any, caller: Caller | None
    ) -> Reply:
        head = exchange.head
        reading: _Reading | None = head.reading
        if reading is None:
            reading = head.reading = _read(
                exchange, self._context.graphs is not None, self._recorder
            )
        exchange.path, exchange.format = reading.target.path, reading.format
        exchange.callback, exchange.asked = reading.callback, reading.asked
        if caller is None:
            is_keyless = self._public_reads_keyless or reading.is_keyless
            reads_public = is_keyless and head.method in _READS
            caller = caller_of(self._tank, reading.credentials, head.address, reads_public)
        exchange.caller = caller
        request = Request(
            "GET" if head.method == "HEAD" else head.method,
            reading.target,
            reading.parameters,
            caller,
            head,
            reading.format,
            self._public_url,
        )
        if head.method in _WITH_BODY:
            limit = self._tank.limits.request_bytes_max
            if receive is not None:  # only now, so that nobody without a key is read much from
                body = await read_body(receive, head.headers, limit)
            request.body = exchange.body = plain_body(body, head.headers, limit)
        return await reading.handler(self._context, request)


def _read(exchange: Exchange, draws: bool, recorder: RequestRecorder) -> _Reading:
    """Read a head; what it says of the answer goes into the exchange, even if it is refused."""
    head = exchange.head
    method = "GET" if head.method == "HEAD" else head.method
    target = parse_path(head.raw_path)
    exchange.path = target.path
    exchange.format = default_format(target.version)
    handler = HANDLERS.get((type(target.path), method)) if target.path else None
    # Activation is a GET that changes something, and shows the key once: nothing to look into.
    is_peek = head.method == "HEAD" and type(target.path) is ActivationPath
    if target.path is None or handler is None or is_peek:
        raise NotRouted(head.method, head.raw_path)
    if method != "DELETE":  # has no format: the C library deletes `….csv` and reads no body
        exchange.format = _format(target, method, head, draws)
    parameters = parse_parameters(head.query)
    if method == "GET" and parameters and exchange.format == "json":
        exchange.callback = first(parameters, "callback") or ""
    credentials = credentials_of(head.headers, parameters)
    # Graphs of public feeds stood in web pages, and a new device has a code but no key to show.
    is_keyless = exchange.format == "png" or type(target.path) is ActivationPath
    return _Reading(
        target,
        exchange.format,
        handler,
        parameters,
        exchange.callback,
        credentials,
        is_keyless,
        recorder.asked(target.path, head),
    )


def _format(target: Target, method: str, head: RequestHead, draws: bool) -> str:
    assert target.path is not None
    accept = head.headers.get(b"accept")
    spoken = FORMATS[type(target.path)]
    name = select_format(target.extension, accept, spoken, default_format(target.version))
    if name == "png" and not (draws and method == "GET"):
        raise NotAcceptable("a picture can only be read, and only over HTTP")
    return name


def _refusal(error: TankError | XivelyError, exchange: Exchange, is_query: bool) -> Reply:
    status, body = answer_of(error, is_query)
    # Only a request whose head has been read is counted.
    if isinstance(error, RateExceeded) and exchange.head.reading.target.version == 1:
        status = RATE_STATUS_V1
    retry_after_s = error.retry_after_s if isinstance(error, RateExceeded | Unavailable) else 0
    return _error(status, body, exchange.format, retry_after_s)


def _internal_error(name: str) -> Reply:
    body = ErrorBody("Internal Server Error", "The server failed; the failure has been logged")
    return _error(500, body, name)


def _error(status: int, body: ErrorBody, name: str, retry_after_s: int = 0) -> Reply:
    """A refusal in the format that was asked for; where an image was, in JSON."""
    if name not in ERROR_SERIALIZERS:
        name = "json"
    reply = Reply(status, ERROR_SERIALIZERS[name](body), retry_after_s=retry_after_s)
    reply.content_type = CONTENT_TYPES[name]
    return reply
