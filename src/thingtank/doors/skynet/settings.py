"""Section `skynet` of the settings."""

from typing import Literal

import msgspec

OpenAccess = Literal["loopback", "always", "never"]


class SkynetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The SkyNet door: REST, socket.io and WebSocket on one port; its MQTT topics are MQTT's door.

    Attributes:
        port: 0 for any free one.
        open_access: when to behave as SkyNet did in 2014: who has no token may register devices,
            look at them and send to them, and new devices are public. `loopback` is while the
            server listens on a loopback address only.
        account: login of the account that owns what is registered without a key; blank for the
            instance's owner.
        rate_messages_s, rate_data_s, rate_queries_s: how many messages, sensor data and other
            requests a second of one user; as many may come at once after a rest. 0 for as many as
            it likes. A user is a device, else a key, else an address.
        rate_connections_s: connections of one address a second; and how often one device may say
            on them who it is.
        redis_url: where to count them, so that several servers count together, such as
            `redis://127.0.0.1:6379/0`; blank for in this process.
        unthrottled_networks: addresses or networks whose users are not counted.
        connections_max: sockets and polling sessions that are open at one time.
        connections_per_address_max: of one network.
        message_bytes_max: of one frame, or request.
        unread_bytes_max: of what a client was sent and has not taken; more ends its connection.
        subscriptions_max: of one connection.
        results_max: devices that one query shows.
        heartbeat_s: between two heartbeats.
        heartbeat_timeout_s: without an answer to one.
        poll_s: for how long a poll waits while there is nothing.
        abandoned_s: after how long a session that nobody polls is over.
        allowed_origins: pages of which other sites may open sockets, and come as strangers while
            strangers are let in; `*` for all. Over REST a page of any site may come with a token.
    """

    port: int | Literal["off"] = 3000
    open_access: OpenAccess = "loopback"
    account: str = ""
    rate_messages_s: float = 10.0
    rate_data_s: float = 10.0
    rate_queries_s: float = 10.0
    rate_connections_s: float = 30.0
    redis_url: str = ""
    unthrottled_networks: tuple[str, ...] = ()
    connections_max: int = 20_000
    connections_per_address_max: int = 5_000
    message_bytes_max: int = 131_072
    unread_bytes_max: int = 1_048_576
    subscriptions_max: int = 1000
    results_max: int = 1000
    heartbeat_s: float = 25.0
    heartbeat_timeout_s: float = 60.0
    poll_s: float = 20.0
    abandoned_s: float = 60.0
    allowed_origins: tuple[str, ...] = ()
