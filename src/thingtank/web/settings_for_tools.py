"""Django's settings as a module, for tools that want one: mypy's plugin and `makemigrations`."""

from thingtank.web.database.url import SQLITE, Database
from thingtank.web.django_settings import django_settings_of
from thingtank.web.web_settings import WebSettings

THINGTANK = WebSettings()
_IN_MEMORY = Database(SQLITE, "", {"ENGINE": SQLITE.engine, "NAME": ":memory:"})
globals().update(django_settings_of(THINGTANK, _IN_MEMORY, bytes(32)))
