"""What a client has subscribed to of the tank, and the messages that it gets for it."""

import msgspec

from thingtank.protocols.mqtt.messages import Message, RetainHandling, Subscription
from thingtank.protocols.mqtt.outgoing import Outgoing
from thingtank.protocols.mqtt.session import Session


class Content(msgspec.Struct, frozen=True):
    """What a topic shows of the tank.

    Attributes:
        datastream: None for the whole feed.
        version: of the API.
    """

    feed_id: int
    datastream: str | None
    version: int
    format: str


class Watch:
    """One client's subscription to a topic.

    Attributes:
        is_told: whether it has had an update.
    """

    __slots__ = ("content", "is_told", "session", "subscription")

    def __init__(self, session: Session, subscription: Subscription, content: Content) -> None:
        self.session = session
        self.subscription = subscription
        self.content = content
        self.is_told = False


def wants_state(subscription: Subscription, *, is_new: bool) -> bool:
    """Whether a subscription is answered with the state, as with a retained message (3.8.3.1)."""
    if subscription.retain_handling is RetainHandling.SEND_IF_NEW:
        return is_new
    return subscription.retain_handling is RetainHandling.SEND


def identifiers_of(subscription: Subscription) -> tuple[int, ...]:
    """Those that its messages carry."""
    return (subscription.identifier,) if subscription.identifier else ()


def outgoing_of(topic: str, body: bytes, now_us: int, *, is_retain: bool = False) -> Outgoing:
    """A message of a topic, for all who get it; of the QoS that each has asked for."""
    return Outgoing(Message(topic, body, 2, is_retain), topic.encode(), now_us)
