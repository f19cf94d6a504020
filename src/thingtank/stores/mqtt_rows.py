"""MQTT's messages, wills and subscription identifiers as bytes in a row, and back."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from thingtank.protocols.mqtt.keeping import KeptSession
from thingtank.protocols.mqtt.messages import Message, RetainHandling, Subscription, Will

_Message: TypeAlias = tuple[str, bytes, int, bool, bytes, int, str]

_ENCODE = msgspec.msgpack.Encoder().encode
_MESSAGE = msgspec.msgpack.Decoder(_Message)
_WILL = msgspec.msgpack.Decoder(tuple[_Message, int, int | None])
_IDENTIFIERS = msgspec.msgpack.Decoder(tuple[int, ...])

SessionRow: TypeAlias = tuple[int, str, str, int, int, bool, int, bytes | None]
"""session_id, client_id, principal, version, expiry_interval_s, is_connected, expires_at_us,
will"""

SubscriptionRow: TypeAlias = tuple[int, str, int, bool, bool, int, int]
"""session_id, topic_filter, qos, no_local, retain_as_published, retain_handling, identifier"""


def encoded_message(message: Message) -> bytes:
    """All of it."""
    return _ENCODE(_message_values(message))


def decoded_message(data: bytes) -> Message:
    """What `encoded_message` was given."""
    return Message(*_MESSAGE.decode(data))


def encoded_identifiers(identifiers: Sequence[int]) -> bytes | None:
    """None for none."""
    return _ENCODE(identifiers) if identifiers else None


def decoded_identifiers(data: bytes | None) -> tuple[int, ...]:
    """What `encoded_identifiers` was given."""
    return () if data is None else _IDENTIFIERS.decode(data)


def session_row(session_id: int, session: KeptSession) -> SessionRow:
    """A session's row."""
    return (
        session_id,
        session.client_id,
        session.principal,
        session.version,
        session.expiry_interval_s,
        session.is_connected,
        session.expires_at_us,
        _encoded_will(session.will),
    )


def session_of(row: SessionRow) -> KeptSession:
    """What `session_row` was given."""
    _, client_id, principal, version, expiry_interval_s, is_connected, expires_at_us, will = row
    return KeptSession(
        client_id,
        principal,
        version,
        expiry_interval_s,
        bool(is_connected),
        expires_at_us,
        _decoded_will(will),
    )


def subscription_row(session_id: int, subscription: Subscription) -> SubscriptionRow:
    """A subscription's row."""
    return (
        session_id,
        subscription.topic_filter,
        subscription.qos,
        subscription.no_local,
        subscription.retain_as_published,
        subscription.retain_handling.value,
        subscription.identifier,
    )


def subscription_of(row: SubscriptionRow) -> Subscription:
    """What `subscription_row` was given."""
    _, topic_filter, qos, no_local, retain_as_published, retain_handling, identifier = row
    return Subscription(
        topic_filter,
        qos,
        bool(no_local),
        bool(retain_as_published),
        RetainHandling(retain_handling),
        identifier,
    )


def _message_values(message: Message) -> _Message:
    return (
        message.topic,
        message.payload,
        message.qos,
        message.is_retain,
        message.properties,
        message.expires_at_us,
        message.client_id,
    )


def _encoded_will(will: Will | None) -> bytes | None:
    if will is None:
        return None
    return _ENCODE((_message_values(will.message), will.delay_s, will.expiry_interval_s))


def _decoded_will(data: bytes | None) -> Will | None:
    if data is None:
        return None
    message, delay_s, expiry_interval_s = _WILL.decode(data)
    return Will(Message(*message), delay_s, expiry_interval_s)
