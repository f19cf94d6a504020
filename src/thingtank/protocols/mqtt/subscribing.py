"""SUBSCRIBE and UNSUBSCRIBE (MQTT 5, 3.8 to 3.11)."""

from functools import partial
from typing import TYPE_CHECKING

from thingtank.protocols.mqtt.acks import WhenKept
from thingtank.protocols.mqtt.messages import RetainHandling, Subscription
from thingtank.protocols.mqtt.packets import Suback, Subscribe, Unsuback, Unsubscribe
from thingtank.protocols.mqtt.reason_codes import ReasonCode

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.broker import Broker
    from thingtank.protocols.mqtt.connection import Connection
    from thingtank.protocols.mqtt.session import Session

_SHARE = "$share/"
_GRANTED = (ReasonCode.GRANTED_QOS_0, ReasonCode.GRANTED_QOS_1, ReasonCode.GRANTED_QOS_2)


def subscribe(broker: "Broker", connection: "Connection", packet: Subscribe) -> None:
    """Grant what may be granted, say so, and send what is retained."""
    session = connection.session
    assert session is not None
    was_new = []
    reasons = []
    for subscription in packet.filters:
        reason = _refusal(broker, session, subscription)
        if reason is None:
            is_new = subscription.topic_filter not in session.subscriptions
            was_new.append((subscription, is_new))
            broker.add_subscription(session, subscription)
            reason = _GRANTED[subscription.qos]
        reasons.append(reason)
    suback = Suback(packet.packet_id, tuple(_spoken(each, connection.version) for each in reasons))
    if session.is_persistent:
        broker.awaiting.append(WhenKept(connection, partial(connection.send, suback)))
    else:
        connection.send(suback)
    for subscription, is_new in was_new:
        if _wants_retained(subscription, is_new=is_new):
            broker.replays.add(session, subscription)
        if broker.owner is not None:
            broker.owner.subscribed(session, subscription)
    if broker.witness is not None:
        for subscription, reason in zip(packet.filters, reasons, strict=True):
            broker.witness.answered_subscribe(session, subscription, reason)


def _spoken(reason: ReasonCode, version: int) -> ReasonCode:
    """A reason code as a client's version knows it."""
    if version != 5 and reason >= ReasonCode.UNSPECIFIED_ERROR:
        return ReasonCode.UNSPECIFIED_ERROR  # MQTT 3.1.1, 3.9.3: the one code for failure
    return reason


def _refusal(broker: "Broker", session: "Session", subscription: Subscription) -> ReasonCode | None:
    topic_filter = subscription.topic_filter
    if topic_filter.count("/") >= broker.bounds.topic_levels_max:
        return ReasonCode.TOPIC_FILTER_INVALID
    if not broker.may_subscribe(session, topic_filter):
        return ReasonCode.NOT_AUTHORIZED
    count = len(session.subscriptions)
    if topic_filter not in session.subscriptions and (
        count >= broker.bounds.subscriptions_per_session_max
        or len(broker.subscriptions) >= broker.bounds.subscriptions_max
    ):
        return ReasonCode.QUOTA_EXCEEDED
    return None


def _wants_retained(subscription: Subscription, *, is_new: bool) -> bool:
    """MQTT 5, 3.8.3.1; shared subscriptions never do (4.8.2)."""
    if subscription.topic_filter.startswith(_SHARE):
        return False
    if subscription.retain_handling is RetainHandling.SEND_IF_NEW:
        return is_new
    return subscription.retain_handling is RetainHandling.SEND


def unsubscribe(broker: "Broker", connection: "Connection", packet: Unsubscribe) -> None:
    """Take subscriptions away."""
    session = connection.session
    assert session is not None
    reasons = []
    for topic_filter in packet.topic_filters:
        was_there = broker.remove_subscription(session, topic_filter)
        reasons.append(ReasonCode.SUCCESS if was_there else ReasonCode.NO_SUBSCRIPTION_EXISTED)
    unsuback = Unsuback(packet.packet_id, tuple(reasons))
    if session.is_persistent:
        broker.awaiting.append(WhenKept(connection, partial(connection.send, unsuback)))
    else:
        connection.send(unsuback)
