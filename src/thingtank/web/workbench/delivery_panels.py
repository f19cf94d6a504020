"""Deliveries and their attempts, as pages show them."""

import json
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

import msgspec

from thingtank.tank.deliveries import Attempt, Delivery, DeliveryState
from thingtank.tank.errors import NotFound
from thingtank.tank.messaging.hooks import SentOn
from thingtank.tank.tank import Tank
from thingtank.web.workbench.trigger_panels import unit_of
from thingtank.web.workbench.trigger_words import words_of

STATE_LABELS = {
    DeliveryState.WAITING: "Waiting",
    DeliveryState.DELIVERED: "Delivered",
    DeliveryState.DEAD: "Dead letter",
    DeliveryState.CANCELLED: "Cancelled",
}
CHANNEL_LABELS = {
    "webhook": "Webhook",
    "email": "E-mail",
    "hook": "Hook",
    "forward": "Forward",
}
_HOOK_SENTENCES = {
    "received": "Message received, sent on",
    "sent": "Message sent, sent on",
    "broadcast": "Broadcast, sent on",
    "broadcast.sent": "Broadcast, sent on",
    "config": "Change of the device, sent on",
    "configure.sent": "Change of the device, sent on",
}
ANSWER_CHARS_SHOWN = 240  # in a list; the delivery's own page shows all that was kept


class _Value(msgspec.Struct):
    value: str = ""


class _Datastream(msgspec.Struct):
    value: _Value


class _SentOn(msgspec.Struct):
    content: msgspec.Raw


class _Document(msgspec.Struct):
    triggering_datastream: _Datastream


class AttemptRow(msgspec.Struct, frozen=True):
    """One try. `is_good`: it delivered."""

    at_us: int
    duration_text: str
    status: int | None
    answer: str
    error: str
    is_good: bool


class DeliveryRow(msgspec.Struct, frozen=True):
    """A delivery as a list shows it.

    Attributes:
        sentence: its trigger's, or that it is gone; of a hook what it sends on.
        device_title: blank when that is gone.
        value: the one that made it fire, as the document says; blank when there was none.
        target: without a password that it may hold.
        due_us: when it is tried next, if it has a turn.
        answer: what the receiver said last, of a dead letter.
    """

    delivery: Delivery
    label: str
    channel: str
    target: str
    sentence: str
    value: str
    device_title: str
    due_us: int | None
    answer: str
    may_retry: bool
    may_cancel: bool

    @property
    def state(self) -> str:
        """The state as templates compare it."""
        return self.delivery.state.value


def delivery_row(tank: Tank, delivery: Delivery, attempts: Sequence[Attempt] = ()) -> DeliveryRow:
    """A row; `attempts` are its last ones, oldest first, where their answers are to be shown."""
    try:
        title = tank.directory.get_device(delivery.device_id).title
    except NotFound:
        title = ""
    state = delivery.state
    return DeliveryRow(
        delivery,
        STATE_LABELS[state],
        CHANNEL_LABELS.get(delivery.channel, delivery.channel),
        shown_target(delivery.target),
        _sentence(tank, delivery),
        _value_of(delivery.body),
        title,
        delivery.due_us if state is DeliveryState.WAITING else None,
        text_of(attempts[-1].answer)[:ANSWER_CHARS_SHOWN] if attempts else "",
        state in (DeliveryState.DEAD, DeliveryState.CANCELLED, DeliveryState.WAITING),
        state is DeliveryState.WAITING,
    )


def _sentence(tank: Tank, delivery: Delivery) -> str:
    if not delivery.trigger_id:
        return _hook_sentence(delivery.body)
    try:
        trigger = tank.triggers.get(delivery.trigger_id)
        return words_of(trigger, unit_of(tank, trigger)).sentence
    except NotFound:
        return f"Trigger {delivery.trigger_id}, deleted since"


def _hook_sentence(body: bytes) -> str:
    try:
        kind = msgspec.json.decode(body, type=SentOn).type
    except msgspec.DecodeError:  # of another version
        kind = ""
    return _HOOK_SENTENCES.get(kind.removeprefix("message."), _HOOK_SENTENCES["received"])


def _value_of(document: bytes) -> str:
    try:
        return msgspec.json.decode(document, type=_Document).triggering_datastream.value.value
    except msgspec.DecodeError:  # of another version
        return ""


def attempt_row(attempt: Attempt) -> AttemptRow:
    """One try."""
    duration_ms = attempt.duration_us / 1000
    return AttemptRow(
        attempt.at_us,
        f"{duration_ms:.0f} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.1f} s",
        attempt.status,
        text_of(attempt.answer),
        attempt.error,
        not attempt.error,
    )


def shown_target(target: str) -> str:
    """A URL without the password in it; an e-mail address as it is."""
    try:
        parts = urlsplit(target)
        if parts.password is None:
            return target
        netloc = f"{parts.username}:…@{parts.netloc.rpartition('@')[2]}"
        return urlunsplit(parts._replace(netloc=netloc))
    except ValueError:
        return target


def text_of(answer: bytes) -> str:
    """The first bytes of an answer as text, whatever they are."""
    return answer.decode("utf-8", "replace").strip()


def document_of(delivery: Delivery) -> bytes:
    """What is sent: of a hook without what the outbox notes beside it."""
    if delivery.trigger_id:
        return delivery.body
    try:
        return bytes(msgspec.json.decode(delivery.body, type=_SentOn).content)
    except msgspec.DecodeError:  # of another version
        return delivery.body


def pretty(document: bytes) -> str:
    """A JSON document with an entry a line."""
    try:
        return json.dumps(json.loads(document), indent=2, ensure_ascii=False)
    except ValueError:
        return text_of(document)
