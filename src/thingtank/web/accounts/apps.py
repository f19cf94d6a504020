"""The app's name for Django."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Django's handle on the app."""

    name = "thingtank.web.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
