"""The weather station in the admin (box 8.11): readings are added, changed and deleted there."""

from typing import TYPE_CHECKING

from django.contrib import admin

from thingtank.web.catalog.admin import LookOnlyAdmin
from thingtank.web.weather.forms import StationForm, TemperatureDataForm
from thingtank.web.weather.models import BoundFeed, Station, TemperatureData

if TYPE_CHECKING:
    TemperatureDataModelAdmin = admin.ModelAdmin[TemperatureData]
    StationModelAdmin = admin.ModelAdmin[Station]
else:  # generic for type checkers only
    TemperatureDataModelAdmin = StationModelAdmin = admin.ModelAdmin


@admin.register(TemperatureData)
class TemperatureDataAdmin(TemperatureDataModelAdmin):
    """Readings, newest first."""

    form = TemperatureDataForm
    list_display = ("timestamp", "temperature", "lat", "lon", "bound_feed")
    list_select_related = ("bound_feed",)
    list_per_page = 50
    ordering = ("-timestamp", "-id")
    show_full_result_count = False


@admin.register(Station)
class StationAdmin(StationModelAdmin):
    """What the Station REST API holds."""

    form = StationForm
    list_display = ("name", "timestamp", "temperature", "lat", "lon")
    list_per_page = 50
    ordering = ("-id",)
    search_fields = ("name",)
    show_full_result_count = False


@admin.register(BoundFeed)
class BoundFeedAdmin(LookOnlyAdmin):
    """Which feeds fill the station. They are bound and let go on its page."""

    list_display = ("__str__", "device")
    list_select_related = ("device",)
