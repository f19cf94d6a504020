"""What the SQL engine is told."""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from msgspec.structs import force_setattr

from thingtank.local.places import QUEUES, TABLES
from thingtank.net.identity.secret_sources import SecretSource, UnreadableSecret, hidden
from thingtank.net.identity.secret_urls import shown_url
from thingtank.sinks.own_places import (
    DatabaseAt,
    OwnPlaces,
    database_problem,
    path_problem,
    whole_path,
)

FORMS = (
    "mysql://USER:PASSWORD@HOST/DATABASE (MariaDB too), postgres://USER:PASSWORD@HOST/DATABASE"
    " or sqlite:///FILE"
)
KINDS = {
    "mysql": "mysql",
    "mariadb": "mysql",
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "sqlite": "sqlite",
}
_OPTIONS = {
    "mysql": ("ssl_ca", "ssl_verify_identity"),
    "postgresql": ("sslmode", "sslrootcert"),
    "sqlite": (),
}
_PORTS = {"mysql": 3306, "postgresql": 5432, "sqlite": 0}
SINKS = Path("sinks")  # in the data folder
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A database and a table.

    Attributes:
        url: `mysql://USER:PASSWORD@HOST/DATABASE` (MariaDB too), `postgres://…`, or
            `sqlite:///FILE`, a file below `sinks` in the data folder (`sqlite:////srv/FILE` is one
            elsewhere); or `{file = "…"}` or `{environment = "…"}` that hold one. It must not be
            the tank's own database. `?ssl_ca=FILE` (MySQL) or
            `?sslmode=verify-full&sslrootcert=FILE` (PostgreSQL) demand TLS, as on Amazon RDS. The
            host's name is checked too; not so with `&ssl_verify_identity=false` (MySQL).
        table: made if it is missing.
    """

    url: SecretSource | str
    table: str = "readings"

    def __post_init__(self) -> None:
        """Hide the URL, and check what is here to be checked."""
        if isinstance(self.url, str):
            parse_url(self.url)
            force_setattr(self, "url", hidden(self.url))
        if _TABLE.fullmatch(self.table) is None:
            raise ValueError(
                f"`table` must be letters, digits and _, at most 63, not {self.table!r}"
            )

    def place(self) -> "Place":
        """Where the database is.

        Raises:
            ValueError: it is not where the settings say, or no URL.
        """
        source = self.url
        assert isinstance(source, SecretSource), "since __post_init__"
        try:
            return parse_url(source.read())
        except UnreadableSecret as error:
            raise ValueError(f"`url` {error}") from None


def place_problem(settings: Settings, own: OwnPlaces) -> str:
    """Why nothing may be written there; blank if it may be, or is not known yet."""
    try:
        place = settings.place()
    except ValueError:
        return ""  # told when it opens
    at = DatabaseAt(place.kind, place.host, place.port, place.name)
    if place.kind != "sqlite":
        problem = database_problem(at, own)
    else:
        problem = _file_problem(place.name, own)
    return f"`url`: {problem}" if problem else ""


def _file_problem(name: str, own: OwnPlaces) -> str:
    sinks = own.folder / SINKS
    path = whole_path(sinks, name)
    real, taken = path.resolve(), [(own.folder / each).resolve() for each in (QUEUES, TABLES)]
    if any(str(real).startswith(str(each)) for each in taken):
        return f"{path} has the queues or tables of the tank: name another file"
    return path_problem(path, own, SINKS)


def own_database(url: str) -> DatabaseAt | None:
    """Where the tank's own database is; None if it is of a kind that no rule can send to."""
    kind = KINDS.get(url.partition("://")[0].lower())
    if kind is None:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[kind]
    except ValueError:
        return None
    host, name = unquote(parts.hostname or ""), unquote(parts.path[1:])
    return DatabaseAt(kind, host, port, name)


class Place(NamedTuple):
    """A database.

    Attributes:
        kind: mysql, postgresql or sqlite.
        name: the database's; of SQLite the file.
        options: those that the URL may have, by name.
        shown: the URL without its password.
    """

    kind: str
    host: str
    port: int
    user: str
    password: str
    name: str
    options: dict[str, str]
    shown: str


def parse_url(url: str) -> Place:
    """Take a database's URL apart.

    Raises:
        ValueError: it is no good; the message has no password.
    """
    scheme, colon, _ = url.partition("://")
    kind = KINDS.get(scheme.lower())
    if kind is None or not colon:
        raise ValueError(f"`url` must be {FORMS}")
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[kind]
    except ValueError:
        raise ValueError(
            f"`url` {shown_url(url)} is no URL: in user name and password, write @ as %40,"
            " : as %3A, / as %2F, ? as %3F, # as %23, % as %25"
        ) from None
    name = unquote(parts.path[1:])
    options = dict(parse_qsl(parts.query))
    if unknown := sorted(set(options) - set(_OPTIONS[kind])):
        known = ", ".join(_OPTIONS[kind]) or "none"
        raise ValueError(f"`url` has the option {unknown[0]}; it may have {known}")
    is_file = kind == "sqlite"
    if is_file and name:
        try:
            whole_path(SINKS, name)
        except ValueError as error:
            raise ValueError(f"`url`: {error}") from None
    if not name or (is_file and parts.netloc) or (not is_file and (not parts.hostname)):
        raise ValueError(f"`url` {shown_url(url)} must be {FORMS}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    host = unquote(parts.hostname or "")
    if options.get("ssl_verify_identity", "true") not in ("true", "false"):
        raise ValueError("`url`: ssl_verify_identity is true or false")
    if "ssl_verify_identity" in options and "ssl_ca" not in options:
        raise ValueError("`url`: ssl_verify_identity needs ssl_ca")
    return Place(kind, host, port, user, password, name, options, shown_url(url))
