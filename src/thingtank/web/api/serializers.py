"""The shapes of things in requests and answers; answers are made by `bodies`."""

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from thingtank.tank.things import DESCRIPTION_CHARS_MAX, RETENTION_S_MIN, TEXT_CHARS_MAX
from thingtank.web.api.fields import (
    ApiSerializer,
    Choice,
    JsonObject,
    Number,
    Text,
    Texts,
    Truth,
    Whole,
)

_RETENTION_S_MAX = 2**31

_DEVICE = {
    "title": "Roof station",
    "private": True,
    "description": "Measures beside the chimney.",
    "tags": ["roof", "weather"],
    "website": "",
    "email": "",
    "icon": "",
    "location": {
        "name": "Roof",
        "lat": 52.52,
        "lon": 13.405,
        "ele": "34",
        "disposition": "fixed",
        "exposure": "outdoor",
        "domain": "physical",
    },
    "retention_s": None,
    "properties": {"color": "red"},
}
_READ_DEVICE = {
    "id": 7,
    "uuid": "a2b8ab5e-7ad0-4d0c-8d5a-7c4b5a3d2e10",
    "url": "https://tank.example/api/devices/7",
    **_DEVICE,
    "owner": "owner",
    "product_id": "",
    "device_serial": "",
    "created_at": "2026-11-27T08:00:00.000000Z",
    "updated_at": "2026-11-27T08:00:00.000000Z",
    "datastreams_url": "https://tank.example/api/devices/7/datastreams",
}
_SECRETS = {"api_key": "…", "token": "…"}


class LocationSerializer(ApiSerializer):
    """Where a device is."""

    name = Text(required=False, default="", max_length=TEXT_CHARS_MAX)
    lat = Number(
        required=False, allow_null=True, default=None, min_value=-90, max_value=90,
        help_text="Degrees north, WGS 84.",
    )  # fmt: skip
    lon = Number(
        required=False, allow_null=True, default=None, min_value=-180, max_value=180,
        help_text="Degrees east.",
    )  # fmt: skip
    ele = Text(
        required=False, default="", max_length=TEXT_CHARS_MAX, help_text="Elevation, as written."
    )
    disposition = Choice(["", "fixed", "mobile"], required=False, default="")
    exposure = Choice(["", "indoor", "outdoor"], required=False, default="")
    domain = Choice(["physical", "virtual"], required=False, default="physical")


@extend_schema_serializer(
    examples=[
        OpenApiExample("A weather station", _DEVICE, request_only=True),
        OpenApiExample("A weather station", _READ_DEVICE, response_only=True),
    ]
)
class DeviceSerializer(ApiSerializer):
    """A device, which is a Xively feed as well."""

    id = serializers.IntegerField(read_only=True, help_text="Also its Xively feed id.")
    uuid = serializers.CharField(read_only=True, help_text="SkyNet's number of it.")
    url = serializers.URLField(read_only=True)
    title = Text(allow_blank=False, max_length=TEXT_CHARS_MAX)
    private = Truth(
        required=False, default=True, help_text="Only its owner, and keys that may, see it."
    )
    description = Text(required=False, default="", max_length=DESCRIPTION_CHARS_MAX)
    tags = Texts(
        required=False, default=list, help_text="Kept sorted, without quotes, commas and repeats."
    )
    website = Text(required=False, default="", max_length=TEXT_CHARS_MAX)
    email = Text(required=False, default="", max_length=TEXT_CHARS_MAX)
    icon = Text(required=False, default="", max_length=TEXT_CHARS_MAX)
    location = LocationSerializer(required=False, allow_null=True, default=None)
    retention_s = Whole(
        required=False, allow_null=True, default=None,
        min_value=RETENTION_S_MIN, max_value=_RETENTION_S_MAX,
        help_text="Datapoints older than so many seconds are deleted; null keeps them.",
    )  # fmt: skip
    properties = JsonObject(
        required=False, default=dict,
        help_text="Free members, as SkyNet's programs keep them; replaced as a whole.",
    )  # fmt: skip
    owner = serializers.CharField(read_only=True, help_text="The login of who owns it.")
    product_id = serializers.CharField(
        read_only=True, help_text="The product it was made from; blank for none."
    )
    device_serial = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(
        read_only=True, help_text="When these members last changed; values do not count."
    )
    datastreams_url = serializers.URLField(read_only=True)


@extend_schema_serializer(
    examples=[OpenApiExample("A new device", {**_READ_DEVICE, **_SECRETS}, response_only=True)]
)
class CreatedDeviceSerializer(DeviceSerializer):
    """A new device with its secrets."""

    api_key = serializers.CharField(
        read_only=True, help_text="A key that may do everything with this device alone."
    )
    token = serializers.CharField(
        read_only=True, help_text="The token by which it comes to SkyNet; told only this once."
    )
