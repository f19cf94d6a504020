"""The REST API: route, read, find out who asks, do, answer, remember.

Plain callables, because a message should cost little more than the HTTP server itself.
"""

import time
from typing import Any

import structlog

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.errors import SkynetError
from thingtank.doors.skynet.rest.error_table import Refused, RestRefusal, refusal
from thingtank.doors.skynet.rest.reading import RequestTooLarge, read_head, read_request
from thingtank.doors.skynet.rest.replies import PREFLIGHT_HEADERS, Reply, answer, headers_of
from thingtank.doors.skynet.rest.request_recorder import RequestRecorder
from thingtank.doors.skynet.rest.requests import Reading, Request, Words
from thingtank.doors.skynet.rest.senders import sender_of, shows_anything
from thingtank.doors.skynet.rest.streams import Streams, is_stream
from thingtank.net.asgi_answers import BodyTooLong, PeerLeft, read_body
from thingtank.net.eager import run_eagerly
from thingtank.net.http_request import Headers, RequestHead, Respond
from thingtank.protocols.skynet.parameters import BadParameters
from thingtank.protocols.skynet.queries import BadQuery
from thingtank.tank.errors import TankError

log = structlog.get_logger()

_INTERNAL_ERROR = {"error": {"message": "Internal Server Error", "code": 500}}
_NO_WORDS = Words()
_OPENED = Reply()
_REFUSALS = (TankError, SkynetError, RestRefusal, BadParameters, BadQuery)


class Exchange:
    """One request and what became of it.

    Attributes:
        reading: None until its head was read; `request`: until its body was.
        reason: why it was refused; blank when it was not.
    """

    __slots__ = ("head", "reading", "reason", "request")

    def __init__(self, head: RequestHead) -> None:
        self.head = head
        self.reading: Reading | None = None
        self.request: Request | None = None
        self.reason = ""


class SkynetRest:
    """An ASGI app for what is long, and `answer` for requests that came whole."""

    def __init__(self, door: SkynetDoor) -> None:
        self._door = door
        self._recorder = RequestRecorder(door.tank)
        self._streams = Streams(door)

    @staticmethod
    def skips(target: bytes) -> bool:
        """Whether a request's target (path and query) is a stream, which needs ASGI."""
        return is_stream(target)

    def stop(self) -> None:
        """End all streams soon."""
        self._streams.stop()

    def answer(self, head: RequestHead, body: bytes, respond: Respond) -> None:
        """Answer one request that is here, its body too."""
        run_eagerly(self._answer(head, body, respond))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request whose body is still to be read, or whose answer does not end."""
        head = RequestHead.of_scope(scope)
        bytes_max = self._door.settings.message_bytes_max
        answers: list[tuple[int, Headers, bytes]] = []

        def respond(status: int, headers: Headers, body: bytes) -> None:
            answers.append((status, headers, body))

        try:
            declared = head.headers.get(b"content-length", b"")
            body = await read_body(receive, bytes_max, declared)
        except PeerLeft:
            return
        except BodyTooLong:
            error = RequestTooLarge(bytes_max, head)
            respond(413, headers_of(error.reply), error.reply.body)
        else:
            target = head.raw_path.encode("latin-1") + b"?" + head.query
            if head.method == "GET" and is_stream(target):
                await self._stream(head, respond, scope, receive, send)
            else:
                await self._answer(head, body, respond)
        for status, headers, sent in answers:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": sent})

    async def _stream(
        self, head: RequestHead, respond: Respond, scope: Any, receive: Any, send: Any
    ) -> None:
        """Serve a stream, or answer why not."""
        exchange = Exchange(head)
        try:
            request = self._admit(exchange, b"")
            stream = await self._streams.open(request)
        except _REFUSALS as error:
            reply = self._refusal(error, exchange)
            respond(reply.status, headers_of(reply), reply.body)
            self._record(exchange, reply, 0)
        else:
            self._record(exchange, _OPENED, 0)
            await self._streams.serve(stream, scope, receive, send)

    async def _answer(self, head: RequestHead, body: bytes, respond: Respond) -> None:
        if head.method == "OPTIONS":
            respond(204, PREFLIGHT_HEADERS, b"")
            return
        started_ns = time.perf_counter_ns()
        exchange = Exchange(head)
        try:
            request = self._admit(exchange, body)
            assert exchange.reading is not None
            handler = exchange.reading.route.handler
            assert handler is not None, "a stream has come the short way"
            reply = await handler(self._door, request)
        except _REFUSALS as error:
            reply = self._refusal(error, exchange)
        except Exception:
            # The edge of the door: the peer gets no details, the log all of them.
            log.exception("skynet_request_failed", method=head.method)
            reply = answer(_INTERNAL_ERROR, 500)
            exchange.reason = "an error of the server's own; see its log"
        respond(reply.status, headers_of(reply), b"" if head.method == "HEAD" else reply.body)
        self._record(exchange, reply, (time.perf_counter_ns() - started_ns) // 1000)

    def _record(self, exchange: Exchange, reply: Reply, duration_us: int) -> None:
        if exchange.reading is not None:
            self._recorder.record(
                exchange.head,
                exchange.reading,
                exchange.request,
                reply,
                duration_us,
                exchange.reason,
            )

    def _admit(self, exchange: Exchange, body: bytes) -> Request:
        """A request whose sender is known, or is let in without."""
        head, door = exchange.head, self._door
        reading: Reading | None = head.reading
        if reading is None:
            reading = head.reading = read_head(door, head)
        exchange.reading = reading
        request = exchange.request = read_request(door, head, reading, body)
        request.party = sender_of(door, reading, request.parameters, head.address)
        return request

    def _refusal(self, error: Refused, exchange: Exchange) -> Reply:
        exchange.reason = str(error)
        reading, request = exchange.reading, exchange.request
        now_ms = self._door.tank.clock.now_us() // 1000
        if reading is None:
            return refusal(error, _NO_WORDS, "", now_ms, is_legacy=True, has_shown=False)
        return refusal(
            error,
            reading.route.words,
            reading.path.uuid,
            now_ms,
            is_legacy=reading.is_legacy,
            has_shown=shows_anything(reading, {} if request is None else request.parameters),
        )
