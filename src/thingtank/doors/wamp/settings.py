"""Settings of the WAMP door; section `wamp`."""

from typing import Literal

import msgspec

from thingtank.doors.wamp.realm_settings import RealmSettings

Port = int | Literal["off"]


class WampSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `wamp`: WebSocket at `/ws` and RawSocket; Xively's WebSocket is at `/`.

    Attributes:
        port: 0 for any free one.
        on_web_port: whether the web port has the WebSocket at `/ws` as well.
        tls_port: the same with TLS; see `server.tls_certificate`.
        unix_socket: the same at a path, for programs of this user; blank for none.
        connections_max: more are refused.
        message_bytes_max: of a message, or a batch, that a client sends; a longer one ends its
            connection. RawSocket takes the next smaller power of two.
        batch_bytes_max: messages to one client are gathered in batches of up to about so much,
            where its subprotocol has batches.
        unread_bytes_max: a client that leaves more unread is sent no events until it has caught
            up; from half of it on no more is read from it.
        slow_s_max: a client that is behind for so long is sent away.
        silence_s: a client that says nothing for so long is asked whether it is there; by
            RawSocket its machine is.
        strict_ids: end sessions whose request ids have gaps, as the specification says; clients
            of the first years chose theirs at random.
        strict_uris: take only URIs of the strict form, `[0-9a-z_]` in each component.
        allowed_origins: web pages that may connect, such as `https://app.example`; those of this
            machine may.
        realms: those that there are, each a `[[wamp.realms]]`.
    """

    port: Port = 8080
    on_web_port: bool = True
    tls_port: Port = "off"
    unix_socket: str = ""
    connections_max: int = 20_000
    message_bytes_max: int = 1_048_576
    batch_bytes_max: int = 65_536
    unread_bytes_max: int = 4_194_304
    slow_s_max: float = 10.0
    silence_s: float = 30.0
    strict_ids: bool = False
    strict_uris: bool = False
    allowed_origins: tuple[str, ...] = ()
    realms: tuple[RealmSettings, ...] = (RealmSettings("realm1"),)
