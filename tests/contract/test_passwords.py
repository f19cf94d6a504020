"""Passwords of accounts as the WAMP door asks for them."""

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from thingtank.net.identity.password_store import (
    PasswordStore,
    salted_password_of,
)

PASSWORD = "correct horse battery"
ITERATIONS = 1000  # few, for the time that it takes


@pytest.fixture
async def store(database: Path) -> AsyncIterator[PasswordStore]:
    from django.contrib.auth.hashers import get_hasher
    from django.db import connection

    from thingtank.web.accounts.models import Account
    from thingtank.web.accounts.passwords import DjangoPasswords
    from thingtank.web.catalog import models
    from thingtank.web.catalog.directory import DjangoDirectory

    def fill() -> DjangoDirectory:
        try:
            for rows in (models.Product, models.ApiKey, models.Device, Account):
                rows.objects.all().delete()
            for login, is_active in (("alice", True), ("gone", False)):
                password = get_hasher().encode(PASSWORD, "a" * 22, ITERATIONS)
                Account.objects.create(username=login, password=password, is_active=is_active)
            fresh = Account(username="fresh")
            fresh.set_unusable_password()
            fresh.save()
            directory = DjangoDirectory(b"s" * 32)
            directory.load()
            return directory
        finally:
            connection.close()

    directory = await asyncio.to_thread(fill)
    passwords = DjangoPasswords(directory)
    yield passwords
    passwords.close()
    directory.close()


async def test_hash_is_the_salted_password(store: PasswordStore) -> None:
    found = await store.find_password_hash("alice")
    assert found is not None
    salted = salted_password_of(found)
    assert salted is not None
    assert (salted.salt, salted.iterations) == ("a" * 22, ITERATIONS)
    expected = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"a" * 22, salted.iterations)
    assert salted.derived == expected
    assert base64.b64encode(expected).decode() in found
    assert store.iterations >= 1_000_000


@pytest.mark.parametrize("login", ["gone", "nobody", "", "a\0b", "\ud800", "x" * 10_000])
async def test_who_has_no_password(store: PasswordStore, login: str) -> None:
    assert await store.find_password_hash(login) is None


async def test_passwords_are_checked(store: PasswordStore) -> None:
    assert await store.check_password("alice", PASSWORD)
    for login, password in [
        ("alice", "wrong"),
        ("alice", "\ud800"),
        ("gone", PASSWORD),
        ("fresh", "wrong"),
    ]:
        assert not await store.check_password(login, password)
    unusable = await store.find_password_hash("fresh")
    assert salted_password_of(unusable or "") is None


async def test_a_login_that_there_is_not_takes_as_long(store: PasswordStore) -> None:
    async def seconds(login: str) -> float:
        start = time.process_time()
        assert not await store.check_password(login, "wrong")
        return time.process_time() - start

    known, unknown = await seconds("alice"), await seconds("nobody")
    assert known / 4 < unknown < known * 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!unusable",
        "argon2$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA",
        "pbkdf2_sha1$1$salt$" + "A" * 43 + "=",
        "pbkdf2_sha256$0$salt$" + "A" * 43 + "=",
        "pbkdf2_sha256$1$$" + "A" * 43 + "=",
        "pbkdf2_sha256$1$salt$AAAA",
        "pbkdf2_sha256$1$sält$" + "A" * 43 + "=",
    ],
)
def test_other_hashes_are_none(text: str) -> None:
    assert salted_password_of(text) is None
