"""The shape of a trigger in requests and answers, and how one becomes the other."""

from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from thingtank.tank.targets import ADDRESS_CHARS_MAX, URL_CHARS_MAX
from thingtank.tank.things import TEXT_CHARS_MAX
from thingtank.tank.triggers import (
    HOLD_S_MAX,
    KINDS,
    QUIET_S,
    QUIET_S_MAX,
    QUIET_S_MIN,
    Trigger,
    TriggerChange,
)
from thingtank.web.api.conditions import etag_of
from thingtank.web.api.fields import ApiSerializer, Choice, Text, Truth, Whole
from thingtank.web.api.key_shapes import DEVICE_ID_MAX
from thingtank.web.api.parameters import time_text

_CHANGED = {
    "kind": "gt",
    "threshold": "30",
    "webhook_url": "https://example.com/hook",
    "email": "",
    "clear_value": "28",
    "hold_s": 60,
    "quiet_s": QUIET_S,
    "is_enabled": True,
}
_TRIGGER = {"device": 7, "datastream": "temperature", **_CHANGED}
_READ_TRIGGER = {
    "id": 3,
    "url": "https://tank.example/api/triggers/3",
    **_TRIGGER,
    "created_at": "2026-11-27T08:00:00.000000Z",
    "fired_at": None,
    "device_url": "https://tank.example/api/devices/7",
    "deliveries_url": "https://tank.example/api/deliveries?trigger=3",
}


@extend_schema_serializer(
    examples=[
        OpenApiExample("Too warm", _TRIGGER, request_only=True),
        OpenApiExample("Too warm", _READ_TRIGGER, response_only=True),
    ]
)
class TriggerSerializer(ApiSerializer):
    """A trigger, which tells a receiver when a datastream's value meets a condition."""

    id = serializers.IntegerField(read_only=True)
    url = serializers.URLField(read_only=True)
    device: Any = Whole(min_value=1, max_value=DEVICE_ID_MAX, help_text="Its number.")
    datastream: Any = Text(
        allow_blank=False, max_length=TEXT_CHARS_MAX, help_text="The name of what it watches."
    )
    kind = Choice(
        KINDS,
        help_text="`gt` to `eq` compare with the threshold, `change` is any other value, `frozen`"
        " is none for 15 minutes, `live` the first one after that.",
    )
    threshold = Text(
        required=False, default="", max_length=TEXT_CHARS_MAX,
        help_text="A number, or for `eq` any text; blank for `change`, `frozen` and `live`.",
    )  # fmt: skip
    webhook_url = Text(
        required=False, default="", max_length=URL_CHARS_MAX,
        help_text="Gets a POST when it fires; this or `email` is needed.",
    )  # fmt: skip
    email = Text(required=False, default="", max_length=ADDRESS_CHARS_MAX)
    clear_value = Text(
        required=False, default="", max_length=TEXT_CHARS_MAX,
        help_text="The condition ends only beyond it; blank for at the threshold.",
    )  # fmt: skip
    hold_s = Whole(
        required=False, default=0, min_value=0, max_value=HOLD_S_MAX,
        help_text="For how many seconds the condition must hold.",
    )  # fmt: skip
    quiet_s = Whole(
        required=False, default=QUIET_S, min_value=QUIET_S_MIN, max_value=QUIET_S_MAX,
        help_text="At least so many seconds between two firings.",
    )  # fmt: skip
    is_enabled = Truth(required=False, default=True)
    created_at = serializers.DateTimeField(read_only=True)
    fired_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When it fired last; null for never."
    )
    device_url = serializers.URLField(read_only=True)
    deliveries_url = serializers.URLField(read_only=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample("Warmer than that", _CHANGED, request_only=True),
        OpenApiExample("Warmer than that", _READ_TRIGGER, response_only=True),
    ]
)
class ChangedTriggerSerializer(TriggerSerializer):
    """What of a trigger may change; what it watches stays."""

    device = serializers.IntegerField(read_only=True)
    datastream = serializers.CharField(read_only=True)


def trigger_body(base_url: str, trigger: Trigger) -> dict[str, Any]:
    """A trigger as answers have it.

    Args:
        base_url: of the API, without a slash at the end.
    """
    return {
        "id": trigger.trigger_id,
        "url": f"{base_url}/triggers/{trigger.trigger_id}",
        "device": trigger.device_id,
        "datastream": trigger.name,
        "kind": trigger.kind,
        "threshold": trigger.threshold,
        "webhook_url": trigger.url,
        "email": trigger.email,
        "clear_value": trigger.clear_value,
        "hold_s": trigger.hold_s,
        "quiet_s": trigger.quiet_s,
        "is_enabled": trigger.is_enabled,
        "created_at": time_text(trigger.created_us),
        "fired_at": time_text(trigger.notified_us),
        "device_url": f"{base_url}/devices/{trigger.device_id}",
        "deliveries_url": f"{base_url}/deliveries?trigger={trigger.trigger_id}",
    }


def trigger_etag(trigger: Trigger) -> str:
    """The entity tag of a trigger in this state; changed by a firing too."""
    return etag_of(trigger)


def trigger_change(members: dict[str, Any]) -> TriggerChange:
    """What the members of a body ask for; those that are not there stay."""
    names = {"webhook_url": "url"}
    fields = TriggerChange.__struct_fields__
    change = {names.get(name, name): value for name, value in members.items()}
    return msgspec.structs.replace(
        TriggerChange(), **{name: value for name, value in change.items() if name in fields}
    )
