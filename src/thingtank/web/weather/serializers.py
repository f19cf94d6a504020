"""How the Station REST API writes a station (box 8.19): all of its values are text there."""

import datetime
import math
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from thingtank.tank.datapoints import text_of
from thingtank.web.weather.models import Station
from thingtank.web.weather.readings import (
    LAT_MAX,
    LON_MAX,
    parse_number,
    parse_timestamp,
    timestamp_text,
)

if TYPE_CHECKING:
    StationModelSerializer = serializers.HyperlinkedModelSerializer[Station]
else:  # generic for type checkers only
    StationModelSerializer = serializers.HyperlinkedModelSerializer


class TimestampField(serializers.CharField):
    """Unix seconds as text; ISO 8601 is read as well."""

    def to_internal_value(self, data: Any) -> Any:
        """The time it stands for."""
        try:
            return parse_timestamp(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(f"It {error}.") from None

    def to_representation(self, value: Any) -> str:
        """Unix seconds."""
        return timestamp_text(value) if isinstance(value, datetime.datetime) else str(value)


class NumberField(serializers.CharField):
    """A number as text; a JSON number is read as well."""

    def __init__(self, most: float = math.inf, **options: Any) -> None:
        super().__init__(**options)
        self._most = most

    def to_internal_value(self, data: Any) -> Any:
        """The number."""
        try:
            return parse_number(super().to_internal_value(data), self._most)
        except ValueError as error:
            raise serializers.ValidationError(f"It {error}.") from None

    def to_representation(self, value: Any) -> str:
        """As short as it can be: `28`, `30.733315`."""
        return text_of(value) if isinstance(value, float) else str(value)


class StationSerializer(StationModelSerializer):
    """A station with the address it is reached by."""

    timestamp = TimestampField()
    temperature = NumberField()
    lat = NumberField(LAT_MAX)
    lon = NumberField(LON_MAX)

    class Meta:
        """Which of the model, in this order."""

        model = Station
        fields = ("url", "name", "timestamp", "temperature", "lat", "lon")
        extra_kwargs = {"url": {"view_name": "rest:station-detail"}}  # noqa: RUF012 - as DRF declares it
