"""Which view of the REST API answers which path; no path but the API's own ends in a slash."""

from typing import Any, TypeAlias

from django.urls import include, path, re_path
from django.views.generic import RedirectView

from thingtank.web.api import documents
from thingtank.web.api.resources.datapoints import BulkView, DatapointsView
from thingtank.web.api.resources.datastreams import DatastreamsView
from thingtank.web.api.resources.deliveries import DeliveriesView
from thingtank.web.api.resources.devices import DevicesView
from thingtank.web.api.resources.keys import KeysView
from thingtank.web.api.resources.messages import EventsView, KeptMessagesView, MessagesView
from thingtank.web.api.resources.triggers import TriggersView

app_name = "api"

Actions: TypeAlias = dict[str, Any]

_LIST: Actions = {"get": "list", "post": "create"}
_LISTED: Actions = {"get": "list"}
_READ: Actions = {"get": "retrieve"}
_ONE: Actions = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}

_paths = [
    path("", documents.RootView.as_view({"get": "retrieve"}), name="root"),
    path("openapi.json", documents.openapi_json, name="openapi"),
    path("openapi.yaml", documents.openapi_yaml, name="openapi_yaml"),
    path("docs", RedirectView.as_view(pattern_name="api:docs")),
    path("docs/", documents.docs, name="docs"),
    path("problems/", documents.ProblemTypesView.as_view({"get": "list"}), name="problems"),
    path(
        "problems/<str:name>",
        documents.ProblemTypesView.as_view({"get": "retrieve"}),
        name="problem",
    ),
    path("devices", DevicesView.as_view(_LIST), name="devices"),
    path("devices/<str:device>", DevicesView.as_view(_ONE), name="device"),
    path("devices/<str:device>/datastreams", DatastreamsView.as_view(_LIST), name="datastreams"),
    path(
        "devices/<str:device>/datastreams/<str:datastream>",
        DatastreamsView.as_view(_ONE),
        name="datastream",
    ),
    path(
        "devices/<str:device>/datastreams/<str:datastream>/datapoints",
        DatapointsView.as_view({**_LIST, "delete": "destroy_range"}),
        name="datapoints",
    ),
    path(
        "devices/<str:device>/datastreams/<str:datastream>/datapoints/<str:at>",
        DatapointsView.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="datapoint",
    ),
    path("datapoints", BulkView.as_view({"post": "create"}), name="bulk"),
    path("devices/<str:device>/events", EventsView.as_view(_LISTED), name="events"),
    path("devices/<str:device>/messages", KeptMessagesView.as_view(_LISTED), name="kept_messages"),
    path("triggers", TriggersView.as_view(_LIST), name="triggers"),
    path("triggers/<int:trigger>", TriggersView.as_view(_ONE), name="trigger"),
    path("triggers/<int:trigger>/test", TriggersView.as_view({"post": "test"}), name="test"),
    path("deliveries", DeliveriesView.as_view(_LISTED), name="deliveries"),
    path("deliveries/<int:delivery>", DeliveriesView.as_view(_READ), name="delivery"),
    path(
        "deliveries/<int:delivery>/retry", DeliveriesView.as_view({"post": "retry"}), name="retry"
    ),
    path(
        "deliveries/<int:delivery>/cancel",
        DeliveriesView.as_view({"post": "cancel"}),
        name="cancel",
    ),
    path("keys", KeysView.as_view(_LIST), name="keys"),
    path("keys/<int:key>", KeysView.as_view(_ONE), name="key"),
    path("keys/<int:key>/regenerate", KeysView.as_view({"post": "regenerate"}), name="regenerate"),
    path("messages", MessagesView.as_view({"post": "create"}), name="messages"),
    re_path(r"^(?P<rest>.*)$", documents.not_found),
]

urlpatterns = [path("api/", include(_paths))]
