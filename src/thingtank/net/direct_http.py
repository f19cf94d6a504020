"""The short way through the HTTP server for small requests: whole, to a plain callable, no task.

ASGI's events, its task and uvicorn's bookkeeping of both cost three times what reading and
answering a small request does (ADR 6). So a request whose body fits in one buffer is read first and
handed over whole. All else, and what is pipelined behind an unanswered request, goes through ASGI.

A device sends the same head over and over. One that came in one piece with its body, and comes
again letter for letter, is not read again: its announced length says where the request ends.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import ClassVar, NamedTuple, cast

import httptools
import structlog
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from thingtank.net import small_answers
from thingtank.net.adoption import Adopt
from thingtank.net.bounded_http import BoundedHttp, HttpLimits
from thingtank.net.hanging_up import has_hung_up
from thingtank.net.http_request import DirectApp, Headers, RequestHead
from thingtank.net.small_answers import SmallAnswers

log = structlog.get_logger()

REMEMBERED_BYTES_MAX = 2048  # of a connection's last head; devices send a few hundred
BODY_BYTES_MAX = HIGH_WATER_LIMIT  # what uvicorn would buffer of a body that nobody reads

_FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})
_UNHEARD = asyncio.Event()
_NO_BODY = [(b"content-length", b"0")]


class DirectRoute(NamedTuple):
    """Which requests take the short way, and to whom; the others find the same app through ASGI.

    Attributes:
        prefixes: of their paths.
        skips_forwarded: leave what a proxy forwards to ASGI, where somebody reads for whom it does.
        skips: tells by the target of a request (path and query) that it is one for ASGI all the
            same, such as one whose answer never ends.
        finds_clients: prefixes of paths that are not left, as their app finds by itself for whom a
            proxy forwards.
    """

    prefixes: tuple[bytes, ...]
    app: DirectApp
    skips_forwarded: bool = False
    skips: Callable[[bytes], bool] | None = None
    finds_clients: tuple[bytes, ...] = ()


class DirectHttp(BoundedHttp):
    """One connection; `direct_http` makes the class for a route."""

    route: ClassVar[DirectRoute]
    answers: ClassVar[SmallAnswers]

    _is_direct = False
    _fields: Mapping[bytes, bytes]
    _body: bytes
    _piece: bytes | None = None  # received just now, and beginning with a request
    _last_head: RequestHead
    _last_head_bytes = b""
    _last_bytes = -1  # of the whole request
    _direct_cycle: "DirectCycle | None" = None

    def data_received(self, data: bytes) -> None:
        """Hand over what repeats the last head, and parse all else."""
        if self._is_in_request:
            super().data_received(data)
        elif (
            len(data) == self._last_bytes
            and data.startswith(self._last_head_bytes)
            and self._is_free()
        ):
            self._unset_keepalive_if_required()
            body = data[len(self._last_head_bytes) :]
            self._hand_over(self._last_head, body, keep_alive=True)
        else:
            self._piece = data
            super().data_received(data)
            self._piece = None

    def on_message_begin(self) -> None:
        """A request's first byte has come; ASGI's scope waits until it is needed."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._begin_request()

    def on_headers_complete(self) -> None:
        """Choose the way of a request by its path, its body's length and what is under way."""
        if self._ignores_offer():
            return
        self._is_direct = self.url.startswith(self.route.prefixes) and self._may_be_direct()
        if self._is_direct:
            self._is_in_headers = False
            self._body = b""
        else:
            self._make_scope()
            super().on_headers_complete()

    def _say_last(self, words: Callable[[], None]) -> None:
        self.answers.write_all()
        super()._say_last(words)

    def eof_received(self) -> bool:  # type: ignore[override] # as asyncio has it
        """Let a peer that has said all still read its answers; but for one that may take long."""
        self.answers.write_all()
        cycle = self._direct_cycle
        if cycle is not None and cycle.lose():
            return False
        return super().eof_received()

    def _let_go(self) -> None:
        self._direct_cycle = None
        super()._let_go()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, and who waits on it for an answer."""
        super().connection_lost(exc)
        if self._direct_cycle is not None:
            self._direct_cycle.lose()

    def on_response_complete(self) -> None:
        """Go on with what is pipelined, or end; nothing overtakes a gathered answer."""
        if self._last_words is not None or self._has_said_all:
            self.answers.write_all()
        super().on_response_complete()

    def shutdown(self) -> None:
        """Close as soon as what is under way is answered."""
        self.answers.write_all()
        super().shutdown()

    def _make_scope(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers  # the scope has this list

    def _cycle_of_body(self) -> RequestResponseCycle | None:
        return None if self._is_direct else super()._cycle_of_body()

    def _is_free(self) -> bool:
        cycle = self.cycle
        return (
            (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and len(self.connections) < self.limits.connections_max
        )

    def _may_be_direct(self) -> bool:
        self._fields = fields = dict(self.headers)
        length = fields.get(b"content-length", b"0")
        return (
            self._is_free()
            and b"transfer-encoding" not in fields
            and b"expect" not in fields
            and b"upgrade" not in fields
            and not (self.route.skips_forwarded and self._is_left_to_asgi(fields))
            and not (self.route.skips is not None and self.route.skips(self.url))
            and len(length) < 8
            and int(length) <= BODY_BYTES_MAX  # the parser has refused what is no number
        )

    def _is_left_to_asgi(self, fields: Mapping[bytes, bytes]) -> bool:
        is_forwarded = not _FORWARDED.isdisjoint(fields)
        return is_forwarded and not self.url.startswith(self.route.finds_clients)

    def on_body(self, body: bytes) -> None:
        """Gather the body; its announced length has been found small enough."""
        if self._is_direct:
            self._body = self._body + body if self._body else body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Hand the request over."""
        if self._ignores_offer():
            return
        if not self._is_direct:
            super().on_message_complete()
            return
        self._is_in_request = False
        url = httptools.parse_url(self.url)
        method = self.parser.get_method().decode("ascii")
        keep_alive = self.parser.should_keep_alive() and self.parser.get_http_version() != "1.0"
        head = RequestHead(
            method,
            url.path.decode("ascii"),
            url.query or b"",
            self._fields,
            self.scheme or "http",
            self.client[0] if self.client else "",
        )
        if keep_alive:
            self._remember(head)
        self._hand_over(head, self._body, keep_alive)

    def _remember(self, head: RequestHead) -> None:
        piece = self._piece
        if piece is None:
            return
        head_bytes = len(piece) - len(self._body)
        # Anything before or behind the request, and the blank line would stand elsewhere.
        if head_bytes <= REMEMBERED_BYTES_MAX and piece.find(b"\r\n\r\n") + 4 == head_bytes:
            self._last_head = head
            self._last_head_bytes = piece[:head_bytes]
            self._last_bytes = len(piece)

    def _hand_over(self, head: RequestHead, body: bytes, keep_alive: bool) -> None:
        cycle = self._direct_cycle
        if cycle is None:
            cycle = self._direct_cycle = DirectCycle(self)
        cycle.begin(head.method == "HEAD", keep_alive)
        self.cycle = cast("RequestResponseCycle", cycle)
        try:
            self.route.app(head, body, cycle)
        except Exception:
            log.exception("http_request_failed", method=head.method)
            if not cycle.response_complete:
                cycle.keep_alive = False
                cycle(500, _NO_BODY, b"")


class DirectCycle:
    """The short way of one connection's requests, one at a time; a `LongRespond`.

    Has what uvicorn's connection asks of its own cycles, which it makes for each request.
    """

    __slots__ = (
        "_is_head",
        "_on_gone",
        "_protocol",
        "disconnected",
        "keep_alive",
        "message_event",
        "response_complete",
        "response_started",
    )

    def __init__(self, protocol: DirectHttp) -> None:
        self._protocol = protocol
        self._is_head = False
        self._on_gone: Callable[[], None] | None = None
        self.keep_alive = True
        self.response_started = self.response_complete = True
        self.disconnected = False
        self.message_event = _UNHEARD

    def begin(self, is_head: bool, keep_alive: bool) -> None:
        """A request has come; the one before was answered."""
        self._is_head = is_head
        self.keep_alive = keep_alive
        self.response_started = self.response_complete = False

    def hold(self, on_gone: Callable[[], None]) -> None:
        """Have the answer come later."""
        self._on_gone = on_gone

    def lose(self) -> bool:
        """The peer has gone away; whether somebody wanted to know."""
        on_gone, self._on_gone = self._on_gone, None
        if on_gone is None:
            return False
        self.disconnected = True
        on_gone()
        return True

    def is_gone(self) -> bool:
        """Whether the peer has gone away, told or not."""
        return self.disconnected or has_hung_up(self._protocol.transport)

    def __call__(self, status: int, headers: Headers, body: bytes) -> None:
        """Write the answer, all of it at once."""
        self._on_gone = None
        if self.disconnected:
            return
        protocol = self._protocol
        head = _head_bytes(status, headers, protocol.server_state.default_headers)
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        self.response_started = self.response_complete = True
        answer = head + end + (b"" if self._is_head else body)
        if self.keep_alive and len(answer) <= small_answers.BYTES_MAX:
            protocol.answers.add(protocol.transport, answer)
        else:
            protocol.answers.write_all()
            protocol.transport.write(answer)
            if not self.keep_alive:
                protocol.transport.close()
        protocol.on_response_complete()


class _LastHead(NamedTuple):
    status: int
    headers: Headers
    default_headers: Headers
    head: bytes


_last_head = _LastHead(0, [], [], b"")


def _head_bytes(status: int, headers: Headers, default_headers: Headers) -> bytes:
    """An answer's head but for its end; of most, headers are the very lists of the one before."""
    global _last_head  # a cache of one
    last = _last_head
    if (
        headers is last.headers
        and status == last.status
        and default_headers is last.default_headers
    ):
        return last.head
    head = STATUS_LINE[status] + _lines(tuple(headers)) + _lines(tuple(default_headers))
    _last_head = _LastHead(status, headers, default_headers, head)
    return head


@lru_cache(256)
def _lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Headers on the wire."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers):
        raise ValueError("a header holds a line break")
    return lines


def direct_http(
    limits: HttpLimits, route: DirectRoute, upgrades: Mapping[bytes, Adopt] | None = None
) -> type[DirectHttp]:
    """The protocol class with these limits, route and upgrades, for uvicorn's `http` setting."""
    members = {
        "limits": limits,
        "route": route,
        "upgrades": {} if upgrades is None else upgrades,
        "answers": SmallAnswers(),
    }
    return type("DirectHttp", (DirectHttp,), members)
