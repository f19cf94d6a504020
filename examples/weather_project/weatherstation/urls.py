"""Which view answers which path (boxes 8.15 and 8.20, in one project)."""

from django.contrib import admin
from django.urls import include, path
from myapp import views
from rest_framework.routers import DefaultRouter

router = DefaultRouter()
router.include_root_view = False  # the page is at the root
router.register("station", views.StationViewSet)

urlpatterns = [
    path("", views.home, name="home"),
    path("", include(router.urls)),
    path("api-auth/", include("rest_framework.urls")),
    path("admin/", admin.site.urls),
]
