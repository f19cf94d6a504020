"""Which page answers which path."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from thingtank.web.accounts.views import admin_sign_in

handler400 = "thingtank.web.failures.bad_request"
handler500 = "thingtank.web.failures.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    # Asked for by browsers that show an answer without a page's links, such as JSON.
    path("favicon.ico", RedirectView.as_view(url=static("workbench/logo.svg"))),
    path("admin/login/", admin_sign_in),
    path("admin/", admin.site.urls),
    path("", include("thingtank.web.accounts.urls")),
    path("", include("thingtank.web.workbench.urls")),
]
