"""What a server allows the sessions of Engine.IO, and how often it wants to hear of them."""

import msgspec


class Bounds(msgspec.Struct, frozen=True):
    """Limits of each session.

    Attributes:
        ping_interval_ms: the client is told; who pings does so this often.
        ping_timeout_ms: of revision 4: how long a ping may be without its pong; also told.
        old_ping_timeout_ms: of revisions 2 and 3: how long a ping may be late; also told.
        payload_bytes_max: of a polling body or a frame that the client sends; revision 4 is told.
        payload_packets_max: of packets in one polling body.
        queue_bytes_max: of what waits for a client that does not poll.
        upgrade_s_max: how long a WebSocket may take to replace polling.
        linger_s_max: how long the last words wait for a poll after the server has closed.
    """

    ping_interval_ms: int = 25_000
    ping_timeout_ms: int = 20_000
    old_ping_timeout_ms: int = 60_000
    payload_bytes_max: int = 1_000_000
    payload_packets_max: int = 1_000
    queue_bytes_max: int = 1_048_576
    upgrade_s_max: int = 10
    linger_s_max: int = 10
