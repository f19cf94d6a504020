"""The catalog in the admin, to look at only: changes go through the workbench and its actions."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from thingtank.web.catalog import models

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Model]
else:  # generic for type checkers only
    ModelAdmin = admin.ModelAdmin


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


@admin.register(models.Device)
class DeviceAdmin(LookOnlyAdmin):
    """Devices, with the way to the page that changes them."""

    list_display = ("id", "title", "account", "private", "workbench")
    list_filter = ("private",)
    list_select_related = ("account",)
    search_fields = ("title", "uuid")
    exclude = ("token_digest",)

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
    exclude = ("digest", "sealed")
