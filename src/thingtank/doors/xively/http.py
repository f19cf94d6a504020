"""The Xively HTTP API as an ASGI app: route, authenticate, read, act, answer, remember.

A plain callable, because a write from a device should cost little more than the HTTP server itself.
"""

import time
from typing import Any

import structlog

from thingtank.doors.xively.authentication import caller_of
from thingtank.doors.xively.error_table import answer_of
from thingtank.doors.xively.exchange import Exchange
from thingtank.doors.xively.request_recorder import RequestRecorder
from thingtank.doors.xively.requests import PeerLeft, Request, read_body
from thingtank.doors.xively.resources import HANDLERS, Resources
from thingtank.doors.xively.responses import JAVASCRIPT_TYPE, PREFLIGHT_HEADERS, Reply, send_reply
from thingtank.doors.xively.settings import XivelySettings
from thingtank.protocols.xively import json_format
from thingtank.protocols.xively.errors import ErrorBody, NotRouted, XivelyError
from thingtank.protocols.xively.formats import select_format
from thingtank.protocols.xively.paths import parse_path
from thingtank.protocols.xively.query import first, parse_parameters
from thingtank.tank.errors import TankError, Unavailable
from thingtank.tank.tank import Tank

log = structlog.get_logger()

_CHANGES = frozenset({"PUT", "POST"})
_WITH_BODY = frozenset({"PUT", "POST", "DELETE"})


class XivelyHttp:
    """The door. Mount it for paths under `/v2`."""

    def __init__(self, tank: Tank, settings: XivelySettings, public_url: str = "") -> None:
        self._tank = tank
        self._resources = Resources(tank, settings)
        self._recorder = RequestRecorder(tank)
        self._public_url = public_url.rstrip("/")
        self._public_reads_keyless = settings.public_reads_keyless

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        method: str = scope["method"]
        if method == "OPTIONS":
            await send({"type": "http.response.start", "status": 200, "headers": PREFLIGHT_HEADERS})
            await send({"type": "http.response.body", "body": b""})
            return
        started_ns = time.perf_counter_ns()
        exchange = Exchange(scope)
        try:
            reply = await self._reply(exchange, receive)
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
        await send_reply(
            send, reply, b"gzip" in exchange.headers.get(b"accept-encoding", b""), method == "HEAD"
        )
        self._recorder.record(exchange, reply, (time.perf_counter_ns() - started_ns) // 1000)

    async def _reply(self, exchange: Exchange, receive: Any) -> Reply:
        method = "GET" if exchange.method == "HEAD" else exchange.method
        target = parse_path(exchange.raw_path)
        exchange.path = target.path
        handler = HANDLERS.get((type(target.path), method)) if target.path else None
        if target.path is None or handler is None:
            raise NotRouted(exchange.method, exchange.raw_path)
        if method != "DELETE":  # has no format: the C library deletes `….csv` and reads no body
            select_format(target.extension, exchange.headers.get(b"accept"))
        parameters = parse_parameters(exchange.scope["query_string"])
        if method == "GET" and parameters:
            exchange.callback = first(parameters, "callback")
        caller = caller_of(
            self._tank,
            exchange.headers,
            parameters,
            exchange.address,
            reads_public=self._public_reads_keyless and method == "GET",
        )
        request = Request(
            method,
            target,
            parameters,
            exchange.headers,
            caller,
            exchange.scope["scheme"],
            self._public_url,
        )
        if method in _WITH_BODY:
            limit = self._tank.limits.request_bytes_max
            request.body = exchange.body = await read_body(receive, exchange.headers, limit)
        return await handler(self._resources, request)


def _refusal(error: TankError | XivelyError, is_query: bool) -> Reply:
    status, body = answer_of(error, is_query)
    retry_after_s = error.retry_after_s if isinstance(error, Unavailable) else 0
    return Reply(status, json_format.serialize(body), retry_after_s=retry_after_s)


def _internal_error() -> Reply:
    body = ErrorBody("Internal Server Error", "The server failed; the failure has been logged")
    return Reply(500, json_format.serialize(body))
