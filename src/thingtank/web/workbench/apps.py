"""The workbench as a Django app."""

from django.apps import AppConfig


class WorkbenchConfig(AppConfig):
    """Pages, templates and static files; no models."""

    name = "thingtank.web.workbench"
    label = "workbench"
