"""What a server allows the sessions of Socket.IO."""

import msgspec


class Bounds(msgspec.Struct, frozen=True):
    """Limits of each session, besides those of Engine.IO.

    Attributes:
        connect_s_max: how long a client of revision 5 may take to connect; also how long one may
            stay that has disconnected from the only namespace there is.
        attachments_max: of binary values of an event.
        attachment_bytes_max: of all of them together.
    """

    connect_s_max: int = 45
    attachments_max: int = 10
    attachment_bytes_max: int = 1_000_000
