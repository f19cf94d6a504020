"""Directories for contract tests: one in memory, one on the database, each with two accounts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import pytest

from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.interfaces import Directory
from thingtank.tank.things import Account, Device

SECRET = bytes(range(32))


class Opened(Protocol):
    """A directory under test with two accounts."""

    directory: Any
    alice: Account
    bob: Account


class InMemory:
    def __init__(self) -> None:
        self.directory = MemoryDirectory()
        self.alice = self.directory.add_account("alice")
        self.bob = self.directory.add_account("bob")


class OnDatabase:
    def __init__(self) -> None:
        from thingtank.web.accounts.models import Account as AccountRow
        from thingtank.web.catalog import models
        from thingtank.web.catalog.directory import DjangoDirectory

        models.ApiKey.objects.all().delete()
        models.Device.objects.all().delete()
        AccountRow.objects.all().delete()
        for login in ("alice", "bob"):
            AccountRow.objects.create_user(login)
        self.directory = DjangoDirectory(SECRET)
        self.directory.load()
        found = [self.directory.find_account(login) for login in ("alice", "bob")]
        assert found[0] is not None
        assert found[1] is not None
        self.alice, self.bob = found[0], found[1]

    def reopened(self) -> Directory:
        from thingtank.web.catalog.directory import DjangoDirectory

        self.directory.close()
        self.directory = DjangoDirectory(SECRET)
        self.directory.load()
        return self.directory


class blocking_calls_allowed:
    """Lets a test read Django's tables in the loop's thread, which Django refuses by default."""

    def __enter__(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")

    def __exit__(self, *_: object) -> None:
        from django.db import connection

        connection.close()
        self.patch.undo()


@asynccontextmanager
async def opened_directory(kind: str) -> AsyncIterator[Opened]:
    """A directory in `memory` or on the `database`, which must be there."""
    if kind == "memory":
        yield InMemory()
        return
    with blocking_calls_allowed():
        made = OnDatabase()
        yield made
        made.directory.close()


def draft(opened: Opened, title: str = "Roof", **fields: Any) -> Device:
    fields.setdefault("account_id", opened.alice.account_id)
    fields.setdefault("uuid", f"uuid-{title}")
    return Device(0, title=title, created_us=1, updated_us=2, **fields)


async def made(opened: Opened, title: str = "Roof", **fields: Any) -> Device:
    device: Device = await opened.directory.insert_device(
        draft(opened, title, **fields), [], "t", None
    )
    return device
