"""What is passed on and remembered: application messages, subscriptions, wills."""

from enum import IntEnum

import msgspec


class Message(msgspec.Struct, frozen=True, gc=False):
    """An application message, as every receiver gets it.

    Attributes:
        topic: the topic name.
        qos: it was published with.
        is_retain: whether it was published to be retained.
        properties: those that are passed on, encoded as in PUBLISH without their length: payload
            format indicator, content type, response topic, correlation data, user properties.
        expires_at_us: by the broker's clock; 0 for never.
        client_id: of who published it; blank for the broker itself and other doors.
    """

    topic: str
    payload: bytes
    qos: int = 0
    is_retain: bool = False
    properties: bytes = b""
    expires_at_us: int = 0
    client_id: str = ""


class RetainHandling(IntEnum):
    """When a subscription is answered with what is retained (MQTT 5, 3.8.3.1)."""

    SEND = 0
    SEND_IF_NEW = 1
    DO_NOT_SEND = 2


class Subscription(msgspec.Struct, frozen=True, gc=False):
    """What one client has asked for by one topic filter.

    Attributes:
        topic_filter: as subscribed to, with `$share/NAME/` where it is shared.
        identifier: the subscription identifier; 0 for none.
    """

    topic_filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: RetainHandling = RetainHandling.SEND
    identifier: int = 0


class Will(msgspec.Struct, frozen=True, gc=False):
    """What is published when a client is gone (MQTT 5, 3.1.2.5).

    Attributes:
        delay_s: how long it may come back first.
        expiry_interval_s: from when it is published; None for never.
    """

    message: Message
    delay_s: int = 0
    expiry_interval_s: int | None = None
