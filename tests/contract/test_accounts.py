"""Every store of accounts is the same thing: one suite over the memory twin and the database."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
from tests.contract.conftest import SECRET

from thingtank.stores.memory_accounts import MemoryAccounts
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.accounts import Profile, ProfileChange, changed_profile
from thingtank.tank.errors import NoSuchAccount, ValidationFailed
from thingtank.tank.keys import ApiKey, Permission
from thingtank.tank.things import Account, Device

WAIT_S = 10


class Opened:
    """A store under test and its directory, with no account."""

    def __init__(self, kind: str) -> None:
        self.directory: Any
        self.accounts: Any
        if kind == "memory":
            self.directory = MemoryDirectory()
            self.accounts = MemoryAccounts(self.directory)
            return
        from thingtank.web.accounts.models import Account as AccountRow
        from thingtank.web.accounts.profiles import DjangoAccounts
        from thingtank.web.catalog import models
        from thingtank.web.catalog.directory import DjangoDirectory

        for rows in (models.Product, models.ApiKey, models.Device, AccountRow):
            rows.objects.all().delete()
        self.directory = DjangoDirectory(SECRET)
        self.directory.load()
        self.accounts = DjangoAccounts(self.directory)


@pytest.fixture(params=["memory", "database"])
async def opened(request: pytest.FixtureRequest, blocking_calls: None) -> AsyncIterator[Opened]:
    made = Opened(request.param)
    yield made
    if request.param == "database":
        made.directory.close()


FULL = {
    "email": "a@b.example",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "about": "d" * 10_000,
    "website": "w",
    "organisation": "o",
    "time_zone": "London",
}


def _create(login: str) -> Callable[[Any], Awaitable[object]]:
    return lambda accounts: accounts.insert_account(Profile(Account(0, login)), None)


# What the API does while a page's thread reads the accounts; the logins there are afterwards.
MEANWHILE: list[tuple[str, Callable[[Any], Awaitable[object]], set[str]]] = [
    ("create", _create("carol"), {"ada", "bob", "carol"}),
    ("delete", lambda accounts: accounts.delete_account("bob"), {"ada"}),
    (
        "rename",
        lambda accounts: accounts.update_profile(
            "bob", lambda newest: changed_profile(newest, ProfileChange(login="rob"))
        ),
        {"ada", "rob"},
    ),
]


@pytest.mark.parametrize(("act", "logins"), [row[1:] for row in MEANWHILE], ids=[row[0] for row in MEANWHILE])  # fmt: skip
async def test_what_the_api_does_to_accounts_holds_though_a_page_was_reading_them(
    blocking_calls: None,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[Any], Awaitable[object]],
    logins: set[str],
) -> None:
    from django.db import connection

    from thingtank.web.catalog import directory as module

    opened = Opened("database")
    for login in ("ada", "bob"):
        await made(opened, login)
    page_has_read, page_may_end = threading.Event(), threading.Event()

    def slow_account(*row: Any) -> Account:
        page_has_read.set()
        assert page_may_end.wait(WAIT_S)
        return Account(*row)

    def refresh() -> None:
        opened.directory.refresh_accounts()
        connection.close()

    monkeypatch.setattr(module, "Account", slow_account)
    page = threading.Thread(target=refresh)
    page.start()
    assert page_has_read.wait(WAIT_S)
    monkeypatch.setattr(module, "Account", Account)
    acting = asyncio.ensure_future(act(opened.accounts))
    await asyncio.wait([acting], timeout=0.2)  # enough for it to be done, if nothing holds it back
    page_may_end.set()
    await acting
    page.join(WAIT_S)
    known = {"ada", "bob", "carol", "rob"}
    assert {login for login in known if opened.directory.find_account(login)} == logins
    opened.directory.close()


async def made(opened: Opened, login: str = "ada", **fields: str) -> Profile:
    profile: Profile = await opened.accounts.insert_account(
        Profile(Account(0, login), **fields), None
    )
    return profile


async def test_an_account_is_read_back_and_the_directory_knows_it(opened: Opened) -> None:
    profile = await made(opened, **FULL)
    assert profile.account.account_id > 0
    assert profile == Profile(Account(profile.account.account_id, "ada"), **FULL)
    assert await opened.accounts.get_profile("ada") == profile
    assert opened.directory.find_account("ada") == profile.account
    for login in ("Ada", "", "\udcff", "a\x00"):
        with pytest.raises(NoSuchAccount):
            await opened.accounts.get_profile(login)


async def test_accounts_are_listed_in_pages_oldest_first(opened: Opened) -> None:
    for login in ("c", "a", "b"):
        await made(opened, login)
    page = await opened.accounts.list_profiles(1, 2)
    assert ([profile.account.login for profile in page.profiles], page.total_count) == (
        ["c", "a"],
        3,
    )
    page = await opened.accounts.list_profiles(2, 2)
    assert [profile.account.login for profile in page.profiles] == ["b"]


async def test_a_change_sees_the_newest_and_the_directory_the_new_login(opened: Opened) -> None:
    profile = await made(opened, **FULL)
    for _ in range(2):
        await opened.accounts.update_profile(
            "ada", lambda newest: msgspec.structs.replace(newest, about=newest.about[:1] + "!")
        )
    assert (await opened.accounts.get_profile("ada")).about == "d!"

    def renamed(newest: Profile) -> Profile:
        account = msgspec.structs.replace(newest.account, login="countess")
        return msgspec.structs.replace(newest, account=account)

    await opened.accounts.update_profile("ada", renamed)
    assert opened.directory.find_account("ada") is None
    found = opened.directory.get_account(profile.account.account_id)
    assert found.login == "countess"
    with pytest.raises(NoSuchAccount):
        await opened.accounts.update_profile("ada", renamed)


REFUSED = [
    ("a taken login", {"login": "taken"}, None, "username has already been taken"),
    ("no login", {"login": "a b"}, None, "login is invalid"),
    ("no address", {"email": "nowhere"}, None, "email is invalid"),
    ("a password too short", {}, "x7!", "password: This password is too short"),
]


@pytest.mark.parametrize(("fields", "password", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])  # fmt: skip
async def test_what_is_refused_is_not_stored(
    opened: Opened, fields: dict[str, str], password: str | None, message: str
) -> None:
    await made(opened, "taken")
    texts = {key: value for key, value in fields.items() if key != "login"}
    draft = Profile(Account(0, fields.get("login", "new")), **texts)
    with pytest.raises(ValidationFailed, match=message):
        await opened.accounts.insert_account(draft, password)
    assert (await opened.accounts.list_profiles(1, 9)).total_count == 1
    if password is None:
        await made(opened, "other")

        def changed(newest: Profile) -> Profile:
            account = msgspec.structs.replace(newest.account, login=draft.account.login)
            return msgspec.structs.replace(newest, account=account, email=draft.email)

        with pytest.raises(ValidationFailed, match=message):
            await opened.accounts.update_profile("other", changed)
        assert (await opened.accounts.get_profile("other")).email == ""


async def test_a_deleted_account_takes_its_keys_and_one_with_feeds_stays(opened: Opened) -> None:
    profile, other = await made(opened), await made(opened, "other")
    account_id = profile.account.account_id
    everything = (Permission(("get",)),)
    await opened.directory.insert_key(ApiKey(0, account_id, "k", everything), "sesame")
    await opened.directory.insert_key(ApiKey(0, other.account.account_id, "k", everything), "mine")
    device = await opened.directory.insert_device(
        Device(0, "uuid", account_id, "Roof"), [], "t", None
    )
    with pytest.raises(ValidationFailed, match="still has feeds: 1"):
        assert await opened.accounts.delete_account("ada") == account_id
    assert opened.directory.find_key("sesame") is not None
    await opened.directory.delete_device(device.device_id)
    await opened.accounts.delete_account("ada")
    assert opened.directory.find_account("ada") is None
    assert opened.directory.find_key("sesame") is None
    assert opened.directory.find_key("mine") is not None
    with pytest.raises(NoSuchAccount):
        await opened.accounts.delete_account("ada")
