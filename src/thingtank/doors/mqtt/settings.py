"""Settings of the MQTT door; section `mqtt`. What can be wrong is in `settings_problems.py`."""

from typing import Literal

import msgspec
from msgspec.structs import force_setattr

from thingtank.net.identity.secret_sources import SecretSource, hidden

Port = int | Literal["off"]
AnonymousRule = Literal["nobody", "loopback", "with_key", "everyone"]
QueueOverflow = Literal["drop_oldest", "drop_newest"]
UnknownUsers = Literal["refuse", "anonymous"]
Actions = Literal["", "publish", "subscribe", "both"]


class UserSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One `[[mqtt.users]]`: somebody who is neither account nor device nor key.

    Attributes:
        name: the user name.
        password: a string, `{file = "…"}` or `{environment = "…"}`; also for SCRAM-SHA-256.
        certificates: client certificates by which it comes in without a password: `sha256:` and
            the fingerprint, or the subject as RFC 4514 writes it, such as `CN=lamp,O=Example`.
        client_ids: that it may use, with `*` for any characters; none for all.
        account: login of the account whose rights it has on feeds; blank for a stranger's.
    """

    name: str
    password: str | SecretSource | None = None
    certificates: tuple[str, ...] = ()
    client_ids: tuple[str, ...] = ()
    account: str = ""

    def __post_init__(self) -> None:
        """Hide the password from everything that prints settings."""
        force_setattr(self, "password", hidden(self.password))


class AclRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One `[[mqtt.acl]]`; the first that fits decides.

    Attributes:
        topic: a topic filter. `%c` stands for the client id, `%u` for the user name (a login, a
            user's name) and `%d` for the device's uuid, each a whole level or part of one; who
            has none, or one with `/`, `+` or `#`, this rule does not fit.
        principals: whom it is for: names of users, `anonymous`, `account:LOGIN`, `key:NUMBER`,
            `device:UUID`, with `*` for any characters; `local` is who comes anonymously from this
            machine, `admin` an account that is one; `*` is everybody.
        allow: `publish`, `subscribe` or `both`.
        deny: the same, in place of `allow`.
    """

    topic: str
    principals: tuple[str, ...] = ("*",)
    allow: Actions = ""
    deny: Actions = ""


class MqttSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `mqtt`: MQTT 3.1, 3.1.1 and 5.0 by TCP, TLS, WebSocket and Unix socket.

    Attributes:
        port: 0 for any free one.
        on_web_port: whether the web port has MQTT by WebSocket at `/mqtt`.
        tls_port: the same as `port` with TLS, 8883 as a rule; see `server.tls_certificate`.
        unix_socket: the same at a path, for programs of this user; blank for none.
        allowed_origins: web pages that may connect, such as `https://app.example`; those of this
            machine may.
        anonymous: who may come in without saying who they are: `nobody`; `loopback`, programs of
            this machine; `with_key`, others as well, but only to topics that begin with an API
            key; `everyone`.
        unknown_users: what becomes of a client whose user name nobody here has: `refuse`, or
            `anonymous`, let in as if it had named none where `anonymous` lets it; for clients that
            were never asked who they are, and say something all the same.
        certificate_names: whether the common name of a verified client certificate says who
            somebody is: a user of `mqtt.users` or a device's uuid; see `server.tls_client_ca`.
        connections_max: more are refused.
        connect_s_max: a client that has not come in after so long is sent away.
        packet_bytes_max: of a packet that a client sends; a longer one ends its connection.
        receive_maximum: messages of QoS 1 and 2 that a client may have on the way to here
            unacknowledged; 1 to 65535.
        inflight_max: messages of QoS 1 and 2 on the way to a client, fewer where it states a lower
            receive maximum; 1 to 65535.
        queue_messages_max: messages of QoS 1 and 2 that wait for one client, connected or not.
        queue_bytes_max: bytes of them.
        queue_overflow: what goes when more would wait: `drop_oldest` or `drop_newest`.
        session_expiry_s_max: for how long a session outlives its connection at most; a client
            that wants longer is told so.
        sessions_max: sessions that are kept, with those that are connected; who would be one more
            is refused.
        sessions_per_principal_max: of those, of one account, key, device or user; who comes in
            anonymously is one with all others from this machine, or from elsewhere.
        subscriptions_per_session_max: more are refused.
        subscriptions_max: of all sessions together.
        topic_levels_max: of a topic or filter; deeper ones are refused.
        client_id_bytes_max: of a client id; longer ones are refused.
        topic_alias_max: topic aliases that a client may set, and that are set towards it; 0 for
            none, at most 65535.
        retained_messages_max: more are not retained.
        retained_bytes_max: the same of topics and payloads together.
        unread_bytes_max: while a client leaves more unread, messages of QoS 0 to it are dropped,
            others wait in its queue.
        slow_s_max: a client that takes nothing for so long is sent away.
        keep_alive_s_max: a client of MQTT 5 that asks for a longer keep alive is told this one;
            65535 leaves the choice, and none at all, to clients.
        sys_interval_s: how often the topics under `$SYS` are published; 0 for never.
        sys_readers: who may subscribe to `$SYS`, named as principals of `mqtt.acl`.
        wamp_realm: the realm whose topics and the users' own here are one: what is published to
            `com.example.lights` there arrives at `com/example/lights` here, and the other way
            round; blank for none.
        wamp_role: the role of that realm whose permissions say what goes from here to there
            (`publish`) and from there to here (`subscribe`); blank for that of its anonymous
            clients, and nothing goes where it lets none in.
        users: who may come in beside accounts, devices and keys, each a `[[mqtt.users]]`.
        acl: who may do what with topics, each a `[[mqtt.acl]]`; where none fits, what holds
            without settings.
    """

    port: Port = 1883
    on_web_port: bool = True
    tls_port: Port = "off"
    unix_socket: str = ""
    allowed_origins: tuple[str, ...] = ()
    anonymous: AnonymousRule = "loopback"
    unknown_users: UnknownUsers = "refuse"
    certificate_names: bool = True
    connections_max: int = 50_000
    connect_s_max: float = 10.0
    packet_bytes_max: int = 1_048_576
    receive_maximum: int = 100
    inflight_max: int = 100
    queue_messages_max: int = 1_000
    queue_bytes_max: int = 8_388_608
    queue_overflow: QueueOverflow = "drop_oldest"
    session_expiry_s_max: int = 2_592_000
    sessions_max: int = 100_000
    sessions_per_principal_max: int = 50_000
    subscriptions_per_session_max: int = 10_000
    subscriptions_max: int = 2_000_000
    topic_levels_max: int = 200
    client_id_bytes_max: int = 1_024
    topic_alias_max: int = 16
    retained_messages_max: int = 100_000
    retained_bytes_max: int = 134_217_728
    unread_bytes_max: int = 4_194_304
    slow_s_max: float = 30.0
    keep_alive_s_max: int = 65_535
    sys_interval_s: float = 10.0
    sys_readers: tuple[str, ...] = ("admin", "local")
    wamp_realm: str = "realm1"
    wamp_role: str = ""
    users: tuple[UserSettings, ...] = ()
    acl: tuple[AclRule, ...] = ()
