"""A database is migrated once for each set of migrations, and never taken for what it is not."""

from pathlib import Path
from typing import Any

import pytest

from thingtank.web import setup


def rows(statement: str) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    connection.close()
    return found


@pytest.fixture
def commands(database: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of Django's commands have been run."""
    run = setup.call_command
    names: list[str] = []

    def recorded(name: str, **options: Any) -> None:
        names.append(name)
        run(name, **options)

    monkeypatch.setattr(setup, "call_command", recorded)
    return names


def test_a_current_database_is_left_as_it_is(commands: list[str]) -> None:
    setup.migrate()
    assert commands == ["clearsessions"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_database_of_another_version_is_migrated(commands: list[str]) -> None:
    (mark,) = rows("PRAGMA user_version")
    rows("DROP TABLE axes_accesslog")
    rows("DELETE FROM django_migrations WHERE app = 'axes'")
    for table in ("axes_accessattempt", "axes_accessfailurelog", "axes_accessattemptexpiration"):
        rows(f"DROP TABLE {table}")
    rows("PRAGMA user_version = 0")  # as of the versions before this one
    setup.migrate()
    assert commands == ["migrate", "clearsessions"]
    assert rows("SELECT * FROM axes_accesslog") == []
    assert rows("PRAGMA user_version") == [mark]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_one_whose_migration_was_broken_off_is_migrated_again(
    commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCutError(Exception):
        pass

    def broken_off(name: str, **options: Any) -> None:
        raise PowerCutError

    rows("PRAGMA user_version = 0")
    with monkeypatch.context() as patch:
        patch.setattr(setup, "call_command", broken_off)
        with pytest.raises(PowerCutError):
            setup.migrate()
    setup.migrate()
    assert commands == ["migrate", "clearsessions"]


def test_a_further_migration_is_run(commands: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    names = setup.migration_names()
    monkeypatch.setattr(setup, "migration_names", lambda: [*names, "catalog 9999_to_come"])
    setup.migrate()
    assert commands == ["migrate", "clearsessions"]
    monkeypatch.undo()
    setup.migrate()  # and so does a version that has one less: the mark is of what was run last


def test_no_migration_is_overlooked(database: Path) -> None:
    applied = {f"{app} {name}" for app, name in rows("SELECT app, name FROM django_migrations")}
    assert set(setup.migration_names()) == applied
