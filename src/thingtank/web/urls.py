"""Which page answers which path."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from thingtank.web.accounts.views import admin_sign_in

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/login/", admin_sign_in),
    path("admin/", admin.site.urls),
    path("", include("thingtank.web.accounts.urls")),
    path("", include("thingtank.web.workbench.urls")),
]
