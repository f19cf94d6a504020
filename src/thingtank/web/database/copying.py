"""Copies a directory, all of it, from one database to another of any kind. Blocking."""

from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import AutoField, Manager, Model

from thingtank.web import setup
from thingtank.web.database.mark import write_mark
from thingtank.web.database.numbers import last_number, set_last_number
from thingtank.web.database.trouble import DatabaseRefused, told
from thingtank.web.database.url import Database

BATCH_ROWS = 1000
SOURCE, TARGET = "default", "target"


def add_target(target: Database) -> None:
    """Let Django know of the database that is copied to."""
    made = connections.configure_settings({SOURCE: {}, TARGET: target.settings})
    connections.settings[TARGET] = made[TARGET]


def copy_directory(target: Database, progress: Callable[[int, int], None]) -> int:
    """Copy every row to a database that is empty, in one transaction; answer how many.

    Args:
        progress: is told how many rows are copied, and how many there are.

    Raises:
        DatabaseRefused: there is something in the target, or it cannot be used.
    """
    with told(target):
        _make_tables(target)
        total = sum(_rows(model, SOURCE).count() for model in _models())
        connection = connections[TARGET]
        done = 0
        with connection.constraint_checks_disabled(), transaction.atomic(TARGET):
            for model in _models():
                for batch in _batches(model):
                    _rows(model, TARGET).bulk_create(batch)
                    done += len(batch)
                    progress(done, total)
        _carry_numbers(connections[SOURCE], connection)
        write_mark(setup.migrations_mark(), TARGET)
        _compare(target)
    return done


def _make_tables(target: Database) -> None:
    from thingtank.web.accounts.models import Account

    call_command("migrate", database=TARGET, verbosity=0, interactive=False)
    if Account.objects.using(TARGET).exists():
        raise DatabaseRefused(
            f"{target.shown} has accounts in it; copy to an empty database, for nothing is merged"
        )
    for model in _models():  # kinds of content and permissions, which come with the tables
        _rows(model, TARGET).all().delete()


def _models() -> list[type[Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]


def _rows(model: type[Model], database: str) -> "Manager[Any]":
    return model._base_manager.db_manager(database)


def _batches(model: type[Model]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in _rows(model, SOURCE).order_by("pk").iterator(BATCH_ROWS):
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _carry_numbers(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper) -> None:
    """Have the target go on where the source was: the archive knows numbers of what is gone."""
    for model in _models():
        key = model._meta.pk
        if isinstance(key, AutoField):
            table, column = model._meta.db_table, str(key.column)
            newest = _rows(model, TARGET).order_by("-pk").values_list("pk", flat=True).first() or 0
            last = max(newest, last_number(source, table, column))
            if last:
                set_last_number(target, table, column, last)


def _compare(target: Database) -> None:
    for model in _models():
        here, there = (_rows(model, database).count() for database in (SOURCE, TARGET))
        if here != there:
            raise DatabaseRefused(
                f"{model._meta.db_table} has {here} rows, and {there} in {target.shown}; empty the"
                " latter and copy again"
            )
