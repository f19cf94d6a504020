"""A client's session: what it has asked for, and what is on its way to it and from it.

Source: MQTT 5, 4.1 Session State; 4.3 Quality of Service; 4.4 Message delivery retry; 4.9 Flow
Control.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from thingtank.protocols.mqtt.acks import WhenKept
from thingtank.protocols.mqtt.errors import ProtocolError
from thingtank.protocols.mqtt.keeping import DeliveryState, FoundSession, KeptDelivery, KeptSession
from thingtank.protocols.mqtt.messages import Message, Subscription, Will
from thingtank.protocols.mqtt.outgoing import Outgoing
from thingtank.protocols.mqtt.serializer import PUBREL_OCTET

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.access import Rights
    from thingtank.protocols.mqtt.broker import Broker
    from thingtank.protocols.mqtt.connection import Connection
    from thingtank.protocols.mqtt.replays import Replay

PACKET_ID_MAX = 65_535
NEVER_EXPIRES = 0xFFFF_FFFF


class Delivery:
    """A message on its way to one client; see `KeptDelivery`."""

    __slots__ = ("identifiers", "is_retain", "message", "number", "packet_id", "qos", "state")

    def __init__(
        self,
        number: int,
        message: Message,
        qos: int,
        is_retain: bool,
        identifiers: tuple[int, ...],
    ) -> None:
        self.number = number
        self.message = message
        self.qos = qos
        self.is_retain = is_retain
        self.identifiers = identifiers
        self.packet_id = 0
        self.state = DeliveryState.QUEUED

    @property
    def size_bytes(self) -> int:
        """What it counts in a queue."""
        return len(self.message.topic) + len(self.message.payload) + len(self.message.properties)

    def kept(self) -> KeptDelivery:
        """As it is kept."""
        return KeptDelivery(
            self.number,
            self.message,
            self.qos,
            self.is_retain,
            self.identifiers,
            self.packet_id,
            self.state,
        )


def _unrepeated(qos: int, state: DeliveryState) -> Delivery:
    delivery = Delivery(0, Message("", b""), qos, False, ())
    delivery.state = state
    return delivery


# How far a QoS 2 message of the client's has come. What was taken, and may not have been recorded
# because the process or the disk broke off, is recorded when the client sends it again: it does.
UNDECIDED, TAKEN, UNRECORDED = 0, 1, 2

# For messages that are never sent again, because the session ends with its connection: all that
# must be known of each is how far it has come.
SENT_1 = _unrepeated(1, DeliveryState.SENT)
SENT_2 = _unrepeated(2, DeliveryState.SENT)
_RELEASED_2 = _unrepeated(2, DeliveryState.RELEASED)


class Session:
    """What is known of one client.

    Attributes:
        connection: that the client has; None while it is away.
        principal: who it belongs to, as in `KeptSession`.
        subscriptions: by topic filter.
        inflight: what was sent and not acknowledged, by packet id, in the order of sending.
        received: packet ids of QoS 2 messages that were taken and not released yet, and how far
            each has come: UNDECIDED while it is not known what becomes of it, TAKEN, UNRECORDED.
        quota: how many more messages may be sent before one is acknowledged (MQTT 5, 4.9); may be
            negative.
        expires_at_us: while it has no connection; 0 for never.
        replays: what is retained and yet to be sent, by topic filter; None for nothing.
        is_replaying: whether that goes on, or waits for the client.
        will: until it is published or dropped.
        dropped_count: messages lost because the client was slow or its queue full.
    """

    __slots__ = (
        "_broker",
        "_last_number",
        "_queue",
        "_queue_bytes",
        "_quota_max",
        "_rights",
        "client_id",
        "connection",
        "dropped_count",
        "expires_at_us",
        "expiry_interval_s",
        "inflight",
        "is_ended",
        "is_replaying",
        "last_packet_id",
        "principal",
        "quota",
        "received",
        "replays",
        "subscriptions",
        "version",
        "will",
    )

    def __init__(
        self, broker: "Broker", client_id: str, principal: str, rights: "Rights | None"
    ) -> None:
        self._broker = broker
        self.client_id = client_id
        self.principal = principal
        self._rights = rights
        self.version = 4
        self.connection: Connection | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.inflight: dict[int, Delivery] = {}
        self.received: dict[int, int] = {}
        self.quota = 0
        self.last_packet_id = 0
        self.expiry_interval_s = 0
        self.expires_at_us = 0
        self.will: Will | None = None
        self.dropped_count = 0
        self.is_ended = False
        self.replays: dict[str, Replay] | None = None
        self.is_replaying = False
        self._quota_max = 0
        self._queue: deque[Delivery] | None = None
        self._queue_bytes = 0
        self._last_number = 0

    @property
    def rights(self) -> "Rights":
        """Of the client that is there, or was last."""
        rights = self._rights
        if rights is None:  # nobody has come back to it since the process began
            kept = self._broker.kept_principals
            assert kept is not None, "it is said who they are first"
            rights = self._rights = kept.rights_of_kept(self.principal, self.client_id)
        return rights

    @rights.setter
    def rights(self, rights: "Rights") -> None:
        self._rights = rights

    @property
    def is_persistent(self) -> bool:
        """Whether it outlives its connection, and the process."""
        return self.expiry_interval_s > 0

    @property
    def is_waiting(self) -> bool:
        """Whether messages wait to be sent."""
        return bool(self._queue)

    @property
    def queued_count(self) -> int:
        """How many messages wait."""
        return len(self._queue) if self._queue else 0

    def kept(self) -> KeptSession:
        """As it is kept.

        A will that the client may not publish is not: after a restart nobody can be asked.
        """
        will = self.will
        if will is not None and not self._broker.may_publish(self, will.message.topic):
            will = None
        return KeptSession(
            self.client_id,
            self.principal,
            self.version,
            self.expiry_interval_s,
            self.connection is not None,
            self.expires_at_us,
            will,
        )

    def restore(self, found: FoundSession) -> None:
        """Take up what was kept of it."""
        kept = found.session
        self.version, self.will = kept.version, kept.will
        self.expiry_interval_s, self.expires_at_us = kept.expiry_interval_s, kept.expires_at_us
        self.received = dict.fromkeys(found.received, UNRECORDED)
        queue: deque[Delivery] = deque()
        for each in found.deliveries:
            delivery = Delivery(
                each.number, each.message, each.qos, each.is_retain, each.identifiers
            )
            delivery.packet_id, delivery.state = each.packet_id, each.state
            self._last_number = max(self._last_number, each.number)
            if each.packet_id:
                self.inflight[each.packet_id] = delivery
                self.last_packet_id = each.packet_id
            else:
                queue.append(delivery)
                self._queue_bytes += delivery.size_bytes
        self._queue = queue or None

    # --- towards the client ---

    def deliver(
        self, outgoing: Outgoing, qos: int, is_retain: bool, identifiers: tuple[int, ...]
    ) -> bool:
        """Send a message, or have it wait.

        Returns:
            Whether it is being kept: who must acknowledge it waits for that.
        """
        connection = self.connection
        if qos == 0:
            if connection is not None and not connection.send_once(
                outgoing, is_retain, identifiers
            ):
                self._drop()
            return False
        self._last_number += 1
        delivery = Delivery(self._last_number, outgoing.message, qos, is_retain, identifiers)
        is_next = self.quota > 0 and not self._queue
        if is_next and connection is not None and not connection.is_behind:
            self._send(delivery, outgoing)
        elif not self._enqueue(delivery):
            return False
        return self.is_persistent

    def _enqueue(self, delivery: Delivery) -> bool:
        if self.is_ended:  # what is kept by its client id is another session's
            return False
        bounds = self._broker.bounds
        queue = self._queue
        if queue is None:
            queue = self._queue = deque()
        size_bytes = delivery.size_bytes
        while (
            len(queue) >= bounds.queue_messages_max
            or self._queue_bytes + size_bytes > bounds.queue_bytes_max
        ):
            # What has a packet id was sent before: it is not to be forgotten half-way.
            if not bounds.drops_oldest or not queue or queue[0].packet_id:
                self._drop()
                return False
            oldest = queue.popleft()
            self._queue_bytes -= oldest.size_bytes
            self._drop()
            if self.is_persistent:
                self._broker.keeper.drop_delivery(self.client_id, oldest.number)
        queue.append(delivery)
        self._queue_bytes += size_bytes
        if self.is_persistent:
            self._broker.keeper.keep_delivery(self.client_id, delivery.kept())
        return True

    def _drop(self) -> None:
        self.dropped_count += 1
        self._broker.dropped_count += 1

    def begin_once(self, mark: Delivery) -> int:
        """Have one more on its way that is not sent again; returns its packet id.

        Args:
            mark: SENT_1 or SENT_2. There is quota for it, and nothing waits.
        """
        packet_id = self.last_packet_id + 1
        if packet_id > PACKET_ID_MAX or packet_id in self.inflight:
            packet_id = self.free_packet_id()
        else:
            self.last_packet_id = packet_id
        self.inflight[packet_id] = mark
        self.quota -= 1
        return packet_id

    def free_packet_id(self) -> int:
        """The next that is not in use; there is one, as a quota is less than there are ids."""
        packet_id = self.last_packet_id
        while True:
            packet_id = packet_id % PACKET_ID_MAX + 1
            if packet_id not in self.inflight:
                self.last_packet_id = packet_id
                return packet_id

    def _send(self, delivery: Delivery, outgoing: Outgoing, *, is_kept: bool = False) -> None:
        """Send what was not sent before."""
        connection = self.connection
        assert connection is not None
        if connection.is_too_small_for(delivery, outgoing):
            # MQTT 5, 3.1.2.11.4: as if it had been sent and acknowledged.
            if is_kept:
                self._broker.keeper.drop_delivery(self.client_id, delivery.number)
            return
        packet_id = delivery.packet_id = self.free_packet_id()
        delivery.state = DeliveryState.SENT
        self.inflight[packet_id] = delivery
        self.quota -= 1
        if not self.is_persistent:
            connection.send_delivery(delivery, outgoing, is_dup=False)
            return
        keeper = self._broker.keeper
        if is_kept:
            keeper.set_delivery(self.client_id, delivery.number, packet_id, delivery.state)
        else:
            keeper.keep_delivery(self.client_id, delivery.kept())
        if delivery.qos == 1:
            connection.send_delivery(delivery, outgoing, is_dup=False)
        else:
            # Sent before it is on disk, it could be sent a second time with another packet id.
            say = partial(connection.send_delivery, delivery, outgoing, is_dup=False)
            self._broker.awaiting.append(WhenKept(connection, say))

    def send_waiting(self) -> None:
        """Send what waits, as far as the client allows."""
        queue, broker = self._queue, self._broker
        while queue and self.quota > 0:
            connection = self.connection
            if connection is None or connection.is_behind:
                return
            delivery = queue.popleft()
            message = delivery.message
            outgoing = Outgoing(message, message.topic.encode(), broker.now_us())
            if delivery.packet_id:
                # The client may have answered what it was sent by its last connection.
                is_open = self.inflight.get(delivery.packet_id) is delivery
                if is_open and delivery.state is DeliveryState.SENT:
                    self._send_again(connection, delivery, outgoing)
                continue
            self._queue_bytes -= delivery.size_bytes
            if message.expires_at_us and message.expires_at_us <= broker.now_us():
                # MQTT 5, 3.3.2.3.3: it is not sent when its life ended while it waited.
                if self.is_persistent:
                    broker.keeper.drop_delivery(self.client_id, delivery.number)
            else:
                self._send(delivery, outgoing, is_kept=self.is_persistent)
        if not queue:
            self._queue = None

    def drop_waiting(self, is_unwanted: Callable[[str], bool]) -> None:
        """Drop what was never sent, by topic."""
        if not self._queue:
            return
        left: deque[Delivery] = deque()
        for delivery in self._queue:
            if delivery.packet_id or not is_unwanted(delivery.message.topic):
                left.append(delivery)
                continue
            self._queue_bytes -= delivery.size_bytes
            if self.is_persistent:
                self._broker.keeper.drop_delivery(self.client_id, delivery.number)
        self._queue = left or None

    def _send_again(self, connection: "Connection", delivery: Delivery, outgoing: Outgoing) -> None:
        if connection.is_too_small_for(delivery, outgoing):
            del self.inflight[delivery.packet_id]
            self._broker.keeper.drop_delivery(self.client_id, delivery.number)
            return
        self.quota -= 1
        if delivery.qos == 1:
            connection.send_delivery(delivery, outgoing, is_dup=True)
        else:  # it may be on its way to the disk yet, if the client was away for a moment only
            say = partial(connection.send_delivery, delivery, outgoing, is_dup=True)
            self._broker.awaiting.append(WhenKept(connection, say))

    def take_puback(self, packet_id: int) -> None:
        """The client has a QoS 1 message."""
        delivery = self.inflight.get(packet_id)
        if delivery is None:
            return
        if delivery.qos != 1:
            raise ProtocolError(f"PUBACK for packet id {packet_id}, which is of QoS 2")
        self._complete(packet_id, delivery)

    def take_pubrec(self, packet_id: int, *, is_refused: bool) -> bool:
        """The client has a QoS 2 message; answers whether that was known to be on its way."""
        delivery = self.inflight.get(packet_id)
        if delivery is None:
            return False
        if delivery.qos != 2:
            raise ProtocolError(f"PUBREC for packet id {packet_id}, which is of QoS 1")
        if is_refused:  # MQTT 5, 4.3.3: that is the end of it
            self._complete(packet_id, delivery)
            return True
        connection = self.connection
        assert connection is not None
        if delivery is SENT_2:
            self.inflight[packet_id] = _RELEASED_2
        else:
            was_sent = delivery.state is DeliveryState.SENT
            delivery.state = DeliveryState.RELEASED
            if self.is_persistent:
                if was_sent:
                    keeper = self._broker.keeper
                    keeper.set_delivery(
                        self.client_id, delivery.number, packet_id, DeliveryState.RELEASED
                    )
                # After PUBREL the client forgets the packet id. What was not on disk then would be
                # sent anew after a crash, and taken for another message.
                self._release_when_kept(connection, packet_id)
                return True
        connection.send_ack(PUBREL_OCTET, packet_id)
        return True

    def _release_when_kept(self, connection: "Connection", packet_id: int) -> None:
        say = partial(connection.send_ack, PUBREL_OCTET, packet_id)
        self._broker.awaiting.append(WhenKept(connection, say))

    def take_pubcomp(self, packet_id: int) -> None:
        """The client has forgotten the packet id of a QoS 2 message."""
        delivery = self.inflight.get(packet_id)
        if delivery is None:
            return
        if delivery.state is not DeliveryState.RELEASED:
            raise ProtocolError(f"PUBCOMP for packet id {packet_id}, which was not released")
        self._complete(packet_id, delivery)

    def _complete(self, packet_id: int, delivery: Delivery) -> None:
        del self.inflight[packet_id]
        if self.quota < self._quota_max:
            self.quota += 1
        if self.is_persistent:
            self._broker.keeper.drop_delivery(self.client_id, delivery.number)
        if self._queue:
            self.send_waiting()
        if self.replays:
            self._broker.replays.wake(self)

    # --- connections ---

    def attach(self, connection: "Connection", receive_maximum: int) -> None:
        """The client is there."""
        self.connection = connection
        self.quota = self._quota_max = receive_maximum
        self.expires_at_us = 0

    def resume(self) -> None:
        """Send again what was not acknowledged, in the order it was sent (MQTT 5, 4.4)."""
        connection = self.connection
        assert connection is not None
        unsent = [each for each in self._queue or () if not each.packet_id]
        again = []
        for packet_id, delivery in self.inflight.items():
            if delivery.state is DeliveryState.RELEASED:
                # [MQTT-3.3.4-9]: the client has yet to end it, so it counts among what it takes at
                # once. There may be more of those than it takes now.
                self.quota -= 1
                self._release_when_kept(connection, packet_id)
            else:
                again.append(delivery)
        self._queue = deque([*again, *unsent]) or None
        self.send_waiting()
        self._broker.replays.wake(self)

    def detach(self) -> None:
        """The client is away; what is retained and was not sent yet is, when it comes back."""
        self.connection = None
