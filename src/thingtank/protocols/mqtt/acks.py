"""Acknowledgements that wait until what they acknowledge is on disk; in order (MQTT 5, 4.6).

A client's own message of QoS 2, which it has subscribed to, does not come before its PUBREC.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from thingtank.protocols.mqtt.reason_codes import ReasonCode

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.connection import Connection
    from thingtank.protocols.mqtt.inbound import Inbound
    from thingtank.protocols.mqtt.outgoing import Outgoing


WAITING_MAX = 1_000  # answers of one connection that wait for the disk; then nothing more is taken


class WhenKept:
    """Something to be said to a client once what was said so far is on disk."""

    __slots__ = ("_connection", "_say")

    def __init__(self, connection: "Connection", say: Callable[[], None]) -> None:
        self._connection = connection
        self._say = say
        connection.waiting_count += 1
        if connection.waiting_count >= WAITING_MAX:
            connection.hold()

    def settle(self, error: Exception | None) -> None:
        """It is on disk, or cannot be."""
        connection = self._connection
        connection.waiting_count -= 1
        if error is not None:
            connection.fail_for(error)
        elif connection.is_open:
            self._say()
            if connection.is_held and not connection.waiting_count:
                connection.go_on()


class Ack:
    """One of them.

    Attributes:
        first: the first octet of the packet.
        waits_count: for how many things it waits yet.
    """

    __slots__ = ("_connection", "_inbound", "first", "packet_id", "reason", "waits_count")

    def __init__(
        self,
        inbound: "Inbound",
        connection: "Connection",
        first: int,
        packet_id: int,
        reason: ReasonCode,
    ) -> None:
        self._inbound = inbound
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
        self._inbound.release_acks()

    def release(self) -> None:
        """Send it."""
        self._connection.send_ack(self.first, self.packet_id, self.reason)

    def decide(self, reason: ReasonCode) -> None:
        """Who took the message says what became of it."""
        if reason is ReasonCode.SERVER_BUSY:
            # What is not acknowledged the client sends again, when it is back.
            self._connection.end_with(reason)
        else:
            self.reason = reason
            self.settle(None)
        self._connection.broker.wake()


class OwnMessage:
    """A message that its publisher gets as well.

    Attributes:
        waits_count: it waits for what is before it, and nothing else.
    """

    __slots__ = ("_connection", "_identifiers", "_is_retain", "_outgoing", "_qos", "waits_count")

    first = 0

    def __init__(
        self,
        connection: "Connection",
        outgoing: "Outgoing",
        qos: int,
        is_retain: bool,
        identifiers: tuple[int, ...],
    ) -> None:
        self._connection = connection
        self._outgoing = outgoing
        self._qos = qos
        self._is_retain = is_retain
        self._identifiers = identifiers
        self.waits_count = 0

    def release(self) -> None:
        """Send it."""
        session = self._connection.session
        assert session is not None
        session.deliver(self._outgoing, self._qos, self._is_retain, self._identifiers)
