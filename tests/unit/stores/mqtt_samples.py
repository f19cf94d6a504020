"""What tests have kept of MQTT."""

from thingtank.protocols.mqtt.keeping import (
    DeliveryState,
    Found,
    KeptDelivery,
    KeptSession,
    SessionKeeper,
)
from thingtank.protocols.mqtt.messages import Message, RetainHandling, Subscription, Will

MESSAGE = Message(
    "a/é", b"\0\xff", 2, True, b"\x26\0\x01k\0\x01v", 1_800_000_000_000_000, "publisher"
)
PLAIN = Message("a", b"")
WILL = Will(MESSAGE, 30, 0)


def session(client_id: str, will: Will | None = None, is_connected: bool = True) -> KeptSession:
    return KeptSession(client_id, "key:12", 5, 2**32 - 1, is_connected, 2**62, will)


def delivery(number: int, message: Message = PLAIN) -> KeptDelivery:
    return KeptDelivery(number, message, 1)


def say_something_of_everything(keeper: SessionKeeper) -> None:
    """Call each method, so that something is left of each kind."""
    keeper.keep_session(session("a", WILL))
    keeper.keep_session(session("b", Will(PLAIN)))
    keeper.keep_session(session("c"))
    keeper.keep_session(session("c", is_connected=False))
    keeper.keep_session(session("gone"))
    keeper.drop_session("gone")
    keeper.keep_subscription("a", Subscription("a/#"))
    keeper.keep_subscription(
        "a", Subscription("$share/g/é", 2, True, True, RetainHandling.DO_NOT_SEND, 268_435_455)
    )
    keeper.keep_subscription("a", Subscription("a/#", 1))
    keeper.keep_subscription("b", Subscription("b"))
    keeper.drop_subscription("b", "b")
    for client_id in ("a", "b"):
        keeper.keep_delivery(client_id, KeptDelivery(1, MESSAGE, 2, True, (1, 300)))
    keeper.keep_delivery("a", KeptDelivery(2, PLAIN, 1, packet_id=7, state=DeliveryState.SENT))
    keeper.keep_delivery("a", delivery(3))
    keeper.keep_delivery("a", delivery(4))
    keeper.set_delivery("a", 1, 65_535, DeliveryState.SENT)
    keeper.set_delivery("a", 1, 65_535, DeliveryState.RELEASED)
    keeper.drop_delivery("a", 3)
    keeper.keep_received("a", 9)
    keeper.keep_received("a", 1)
    keeper.keep_received("a", 5)
    keeper.drop_received("a", 9)
    keeper.retain(Message("t", b"old"))
    keeper.retain(Message("t", b"new"))
    keeper.retain(MESSAGE)
    keeper.retain(Message("u", b""))
    keeper.drop_retained("u")


def comparable(found: Found) -> object:
    """Without the order of sessions, subscriptions and packet ids, which means nothing."""
    sessions = {
        each.session.client_id: (
            each.session,
            {each.topic_filter: each for each in each.subscriptions},
            list(each.deliveries),
            sorted(each.received),
        )
        for each in found.sessions
    }
    assert len(sessions) == len(found.sessions)
    return sessions, dict(found.retained)
