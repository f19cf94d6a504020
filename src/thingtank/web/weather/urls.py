"""Which page of the weather station answers which path (box 8.15)."""

from django.urls import path

from thingtank.web.weather import views

app_name = "weather"

urlpatterns = [
    path("", views.home, name="home"),
    path("chart/<int:feed_id>", views.chart, name="chart"),
    path("bind", views.bind, name="bind"),
    path("unbind/<int:feed_id>", views.unbind, name="unbind"),
]
