"""MQTT's sessions without a disk: forgotten at once, or kept for as long as the process is."""

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from thingtank.protocols.mqtt.keeping import (
    DeliveryState,
    Found,
    FoundSession,
    KeptDelivery,
    KeptSession,
)
from thingtank.protocols.mqtt.messages import Message, Subscription


class NullMqttSessions:
    """Implements `protocols.mqtt.keeping.SessionKeeper`; keeps nothing.

    Attributes:
        failure: what those who wait are told.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.failure: Exception | None = None

    async def found(self) -> Found:
        """All that is kept."""
        return Found([], {})

    @property
    def waiting_bytes(self) -> int:
        """Nothing waits."""
        return 0

    @property
    def is_behind(self) -> bool:
        """Never."""
        return False

    def keep_session(self, session: KeptSession) -> None:
        """As `SessionKeeper` says; so are the others."""

    def drop_session(self, client_id: str) -> None:
        pass

    def keep_subscription(self, client_id: str, subscription: Subscription) -> None:
        pass

    def drop_subscription(self, client_id: str, topic_filter: str) -> None:
        pass

    def keep_delivery(self, client_id: str, delivery: KeptDelivery) -> None:
        pass

    def set_delivery(
        self, client_id: str, number: int, packet_id: int, state: DeliveryState
    ) -> None:
        pass

    def drop_delivery(self, client_id: str, number: int) -> None:
        pass

    def keep_received(self, client_id: str, packet_id: int) -> None:
        pass

    def drop_received(self, client_id: str, packet_id: int) -> None:
        pass

    def retain(self, message: Message) -> None:
        pass

    def drop_retained(self, topic: str) -> None:
        pass

    def when_kept(self, call: Callable[[Exception | None], None]) -> None:
        self._loop.call_soon(call, self.failure)

    def when_caught_up(self, call: Callable[[], None]) -> None:
        """Call from the loop, soon."""
        self._loop.call_soon(call)

    async def close(self) -> None:
        """There is nothing to write."""


class _Session:
    def __init__(self, session: KeptSession) -> None:
        self.session = session
        self.subscriptions: dict[str, Subscription] = {}
        self.deliveries: dict[int, KeptDelivery] = {}
        self.received: dict[int, None] = {}

    def found(self) -> FoundSession:
        return FoundSession(
            self.session,
            list(self.subscriptions.values()),
            list(self.deliveries.values()),
            list(self.received),
        )


class MemoryMqttSessions(NullMqttSessions):
    """Keeps all in dicts, for tests: a broker of its own may go on with what another left."""

    def __init__(self) -> None:
        super().__init__()
        self._sessions: dict[str, _Session] = {}
        self._retained: dict[str, Message] = {}

    async def found(self) -> Found:
        return Found([each.found() for each in self._sessions.values()], dict(self._retained))

    def keep_session(self, session: KeptSession) -> None:
        if kept := self._sessions.get(session.client_id):
            kept.session = session
        else:
            self._sessions[session.client_id] = _Session(session)

    def drop_session(self, client_id: str) -> None:
        self._sessions.pop(client_id, None)

    def keep_subscription(self, client_id: str, subscription: Subscription) -> None:
        if kept := self._sessions.get(client_id):
            kept.subscriptions[subscription.topic_filter] = subscription

    def drop_subscription(self, client_id: str, topic_filter: str) -> None:
        if kept := self._sessions.get(client_id):
            kept.subscriptions.pop(topic_filter, None)

    def keep_delivery(self, client_id: str, delivery: KeptDelivery) -> None:
        if kept := self._sessions.get(client_id):
            kept.deliveries[delivery.number] = delivery

    def set_delivery(
        self, client_id: str, number: int, packet_id: int, state: DeliveryState
    ) -> None:
        kept = self._sessions.get(client_id)
        if kept and number in kept.deliveries:
            kept.deliveries[number] = replace(
                kept.deliveries[number], packet_id=packet_id, state=state
            )

    def drop_delivery(self, client_id: str, number: int) -> None:
        if kept := self._sessions.get(client_id):
            kept.deliveries.pop(number, None)

    def keep_received(self, client_id: str, packet_id: int) -> None:
        if kept := self._sessions.get(client_id):
            kept.received[packet_id] = None

    def drop_received(self, client_id: str, packet_id: int) -> None:
        if kept := self._sessions.get(client_id):
            kept.received.pop(packet_id, None)

    def retain(self, message: Message) -> None:
        self._retained[message.topic] = message

    def drop_retained(self, topic: str) -> None:
        self._retained.pop(topic, None)
