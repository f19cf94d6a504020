"""Which of the Station REST API's views answers which path (box 8.20)."""

from django.urls import include, path, re_path
from rest_framework.routers import DefaultRouter

from thingtank.web.weather import rest

router = DefaultRouter()
router.include_root_view = False  # the workbench is at the root
router.register("station", rest.StationViewSet)

urlpatterns = [
    path("", include(router.urls)),
    re_path(rf"^station/(?P<pk>{rest.StationViewSet.lookup_value_regex})\Z", rest.with_slash),
    path("home/", rest.home, name="home"),
]
