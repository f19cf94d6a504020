"""The MQTT broker as pages know it; the door implements it, and the server brings them together.

Everything here belongs to the loop's thread: views reach it by `tank_access.run`.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from thingtank.protocols.mqtt.broker_facts import (
    Answer,
    BrokerFacts,
    ClientFacts,
    FilterFacts,
    HeardMessage,
    RetainedFacts,
    SeenPacket,
)
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packets import Publish
from thingtank.protocols.overviews import ListPage, ListQuery
from thingtank.tank.access import Caller


class MqttBrokerView(Protocol):
    """The broker as one account may see it, now."""

    def facts(self) -> BrokerFacts:
        """The broker in numbers."""

    def clients(self, query: ListQuery) -> ListPage[ClientFacts]:
        """A page of clients."""

    def filters(self, query: ListQuery) -> ListPage[FilterFacts]:
        """A page of topic filters by name."""

    def retained(self, query: ListQuery) -> ListPage[RetainedFacts]:
        """A page of retained messages by topic, without those below `$SYS`."""

    def sys(self, query: ListQuery) -> ListPage[RetainedFacts]:
        """A page of what the broker says of itself."""

    def client(self, client_id: str) -> ClientFacts | None:
        """One client, if it may be seen."""

    def retained_one(self, topic: str) -> RetainedFacts | None:
        """A topic's retained message, if it may be seen."""


class MqttListening(Protocol):
    """A topic filter that a page listens to.

    Attributes:
        subscribed: SUBACK, or why not.
        heard_count: messages that came, whether they were taken or not.
        farewell: how it ended, if the broker has ended it.
    """

    subscribed: Answer

    @property
    def heard_count(self) -> int: ...

    @property
    def farewell(self) -> Answer | None: ...

    def take(self, count_max: int) -> Sequence[HeardMessage]:
        """Messages since the last time, oldest first; of more than so many the newest."""


class MqttWatching(Protocol):
    """A client whose packets a page looks at.

    Attributes:
        seen_count: packets, whether they were taken or not.
    """

    @property
    def seen_count(self) -> int: ...

    def take(self, count_max: int) -> Sequence[SeenPacket]:
        """Packets since the last time, oldest first; of more than so many the newest."""


class MqttBroker(Protocol):
    """The broker.

    Attributes:
        addresses: of its ports, as this machine reaches them, by name.
        is_everywhere: other machines reach them by this one's names as well.
        lets_anonymous_in: programs that use these addresses may come in without saying who they
            are.
    """

    addresses: Mapping[str, str]
    is_everywhere: bool

    @property
    def lets_anonymous_in(self) -> bool: ...

    def view(self, caller: Caller) -> MqttBrokerView:
        """The broker as an account may see it, now."""

    def close_client(self, caller: Caller, client_id: str) -> bool:
        """End a client's connection or, if it is away, its session; whether there was one."""

    def delete_retained(self, caller: Caller, topic: str) -> bool:
        """Forget a retained message; whether there was one that the account may delete."""

    async def publish(self, caller: Caller, packet: Publish) -> Answer:
        """Publish on an account's behalf.

        Raises:
            LimitReached.
        """

    def listen(
        self, caller: Caller, subscription: Subscription
    ) -> AbstractAsyncContextManager[MqttListening]:
        """Subscribe on an account's behalf, until the end of the block.

        Raises:
            LimitReached.
        """

    def watch(self, caller: Caller, client_id: str) -> AbstractContextManager[MqttWatching | None]:
        """Look at a client's packets, until the end of the block; None if it may not be seen."""


_broker: MqttBroker | None = None


def attach(broker: MqttBroker | None) -> None:
    """Give the pages their broker; None where the door is shut."""
    global _broker
    _broker = broker


def broker() -> MqttBroker | None:
    """The broker, if there is one."""
    return _broker
