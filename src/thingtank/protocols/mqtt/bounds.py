"""What a broker allows its clients."""

import msgspec

RECEIVED_MAX = 10_000  # of clients that cannot be told a receive maximum (MQTT 3.1 and 3.1.1)


class Bounds(msgspec.Struct, frozen=True):
    """Limits of each connection and session, and of the broker.

    Attributes:
        packet_bytes_max: of a packet that a client sends; 5.0 clients are told.
        receive_maximum: QoS 1 and 2 messages that a client may have on the way to the broker.
        inflight_max: QoS 1 and 2 messages on the way to a client, which may want fewer.
        queue_messages_max: QoS 1 and 2 messages that wait for one client.
        queue_bytes_max: of their topics, properties and payloads.
        drops_oldest: whether a full queue loses its oldest message, or does not take the new one.
        session_expiry_s_max: how long a session may outlive its connection.
        sessions_max: that outlive their connections, or have one.
        sessions_per_principal_max: of those, of one principal.
        subscriptions_per_session_max: topic filters of one session.
        subscriptions_max: of all sessions.
        topic_levels_max: of a topic name or filter.
        client_id_bytes_max: of a client id.
        topic_alias_max: topic aliases of a connection, in each direction.
        keep_alive_s_max: clients of MQTT 5 that ask for more are told this.
    """

    packet_bytes_max: int = 2**20
    receive_maximum: int = 100
    inflight_max: int = 100
    queue_messages_max: int = 1_000
    queue_bytes_max: int = 8 * 2**20
    drops_oldest: bool = True
    session_expiry_s_max: int = 30 * 86_400
    sessions_max: int = 100_000
    sessions_per_principal_max: int = 50_000
    subscriptions_per_session_max: int = 10_000
    subscriptions_max: int = 2_000_000
    topic_levels_max: int = 200
    client_id_bytes_max: int = 1_024
    topic_alias_max: int = 16
    keep_alive_s_max: int = 65_535
