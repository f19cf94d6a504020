"""Sets Django up from values, without a settings module: one process is one instance."""

import asyncio
from pathlib import Path
from typing import Any

import django
from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.db import connection

from thingtank.web.django_settings import django_settings_of
from thingtank.web.web_settings import WebSettings

# Each page that is being made has a thread and a connection to the database.
PAGES_AT_ONCE_MAX = 16


def configure(settings: WebSettings, folder: Path, secret: bytes) -> None:
    """Give Django its settings. Once a process; models can be imported afterwards.

    Args:
        folder: the data folder, which holds the database.
        secret: the instance's secret; Django's own key is derived from it.
    """
    django_settings.configure(**django_settings_of(settings, folder, secret))
    django.setup()


def migrate() -> None:
    """Bring the database's tables up to date, and drop sessions that have ended."""
    call_command("migrate", verbosity=0, interactive=False)
    call_command("clearsessions", verbosity=0)
    connection.close()


def asgi_app() -> Any:
    """Django as an ASGI app that makes a bounded number of pages at a time."""
    app = get_asgi_application()
    turn = asyncio.Semaphore(PAGES_AT_ONCE_MAX)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        async with turn:
            await app(scope, receive, send)

    return answer
