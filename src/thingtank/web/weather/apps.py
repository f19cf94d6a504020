"""The app's name for Django."""

from django.apps import AppConfig


class WeatherConfig(AppConfig):
    """Django's handle on the app."""

    name = "thingtank.web.weather"
    label = "weather"
    verbose_name = "weather station"
    default_auto_field = "django.db.models.BigAutoField"
