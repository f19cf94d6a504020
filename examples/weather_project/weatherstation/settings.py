"""The project's settings (boxes 8.7 and 8.21).

SQLite needs nothing. For MySQL or MariaDB, `pip install pymysql`, and say where it is:

    export WEATHER_DATABASE=mysql DB_NAME=weatherstation DB_USER=root DB_PASSWORD=…
    python manage.py migrate
"""

import os
import secrets
from pathlib import Path

BASE_DIR = Path(__file__).parent.parent

# Without one of its own, whoever was signed in must sign in again after each start.
SECRET_KEY = os.environ.get("SECRET_KEY") or secrets.token_hex(32)
DEBUG = True  # for this machine only
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

_DATABASES = {
    "sqlite": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"},
    "mysql": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": os.environ.get("DB_NAME", "weatherstation"),
        "USER": os.environ.get("DB_USER", "root"),
        "PASSWORD": os.environ.get("DB_PASSWORD", ""),
        "HOST": os.environ.get("DB_HOST", ""),
        "PORT": os.environ.get("DB_PORT", ""),
    },
}
_CHOICE = os.environ.get("WEATHER_DATABASE", "sqlite")
DATABASES = {"default": _DATABASES[_CHOICE]}
if _CHOICE == "mysql":
    import pymysql

    pymysql.install_as_MySQLdb()  # Django asks for mysqlclient, which a compiler has to make
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "myapp",
    "rest_framework",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "weatherstation.urls"
STATIC_URL = "static/"
USE_TZ = True
TEMPLATES = [
    {
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
]

# What was PAGINATE_BY is a class and a size now.
REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 10,
}
