"""Sets Django up from values, without a settings module: one process is one instance."""

import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.db import connection

from thingtank.web.web_settings import WebSettings

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


def configure(settings: WebSettings, folder: Path, secret: bytes) -> None:
    """Give Django its settings. Once a process; models can be imported afterwards.

    Args:
        folder: the data folder, which holds the database.
        secret: the instance's secret; Django's own key is derived from it.
    """
    django_settings.configure(**django_settings_of(settings, folder, secret))
    django.setup()


def migrate() -> None:
    """Bring the database's tables up to date."""
    call_command("migrate", verbosity=0, interactive=False)
    connection.close()


def asgi_app() -> Any:
    """Django as an ASGI app."""
    return get_asgi_application()


def derive_key(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose, from the instance's secret."""
    return HKDF(SHA256(), 32, salt=None, info=f"thingtank {purpose}".encode()).derive(secret)


def django_settings_of(settings: WebSettings, folder: Path, secret: bytes) -> dict[str, Any]:
    """All of Django's settings, by name."""
    is_https = settings.public_url.startswith("https://")
    public_host = urlsplit(settings.public_url).hostname
    hosts = [*LOOPBACK_HOSTS, *settings.allowed_hosts]
    return {
        "SECRET_KEY": base64.b64encode(derive_key(secret, "django")).decode(),
        "ALLOWED_HOSTS": hosts + ([public_host] if public_host else []),
        "CSRF_TRUSTED_ORIGINS": [settings.public_url] if settings.public_url else [],
        "ROOT_URLCONF": "thingtank.web.urls",
        "AUTH_USER_MODEL": "accounts.Account",
        "INSTALLED_APPS": [
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "thingtank.web.accounts",
            "thingtank.web.catalog",
        ],
        "MIDDLEWARE": [
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        "DATABASES": {"default": _sqlite(folder)},
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "LOGGING_CONFIG": None,
        "USE_TZ": True,
        "USE_I18N": False,
        "X_FRAME_OPTIONS": "DENY",
        "SECURE_REFERRER_POLICY": "same-origin",
        "SESSION_COOKIE_SECURE": is_https,
        "CSRF_COOKIE_SECURE": is_https,
    }


def _sqlite(folder: Path) -> dict[str, Any]:
    # FULL: a device that was answered for must be there after a power cut, as its datapoints are.
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(folder / "directory.sqlite3"),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
