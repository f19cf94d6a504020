"""What a server allows the sessions of socket.io 0.9; the times are the original's."""

import msgspec


class Bounds(msgspec.Struct, frozen=True):
    """Limits of each session.

    Attributes:
        heartbeat_interval_s: between heartbeats on a WebSocket.
        heartbeat_timeout_s: how long one may be without an answer; the client is told.
        close_timeout_s: how long a client may take to open a transport, or to poll again; it is
            told.
        poll_s_max: how long a poll is held.
        payload_bytes_max: of a polling body or a frame that the client sends.
        payload_packets_max: of packets in one polling body.
        queue_bytes_max: of what waits for a client that does not poll.
        linger_s_max: how long the last words wait for a poll after the server has closed.
    """

    heartbeat_interval_s: int = 25
    heartbeat_timeout_s: int = 60
    close_timeout_s: int = 60
    poll_s_max: int = 20
    payload_bytes_max: int = 1_000_000
    payload_packets_max: int = 1_000
    queue_bytes_max: int = 1_048_576
    linger_s_max: int = 10
