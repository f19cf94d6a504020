"""Django's settings as a module, for tools that want one: mypy's plugin and `makemigrations`."""

from pathlib import Path

from thingtank.web.django_settings import django_settings_of
from thingtank.web.web_settings import WebSettings

THINGTANK = WebSettings()
globals().update(django_settings_of(THINGTANK, Path("."), bytes(32)))
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
