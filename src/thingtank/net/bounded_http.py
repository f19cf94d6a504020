"""uvicorn's HTTP/1.1 protocol with the bounds that it leaves to a proxy in front.

By itself it takes headers without end, waits for the rest of a request for ever, and keeps a
response for a peer that never reads. Here each of the three has a limit. A request that arrives in
one piece, as nearly all do, pays two comparisons for that and no timer.
"""

import asyncio
from typing import Any, ClassVar

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol


class HttpLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one connection may ask of the server's memory and patience.

    Attributes:
        header_bytes_max: request line and headers of a request that comes in pieces. More is
            answered with 431.
        request_s_max: from a request's first byte to its last; longer is answered with 408.
        silence_s_max: a new connection that says nothing, and one between two requests.
        unread_s_max: for how long a peer may leave what it asked for unread.
        connections_max: open at one time; further requests are answered with 503.
    """

    header_bytes_max: int = 32_768
    request_s_max: float = 30.0
    silence_s_max: int = 75
    unread_s_max: float = 60.0
    connections_max: int = 10_000


class BoundedHttp(HttpToolsProtocol):
    """One connection. `limits` is the class's, as uvicorn makes the instances."""

    limits: ClassVar[HttpLimits] = HttpLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_headers = False
        self._is_in_request = False
        self._header_bytes = 0
        self._silent_since_s: float | None = self.loop.time()
        self._silence_timer: asyncio.TimerHandle | None = None
        self._request_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn: always a Transport
        """Give the peer a while to begin."""
        super().connection_made(transport)
        self._watch_silence(self.limits.silence_s_max)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the timers with the connection."""
        if self._silence_timer is not None:
            self._silence_timer.cancel()
        self._end_request_timer()
        self._end_unread_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; then see whether the request is complete, and whether it may go on."""
        super().data_received(data)
        if not self._is_in_request:
            if self._request_timer is not None:
                self._end_request_timer()
        elif not self.transport.is_closing():
            self._bound_request(len(data))

    def _bound_request(self, received_bytes: int) -> None:
        if self._is_in_headers:
            self._header_bytes += received_bytes
            if self._header_bytes > self.limits.header_bytes_max:
                self._refuse(431)
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
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
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
        self._is_in_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request's last byte has come."""
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
        if self.flow.read_paused:
            # It is the app that does not read on, not the peer that does not send.
            self._start_request_timer()
        else:
            self._refuse(408)

    def _refuse(self, status: int) -> None:
        """Answer and close; a response that has begun can only be broken off."""
        cycle = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.abort()
            return
        head = b"content-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head)
        self.transport.close()

    def _end_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _end_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None
