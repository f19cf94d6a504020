"""The catalog in the admin, to look at only: changes go through the workbench and its actions."""

import datetime
from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats
from django.utils.html import format_html
from django.utils.safestring import SafeString

from thingtank.tank.durations import duration_text
from thingtank.web.catalog import models

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Model]
else:  # generic for type checkers only
    ModelAdmin = admin.ModelAdmin

NO_TIME = "never"


class LookOnlyAdmin(ModelAdmin):
    """No page that changes anything."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False


def _workbench_link(device_id: int) -> SafeString:
    url = reverse("workbench:device", args=[device_id])
    return format_html('<a href="{}">Open in the workbench</a>', url)


def _time_text(at_us: int | None) -> str:
    """Microseconds since the epoch as the admin shows times; `never` for none in any calendar."""
    if at_us is None:
        return NO_TIME
    try:
        at = datetime.datetime.fromtimestamp(at_us // 1_000_000, datetime.UTC)
    except (OverflowError, ValueError):
        return NO_TIME
    return formats.date_format(at, "DATETIME_FORMAT")


@admin.register(models.Device)
class DeviceAdmin(LookOnlyAdmin):
    """Devices, with the way to the page that changes them."""

    list_display = ("id", "title", "account", "private", "workbench")
    list_filter = ("private",)
    list_select_related = ("account",)
    search_fields = ("title", "uuid")
    exclude = ("token_digest", "properties", "created_us", "updated_us", "retention_s")
    readonly_fields = ("created", "updated", "retention")

    @admin.display(description="Created", ordering="created_us")
    def created(self, device: models.Device) -> str:
        """When it was made."""
        return _time_text(device.created_us)

    @admin.display(description="Updated", ordering="updated_us")
    def updated(self, device: models.Device) -> str:
        """When its metadata last changed."""
        return _time_text(device.updated_us)

    @admin.display(description="Keeps datapoints")
    def retention(self, device: models.Device) -> str:
        """For how long."""
        return "for ever" if device.retention_s is None else duration_text(device.retention_s)

    @admin.display(description="Workbench")
    def workbench(self, device: models.Device) -> SafeString:
        """Where it can be changed."""
        return _workbench_link(device.pk)


@admin.register(models.Datastream)
class DatastreamAdmin(LookOnlyAdmin):
    """Datastreams."""

    list_display = ("id", "name", "device")
    list_select_related = ("device",)
    search_fields = ("name",)


@admin.register(models.Trigger)
class TriggerAdmin(LookOnlyAdmin):
    """Triggers, without where they send to: that is often a secret."""

    list_display = ("id", "kind", "threshold", "datastream", "account", "is_enabled")
    list_select_related = ("datastream", "account")
    exclude = ("url", "email", "armed")


@admin.register(models.ApiKey)
class ApiKeyAdmin(LookOnlyAdmin):
    """Keys, without what they are made of."""

    list_display = ("id", "label", "account", "private_access")
    list_select_related = ("account",)
    search_fields = ("label",)
    exclude = ("digest", "sealed", "created_us", "expires_us")
    readonly_fields = ("created", "expires")

    @admin.display(description="Created", ordering="created_us")
    def created(self, key: models.ApiKey) -> str:
        """When it was made."""
        return _time_text(key.created_us)

    @admin.display(description="Expires", ordering="expires_us")
    def expires(self, key: models.ApiKey) -> str:
        """When it is dead."""
        return _time_text(key.expires_us)


@admin.register(models.Product)
class ProductAdmin(LookOnlyAdmin):
    """Products, without what their codes are made of."""

    list_display = ("product_id", "name", "account", "state")
    list_filter = ("state",)
    list_select_related = ("account",)
    search_fields = ("name", "product_id")
    exclude = ("secret_digest", "secret_sealed")


@admin.register(models.ProductDevice)
class ProductDeviceAdmin(LookOnlyAdmin):
    """Serials of products."""

    list_display = ("serial", "product", "feed")
    list_select_related = ("product", "feed")
    search_fields = ("serial",)
    exclude = ("code_digest",)
