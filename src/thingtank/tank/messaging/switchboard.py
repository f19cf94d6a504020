"""Who listens to which device, whatever the wire.

Lives in the loop's thread. What a listener is given it must take at once and keep bounded itself.
"""

from asyncio import Future, gather, get_running_loop
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol, TypeAlias

from msgspec import Struct

from thingtank.tank.interfaces import Directory
from thingtank.tank.messaging.messages import Message
from thingtank.tank.messaging.permissions import Area, Party, Policy, may, still_holds
from thingtank.tank.messaging.topic_filter import TopicFilter
from thingtank.tank.things import Device

# What of a device: messages to it, what it broadcasts, messages that it sends, its record when it
# changes, its sensor data, its end.
Kind = Literal["received", "broadcast", "sent", "config", "data", "unregistered"]
KINDS: tuple[Kind, ...] = ("received", "broadcast", "sent", "config", "data", "unregistered")

# The right that each kind needs of who is not the device itself; received and sent in its name.
_NEEDED: dict[Kind, tuple[Area, bool]] = {
    "received": ("receive", True),
    "broadcast": ("receive", False),
    "sent": ("receive", True),
    "config": ("discover", False),
    "data": ("receive", False),
    "unregistered": ("discover", False),
}

HELD_MAX = 1000  # messages that wait for one listener

Replied: TypeAlias = Callable[[Any], None]


class Delivery:
    """What a listener is given.

    Attributes:
        kind: as what it gets it.
        device: that is listened to.
        message: None unless it is a message.
        record: the device's record, or its sensor data, as others may see it; None for messages.
        reply: takes the recipient's own answer, where the wire of the sender asked for one; None
            otherwise.
        keeping: what is done when a listener that keeps it for its client has it on disk; None for
            nothing.
    """

    __slots__ = ("device", "encoded_record", "keeping", "kind", "message", "record", "reply")

    def __init__(
        self,
        kind: Kind,
        device: Device,
        message: Message | None,
        record: Any = None,
        reply: Replied | None = None,
    ) -> None:
        self.kind = kind
        self.device = device
        self.message = message
        self.record = record
        self.reply = reply
        self.encoded_record: bytes | None = None  # by the first who needs it
        self.keeping: list[Future[Any]] | None = None

    def wait_for(self, kept: Future[Any]) -> None:
        """Have who sends it wait until it is kept."""
        if self.keeping is None:
            self.keeping = []
        self.keeping.append(kept)


class Listener(Protocol):
    """Takes deliveries."""

    def deliver(self, delivery: Delivery) -> None:
        """Take one; at once, and without raising."""


class Subscription(Struct, eq=False):
    """One listener's interest in one kind of one device.

    Attributes:
        party: on whose behalf it listens.
        topics: of the messages that it wants; None for all.
        device, rights_version: as of when it was last found allowed.
        held: what waits behind older messages; None when nothing has to.
    """

    listener: Listener
    party: Party
    topics: TopicFilter | None = None
    device: Device | None = None
    rights_version: int = -1
    held: "list[_Held] | None" = None


class _Held:
    """A delivery that waits, and whose sender does too if it is to be on disk."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = Delivery(
            delivery.kind, delivery.device, delivery.message, delivery.record, delivery.reply
        )
        self._kept: Future[None] = get_running_loop().create_future()
        delivery.wait_for(self._kept)

    def deliver(self, listener: Listener) -> None:
        listener.deliver(self._delivery)
        keeping = self._delivery.keeping
        if keeping is None:
            self.drop()
        else:
            gather(*keeping).add_done_callback(self._pass_on)

    def drop(self) -> None:
        """There is nobody any more who would take it."""
        if not self._kept.done():
            self._kept.set_result(None)

    def _pass_on(self, keeping: Future[Any]) -> None:
        error = None if keeping.cancelled() else keeping.exception()
        if error is None or self._kept.done():
            self.drop()
        else:
            self._kept.set_exception(error)


class Switchboard:
    """All listeners."""

    def __init__(self, policy: Policy, directory: Directory) -> None:
        self._policy = policy
        self._directory = directory
        self._by_kind: dict[Kind, dict[int, dict[Listener, Subscription]]] = {
            kind: {} for kind in KINDS
        }

    def add(
        self,
        listener: Listener,
        party: Party,
        device: Device,
        kinds: Iterable[Kind],
        topics: TopicFilter | None = None,
    ) -> None:
        """Have a listener hear some kinds of a device, in place of what it heard of them before.

        Its rights are looked at with each delivery: who may not hear it hears nothing.
        """
        for kind in kinds:
            listeners = self._by_kind[kind].setdefault(device.device_id, {})
            listeners[listener] = Subscription(listener, party, topics)

    def remove(self, listener: Listener, device_id: int, kinds: Iterable[Kind] = KINDS) -> None:
        """Have it hear some kinds no more; one that does not is fine."""
        for kind in kinds:
            of_kind = self._by_kind[kind]
            listeners = of_kind.get(device_id)
            if (
                listeners is not None
                and listeners.pop(listener, None) is not None
                and not listeners
            ):
                del of_kind[device_id]

    def renew(self, listener: Listener, device_ids: Iterable[int], old: Party, new: Party) -> None:
        """Have a listener hear on another's behalf what it heard of some devices on one's."""
        for device_id in device_ids:
            for of_kind in self._by_kind.values():
                subscription = of_kind.get(device_id, {}).get(listener)
                if subscription is not None and subscription.party is old:
                    subscription.party = new
                    subscription.rights_version = -1

    def has_listeners(self, kind: Kind, device_id: int) -> bool:
        """Whether anybody hears a kind of a device."""
        return device_id in self._by_kind[kind]

    def listens(self, listener: Listener, kind: Kind, device_id: int) -> bool:
        """Whether this one does."""
        return listener in self._by_kind[kind].get(device_id, ())

    def may_hear(self, party: Party, kind: Kind, device: Device) -> bool:
        """Whether somebody may hear a kind of a device now; only of one that it may discover."""
        if kind == "unregistered" and party.is_of(device.device_id):
            return True  # its tokens are gone with it
        area, in_name = _NEEDED[kind]
        policy = self._policy
        return (
            still_holds(party, self._directory)
            and may(party, area, device, policy, in_name=in_name)
            and (area == "discover" or may(party, "discover", device, policy))
        )

    def deliver(self, delivery: Delivery, told: dict[Listener, None] | None = None) -> int:
        """Give something to all who listen to it and may.

        Args:
            told: who had it already, and is left out; who gets it now is added.

        Returns:
            How many connections of the device itself have it now, those that had it included.
        """
        listeners = self._by_kind[delivery.kind].get(delivery.device.device_id)
        if not listeners:
            return 0
        device, message = delivery.device, delivery.message
        rights_version = self._directory.rights_version
        own_count = 0
        # A copy, because who is told may leave, or have others leave.
        for listener, subscription in list(listeners.items()):
            if subscription.device is not device or subscription.rights_version != rights_version:
                if not self.may_hear(subscription.party, delivery.kind, device):
                    continue
                subscription.device, subscription.rights_version = device, rights_version
            if told is not None and listener in told:
                own_count += subscription.party.is_of(device.device_id)
                continue
            topics = subscription.topics
            if topics is not None and message is not None and not topics.wants(message.topic):
                continue
            if told is not None:
                told[listener] = None
            own_count += subscription.party.is_of(device.device_id)
            if subscription.held is None or len(subscription.held) >= HELD_MAX:
                listener.deliver(delivery)
            else:
                subscription.held.append(_Held(delivery))
        return own_count

    @contextmanager
    def holding(self, listener: Listener, device_id: int) -> Iterator[None]:
        """Have messages to a device wait that a listener would hear, which hears them afterwards.

        So older ones that it is given meanwhile come first.
        """
        subscription = self._by_kind["received"].get(device_id, {}).get(listener)
        if subscription is None:
            yield
            return
        held: list[_Held] = []
        subscription.held = held
        try:
            yield
        finally:
            subscription.held = None
            is_there = self._by_kind["received"].get(device_id, {}).get(listener) is subscription
            for each in held:
                if is_there:
                    each.deliver(listener)
                else:
                    each.drop()
