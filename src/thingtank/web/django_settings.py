"""All of Django's settings, from the few values that an instance decides."""

import base64
import datetime
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from thingtank.web.database.url import Database
from thingtank.web.derived_keys import derive_key
from thingtank.web.static_files import static_url
from thingtank.web.web_settings import WebSettings

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")

# Wrong passwords for one account from one address, before it has to wait.
SIGN_IN_FAILURES_MAX = 10
SIGN_IN_WAIT = datetime.timedelta(minutes=15)

# Of a request with a list of serials; a file that does not fit is left out, and the form says so.
UPLOAD_BYTES_MAX = 8_000_000

_APPS = (
    "thingtank.web.accounts",  # before the admin, of whose templates it has one of its own
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "axes",
    "thingtank.web.database",
    "thingtank.web.catalog",
    "thingtank.web.workbench",
    "thingtank.web.weather",
)

_MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Refuses, so what hardens refusals too comes before it.
    "thingtank.web.hosts.known_hosts_only",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
)

_TEMPLATES = {
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {
        "context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]
    },
}

_PASSWORD_VALIDATORS = (
    "UserAttributeSimilarityValidator",
    "MinimumLengthValidator",
    "CommonPasswordValidator",
    "NumericPasswordValidator",
)


STATIONS_PER_PAGE = 10

# As in the book's box 8.21. Basic comes first: a program without a password is answered 401.
_REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_PAGINATION_CLASS": "thingtank.web.weather.rest_pages.Pages",
    "PAGE_SIZE": STATIONS_PER_PAGE,
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "thingtank.web.weather.rest_pages.PageRenderer",
    ],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "thingtank.web.weather.authentication.PasswordAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    # Of the tank's own API; imported only with it.
    "DEFAULT_SCHEMA_CLASS": "thingtank.web.api.schema.ApiSchema",
}


def _content_security_policy(map_tiles_url: str) -> dict[str, Any]:
    """What pages may load: nothing from elsewhere, apart from the pictures of a tile server.

    No script and no style stands in a page, so nothing else need be allowed.
    """
    tiles = urlsplit(map_tiles_url)
    origins = [f"{tiles.scheme}://{tiles.netloc}"] if map_tiles_url else []
    return {
        "DIRECTIVES": {
            "default-src": [SELF],
            "img-src": [SELF, "data:", *origins],
            "object-src": [NONE],
            "base-uri": [NONE],
            "frame-ancestors": [NONE],
            "form-action": [SELF],
        }
    }


def django_settings_of(settings: WebSettings, database: Database, secret: bytes) -> dict[str, Any]:
    """All of Django's settings, by name.

    Args:
        secret: the instance's secret; Django's own key is derived from it.
    """
    return {
        "THINGTANK": settings,
        **_reached_by(settings, secret),
        "SECRET_KEY": base64.b64encode(derive_key(secret, "django")).decode(),
        "ROOT_URLCONF": "thingtank.web.urls",
        "INSTALLED_APPS": list(_APPS),
        "MIDDLEWARE": list(_MIDDLEWARE),
        "TEMPLATES": [_TEMPLATES],
        "STATIC_URL": static_url(),
        "DATABASES": {"default": database.settings},
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "LOGGING_CONFIG": None,
        **_TIMES,
        "USE_I18N": False,
        **_accounts(),
        **_SECURITY,
        "REST_FRAMEWORK": _REST_FRAMEWORK,
        "CONTENT_SECURITY_POLICY": _content_security_policy(settings.map_tiles_url),
    }


# Pages show times in the reader's zone by script; where they cannot, as in the admin, in UTC.
_TIMES: dict[str, Any] = {
    "USE_TZ": True,
    "TIME_ZONE": "UTC",
    "FORMAT_MODULE_PATH": "thingtank.web.formats",
}

_SECURITY: dict[str, Any] = {
    "X_FRAME_OPTIONS": "DENY",
    "SECURE_REFERRER_POLICY": "same-origin",
    "DATA_UPLOAD_MAX_MEMORY_SIZE": 1_000_000,
    "DATA_UPLOAD_MAX_NUMBER_FIELDS": 200,
    "DATA_UPLOAD_MAX_NUMBER_FILES": 1,
    "FILE_UPLOAD_MAX_MEMORY_SIZE": UPLOAD_BYTES_MAX,
    # Nothing is kept on disk, so nothing can fill it.
    "FILE_UPLOAD_HANDLERS": ["django.core.files.uploadhandler.MemoryFileUploadHandler"],
    "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",
}


def _reached_by(settings: WebSettings, secret: bytes) -> dict[str, Any]:
    """What follows from the addresses that browsers use."""
    is_https = settings.public_url.startswith("https://")
    public_host = urlsplit(settings.public_url).hostname
    hosts = [*LOOPBACK_HOSTS, *settings.allowed_hosts]
    # Cookies do not tell ports apart: two instances on one machine would sign each other out.
    instance = derive_key(secret, "cookie names").hex()[:8]
    return {
        "ALLOWED_HOSTS": hosts + ([public_host] if public_host else []),
        "CSRF_TRUSTED_ORIGINS": [settings.public_url] if settings.public_url else [],
        "SESSION_COOKIE_NAME": f"thingtank_session_{instance}",
        "CSRF_COOKIE_NAME": f"thingtank_csrf_{instance}",
        "SESSION_COOKIE_SECURE": is_https,
        "CSRF_COOKIE_SECURE": is_https,
    }


def _accounts() -> dict[str, Any]:
    validators = "django.contrib.auth.password_validation"
    return {
        "AUTH_USER_MODEL": "accounts.Account",
        "AUTHENTICATION_BACKENDS": [
            "axes.backends.AxesStandaloneBackend",
            "django.contrib.auth.backends.ModelBackend",
        ],
        "AUTH_PASSWORD_VALIDATORS": [
            {"NAME": f"{validators}.{name}"} for name in _PASSWORD_VALIDATORS
        ],
        "LOGIN_URL": "accounts:sign_in",
        "LOGIN_REDIRECT_URL": "workbench:devices",
        "LOGOUT_REDIRECT_URL": "accounts:sign_in",
        "AXES_FAILURE_LIMIT": SIGN_IN_FAILURES_MAX,
        "AXES_COOLOFF_TIME": SIGN_IN_WAIT,
        # Both together: a stranger cannot lock the owner out from elsewhere.
        "AXES_LOCKOUT_PARAMETERS": [["username", "ip_address"]],
        "AXES_RESET_ON_SUCCESS": True,
        "AXES_DISABLE_ACCESS_LOG": True,
        "AXES_ENABLE_ADMIN": False,
        "AXES_VERBOSE": False,
        # A wrong password is logged with the address, not the name: some type a password there.
        "AXES_SENSITIVE_PARAMETERS": ["username"],
        "AXES_LOCKOUT_CALLABLE": "thingtank.web.accounts.views.locked_out",
    }
