"""The users API's rules over the memory twin."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.deliveries import NOW, new, outbox_in

from thingtank.stores.memory_accounts import MemoryAccounts
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import OPERATOR, STRANGER, Caller
from thingtank.tank.accounts import ProfileChange
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.leftovers import forget_gone_accounts
from thingtank.tank.actions.users import (
    create_user,
    delete_user,
    get_user,
    list_users,
    update_user,
)
from thingtank.tank.changes import DeviceChange
from thingtank.tank.deliveries import DeliveryQuery
from thingtank.tank.errors import (
    NoSuchAccount,
    NotAllowed,
    StorageFailed,
    TankError,
    Unauthenticated,
    ValidationFailed,
)
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()


@pytest.fixture
def tank(directory: MemoryDirectory) -> Tank:
    for login, is_admin in (("alice", False), ("bob", False), ("root", True)):
        directory.add_account(login, is_admin)
    return Tank(directory, MemoryArchive(), accounts=MemoryAccounts(directory))


def caller(tank: Tank, login: str, *permissions: Permission) -> Caller:
    account = tank.directory.find_account(login)
    assert account is not None
    key = ApiKey(9, account.account_id, "k", permissions) if permissions else None
    return Caller(account, key)


MASTER = Permission(ACCESS_METHODS)
FEED = Permission(ACCESS_METHODS, (Resource(1001),))

ACTIONS: dict[str, Callable[[Tank, Caller], Awaitable[Any]]] = {
    "list": lambda tank, caller: list_users(tank, caller),
    "read": lambda tank, caller: get_user(tank, caller, "alice"),
    "create": lambda tank, caller: create_user(tank, caller, ProfileChange(login="carol")),
    "change": lambda tank, caller: update_user(tank, caller, "alice", ProfileChange(about="x")),
    "rename": lambda tank, caller: update_user(tank, caller, "alice", ProfileChange(login="al")),
    "delete": lambda tank, caller: delete_user(tank, caller, "alice"),
}

EVERYTHING = set(ACTIONS)
ALLOWED: list[tuple[str, Callable[[Tank], Caller], set[str], type[TankError]]] = [
    ("admin", lambda tank: caller(tank, "root"), EVERYTHING, NotAllowed),
    ("admin's master key", lambda tank: caller(tank, "root", MASTER), EVERYTHING, NotAllowed),
    ("operator", lambda tank: OPERATOR, EVERYTHING, NotAllowed),
    ("the person", lambda tank: caller(tank, "alice"), {"read", "change"}, NotAllowed),
    ("the person's master key", lambda tank: caller(tank, "alice", MASTER), {"read"}, NotAllowed),
    ("the person's feed key", lambda tank: caller(tank, "alice", FEED), set(), NotAllowed),
    ("admin's feed key", lambda tank: caller(tank, "root", FEED), set(), NotAllowed),
    ("another person", lambda tank: caller(tank, "bob"), set(), NotAllowed),
    ("another's master key", lambda tank: caller(tank, "bob", MASTER), set(), NotAllowed),
    ("stranger", lambda tank: STRANGER, set(), Unauthenticated),
    ("inactive admin", lambda tank: Caller(Account(3, "root", True, False)), set(), Unauthenticated),
    ("inactive person", lambda tank: Caller(Account(1, "alice", False, False)), set(), Unauthenticated),
]  # fmt: skip


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("who", "allowed", "error"), [row[1:] for row in ALLOWED], ids=[row[0] for row in ALLOWED])  # fmt: skip
async def test_who_may_do_what_with_accounts(
    tank: Tank,
    who: Callable[[Tank], Caller],
    allowed: set[str],
    error: type[TankError],
    action: str,
) -> None:
    if action in allowed:
        await ACTIONS[action](tank, who(tank))
        return
    before = await list_users(tank, OPERATOR)
    with pytest.raises(error):
        await ACTIONS[action](tank, who(tank))
    assert await list_users(tank, OPERATOR) == before


BAD: list[tuple[str, ProfileChange, str]] = [
    ("a taken login", ProfileChange(login="bob"), "username has already been taken"),
    ("no login", ProfileChange(login=" "), "login can't be blank"),
    ("a login of blanks between", ProfileChange(login="a b"), "login is invalid"),
    ("a login too long", ProfileChange(login="x" * 151), "login is too long"),
    ("no address", ProfileChange(login="carol", email="nowhere"), "email is invalid"),
    ("an address too long", ProfileChange(login="carol", email="x" * 255), "email is too long"),
    ("a name too long", ProfileChange(login="carol", first_name="x" * 151), "first_name is too long"),
    ("a last name with controls", ProfileChange(login="carol", last_name="a\x00"), "last_name can't contain control"),
    ("too much about", ProfileChange(login="carol", about="x" * 10_001), "about is too long"),
    ("a website too long", ProfileChange(login="carol", website="x" * 256), "website is too long"),
    ("an organisation too long", ProfileChange(login="carol", organisation="x" * 256), "organisation is too long"),
    ("a time zone too long", ProfileChange(login="carol", time_zone="x" * 256), "time_zone is too long"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])  # fmt: skip
async def test_bad_profiles_are_refused(tank: Tank, change: ProfileChange, message: str) -> None:
    before = await list_users(tank, OPERATOR)
    with pytest.raises(ValidationFailed, match=message):
        await create_user(tank, OPERATOR, change)
    with pytest.raises(ValidationFailed, match=message):
        await update_user(tank, OPERATOR, "alice", change)
    assert await list_users(tank, OPERATOR) == before


async def test_an_account_is_made_without_rights_changed_and_deleted(tank: Tank) -> None:
    root = caller(tank, "root")
    made = await create_user(tank, root, ProfileChange(login=" carol ", first_name="Carol"))
    assert (made.account.login, made.account.is_admin, made.full_name) == ("carol", False, "Carol")
    changed = await update_user(tank, root, "carol", ProfileChange(login="caro", last_name="C"))
    assert (changed.account.login, changed.full_name) == ("caro", "Carol C")
    assert changed.account.account_id == made.account.account_id
    await delete_user(tank, root, "caro")
    with pytest.raises(NoSuchAccount):
        await get_user(tank, root, "caro")


async def test_a_deleted_accounts_deliveries_and_signing_secrets_go_with_it(
    directory: MemoryDirectory, tank: Tank, tmp_path: Path
) -> None:
    ids = {login: caller(tank, login).account.account_id for login in ("alice", "bob")}  # type: ignore[union-attr] # `caller` looks
    async with outbox_in(tmp_path) as outbox:
        tank.deliveries = outbox
        for account_id in ids.values():
            target = f"http://user:password@{account_id}.example/"
            await outbox.record("r", 1, {}, [new(1, target, account_id=account_id)])
            await outbox.signing_secrets(account_id, NOW)
        await delete_user(tank, OPERATOR, "alice")
        assert await outbox.account_ids() == (ids["bob"],)
        (kept,) = (await outbox.list(DeliveryQuery())).deliveries
        assert kept.account_id == ids["bob"]


async def test_what_an_outbox_would_not_forget_is_forgotten_later(
    tank: Tank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(account_id: int) -> None:
        raise StorageFailed("disk full")

    alice = tank.directory.find_account("alice")
    assert alice is not None
    assert await forget_gone_accounts(tank, OPERATOR) == 0
    async with outbox_in(tmp_path) as outbox:
        tank.deliveries = outbox
        await outbox.signing_secrets(alice.account_id, NOW)
        assert await forget_gone_accounts(tank, OPERATOR) == 0
        with monkeypatch.context() as patch:
            patch.setattr(outbox, "forget_account", refuse)
            await delete_user(tank, OPERATOR, "alice")
            with pytest.raises(StorageFailed):
                await forget_gone_accounts(tank, OPERATOR)
        assert await outbox.account_ids() == (alice.account_id,)
        with pytest.raises(NotAllowed):
            await forget_gone_accounts(tank, caller(tank, "root"))
        assert await forget_gone_accounts(tank, OPERATOR) == 1
        assert await outbox.account_ids() == ()


async def test_a_person_may_send_their_own_login_along(tank: Tank) -> None:
    change = ProfileChange(login="alice", about="me")
    assert (await update_user(tank, caller(tank, "alice"), "alice", change)).about == "me"


async def test_an_account_with_feeds_and_ones_own_are_not_deleted(tank: Tank) -> None:
    await create_device(tank, caller(tank, "alice"), DeviceChange(title="f"))
    with pytest.raises(ValidationFailed, match="still has feeds: 1"):
        await delete_user(tank, OPERATOR, "alice")
    with pytest.raises(NotAllowed, match="own account"):
        await delete_user(tank, caller(tank, "root"), "root")


@pytest.mark.parametrize(("page", "per_page"), [(0, 1), (1, 0), (1, 1001), (10**9, 1), (-1, 1)])
async def test_a_list_of_users_has_bounds(tank: Tank, page: int, per_page: int) -> None:
    with pytest.raises(ValidationFailed, match="between 1 and"):
        await list_users(tank, OPERATOR, page, per_page)
