"""Which page of the workbench answers which path."""

from django.urls import path
from django.views.generic import RedirectView

from thingtank.web.workbench.views import (
    account,
    channels,
    deliveries,
    devices,
    directory,
    keys,
    triggers,
)

app_name = "workbench"

# `channel-` before names: a segment that is only `.` or `..` would be resolved by browsers.
urlpatterns = [
    path("", devices.devices, name="devices"),
    path("devices/add", devices.add, name="device_add"),
    path("directory", RedirectView.as_view(pattern_name="workbench:directory", query_string=True)),
    path("directory/", directory.directory, name="directory"),
    path("directory/places", directory.places, name="directory_places"),
    path("account", account.account, name="account"),
    path("feeds/<int:feed_id>", devices.device, name="device"),
    path("feeds/<int:feed_id>/metadata", devices.metadata, name="metadata"),
    path("feeds/<int:feed_id>/location", devices.location, name="location"),
    path("feeds/<int:feed_id>/delete", devices.delete, name="device_delete"),
    path("feeds/<int:feed_id>/channels/add", channels.add, name="channel_add"),
    path("feeds/<int:feed_id>/channel-<str:name>/edit", channels.edit, name="channel_edit"),
    path("feeds/<int:feed_id>/channel-<str:name>/delete", channels.delete, name="channel_delete"),
    path("feeds/<int:feed_id>/channel-<str:name>/chart", channels.chart, name="chart"),
    path("feeds/<int:feed_id>/channel-<str:name>/export", channels.export, name="channel_export"),
    path("feeds/<int:feed_id>/keys/add", keys.add, name="key_add"),
    path("feeds/<int:feed_id>/keys/<int:key_id>/reveal", keys.reveal, name="key_reveal"),
    path("feeds/<int:feed_id>/keys/<int:key_id>/delete", keys.delete, name="key_delete"),
    path("feeds/<int:feed_id>/triggers/add", triggers.add, name="trigger_add"),
    path("feeds/<int:feed_id>/triggers/backtest", triggers.backtest, name="backtest"),
    path("triggers/<int:trigger_id>/edit", triggers.edit, name="trigger_edit"),
    path("triggers/<int:trigger_id>/enable", triggers.enable, name="trigger_enable"),
    path("triggers/<int:trigger_id>/test", triggers.test, name="trigger_test"),
    path("triggers/<int:trigger_id>/history", triggers.history, name="trigger_history"),
    path("triggers/<int:trigger_id>/delete", triggers.delete, name="trigger_delete"),
    path("deliveries", RedirectView.as_view(pattern_name="workbench:deliveries")),
    path("deliveries/", deliveries.deliveries, name="deliveries"),
    path("deliveries/<int:delivery_id>", deliveries.delivery, name="delivery"),
    path("deliveries/<int:delivery_id>/retry", deliveries.retry, name="delivery_retry"),
    path("deliveries/<int:delivery_id>/cancel", deliveries.cancel, name="delivery_cancel"),
    path("deliveries/signing-secret", deliveries.reveal, name="signing_reveal"),
    path("deliveries/signing-secret/rotate", deliveries.rotate, name="signing_rotate"),
]
