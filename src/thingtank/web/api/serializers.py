"""The shapes of things in requests and answers; answers are made by `bodies`."""

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from thingtank.tank.things import (
    DESCRIPTION_CHARS_MAX,
    RETENTION_S_MIN,
    TEXT_CHARS_MAX,
    UNIT_TYPES,
)
from thingtank.web.api.fields import (
    ApiSerializer,
    Choice,
    Instant,
    JsonObject,
    Number,
    ReadValue,
    Text,
    Texts,
    Truth,
    Value,
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
    """Where a device is; `lat` and `lon` go together."""

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


_DATASTREAM = {"tags": ["air"], "unit": {"type": "", "symbol": "°C", "label": "Celsius"}}
_ROOF = "https://tank.example/api/devices/7"
_READ_DATASTREAM = {
    "name": "temperature",
    "url": f"{_ROOF}/datastreams/temperature",
    "device": 7,
    "device_url": _ROOF,
    "datapoints_url": f"{_ROOF}/datastreams/temperature/datapoints",
    **_DATASTREAM,
    "value": 21.5,
    "at": "2026-11-27T08:00:00.000000Z",
    "minimum": -3.0,
    "maximum": 31.5,
}
_POINT = {"at": "2026-11-27T08:00:00.000000Z", "value": 21.5}


class UnitSerializer(ApiSerializer):
    """What a datastream's numbers measure."""

    type = Choice(["", *UNIT_TYPES], required=False, default="", help_text="As Xively has it.")
    symbol = Text(required=False, default="", max_length=TEXT_CHARS_MAX)
    label = Text(  # type: ignore[assignment] # a field, where REST framework has a word of its own
        required=False, default="", max_length=TEXT_CHARS_MAX
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample("Degrees", _DATASTREAM, request_only=True),
        OpenApiExample("Temperature", _READ_DATASTREAM, response_only=True),
    ]
)
class DatastreamSerializer(ApiSerializer):
    """A series of a device; Xively's datastream or channel."""

    name = serializers.CharField(read_only=True, help_text="Unique within its device.")
    url = serializers.URLField(read_only=True)
    device = serializers.IntegerField(read_only=True, help_text="The device's number.")
    device_url = serializers.URLField(read_only=True)
    datapoints_url = serializers.URLField(read_only=True)
    tags = Texts(required=False, default=list)
    unit = UnitSerializer(required=False, allow_null=True, default=None)
    value = ReadValue(help_text="The newest datapoint's value; null before the first.")
    at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When it is from; null before the first."
    )
    minimum = serializers.FloatField(
        read_only=True, allow_null=True, help_text="The lowest number since it was reset."
    )
    maximum = serializers.FloatField(read_only=True, allow_null=True)


@extend_schema_serializer(
    examples=[OpenApiExample("Degrees", {"name": "temperature", **_DATASTREAM}, request_only=True)]
)
class NewDatastreamSerializer(DatastreamSerializer):
    """A datastream that is to be made."""

    name = Text(
        allow_blank=False, max_length=TEXT_CHARS_MAX,
        help_text="Letters of any script, digits, and `_ - + .`.",
    )  # fmt: skip


@extend_schema_serializer(
    examples=[
        OpenApiExample("Now", {"value": 21.5}, request_only=True),
        OpenApiExample("A datapoint", _POINT, response_only=True),
    ]
)
class DatapointSerializer(ApiSerializer):
    """A value in time."""

    at = Instant(required=False, help_text="When it is from, ISO 8601; now if it is left out.")
    value = Value(help_text="Up to 255 characters; kept as text, letter for letter.")


@extend_schema_serializer(
    examples=[OpenApiExample("A correction", {"value": 21.5}, request_only=True)]
)
class DatapointValueSerializer(ApiSerializer):
    """The value at an instant that the address names."""

    at = serializers.CharField(read_only=True)
    value = Value(help_text="Up to 255 characters; kept as text, letter for letter.")


@extend_schema_serializer(examples=[OpenApiExample("A datapoint", _POINT, response_only=True)])
class ReadDatapointSerializer(ApiSerializer):
    """A datapoint, or what a function made of an interval."""

    at = serializers.DateTimeField(
        read_only=True, help_text="When it is from; of an interval, its beginning."
    )
    value = ReadValue(help_text="A number where it reads as one, else text.")
