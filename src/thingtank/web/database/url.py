"""The setting `database`: a URL, which may hold a password, and what Django is told of it."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from msgspec.structs import force_setattr

from thingtank.net.identity.secret_sources import SecretSource, UnreadableSecret
from thingtank.net.identity.secret_urls import shown_url

DIRECTORY_FILE = "directory.sqlite3"
DATABASE_FILE = "database.txt"  # in it the folder's database, without its password
DEFAULT_URL = f"sqlite:///{DIRECTORY_FILE}"
CONNECT_S_MAX = 5
SILENCE_S_MAX = 30  # of a server that has taken a question; making tables is many questions

_FORMS = (
    "sqlite:///FILE, postgres://USER:PASSWORD@HOST/NAME, mysql://USER:PASSWORD@HOST/NAME"
    " (MariaDB too) or mongodb://USER:PASSWORD@HOST/NAME"
)


class BadDatabaseUrl(Exception):
    """A URL is of no database that there is. The message is a sentence, without a password."""


class Kind(NamedTuple):
    """One of the four kinds of database.

    Attributes:
        name: for people.
        engine: Django's backend.
        driver: the module that speaks to it; blank where Python itself does.
        extra: what of `pip install thingtank[…]` brings the driver.
    """

    name: str
    engine: str
    driver: str = ""
    extra: str = ""


SQLITE = Kind("SQLite", "django.db.backends.sqlite3")
POSTGRESQL = Kind("PostgreSQL", "thingtank.web.database.postgresql", "psycopg", "postgres")
MYSQL = Kind("MySQL", "thingtank.web.database.mysql", "pymysql", "mysql")
MARIADB = MYSQL._replace(name="MariaDB")
MONGODB = Kind("MongoDB", "thingtank.web.database.mongodb", "django_mongodb_backend", "mongodb")

_KINDS = {
    "sqlite": SQLITE,
    "postgres": POSTGRESQL,
    "postgresql": POSTGRESQL,
    "mysql": MYSQL,
    "mariadb": MARIADB,
    "mongodb": MONGODB,
    "mongodb+srv": MONGODB,
}


class DatabaseSource(SecretSource, frozen=True, forbid_unknown_fields=True):
    """Where the database's URL is: here, in a file, or in an environment variable.

    Attributes:
        text: the URL; afterwards without the password, which nothing prints.
        file: path of a file that holds nothing else.
        environment: name of an environment variable.
    """

    def __post_init__(self) -> None:
        """Hide the password from everything that prints settings."""
        if self.text and "hidden" not in self.__dict__:
            self.__dict__["hidden"] = self.text
            force_setattr(self, "text", shown_url(self.text))


class Database(msgspec.Struct, frozen=True):
    """A database, as Django is told of it.

    Attributes:
        kind: which of the four.
        shown: its URL without the password.
        settings: what stands in Django's `DATABASES`.
    """

    kind: Kind
    shown: str
    settings: dict[str, Any]


def url_problem(source: DatabaseSource) -> str:
    """What is wrong with a URL that stands in the settings; blank for nothing."""
    if not source.text:
        return ""  # it is read when it is needed
    try:
        database_of(source, Path())
    except BadDatabaseUrl as error:
        return str(error)
    return ""


def database_of(source: DatabaseSource, folder: Path) -> Database:
    """Read the setting.

    Args:
        folder: the data folder; a SQLite file is below it unless its path is absolute.

    Raises:
        BadDatabaseUrl.
    """
    try:
        url = source.read()
    except UnreadableSecret as error:
        raise BadDatabaseUrl(f"database {error}") from None
    kind = _kind_of(url)
    shown = shown_url(url)
    if kind is SQLITE:
        settings = _sqlite(url, folder)
    elif kind is MONGODB:
        settings = _mongodb(url, shown)
    else:
        settings = _server(url, shown, kind)
    return Database(kind, shown, settings)


def require_driver(kind: Kind) -> None:
    """Raise BadDatabaseUrl if what speaks to this kind of database is not installed."""
    if kind.driver and find_spec(kind.driver) is None:
        raise BadDatabaseUrl(
            f"database: {kind.name} needs a driver; run: pip install 'thingtank[{kind.extra}]'"
        )


def _kind_of(url: str) -> Kind:
    scheme, colon, _ = url.partition("://")
    kind = _KINDS.get(scheme.lower())
    if kind is None or not colon:
        # Not the text itself: what is no URL may be a password in the wrong place.
        what = f"`{scheme}://`" if colon and re.fullmatch(r"[a-z][\w+.-]{0,19}", scheme) else "this"
        raise BadDatabaseUrl(f"database: {what} is none of {_FORMS}")
    return kind


def _sqlite(url: str, folder: Path) -> dict[str, Any]:
    parts = urlsplit(url)
    path = unquote(parts.path[1:])
    if parts.netloc or not path or parts.query:
        raise BadDatabaseUrl(
            "database: sqlite:// takes three slashes and a file of the data folder, or four and a"
            " whole path, and no options"
        )
    # FULL: a device that was answered for must be there after a power cut, as its datapoints are.
    return {
        "ENGINE": SQLITE.engine,
        "NAME": str(folder / path),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }


def _server(url: str, shown: str, kind: Kind) -> dict[str, Any]:
    import dj_database_url  # no command is to wait for it that needs no server

    scheme = "postgres" if kind is POSTGRESQL else "mysql"
    url = f"{scheme}://{url.partition('://')[2]}"
    try:
        found: dict[str, Any] = dict(dj_database_url.parse(url, conn_health_checks=True))
    except ValueError:
        raise BadDatabaseUrl(
            f"database: {shown} is no URL: in user name and password, write @ as %40, : as %3A,"
            " / as %2F, ? as %3F, # as %23, % as %25"
        ) from None
    if not found["NAME"] or "/" in found["NAME"]:
        raise BadDatabaseUrl(f"database: {shown} must end in the name of a database: …HOST/NAME")
    host = urlsplit(url).netloc.rpartition("@")[2]
    if host.lower().startswith("%2f"):  # a Unix socket, whose case the library loses
        found["HOST"] = unquote(host.partition(":")[0])
    found["ENGINE"] = kind.engine
    found["OPTIONS"] = {**_limits(kind), **found.get("OPTIONS", {})}
    return found


def _limits(kind: Kind) -> dict[str, Any]:
    """What bounds the waiting for a server that is silent, in the words of its driver."""
    if kind is POSTGRESQL:
        return {
            "connect_timeout": CONNECT_S_MAX,
            "tcp_user_timeout": SILENCE_S_MAX * 1000,
            "keepalives_idle": SILENCE_S_MAX,
            "application_name": "thingtank",
        }
    return {
        "connect_timeout": CONNECT_S_MAX,
        "read_timeout": SILENCE_S_MAX,
        "write_timeout": SILENCE_S_MAX,
        "init_command": "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')",
    }


def _mongodb(url: str, shown: str) -> dict[str, Any]:
    name = unquote(urlsplit(url).path.strip("/"))
    if not name or "/" in name:
        raise BadDatabaseUrl(f"database: {shown} must end in the name of a database: …HOST/NAME")
    options = {name.lower() for name, _ in parse_qsl(urlsplit(url).query)}
    limits = {"serverSelectionTimeoutMS": CONNECT_S_MAX * 1000, "appName": "thingtank"}
    return {
        "ENGINE": MONGODB.engine,
        "HOST": url,
        "NAME": name,
        "OPTIONS": {name: value for name, value in limits.items() if name.lower() not in options},
    }
