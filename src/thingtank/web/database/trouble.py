"""Why a database cannot be used, in sentences that say what to do; never with its password."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, NotSupportedError

from thingtank.web.database.connections import reason_of
from thingtank.web.database.url import MONGODB, MYSQL, POSTGRESQL, SQLITE, Database

# What PostgreSQL says → what is to be said; `{user}` and `{name}` are filled in.
_POSTGRESQL = (
    (r"password authentication failed|no password supplied|28P01",
     "refuses the password of user {user}; look at user name and password in `database`"),
    (r"role \".*\" does not exist",
     "has no user {user}; make it with: createuser --pwprompt {user}"),
    (r"database \".*\" does not exist",
     "has no database {name}; make it with: createdb --owner={user} {name}"),
    (r"no pg_hba.conf entry|authentication failed",
     "does not let user {user} in from here; see its pg_hba.conf"),
    (r"permission denied for (schema|table|relation|database)|must be owner",
     "does not let user {user} make tables in {name}; make the database this user's own:"
     " ALTER DATABASE {name} OWNER TO {user}"),
    (r"too many (clients|connections)|remaining connection slots",
     "has too many connections; raise its max_connections"),
)  # fmt: skip

_MYSQL = {
    1045: "refuses user {user} with this password; look at user name and password in `database`",
    1698: "refuses user {user} by this way; give the user a password, or use a Unix socket",
    1049: "has no database {name}; make it with: CREATE DATABASE {name} CHARACTER SET utf8mb4",
    1044: "does not let user {user} into database {name};"
    " run: GRANT ALL PRIVILEGES ON {name}.* TO '{user}'",
    1142: "does not let user {user} make tables in {name};"
    " run: GRANT ALL PRIVILEGES ON {name}.* TO '{user}'",
    1040: "has too many connections; raise its max_connections",
}
_UNKNOWN_OPTION = re.compile(
    r"invalid (?:connection|URI query) (?:option|parameter)[: ]+\"(\w+)\""
    r"|unexpected keyword argument '(\w+)'"
)
_TOO_OLD = re.compile(r"(\S+ [\d.]+ or later is required) \(found ([\d.]+)\)")


class DatabaseRefused(Exception):
    """The database cannot be used. The message is a sentence for people."""


@contextmanager
def told(database: Database) -> Iterator[None]:
    """Turn what a database and its driver raise into DatabaseRefused."""
    errors: tuple[type[Exception], ...] = (Error, ImproperlyConfigured, TypeError, OSError)
    if database.kind is MONGODB:
        from pymongo.errors import PyMongoError  # not all of them come as Django's

        errors = (*errors, PyMongoError)
    try:
        yield
    except errors as error:
        is_bug = isinstance(error, TypeError) and not _names_option(error)
        if is_bug or database.kind is SQLITE:
            raise
        raise DatabaseRefused(why_refused(database, error)) from error


def _names_option(error: TypeError) -> bool:
    """Whether it is how PyMySQL refuses an option that it does not know."""
    return _UNKNOWN_OPTION.search(str(error)) is not None


def why_refused(database: Database, error: Exception) -> str:
    """What to say of an error that the database's driver raised."""
    text = _text_of(database, error)
    unknown = _UNKNOWN_OPTION.search(text)
    if unknown is not None:
        option = unknown[1] or unknown[2]
        return f"database: {database.kind.name} knows no option {option}; look at what follows `?`"
    where = _where(database)
    if isinstance(error, NotSupportedError) and (old := _TOO_OLD.search(text)):
        return f"{where} is too old: {old[1]}, and it is {old[2]}"
    known = _known(database, error, text)
    if known:
        names = {
            "user": database.settings.get("USER") or "(none)",
            "name": database.settings.get("NAME", ""),
        }
        return f"{where} {known.format(**names)}"
    if isinstance(error, OSError):
        return f"{where} cannot be used: {text}; look at the files that `database` names after `?`"
    if _never_connected(error):
        return (
            f"{where} cannot be reached: {text}; look whether it runs and whether host and port in"
            " `database` are right"
        )
    return f"{where} cannot be used: {text}"


def _where(database: Database) -> str:
    settings = database.settings
    options = settings.get("OPTIONS", {})
    host = settings.get("HOST") or options.get("host") or options.get("unix_socket") or "localhost"
    if "://" in host:  # MongoDB is told the whole URL
        return f"{database.kind.name} of {database.shown}"
    host = f"[{host}]" if ":" in host else host
    port = f":{settings['PORT']}" if settings.get("PORT") else ""
    return f"{database.kind.name} at {host}{port}"


def _known(database: Database, error: Exception, text: str) -> str:
    if database.kind is POSTGRESQL:
        return next((words for said, words in _POSTGRESQL if re.search(said, text)), "")
    if database.kind.engine != MYSQL.engine:
        return ""
    # By number, which Django repeats in the words of an error of its own.
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    found = re.search(r"\((\d{4}), ", text)
    return _MYSQL.get(number or int(found[1] if found else 0), "")


def _never_connected(error: Exception) -> bool:
    """Whether a driver has given up on the server, by words or by number."""
    said = re.compile(r"connection|connect|timed? ?out|host name|resolve|getaddrinfo|refused", re.I)
    return said.search(str(error)) is not None


def _text_of(database: Database, error: Exception) -> str:
    """An error's words in one line, without the password, should one ever stand in them."""
    line = re.sub(r"^connection failed: ", "", reason_of(error)).strip().rstrip(".")
    password = database.settings.get("PASSWORD")
    return line.replace(password, "…") if password else line
