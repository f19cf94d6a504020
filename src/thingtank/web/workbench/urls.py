"""Which page of the workbench answers which path."""

from django.urls import path
from django.views.generic import RedirectView

from thingtank.web.workbench.views import (
    account,
    activation,
    channels,
    deliveries,
    deploy,
    devices,
    directory,
    keys,
    messages,
    mqtt,
    products,
    serials,
    triggers,
    wamp,
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
    path("feeds/<int:feed_id>/deactivate", serials.deactivate_feed, name="device_deactivate"),
    path("feeds/<int:feed_id>/channels/add", channels.add, name="channel_add"),
    path("feeds/<int:feed_id>/channel-<str:name>/edit", channels.edit, name="channel_edit"),
    path("feeds/<int:feed_id>/channel-<str:name>/delete", channels.delete, name="channel_delete"),
    path("feeds/<int:feed_id>/channel-<str:name>/chart", channels.chart, name="chart"),
    path("feeds/<int:feed_id>/channel-<str:name>/export", channels.export, name="channel_export"),
    path("feeds/<int:feed_id>/keys/add", keys.add, name="key_add"),
    path("feeds/<int:feed_id>/keys/<int:key_id>/edit", keys.edit, name="key_edit"),
    path("feeds/<int:feed_id>/keys/<int:key_id>/reveal", keys.reveal, name="key_reveal"),
    path(
        "feeds/<int:feed_id>/keys/<int:key_id>/regenerate", keys.regenerate, name="key_regenerate"
    ),
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
    path("keys", RedirectView.as_view(pattern_name="workbench:keys")),
    path("keys/", keys.keys, name="keys"),
    path("keys/add", keys.add, name="keys_add"),
    path("keys/<int:key_id>/edit", keys.edit, name="keys_edit"),
    path("keys/<int:key_id>/reveal", keys.reveal, name="keys_reveal"),
    path("keys/<int:key_id>/regenerate", keys.regenerate, name="keys_regenerate"),
    path("keys/<int:key_id>/delete", keys.delete, name="keys_delete"),
    path("products", RedirectView.as_view(pattern_name="workbench:products")),
    path("products/", products.products, name="products"),
    # With a slash at the end, `add` could be a product's id no more than anything else here could.
    path("products/add", products.add, name="product_add"),
    path("products/<str:product_id>/", products.product, name="product"),
    path("products/<str:product_id>/edit", products.edit, name="product_edit"),
    path("products/<str:product_id>/reveal", products.reveal, name="product_reveal"),
    path("products/<str:product_id>/delete", products.delete, name="product_delete"),
    path("products/<str:product_id>/deploy", deploy.deploy, name="product_deploy"),
    path("products/<str:product_id>/serials/add", serials.add, name="product_serials_add"),
    path("products/<str:product_id>/serial-<str:serial>/", serials.serial, name="serial"),
    path(
        "products/<str:product_id>/serial-<str:serial>/rename", serials.rename, name="serial_rename"
    ),
    path(
        "products/<str:product_id>/serial-<str:serial>/delete", serials.delete, name="serial_delete"
    ),
    path(
        "products/<str:product_id>/serial-<str:serial>/deactivate",
        serials.deactivate,
        name="serial_deactivate",
    ),
    path("messages", RedirectView.as_view(pattern_name="workbench:messages", query_string=True)),
    path("messages/", messages.messages, name="messages"),
    path("messages/send", messages.send, name="message_send"),
    path("mqtt", RedirectView.as_view(pattern_name="workbench:mqtt", query_string=True)),
    path("mqtt/", mqtt.mqtt, name="mqtt"),
    path("mqtt/publish", mqtt.publish, name="mqtt_publish"),
    path("mqtt/clients/close", mqtt.close, name="mqtt_close"),
    path("mqtt/retained/delete", mqtt.delete, name="mqtt_delete"),
    path("wamp", RedirectView.as_view(pattern_name="workbench:wamp", query_string=True)),
    path("wamp/", wamp.wamp, name="wamp"),
    path("wamp/publish", wamp.publish, name="wamp_publish"),
    path("wamp/call", wamp.call, name="wamp_call"),
    path("wamp/sessions/<int:session_id>/close", wamp.close, name="wamp_close"),
    path("activate", RedirectView.as_view(pattern_name="workbench:enter_code")),
    path("activate/", activation.enter_code, name="enter_code"),
    path("activate/<str:code>", activation.activate, name="activate"),
]
