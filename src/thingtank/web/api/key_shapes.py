"""The shape of an API key in requests and answers, and how one becomes the other."""

from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from thingtank.tank.errors import NoSuchAccount
from thingtank.tank.keys import (
    ACCESS_METHODS,
    MINIMUM_INTERVAL_S_MAX,
    PERMISSIONS_MAX,
    RESOURCES_MAX,
    ApiKey,
    KeyChange,
    Permission,
    Resource,
)
from thingtank.tank.tank import Tank
from thingtank.tank.things import TEXT_CHARS_MAX
from thingtank.web.api.conditions import etag_of
from thingtank.web.api.fields import ApiSerializer, Choice, Instant, Text, Truth, Whole
from thingtank.web.api.parameters import time_text

DEVICE_ID_MAX = 2**53

_PERMISSION = {
    "access_methods": ["get", "put"],
    "resources": [{"device": 7, "datastream": "temperature"}],
    "source_ip": "",
    "referer": "",
    "minimum_interval_s": 0,
    "label": "",
}
_KEY = {
    "label": "Greenhouse Pi",
    "permissions": [_PERMISSION],
    "private_access": True,
    "expires_at": None,
}
_READ_KEY = {
    "id": 12,
    "url": "https://tank.example/api/keys/12",
    **_KEY,
    "owner": "owner",
    "is_master": False,
    "created_at": "2026-11-27T08:00:00.000000Z",
}


class ResourceSerializer(ApiSerializer):
    """A device, or one datastream of it."""

    device = Whole(min_value=1, max_value=DEVICE_ID_MAX, help_text="Its number.")
    datastream = Text(
        required=False, allow_null=True, default=None, allow_blank=False, max_length=TEXT_CHARS_MAX,
        help_text="Its name; null for the whole device.",
    )  # fmt: skip


class PermissionSerializer(ApiSerializer):
    """One way in: a request is allowed when one of a key's permissions allows all of it."""

    access_methods = serializers.ListField(
        child=Choice(ACCESS_METHODS), min_length=1, max_length=20
    )
    resources = ResourceSerializer(  # type: ignore[call-arg] # of many
        many=True, required=False, default=list, max_length=RESOURCES_MAX,
        help_text="None for all that the owner can reach.",
    )  # fmt: skip
    source_ip = Text(
        required=False, default="", max_length=TEXT_CHARS_MAX,
        help_text="Only from this address; blank for any.",
    )  # fmt: skip
    referer = Text(
        required=False, default="", max_length=TEXT_CHARS_MAX,
        help_text="Only from pages of this host; blank for any.",
    )  # fmt: skip
    minimum_interval_s = Whole(
        required=False, default=0, min_value=0, max_value=MINIMUM_INTERVAL_S_MAX,
        help_text="The finest history it may read, in seconds; 0 for any.",
    )  # fmt: skip
    label = Text(  # type: ignore[assignment] # a field
        required=False, default="", max_length=TEXT_CHARS_MAX
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample("A key for one datastream", _KEY, request_only=True),
        OpenApiExample("A key for one datastream", _READ_KEY, response_only=True),
    ]
)
class KeySerializer(ApiSerializer):
    """An API key, without its secret."""

    id = serializers.IntegerField(read_only=True)
    url = serializers.URLField(read_only=True)
    label = Text(  # type: ignore[assignment] # a field
        allow_blank=False, max_length=TEXT_CHARS_MAX, help_text="What uses it."
    )
    permissions = PermissionSerializer(  # type: ignore[call-arg] # of many
        many=True, allow_empty=False, max_length=PERMISSIONS_MAX
    )
    private_access = Truth(
        required=False, default=True, help_text="It may see private devices of its owner."
    )
    expires_at = Instant(
        required=False, allow_null=True, default=None, help_text="Dead from then on; null: never."
    )
    owner = serializers.CharField(read_only=True, help_text="The login of whose key it is.")
    is_master = serializers.BooleanField(
        read_only=True, help_text="It may do everything its owner may."
    )
    created_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Null for keys of times when nobody noted it."
    )


@extend_schema_serializer(
    examples=[OpenApiExample("A new key", {**_READ_KEY, "api_key": "…"}, response_only=True)]
)
class RevealedKeySerializer(KeySerializer):
    """A key with its secret."""

    api_key = serializers.CharField(read_only=True, help_text="The secret; told only this once.")


def key_body(tank: Tank, base_url: str, key: ApiKey) -> dict[str, Any]:
    """A key as answers have it.

    Args:
        base_url: of the list of keys.
    """
    return {
        "id": key.key_id,
        "url": f"{base_url}/{key.key_id}",
        "label": key.label,
        "permissions": [_permission_body(permission) for permission in key.permissions],
        "private_access": key.private_access,
        "expires_at": time_text(key.expires_us),
        "owner": login_of(tank, key.account_id),
        "is_master": key.is_master,
        "created_at": time_text(key.created_us or None),
    }


def _permission_body(permission: Permission) -> dict[str, Any]:
    resources = [
        {"device": resource.feed_id, "datastream": resource.datastream_id}
        for resource in permission.resources
    ]
    return {**msgspec.structs.asdict(permission), "resources": resources}


def login_of(tank: Tank, account_id: int) -> str:
    """An account's login; blank when it is gone."""
    try:
        return tank.directory.get_account(account_id).login
    except NoSuchAccount:
        return ""


def key_etag(tank: Tank, key: ApiKey) -> str:
    """The entity tag of a key in this state."""
    return etag_of((key, login_of(tank, key.account_id)))


def key_draft(members: dict[str, Any], account_id: int) -> ApiKey:
    """The new key that a body asks for."""
    permissions = tuple(_permission(each) for each in members["permissions"])
    return ApiKey(
        key_id=0,
        account_id=account_id,
        label=members["label"],
        permissions=permissions,
        private_access=members["private_access"],
        expires_us=members["expires_at"],
    )


def key_change(members: dict[str, Any]) -> KeyChange:
    """What the members of a body change; those that are not there stay."""
    names = ("label", "private_access")
    change: dict[str, Any] = {name: members[name] for name in names if name in members}
    if "permissions" in members:
        change["permissions"] = tuple(_permission(each) for each in members["permissions"])
    if "expires_at" in members:
        change["expires_us"] = members["expires_at"]
    return KeyChange(**change)


def _permission(members: dict[str, Any]) -> Permission:
    resources = tuple(
        Resource(each.get("device", 0), each.get("datastream"))
        for each in members.get("resources", ())
    )
    return Permission(
        tuple(members.get("access_methods", ())),
        resources,
        members.get("source_ip", ""),
        members.get("referer", ""),
        members.get("minimum_interval_s", 0),
        members.get("label", ""),
    )
