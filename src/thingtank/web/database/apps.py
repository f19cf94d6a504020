"""The app's name for Django."""

from django.apps import AppConfig


class DatabaseConfig(AppConfig):
    """Django's handle on the app."""

    name = "thingtank.web.database"
    label = "database"
    default_auto_field = "django.db.models.BigAutoField"
