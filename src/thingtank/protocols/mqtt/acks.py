"""Acknowledgements that wait until what they acknowledge is on disk; in order (MQTT 5, 4.6)."""

from typing import TYPE_CHECKING

from thingtank.protocols.mqtt.reason_codes import ReasonCode

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.connection import Connection


class Ack:
    """One of them.

    Attributes:
        first: the first octet of the packet.
        waits_count: for how many things it waits yet.
    """

    __slots__ = ("_connection", "first", "packet_id", "reason", "waits_count")

    def __init__(
        self, connection: "Connection", first: int, packet_id: int, reason: ReasonCode
    ) -> None:
        self._connection = connection
        self.first = first
        self.packet_id = packet_id
        self.reason = reason
        self.waits_count = 1

    def settle(self, error: Exception | None) -> None:
        """What was said so far is on disk, or cannot be."""
        if error is not None:
            self._connection.fail_for(error)
            return
        self.waits_count -= 1
        self._connection.release_acks()

    def decide(self, reason: ReasonCode) -> None:
        """Who took the message says what became of it."""
        self.reason = reason
        self.settle(None)
