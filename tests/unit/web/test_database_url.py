"""The setting `database`: what Django is told, and what people are told of a mistake."""

from pathlib import Path
from typing import Any

import pytest

from thingtank.web.database.url import (
    BadDatabaseUrl,
    DatabaseSource,
    Kind,
    database_of,
    require_driver,
    shown_url,
)

FOLDER = Path("/data")


def settings_of(url: str) -> dict[str, Any]:
    return database_of(DatabaseSource(url), FOLDER).settings


SERVERS = [
    ("a port", "postgres://me:secret@db.example:5433/tank", {"ENGINE": "thingtank.web.database.postgresql", "USER": "me", "PASSWORD": "secret", "HOST": "db.example", "PORT": 5433, "NAME": "tank"}),
    ("postgresql", "postgresql://me:secret@db/tank", {"ENGINE": "thingtank.web.database.postgresql", "PORT": ""}),
    ("percent-encoding", "mysql://m%40e:p%2Fw%3A%25%3F@db/ta%C3%BCnk", {"USER": "m@e", "PASSWORD": "p/w:%?", "NAME": "taünk"}),
    ("mariadb", "mariadb://me@db/tank", {"ENGINE": "thingtank.web.database.mysql", "USER": "me", "PASSWORD": ""}),
    ("IPv6", "postgres://me:secret@[2001:db8::7]:5432/tank", {"HOST": "2001:db8::7", "PORT": 5432}),
    ("a Unix socket, by its path", "postgres://me:secret@%2FVar%2Frun%2Fpostgresql/tank", {"HOST": "/Var/run/postgresql"}),
    ("a Unix socket with a port", "postgres://me@%2FRun%2FX:5433/tank", {"HOST": "/Run/X", "PORT": 5433}),
    ("no host", "postgres:///tank", {"HOST": "", "USER": ""}),
    ("MongoDB", "mongodb://me:secret@a.example,b.example/tank?replicaSet=rs", {"ENGINE": "thingtank.web.database.mongodb", "NAME": "tank", "HOST": "mongodb://me:secret@a.example,b.example/tank?replicaSet=rs"}),
    ("SQLite in the data folder", "sqlite:///a%20b.sqlite3", {"ENGINE": "django.db.backends.sqlite3", "NAME": "/data/a b.sqlite3"}),
    ("SQLite elsewhere", "sqlite:////srv/d.sqlite3", {"NAME": "/srv/d.sqlite3"}),
]  # fmt: skip


@pytest.mark.parametrize(("url", "expected"), [row[1:] for row in SERVERS], ids=[row[0] for row in SERVERS])  # fmt: skip
def test_django_is_told_where_the_database_is(url: str, expected: dict[str, Any]) -> None:
    settings = settings_of(url)
    assert {name: settings[name] for name in expected} == expected


def test_options_reach_the_driver_and_waiting_has_bounds() -> None:
    options = settings_of("postgres://me@db/tank?sslmode=verify-full&sslrootcert=/ca.pem")[
        "OPTIONS"
    ]
    assert (options["sslmode"], options["sslrootcert"]) == ("verify-full", "/ca.pem")
    assert options["connect_timeout"] > 0
    options = settings_of("mysql://me@db/tank?ssl_ca=/ca.pem&read_timeout=7")["OPTIONS"]
    assert (options["ssl_ca"], options["read_timeout"]) == ("/ca.pem", 7)
    options = settings_of("mongodb://db/tank?serverSelectionTimeoutMS=9")["OPTIONS"]
    assert "serverSelectionTimeoutMS" not in options


MISTAKES = [
    ("another scheme", "oracle://me:hunter22@db/tank", "`oracle://` is none of sqlite:///FILE, postgres://.*mysql://.*MariaDB too.*mongodb://"),
    ("no URL at all", "hunter22hunter22", "this is none of sqlite"),
    ("no name", "postgres://me:hunter22@db/", "must end in the name of a database"),
    ("two names", "mysql://me:hunter22@db/a/b", "must end in the name of a database"),
    ("a password that ends the host", "postgres://me:hunter/22@db/tank", "write @ as %40, : as %3A, / as %2F"),
    ("a port that is none", "postgres://me:hunter22@db:port/tank", "is no URL"),
    ("two slashes", "sqlite://directory.sqlite3", "takes three slashes"),
    ("MongoDB without a name", "mongodb://me:hunter22@db", "must end in the name of a database"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "words"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])  # fmt: skip
def test_a_mistake_is_told_without_the_password(url: str, words: str) -> None:
    with pytest.raises(BadDatabaseUrl, match=words) as refused:
        settings_of(url)
    assert "hunter" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://me:secret@db/tank", "postgres://me:…@db/tank"),
        ("postgres://me:se@cret@db/tank", "postgres://me:…@db/tank"),
        ("postgres://me:a/b?c#d@db/tank", "postgres://me:…@db/tank"),
        ("postgres://me@db/tank?sslmode=require", "postgres://me@db/tank?sslmode=require"),
        ("postgres:///tank?user=me&password=secret&port=1", "postgres:///tank?user=me&password=…&port=1"),
        ("mongodb://db/t?tlsCertificateKeyFilePassword=x&a=b", "mongodb://db/t?tlsCertificateKeyFilePassword=…&a=b"),
        ("sqlite:///directory.sqlite3", "sqlite:///directory.sqlite3"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert shown_url(url) == shown
    source = DatabaseSource(url)
    assert source.text == shown
    assert "secret" not in repr(source)
    assert source.read() == url


def test_a_url_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgres://me:secret@db/tank\n")
    found = database_of(DatabaseSource(file=str(tmp_path / "url")), FOLDER)
    assert found.settings["PASSWORD"] == "secret"
    assert found.shown == "postgres://me:…@db/tank"
    with pytest.raises(BadDatabaseUrl, match="database environment variable NOWHERE is not set"):
        database_of(DatabaseSource(environment="NOWHERE"), FOLDER)


def test_a_driver_that_is_not_installed_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(BadDatabaseUrl, match=r"run: pip install 'thingtank\[postgres\]'"):
        require_driver(Kind("PostgreSQL", "engine", "no_such_module", "postgres"))
