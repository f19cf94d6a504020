"""The shape of a delivery in answers."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from thingtank.tank.deliveries import Attempt, Delivery, DeliveryState
from thingtank.tank.tank import Tank
from thingtank.web.api.fields import ApiSerializer
from thingtank.web.api.key_shapes import login_of
from thingtank.web.api.parameters import time_text

STATES = tuple(state.value for state in DeliveryState)
CHANNELS = ("webhook", "email", "hook", "forward")

_DELIVERY = {
    "id": 41,
    "url": "https://tank.example/api/deliveries/41",
    "message_id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
    "state": "dead",
    "trigger": 3,
    "device": 7,
    "owner": "owner",
    "channel": "webhook",
    "target": "https://example.com/hook",
    "is_test": False,
    "attempt_count": 9,
    "status": 500,
    "error": "the receiver answered 500",
    "created_at": "2026-11-27T08:00:00.000000Z",
    "due_at": None,
    "done_at": "2026-11-28T08:00:00.000000Z",
}
_ATTEMPT = {
    "at": "2026-11-28T08:00:00.000000Z",
    "duration_ms": 21.5,
    "status": 500,
    "answer": "the database is away",
    "error": "the receiver answered 500",
}
_WAITING = {"state": "waiting", "is_test": True, "attempt_count": 0, "status": None, "error": ""}
_TESTED = {"deliveries": [{**_DELIVERY, **_WAITING, "done_at": None}]}
_WHOLE = {**_DELIVERY, "document": '{"id": 3}', "attempts": [_ATTEMPT]}


@extend_schema_serializer(examples=[OpenApiExample("A dead letter", _DELIVERY, response_only=True)])
class DeliverySerializer(ApiSerializer):
    """One thing that is sent, until a receiver has it or it is given up."""

    id = serializers.IntegerField(read_only=True)
    url = serializers.URLField(read_only=True)
    message_id = serializers.CharField(
        read_only=True, help_text="The same at each attempt, so that receivers see repetitions."
    )
    state = serializers.ChoiceField(STATES, read_only=True)
    trigger = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="Its number; null for a device's own hook."
    )
    device = serializers.IntegerField(read_only=True)
    owner = serializers.CharField(read_only=True)
    channel = serializers.ChoiceField(CHANNELS, read_only=True)
    target = serializers.CharField(
        read_only=True, help_text="A URL or an address; of a forward a device's uuid."
    )
    is_test = serializers.BooleanField(read_only=True)
    attempt_count = serializers.IntegerField(read_only=True)
    status = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="Of the last answer; null when there was none."
    )
    error: Any = serializers.CharField(
        read_only=True, help_text="Why the last attempt failed; blank when it did not."
    )
    created_at = serializers.DateTimeField(read_only=True)
    due_at = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="When it is tried next; null: it has no turn.",
    )
    done_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When it was delivered, given up or cancelled."
    )


class AttemptSerializer(ApiSerializer):
    """One try to deliver."""

    at = serializers.DateTimeField(read_only=True)
    duration_ms = serializers.FloatField(read_only=True)
    status = serializers.IntegerField(read_only=True, allow_null=True)
    answer = serializers.CharField(read_only=True, help_text="The beginning of what came back.")
    error = serializers.CharField(read_only=True)


@extend_schema_serializer(examples=[OpenApiExample("A dead letter", _WHOLE, response_only=True)])
class WholeDeliverySerializer(DeliverySerializer):
    """A delivery with what is sent and its last attempts, oldest first."""

    document = serializers.CharField(read_only=True, help_text="What is sent, as a text.")
    attempts = AttemptSerializer(many=True, read_only=True)


@extend_schema_serializer(
    examples=[OpenApiExample("One channel", _TESTED, response_only=True, status_codes=["202"])]
)
class TestedSerializer(ApiSerializer):
    """What a test of a trigger sends, one for each channel."""

    deliveries = DeliverySerializer(many=True, read_only=True)


def delivery_body(tank: Tank, base_url: str, delivery: Delivery) -> dict[str, Any]:
    """A delivery as lists have it.

    Args:
        base_url: of the API, without a slash at the end.
    """
    return {
        "id": delivery.delivery_id,
        "url": f"{base_url}/deliveries/{delivery.delivery_id}",
        "message_id": delivery.message_id,
        "state": delivery.state.value,
        "trigger": delivery.trigger_id or None,
        "device": delivery.device_id,
        "owner": login_of(tank, delivery.account_id),
        "channel": delivery.channel,
        "target": delivery.target,
        "is_test": delivery.is_test,
        "attempt_count": delivery.attempt_count,
        "status": delivery.status,
        "error": delivery.error,
        "created_at": time_text(delivery.created_us),
        "due_at": time_text(delivery.due_us),
        "done_at": time_text(delivery.done_us),
    }


def whole_delivery_body(
    tank: Tank, base_url: str, delivery: Delivery, attempts: Sequence[Attempt]
) -> dict[str, Any]:
    """A delivery with what it holds."""
    return {
        **delivery_body(tank, base_url, delivery),
        "document": delivery.body.decode("utf-8", "replace"),
        "attempts": [_attempt_body(attempt) for attempt in attempts],
    }


def _attempt_body(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": time_text(attempt.at_us),
        "duration_ms": attempt.duration_us / 1000,
        "status": attempt.status,
        "answer": attempt.answer.decode("utf-8", "replace"),
        "error": attempt.error,
    }
