"""The app's name for Django."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Django's handle on the app."""

    name = "thingtank.web.catalog"
    label = "catalog"
    default_auto_field = "django.db.models.BigAutoField"
