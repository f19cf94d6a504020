"""uvicorn's HTTP/1.1 protocol with the bounds that it leaves to a proxy in front.

By itself it takes headers without end, waits for the rest of a request for ever, and keeps a
response for a peer that never reads. Here each of the three has a limit. A request that arrives in
one piece, as nearly all do, pays two comparisons for that and no timer.

And answers come in order and none is lost, whatever follows the request: an offer of another
protocol, something that is no request, the end of what the peer has to say, or more of a request
that is refused already.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from thingtank.net.adoption import Adopt
from thingtank.net.paths import find_path

TRANSPORT = "thingtank.transport"  # ASGI's extension for apps that look whether a peer has it all
_OFFERS = frozenset({b"upgrade", b"http2-settings"})  # headers, and options of `Connection`


class HttpLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one connection may ask of the server's memory and patience.

    Attributes:
        header_bytes_max: request line and headers of a request that comes in pieces. More is
            answered with 431.
        request_s_max: from a request's first byte to its last; longer is answered with 408. Also
            for how long what follows a refusal is taken and dropped.
        silence_s_max: a new connection that says nothing, and one between two requests.
        unread_s_max: for how long a peer may leave what it asked for unread, and for how long one
            that has ended its side is still answered.
        connections_max: open at one time; further requests are answered with 503.
    """

    header_bytes_max: int = 32_768
    request_s_max: float = 30.0
    silence_s_max: int = 75
    unread_s_max: float = 60.0
    connections_max: int = 10_000


class BoundedHttp(HttpToolsProtocol):
    """One connection. Attributes of the class are settings, as uvicorn makes the instances.

    Attributes:
        upgrades: who takes over connections that ask for a WebSocket at a path; see
            `paths.find_path`.
    """

    limits: ClassVar[HttpLimits] = HttpLimits()
    upgrades: ClassVar[Mapping[bytes, Adopt]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_headers = False
        self._is_in_request = False
        self._header_bytes = 0
        self._silent_since_s: float | None = self.loop.time()
        self._silence_timer: asyncio.TimerHandle | None = None
        self._request_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None
        self._last_words: Callable[[], None] | None = None
        self._has_said_all = False
        self._is_parting = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn: always a Transport
        """Give the peer a while to begin."""
        super().connection_made(transport)
        self._watch_silence(self.limits.silence_s_max)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the timers with the connection."""
        self._end_timers()
        super().connection_lost(exc)

    def _end_timers(self) -> None:
        for timer in (self._silence_timer, self._end_timer):
            if timer is not None:
                timer.cancel()
        self._end_request_timer()
        self._end_unread_timer()

    def data_received(self, data: bytes) -> None:
        """Parse; then see whether the request is complete, and whether it may go on."""
        if self._is_parting:
            return
        self._unset_keepalive_if_required()
        self._parse(data)
        if not self._is_in_request:
            if self._request_timer is not None:
                self._end_request_timer()
        elif not self._is_closing():
            self._bound_request(len(data))

    def _parse(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as error:
                if self._should_upgrade():
                    self._hand_on(data[error.args[0] :])
                    return
                if self.parser.get_method() == b"CONNECT":
                    self.send_400_response("There is nothing to connect to here.")
                    return
                data = self._without_offer() + data[error.args[0] :]
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
                return
            else:
                return

    def _should_upgrade(self) -> bool:
        return (
            self._get_upgrade() == b"websocket"
            and self._adopter() is not None
            and not self._is_answering()
        )

    def _adopter(self) -> Adopt | None:
        path = find_path(self.upgrades, self.url.partition(b"?")[0])
        return None if path is None else self.upgrades[path]

    def _get_upgrade(self) -> bytes | None:
        # uvicorn looks at the last `Connection` alone; clients of 2014 send two of them.
        options: list[bytes] = []
        upgrade = None
        for name, value in self.headers:
            if name == b"connection":
                options += [option.strip().lower() for option in value.split(b",")]
            elif name == b"upgrade":
                upgrade = value.lower()
        return upgrade if b"upgrade" in options else None

    def _hand_on(self, data: bytes) -> None:
        """Give the connection to who speaks what was asked for."""
        adopt = self._adopter()
        assert adopt is not None
        self.connections.discard(self)
        self._end_timers()
        lines = [b"%b: %b\r\n" % header for header in self.headers]
        head = b"%b %b HTTP/1.1\r\n" % (self.parser.get_method(), self.url)
        adopt(self.transport, head + b"".join(lines) + b"\r\n" + data)
        self._let_go()

    def _let_go(self) -> None:
        """Break the cycles of a connection that is another's, rather than leave that to gc."""
        self.parser = None  # type: ignore[assignment] # as uvicorn does in the end
        self.cycle = None  # type: ignore[assignment] # as it was at first

    def _ignores_offer(self) -> bool:
        """Whether the head that has just been read comes again, without its offer to upgrade.

        The parser takes nothing for a body behind such an offer. One that is not taken is to be
        ignored, body and all that follows are HTTP (RFC 9110, 7.8); Java's client makes it with
        each first request.
        """
        return self.parser.should_upgrade() and not self._should_upgrade()

    def _without_offer(self) -> bytes:
        """The head just read, for a new parser."""
        version = self.parser.get_http_version().encode("ascii")
        lines = [b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                options = [option.strip() for option in value.split(b",")]
                value = b", ".join([i for i in options if i.lower() not in _OFFERS])
            if name not in _OFFERS and value:
                lines.append(b"%b: %b\r\n" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        return b"".join(lines) + b"\r\n"

    def eof_received(self) -> bool:  # type: ignore[override] # as asyncio has it
        """Let a peer that has said all still read its answers (RFC 9112, 9.6), for a while.

        One that has left altogether looks the same until something is written to it. Who is in the
        midst of an answer, such as events without end, most likely has: that is broken off.
        """
        self._has_said_all = True
        cycle = self.cycle
        is_amid = cycle is not None and cycle.response_started and not cycle.response_complete
        has_asked_all = not self._is_in_request or self._last_words is not None
        is_waiting = self._is_answering() and has_asked_all and not is_amid
        if not is_waiting or self.scheme != "http" or self._is_parting:
            return False
        self._end_timer = self.loop.call_later(self.limits.unread_s_max, self._cut_reader)
        return True

    def _is_answering(self) -> bool:
        cycle = self.cycle
        return (cycle is not None and not cycle.response_complete) or bool(self.pipeline)

    def _say_last(self, words: Callable[[], None]) -> None:
        """Refuse what came last, and close; behind the answers to what came before."""
        if self._last_words is not None:
            return  # whoever reads its body has resumed reading, and the broken parser refuses anew
        is_queued = bool(self.pipeline) and self.pipeline[0][0] is self._cycle_of_body()
        if is_queued:
            self.pipeline.popleft()  # the refusal is its answer
        if is_queued or (self._is_answering() and (self._is_in_headers or not self._is_in_request)):
            self._last_words = words
            self.flow.pause_reading()
        else:
            words()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed."""
        self._refuse(400, msg)

    def _bound_request(self, received_bytes: int) -> None:
        if self._is_in_headers:
            self._header_bytes += received_bytes
            if self._header_bytes > self.limits.header_bytes_max:
                self._refuse(431, "The request's headers are longer than this server takes.")
                return
        if self._request_timer is None:
            self._start_request_timer()

    def _unsupported_upgrade_warning(self) -> None:
        # A client that offers another protocol is answered by this one, as it expects; uvicorn
        # would write two lines of advice for its own users each time.
        pass

    def _unset_keepalive_if_required(self) -> None:
        # uvicorn's way to say that the peer is not silent. It makes and drops a timer for each
        # request; here one for the connection looks now and then how long the silence has lasted.
        self._silent_since_s = None

    def on_response_complete(self) -> None:
        """Go on with what is pipelined; else the connection falls silent."""
        self.server_state.total_requests += 1
        if self._is_closing():
            return
        if self.pipeline:
            self.flow.resume_reading()
            self._start_asgi_task(*self.pipeline.pop())
        elif self._last_words is not None:
            self._last_words()
        elif self._has_said_all:
            self.transport.close()
        else:
            self.flow.resume_reading()
            self._silent_since_s = self.loop.time()

    def _watch_silence(self, delay_s: float) -> None:
        self._silence_timer = self.loop.call_later(delay_s, self._end_silence)

    def _end_silence(self) -> None:
        limit_s = self.limits.silence_s_max
        since_s = self._silent_since_s
        left_s = limit_s if since_s is None else since_s + limit_s - self.loop.time()
        if left_s > 0:
            self._watch_silence(left_s)
        else:
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request's first byte has come."""
        super().on_message_begin()
        self._begin_request()

    def _begin_request(self) -> None:
        self._is_in_headers = self._is_in_request = True
        self._header_bytes = 0

    def on_headers_complete(self) -> None:
        """The headers are over; what follows is the app's to limit."""
        if self._ignores_offer():
            return
        self._is_in_headers = False
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            self.cycle.transport = cast("asyncio.Transport", _Parted(self))
            self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}

    def on_message_complete(self) -> None:
        """The request's last byte has come."""
        if self._ignores_offer():
            return
        self._is_in_request = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The peer reads too slowly; it has a while to catch up."""
        super().pause_writing()
        if self._unread_timer is None:
            self._unread_timer = self.loop.call_later(self.limits.unread_s_max, self._cut_reader)

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        self._end_unread_timer()

    def _cut_reader(self) -> None:
        # `close` would wait for the buffer to drain, which is what does not happen.
        self.transport.abort()

    def _start_request_timer(self) -> None:
        self._request_timer = self.loop.call_later(self.limits.request_s_max, self._cut_request)

    def _cut_request(self) -> None:
        self._request_timer = None
        if self.transport.is_closing():
            return
        if self._is_parting:
            self.transport.abort()
        elif self.flow.read_paused:
            # It is the app that does not read on, not the peer that does not send.
            self._start_request_timer()
        else:
            self._refuse(408, "The request took longer than this server waits.")

    def _refuse(self, status: int, text: str) -> None:
        """Answer and close; a response that has begun can only be broken off.

        One request has one answer: what is wrong with the rest of a body that was answered before
        its end is not told.
        """
        self._say_last(lambda: self._answer_and_close(status, text))

    def _cycle_of_body(self) -> RequestResponseCycle | None:
        """Who answers the request whose body is being read, which it may do before its end."""
        return self.cycle if self._is_in_request and not self._is_in_headers else None

    def _answer_and_close(self, status: int, text: str) -> None:
        cycle = self._cycle_of_body()
        if cycle is not None and cycle.response_started:
            if cycle.response_complete:
                self._part()
            else:
                self.transport.abort()
            return
        body = text.encode()
        lines = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        lines.append(b"content-type: text/plain; charset=utf-8\r\n")
        lines.append(b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body))
        self.transport.write(STATUS_LINE[status] + b"".join(lines) + body)
        if status == 408:  # there is nothing more to wait for
            self.transport.close()
        else:
            self._part()

    def _is_closing(self) -> bool:
        return self._is_parting or self.transport.is_closing()

    def _close(self) -> None:
        """Close behind an answer, at once if its request has been read."""
        if self._is_in_request:
            self._part()
        else:
            self.transport.close()

    def _part(self) -> None:
        """Close, and read what the peer still sends: else the system would take back the answer.

        Source: RFC 9112, 9.6.
        """
        if self.transport.is_closing() or self.scheme != "http":
            self.transport.close()
            return
        self._is_parting = True
        for cycle in [self.cycle, *(waiting for waiting, _ in self.pipeline)]:
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True  # what it answers from now on is too late
                cycle.message_event.set()
        self.transport.write_eof()
        self.flow.resume_reading()
        if self._request_timer is None:
            self._start_request_timer()

    def _end_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _end_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None


class _Parted:
    """What a cycle of uvicorn has for a transport: one that is closed in another way."""

    __slots__ = ("_protocol", "write")

    def __init__(self, protocol: BoundedHttp) -> None:
        self._protocol = protocol
        self.write = protocol.transport.write

    def is_closing(self) -> bool:
        return self._protocol._is_closing()

    def close(self) -> None:
        self._protocol._close()
