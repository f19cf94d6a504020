"""The app's name for Django."""

from django.apps import AppConfig


class MyappConfig(AppConfig):
    """Django's handle on the app."""

    name = "myapp"
