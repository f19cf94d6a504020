"""Settings of the Xively door and its sockets; sections `xively` and `socket`."""

from typing import Literal

import msgspec


class XivelySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the door behaves where Xively's own behaviour is not known, or a choice.

    Attributes:
        public_reads_keyless: GETs of public feeds need no key.
        live_s: a feed is `live` while its newest value is younger; Xively's was 15 minutes.
    """

    public_reads_keyless: bool = False
    live_s: int = 900


class SocketSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `socket`: Xively's sockets over TCP, WebSocket and SockJS.

    Attributes:
        port: of the TCP socket; WebSocket is on the port of the section `wamp`.
        sockjs_port: of SockJS, at `/sockjs`.
        connections_max: of the TCP socket, of WebSocket and of SockJS each; more are closed.
        subscriptions_max: of one connection; more are refused.
        requests_max: of one connection, unanswered; more are not read until some are answered.
        unread_bytes_max: a connection that leaves more unread when a push comes is closed; above
            half of it no more requests are read.
        greeting_s_max: a new connection without a first request is closed after this.
    """

    port: int | Literal["off"] = 8081
    sockjs_port: int | Literal["off"] = 8082
    connections_max: int = 10_000
    subscriptions_max: int = 1000
    requests_max: int = 64
    unread_bytes_max: int = 1_048_576
    greeting_s_max: float = 60.0
