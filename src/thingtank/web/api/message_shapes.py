"""The shapes of messages between devices, of their receipts, and of a device's event log."""

from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from thingtank.tank.actions.messages import Sent
from thingtank.tank.device_events import StoredEvent
from thingtank.tank.kept_messages import KeptMessage
from thingtank.tank.messaging.messages import TARGETS_MAX
from thingtank.tank.things import TEXT_CHARS_MAX
from thingtank.web.api.fields import ApiSerializer, Text
from thingtank.web.api.parameters import time_text

UUID_CHARS_MAX = 512  # with what a device is to pass it on to, behind a slash
OUTCOMES = ("delivered", "kept", "away", "undeliverable")

_LAMP = "a2b8ab5e-7ad0-4d0c-8d5a-7c4b5a3d2e10"
_MESSAGE = {"devices": [_LAMP], "topic": "lights", "payload": {"on": True}}
_RECEIPT = {"devices": _LAMP, "outcome": "delivered", "count": 1}
_SENT = {**_MESSAGE, "sender": "", "sent_at": "2026-11-27T08:00:00.000000Z", "receipts": [_RECEIPT]}


@extend_schema_field({})
class AnyJson(serializers.JSONField):
    """Any JSON."""


@extend_schema_serializer(examples=[OpenApiExample("To one device", _MESSAGE, request_only=True)])
class MessageSerializer(ApiSerializer):
    """A message to send."""

    devices = serializers.ListField(
        child=Text(allow_blank=False, max_length=UUID_CHARS_MAX), allow_empty=False,
        min_length=1, max_length=TARGETS_MAX,
        help_text="Uuids of devices; `tag:NAME` for all of a tag; from a device also `*`, for"
        " whoever listens to it.",
    )  # fmt: skip
    sender = Text(
        required=False, default="", max_length=UUID_CHARS_MAX,
        help_text="As which device it is sent, by its number or uuid; blank: as the account itself."
        " A key needs `put` on it.",
    )  # fmt: skip
    topic = Text(required=False, default="", max_length=TEXT_CHARS_MAX)
    payload = AnyJson(required=False, allow_null=True, default=None)


class ReceiptSerializer(ApiSerializer):
    """What became of a message to one target."""

    devices = serializers.CharField(read_only=True, help_text="The target, as it was named.")
    outcome = serializers.ChoiceField(
        OUTCOMES, read_only=True,
        help_text="`delivered` to a connection of it; `kept` for when it comes back; `away`, and"
        " not kept; `undeliverable`: there is no such device, or the sender may not reach it.",
    )  # fmt: skip
    count = serializers.IntegerField(
        read_only=True, help_text="How many a tag's or a broadcast's message was delivered to."
    )


@extend_schema_serializer(examples=[OpenApiExample("It is there", _SENT, response_only=True)])
class SentSerializer(ApiSerializer):
    """A message that was sent."""

    devices = serializers.ListField(child=serializers.CharField(), read_only=True)
    sender = serializers.CharField(read_only=True, help_text="Its uuid; blank for an account.")
    topic = serializers.CharField(read_only=True)
    payload = AnyJson(read_only=True)
    sent_at = serializers.DateTimeField(read_only=True)
    receipts = ReceiptSerializer(many=True, read_only=True)


_KEPT = {"id": "12", "kept_at": "2026-11-27T08:00:00.000000Z", "message": {**_MESSAGE}}
_EVENT = {
    "id": "6927f0a00000000000000001",
    "at": "2026-11-27T08:00:00.000000Z",
    "code": 300,
    "body": {**_MESSAGE, "fromUuid": _LAMP},
}


@extend_schema_serializer(examples=[OpenApiExample("A kept message", _KEPT, response_only=True)])
class KeptMessageSerializer(ApiSerializer):
    """A message that waits for its device."""

    id = serializers.CharField(read_only=True)
    kept_at = serializers.DateTimeField(read_only=True)
    message = AnyJson(read_only=True, help_text="As the device will get it.")


@extend_schema_serializer(examples=[OpenApiExample("A message came", _EVENT, response_only=True)])
class EventSerializer(ApiSerializer):
    """Something that happened to a device."""

    id = serializers.CharField(read_only=True)
    at = serializers.DateTimeField(read_only=True)
    code = serializers.IntegerField(
        read_only=True, help_text="SkyNet's number: 300 is a message, 401 a change."
    )
    body = AnyJson(read_only=True, help_text="What is known of it.")


def sent_body(sent: Sent) -> dict[str, Any]:
    """A message that was sent, with what became of it."""
    message = sent.message
    return {
        "devices": [receipt.devices for receipt in sent.receipts],
        "sender": message.from_uuid,
        "topic": message.topic,
        "payload": message.payload,
        "sent_at": time_text(message.at_us),
        "receipts": [msgspec.structs.asdict(receipt) for receipt in sent.receipts],
    }


def kept_body(kept: KeptMessage) -> dict[str, Any]:
    """A message that waits."""
    return {
        "id": str(kept.kept_id),
        "kept_at": time_text(kept.at_us),
        "message": msgspec.json.decode(kept.body),
    }


def event_body(event: StoredEvent) -> dict[str, Any]:
    """An event of a device."""
    return {
        "id": event.event_id,
        "at": time_text(event.at_us),
        "code": event.code,
        "body": msgspec.json.decode(event.body),
    }
