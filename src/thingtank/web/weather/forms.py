"""The weather station's forms, with fields that understand the book's text."""

import datetime
from typing import TYPE_CHECKING, Any

from django import forms

from thingtank.web.weather.models import Station, TemperatureData
from thingtank.web.weather.readings import LAT_MAX, LON_MAX, parse_number, parse_timestamp
from thingtank.web.workbench.forms import TankForm

if TYPE_CHECKING:
    TemperatureDataModelForm = forms.ModelForm[TemperatureData]
    StationModelForm = forms.ModelForm[Station]
else:  # generic for type checkers only
    TemperatureDataModelForm = StationModelForm = forms.ModelForm


class TimestampField(forms.DateTimeField):
    """Unix seconds, as in the book, or a time as ISO 8601 has it."""

    widget = forms.TextInput

    def to_python(self, value: object) -> datetime.datetime | None:
        """The time, UTC."""
        if isinstance(value, datetime.datetime):
            return value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        if value in self.empty_values:
            return None
        try:
            return parse_timestamp(str(value))
        except ValueError as error:
            raise forms.ValidationError(f"The timestamp {error}.") from None


class NumberField(forms.FloatField):
    """A number as the core reads them: no `nan`, no `1_000`."""

    widget = forms.TextInput

    def to_python(self, value: object) -> Any:
        """The number."""
        if value in self.empty_values:
            return None
        try:
            return parse_number(str(value))
        except ValueError as error:
            raise forms.ValidationError(f"It {error}.") from None


class TemperatureDataForm(TemperatureDataModelForm):
    """A reading, typed in (figure 8.9)."""

    timestamp = TimestampField(help_text="Unix seconds, or a time such as 2014-03-04T09:45:10Z.")
    temperature = NumberField()
    lat = NumberField(required=False, min_value=-LAT_MAX, max_value=LAT_MAX)
    lon = NumberField(required=False, min_value=-LON_MAX, max_value=LON_MAX)

    class Meta:
        """All that is typed."""

        model = TemperatureData
        fields = ("timestamp", "temperature", "lat", "lon")


class StationForm(StationModelForm):
    """A station's reading, typed in."""

    timestamp = TimestampField(help_text="Unix seconds, or a time such as 2014-03-04T09:45:10Z.")
    temperature = NumberField()
    lat = NumberField(min_value=-LAT_MAX, max_value=LAT_MAX)
    lon = NumberField(min_value=-LON_MAX, max_value=LON_MAX)

    class Meta:
        """All of it."""

        model = Station
        fields = ("name", "timestamp", "temperature", "lat", "lon")


class BindForm(TankForm):
    """Which feed is to fill the weather station."""

    feed_id = forms.IntegerField(
        label="Feed ID",
        min_value=1,
        max_value=2**63 - 1,
        help_text="Of a feed of yours. What its channel “temperature” gets is shown from then on.",
        widget=forms.TextInput({"inputmode": "numeric"}),
    )
