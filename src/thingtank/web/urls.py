"""Which page answers which path."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from thingtank.web.accounts.views import SignOut, admin_sign_in, api_sign_in
from thingtank.web.lazy_urls import lazy_include

handler400 = "thingtank.web.failures.bad_request"
handler500 = "thingtank.web.failures.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    # Asked for by browsers that show an answer without a page's links, such as JSON.
    path("favicon.ico", RedirectView.as_view(url=static("workbench/logo.svg"))),
    path("admin/login/", admin_sign_in),
    path("admin/", admin.site.urls),
    path("", include("thingtank.web.accounts.urls")),
    path("weather/", include("thingtank.web.weather.urls")),
    # Where the book's programs and REST framework's users look for a sign-in (box 8.20).
    path("api-auth/login/", api_sign_in),
    path("api-auth/logout/", SignOut.as_view()),
    lazy_include(("station/", "station.", "home/"), "thingtank.web.weather.rest_urls", "rest"),
    # Xively's oldest paths, as `/api/504.csv`, are taken before Django by `server.app`.
    lazy_include(("api/",), "thingtank.web.api.urls", "api"),
    path("api", RedirectView.as_view(url="/api/")),
    path("station", RedirectView.as_view(url="/station/", query_string=True)),
    path("weather", RedirectView.as_view(pattern_name="weather:home", query_string=True)),
    path("", include("thingtank.web.workbench.urls")),
]
