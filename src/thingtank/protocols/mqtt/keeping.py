"""What outlives the process: sessions, their subscriptions and messages, and what is retained.

The broker says what changes, as it changes, and never waits: what was said is written in that
order, many changes at a time. Whoever must know that it is on disk asks `when_kept`.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Protocol

import msgspec

from thingtank.protocols.mqtt.messages import Message, Subscription, Will


class DeliveryState(IntEnum):
    """How far a message has come on its way to one client."""

    QUEUED = 0
    SENT = 1  # PUBLISH went out with the packet id
    RELEASED = 2  # PUBREC came in: PUBREL is sent until PUBCOMP (QoS 2)


class KeptSession(msgspec.Struct, frozen=True):
    """A session that outlives its connection.

    Attributes:
        principal: who it belongs to, as `doors/mqtt` names principals: `key:12`, `device:UUID`,
            `account:3`, `user:NAME`, `anonymous`. Another may not take it over.
        version: of the protocol that the client last spoke: 3, 4 or 5.
        expires_at_us: 0 for never; while it is connected it does not count.
        is_connected: whether it was when this was said.
        will: to be published if the connection is lost.
    """

    client_id: str
    principal: str
    version: int
    expiry_interval_s: int
    is_connected: bool
    expires_at_us: int
    will: Will | None


class KeptDelivery(msgspec.Struct, frozen=True, gc=False):
    """A message on its way to one client.

    Attributes:
        number: of the session's own; rises with each message, in the order of delivery.
        qos: it is delivered with: 1 or 2.
        is_retain: the RETAIN flag it is delivered with.
        identifiers: of the subscriptions it comes from.
        packet_id: 0 while queued.
    """

    number: int
    message: Message
    qos: int
    is_retain: bool = False
    identifiers: tuple[int, ...] = ()
    packet_id: int = 0
    state: DeliveryState = DeliveryState.QUEUED


class FoundSession(msgspec.Struct, frozen=True):
    """A session as the last process left it.

    Attributes:
        deliveries: in order.
        received: packet ids of QoS 2 messages taken and not released.
    """

    session: KeptSession
    subscriptions: Sequence[Subscription]
    deliveries: Sequence[KeptDelivery]
    received: Sequence[int]


class Found(msgspec.Struct, frozen=True):
    """All that the last process left."""

    sessions: Sequence[FoundSession]
    retained: Mapping[str, Message]


class SessionKeeper(Protocol):
    """Keeps what the broker tells it; in the loop's thread, none of these waits."""

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be written that clients are to be slowed down."""

    def when_caught_up(self, call: Callable[[], None]) -> None:
        """Call once that is over, from the loop."""

    def keep_session(self, session: KeptSession) -> None:
        """Make it, or change what is said of it, and leave what belongs to it."""

    def drop_session(self, client_id: str) -> None:
        """Forget it and all that belongs to it."""

    def keep_subscription(self, client_id: str, subscription: Subscription) -> None:
        """Make it, or replace that with the same topic filter."""

    def drop_subscription(self, client_id: str, topic_filter: str) -> None:
        """Forget it."""

    def keep_delivery(self, client_id: str, delivery: KeptDelivery) -> None:
        """Keep a message for one client. Many clients' deliveries may share one message object."""

    def set_delivery(
        self, client_id: str, number: int, packet_id: int, state: DeliveryState
    ) -> None:
        """Say how far it has come."""

    def drop_delivery(self, client_id: str, number: int) -> None:
        """It has arrived, or is given up."""

    def keep_received(self, client_id: str, packet_id: int) -> None:
        """A QoS 2 message was taken; another PUBLISH with its packet id is the same one."""

    def drop_received(self, client_id: str, packet_id: int) -> None:
        """It was released."""

    def retain(self, message: Message) -> None:
        """Keep it as its topic's retained message."""

    def drop_retained(self, topic: str) -> None:
        """Forget a topic's retained message."""

    def when_kept(self, call: Callable[[Exception | None], None]) -> None:
        """Call with None when all said so far is on disk, or with why it could not be written.

        Calls come in the order they were asked for, from the loop, never from within this call.
        """
