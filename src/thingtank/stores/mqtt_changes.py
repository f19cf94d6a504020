"""Changes to MQTT's sessions that gather until they are written, folded as they come.

What was made and forgotten before the disk saw it leaves nothing; what is said twice is there once.
A message that was sent and acknowledged while the batch before was synced costs no write at all.
"""

from thingtank.protocols.mqtt.keeping import DeliveryState, KeptDelivery, KeptSession
from thingtank.protocols.mqtt.messages import Message, Subscription

# About what each takes in memory beside its texts.
_SESSION_BYTES = 600
_SUBSCRIPTION_BYTES = 250
_DELIVERY_BYTES = 250
_STATE_BYTES = 120
_DROP_BYTES = 50
_RECEIVED_BYTES = 80
_RETAINED_BYTES = 300


class SessionChanges:
    """What happened to one session.

    Attributes:
        is_dropped: what the disk has of it goes before the rest is applied.
        session: None to leave it as it is.
        subscriptions: by topic filter; None for one that goes.
        kept: deliveries that the disk does not have, by number, in order.
        states: of these and of others, by number.
        dropped: numbers of deliveries that the disk may have, and that go.
        received: by packet id, whether it is kept or goes.
    """

    __slots__ = (
        "dropped",
        "is_dropped",
        "kept",
        "received",
        "session",
        "states",
        "subscriptions",
    )

    def __init__(self, is_dropped: bool = False) -> None:
        self.is_dropped = is_dropped
        self.session: KeptSession | None = None
        self.subscriptions: dict[str, Subscription | None] = {}
        self.kept: dict[int, KeptDelivery] = {}
        self.states: dict[int, tuple[int, DeliveryState]] = {}
        self.dropped: set[int] = set()
        self.received: dict[int, bool] = {}

    def merge(self, later: "SessionChanges") -> None:
        """Add what happened afterwards, but for being dropped."""
        self.session = later.session or self.session
        self.subscriptions |= later.subscriptions
        for number in later.dropped:
            self.states.pop(number, None)
            if self.kept.pop(number, None) is None:
                self.dropped.add(number)
        self.kept |= later.kept
        self.states |= later.states
        self.received |= later.received

    def size_bytes(self) -> int:
        """About what all this takes in memory."""
        size_bytes = (
            len(self.states) * _STATE_BYTES
            + len(self.dropped) * _DROP_BYTES
            + len(self.received) * _RECEIVED_BYTES
            + sum(_SUBSCRIPTION_BYTES + len(each) for each in self.subscriptions)
            + (0 if self.session is None else _session_bytes(self.session))
        )
        last: Message | None = None
        for delivery in self.kept.values():
            size_bytes += _DELIVERY_BYTES
            if delivery.message is not last:
                last = delivery.message
                size_bytes += message_bytes(last)
        return size_bytes


class MqttChanges:
    """A batch.

    Attributes:
        sessions: by client_id.
        retained: by topic; None for what is retained no more.
        size_bytes: about what all this takes in memory, or a little more.
    """

    __slots__ = ("_last_message", "retained", "sessions", "size_bytes")

    def __init__(self) -> None:
        self.sessions: dict[str, SessionChanges] = {}
        self.retained: dict[str, Message | None] = {}
        self.size_bytes = 0
        self._last_message: Message | None = None

    def __bool__(self) -> bool:
        return bool(self.sessions or self.retained)

    def keep_session(self, session: KeptSession) -> None:
        """As `SessionKeeper` says; so are the others."""
        self._of(session.client_id).session = session
        self.size_bytes += _session_bytes(session)

    def drop_session(self, client_id: str) -> None:
        self.sessions[client_id] = SessionChanges(is_dropped=True)
        self.size_bytes += _SESSION_BYTES

    def keep_subscription(self, client_id: str, subscription: Subscription) -> None:
        self._of(client_id).subscriptions[subscription.topic_filter] = subscription
        self.size_bytes += _SUBSCRIPTION_BYTES + len(subscription.topic_filter)

    def drop_subscription(self, client_id: str, topic_filter: str) -> None:
        self._of(client_id).subscriptions[topic_filter] = None
        self.size_bytes += _SUBSCRIPTION_BYTES + len(topic_filter)

    def keep_delivery(self, client_id: str, delivery: KeptDelivery) -> None:
        changes = self.sessions.get(client_id) or self._of(client_id)
        changes.kept[delivery.number] = delivery
        message = delivery.message
        if message is not self._last_message:  # receivers of one message come one after another
            self._last_message = message
            self.size_bytes += message_bytes(message)
        self.size_bytes += _DELIVERY_BYTES

    def set_delivery(
        self, client_id: str, number: int, packet_id: int, state: DeliveryState
    ) -> None:
        changes = self.sessions.get(client_id) or self._of(client_id)
        changes.states[number] = packet_id, state
        self.size_bytes += _STATE_BYTES

    def drop_delivery(self, client_id: str, number: int) -> None:
        changes = self.sessions.get(client_id) or self._of(client_id)
        if changes.states.pop(number, None) is not None:
            self.size_bytes -= _STATE_BYTES
        if changes.kept.pop(number, None) is not None:
            self.size_bytes -= _DELIVERY_BYTES  # its message may have others
        else:
            changes.dropped.add(number)
            self.size_bytes += _DROP_BYTES

    def keep_received(self, client_id: str, packet_id: int) -> None:
        self._of(client_id).received[packet_id] = True
        self.size_bytes += _RECEIVED_BYTES

    def drop_received(self, client_id: str, packet_id: int) -> None:
        self._of(client_id).received[packet_id] = False
        self.size_bytes += _RECEIVED_BYTES

    def retain(self, message: Message) -> None:
        self.retained[message.topic] = message
        self.size_bytes += _RETAINED_BYTES + message_bytes(message)

    def drop_retained(self, topic: str) -> None:
        self.retained[topic] = None
        self.size_bytes += _RETAINED_BYTES + len(topic)

    def merge(self, later: "MqttChanges") -> None:
        """Add a batch that came afterwards, and see how much it is by now."""
        for client_id, changes in later.sessions.items():
            if changes.is_dropped:
                self.sessions[client_id] = changes
            elif mine := self.sessions.get(client_id):
                mine.merge(changes)
            else:
                self.sessions[client_id] = changes
        self.retained |= later.retained
        self.size_bytes = sum(each.size_bytes() for each in self.sessions.values()) + sum(
            _RETAINED_BYTES + (len(topic) if message is None else message_bytes(message))
            for topic, message in self.retained.items()
        )

    def _of(self, client_id: str) -> SessionChanges:
        changes = self.sessions.get(client_id)
        if changes is None:
            changes = self.sessions[client_id] = SessionChanges()
        return changes


def message_bytes(message: Message) -> int:
    """Of its texts."""
    return len(message.payload) + len(message.topic) + len(message.properties)


def _session_bytes(session: KeptSession) -> int:
    will = session.will
    return _SESSION_BYTES + (0 if will is None else message_bytes(will.message))
