"""What the file of MQTT's sessions has, by its ids; so that no statement has to look for anything.

Every table whose rows come and go is numbered upwards: new rows stand together at the end, and old
ones go by number. A message that several clients are to get is there once; it goes with the last
of its deliveries. One for a single client is in its delivery's own row.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from thingtank.protocols.mqtt.keeping import KeptDelivery
from thingtank.stores.mqtt_changes import MqttChanges, SessionChanges
from thingtank.stores.mqtt_rows import (
    SessionRow,
    SubscriptionRow,
    encoded_identifiers,
    encoded_message,
    session_row,
    subscription_row,
)

DeliveryRow: TypeAlias = tuple[
    int, int, int, int, bool, bytes | None, int, int, int | None, bytes | None
]
"""delivery_id, session_id, number, qos, is_retain, identifiers, packet_id, state, message_id,
message: one of the last two"""


class Last(NamedTuple):
    """The highest ids there are, or were."""

    session_id: int = 0
    message_id: int = 0
    delivery_id: int = 0
    received_id: int = 0


class Entry:
    """A session's ids: `delivery_id` by number, `received_id` by packet id."""

    __slots__ = ("deliveries", "received", "session_id")

    def __init__(self, session_id: int) -> None:
        self.session_id = session_id
        self.deliveries: dict[int, int] = {}
        self.received: dict[int, int] = {}


class _Changed(NamedTuple):
    entry: Entry
    changes: SessionChanges
    delivery_id: int  # of the first that is new
    received_id: int  # of the first that is new


@dataclass(slots=True)
class Plan:
    """The rows that a batch removes and adds, and what is so afterwards."""

    last: Last
    dropped_sessions: list[int] = field(default_factory=list)
    dropped_subscriptions: list[tuple[int, str]] = field(default_factory=list)
    dropped_messages: list[int] = field(default_factory=list)
    dropped_deliveries: list[int] = field(default_factory=list)
    dropped_received: list[int] = field(default_factory=list)
    dropped_retained: list[tuple[str]] = field(default_factory=list)
    sessions: list[SessionRow] = field(default_factory=list)
    subscriptions: list[SubscriptionRow] = field(default_factory=list)
    messages: list[tuple[int, bytes]] = field(default_factory=list)
    deliveries: list[DeliveryRow] = field(default_factory=list)
    states: list[tuple[int, int, int]] = field(default_factory=list)
    received: list[tuple[int, int, int]] = field(default_factory=list)
    retained: list[tuple[str, bytes]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    made: list[tuple[str, Entry]] = field(default_factory=list)
    changed: list[_Changed] = field(default_factory=list)
    shared: dict[int, int] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (
            self.dropped_sessions
            or self.dropped_subscriptions
            or self.dropped_deliveries
            or self.dropped_received
            or self.dropped_retained
            or self.sessions
            or self.subscriptions
            or self.deliveries
            or self.states
            or self.received
            or self.retained
        )


class MqttSessionIndex:
    """Belongs to one file."""

    def __init__(self) -> None:
        self.last = Last()
        self._entries: dict[str, Entry] = {}
        self._shared: dict[int, int] = {}  # message_id by delivery_id
        self._counts: Counter[int] = Counter()  # of deliveries by message_id

    @classmethod
    def load(
        cls,
        last: Last,
        sessions: Iterable[tuple[int, str]],
        deliveries: Iterable[tuple[int, int, int, int | None]],
        received: Iterable[tuple[int, int, int]],
    ) -> "MqttSessionIndex":
        """Of the rows of a file.

        Args:
            sessions: session_id, client_id.
            deliveries: delivery_id, session_id, number, message_id.
            received: received_id, session_id, packet_id.

        Raises:
            KeyError: something belongs to no session.
        """
        index = cls()
        index.last = last
        index._entries = {client_id: Entry(session_id) for session_id, client_id in sessions}
        by_id = {entry.session_id: entry for entry in index._entries.values()}
        for delivery_id, session_id, number, message_id in deliveries:
            by_id[session_id].deliveries[number] = delivery_id
            if message_id is not None:
                index._shared[delivery_id] = message_id
        for received_id, session_id, packet_id in received:
            by_id[session_id].received[packet_id] = received_id
        index._counts.update(index._shared.values())
        return index

    def plan(self, changes: MqttChanges) -> Plan:
        """What a batch is to do to the file; changes nothing here yet."""
        return _Planner(self, changes).plan

    def apply(self, plan: Plan) -> None:
        """A plan was carried out."""
        self.last = plan.last
        for client_id in plan.gone:
            del self._entries[client_id]
        self._entries.update(plan.made)
        for changed in plan.changed:
            _apply(changed)
        if self._shared:
            self._release(plan.dropped_deliveries)
        self._shared |= plan.shared
        self._counts.update(plan.shared.values())

    def entry(self, client_id: str) -> Entry | None:
        """Of a session."""
        return self._entries.get(client_id)

    def messages_without(self, delivery_ids: Iterable[int]) -> list[int]:
        """Shared messages that have no delivery but these."""
        if not self._shared:
            return []
        found = Counter(self._shared[each] for each in delivery_ids if each in self._shared)
        return [each for each, count in found.items() if count == self._counts[each]]

    def _release(self, delivery_ids: Iterable[int]) -> None:
        for each in delivery_ids:
            message_id = self._shared.pop(each, None)
            if message_id is not None:
                self._counts[message_id] -= 1
                if not self._counts[message_id]:
                    del self._counts[message_id]


class _Planner:
    """Makes a plan."""

    def __init__(self, index: MqttSessionIndex, changes: MqttChanges) -> None:
        self._index = index
        self._session_id, self._message_id, self._delivery_id, self._received_id = index.last
        self.plan = Plan(index.last)
        self._receivers = Counter(
            id(delivery.message)
            for each in changes.sessions.values()
            for delivery in each.kept.values()
        )
        self._message_ids: dict[int, int] = {}  # by `id` of the message
        for client_id, each in changes.sessions.items():
            self._plan_session(client_id, each)
        for topic, message in changes.retained.items():
            if message is None:
                self.plan.dropped_retained.append((topic,))
            else:
                self.plan.retained.append((topic, encoded_message(message)))
        self.plan.dropped_messages = index.messages_without(self.plan.dropped_deliveries)
        self.plan.last = Last(
            self._session_id, self._message_id, self._delivery_id, self._received_id
        )

    def _plan_session(self, client_id: str, changes: SessionChanges) -> None:
        entry = self._index.entry(client_id)
        if entry is not None and changes.is_dropped:
            self._drop(client_id, entry)
            entry = None
        if entry is None:
            if changes.session is None:
                return  # nothing belongs to no session
            self._session_id += 1
            entry = Entry(self._session_id)
            self.plan.made.append((client_id, entry))
        if changes.session is not None:
            self.plan.sessions.append(session_row(entry.session_id, changes.session))
        self.plan.changed.append(_Changed(entry, changes, self._delivery_id, self._received_id))
        if changes.subscriptions:
            self._plan_subscriptions(entry.session_id, changes)
        if changes.received:
            self._plan_received(entry, changes)
        self._plan_deliveries(entry, changes)

    def _drop(self, client_id: str, entry: Entry) -> None:
        plan = self.plan
        plan.gone.append(client_id)
        plan.dropped_sessions.append(entry.session_id)
        plan.dropped_deliveries += entry.deliveries.values()
        plan.dropped_received += entry.received.values()

    def _plan_subscriptions(self, session_id: int, changes: SessionChanges) -> None:
        for topic_filter, subscription in changes.subscriptions.items():
            if subscription is None:
                self.plan.dropped_subscriptions.append((session_id, topic_filter))
            else:
                self.plan.subscriptions.append(subscription_row(session_id, subscription))

    def _plan_received(self, entry: Entry, changes: SessionChanges) -> None:
        known = entry.received
        for packet_id, is_kept in changes.received.items():
            if not is_kept:
                if packet_id in known:
                    self.plan.dropped_received.append(known[packet_id])
            elif packet_id not in known:
                self._received_id += 1
                self.plan.received.append((self._received_id, entry.session_id, packet_id))

    def _plan_deliveries(self, entry: Entry, changes: SessionChanges) -> None:
        plan, known, kept, states = self.plan, entry.deliveries, changes.kept, changes.states
        plan.dropped_deliveries += [known[each] for each in changes.dropped if each in known]
        for number, (packet_id, state) in states.items():
            if number in known and number not in kept:
                plan.states.append((known[number], packet_id, state.value))
        for number, delivery in kept.items():
            if number in known and number not in changes.dropped:
                plan.dropped_deliveries.append(known[number])
            self._delivery_id += 1
            packet_id, state = states.get(number) or (delivery.packet_id, delivery.state)
            message_id, message = None, None
            if self._receivers[id(delivery.message)] > 1:
                message_id = self._shared_message(delivery)
                plan.shared[self._delivery_id] = message_id
            else:
                message = encoded_message(delivery.message)
            plan.deliveries.append(
                (
                    self._delivery_id,
                    entry.session_id,
                    number,
                    delivery.qos,
                    delivery.is_retain,
                    encoded_identifiers(delivery.identifiers),
                    packet_id,
                    state.value,
                    message_id,
                    message,
                )
            )

    def _shared_message(self, delivery: KeptDelivery) -> int:
        key = id(delivery.message)
        message_id = self._message_ids.get(key)
        if message_id is None:
            self._message_id += 1
            message_id = self._message_ids[key] = self._message_id
            self.plan.messages.append((message_id, encoded_message(delivery.message)))
        return message_id


def _apply(changed: _Changed) -> None:
    entry, changes, delivery_id, received_id = changed
    for number in changes.dropped:
        entry.deliveries.pop(number, None)
    if changes.kept:
        after = delivery_id + 1
        entry.deliveries.update(
            zip(changes.kept, range(after, after + len(changes.kept)), strict=True)
        )
    for packet_id, is_kept in changes.received.items():
        if not is_kept:
            entry.received.pop(packet_id, None)
        elif packet_id not in entry.received:
            received_id += 1
            entry.received[packet_id] = received_id
