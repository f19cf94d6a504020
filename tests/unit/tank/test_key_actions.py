"""The keys API's rules over the memory twin: who may do what with which key."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import OPERATOR, STRANGER, Caller, caller_of_key
from thingtank.tank.actions.devices import create_device, delete_device
from thingtank.tank.actions.keys import (
    BEYOND,
    RevealedKey,
    create_key,
    delete_key,
    get_key,
    key_of_secret,
    list_keys,
    list_revealed_keys,
    regenerate_key,
    reveal_key,
    update_key,
)
from thingtank.tank.changes import DeviceChange
from thingtank.tank.errors import (
    NoSuchKey,
    NotAllowed,
    TankError,
    Unauthenticated,
    ValidationFailed,
)
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, KeyChange, Permission, Resource
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account

ALL = Permission(ACCESS_METHODS)
READ = Permission(("get",))


class World:
    """Alice with a feed, a target key, and everybody who may come along."""

    tank: Tank
    alice: Account
    feed_id: int
    target: ApiKey
    callers: dict[str, Caller]


@pytest.fixture
async def world() -> World:
    made = World()
    directory = MemoryDirectory()
    made.tank = Tank(directory, MemoryArchive())
    made.alice = directory.add_account("alice")
    bob, root = directory.add_account("bob"), directory.add_account("root", is_admin=True)
    owner = Caller(made.alice)
    made.feed_id = (await create_device(made.tank, owner, DeviceChange(title="f"))).device.device_id
    made.target = await directory.insert_key(
        ApiKey(0, made.alice.account_id, "target", (READ,), expires_us=50), "target"
    )

    async def caller(account: Account, *permissions: Permission, **fields: Any) -> Caller:
        secret = f"secret-{len(made.callers)}"
        await directory.insert_key(
            ApiKey(0, account.account_id, "k", permissions, **fields), secret
        )
        return caller_of_key(directory, secret, 0)

    made.callers = {
        "its person": owner,
        "an admin": Caller(root),
        "the operator": OPERATOR,
        "a stranger": STRANGER,
        "another person": Caller(bob),
        "an inactive person": Caller(Account(made.alice.account_id, "alice", is_active=False)),
        "the key itself": Caller(made.alice, made.target),
    }
    one_feed = Permission(ACCESS_METHODS, (Resource(made.feed_id),))
    for name, account, permission, fields in [
        ("a master key", made.alice, ALL, {}),
        ("another's master key", bob, ALL, {}),
        ("an admin's master key", root, ALL, {}),
        ("a feed key", made.alice, one_feed, {}),
        ("a reading key", made.alice, READ, {}),
        ("a master key that expires before", made.alice, ALL, {"expires_us": 40}),
        ("a master key that expires later", made.alice, ALL, {"expires_us": 60}),
        ("a master key of coarse history", made.alice, Permission(ACCESS_METHODS, minimum_interval_s=300), {}),
    ]:  # fmt: skip
        made.callers[name] = await caller(account, permission, **fields)
    return made


Act = Callable[[World, Caller], Awaitable[Any] | Any]

ACTIONS: dict[str, Act] = {
    "create": lambda w, c: create_key(w.tank, c, ApiKey(0, w.alice.account_id, "n", (READ,), expires_us=50)),
    "list": lambda w, c: list_keys(w.tank, c, w.alice.account_id),
    "get": lambda w, c: get_key(w.tank, c, w.target.key_id),
    "reveal": lambda w, c: reveal_key(w.tank, c, w.target.key_id),
    "update": lambda w, c: update_key(w.tank, c, w.target.key_id, KeyChange(label="n")),
    "regenerate": lambda w, c: regenerate_key(w.tank, c, w.target.key_id),
    "delete": lambda w, c: delete_key(w.tank, c, w.target.key_id),
}  # fmt: skip

EVERYTHING = set(ACTIONS)
ALLOWED: list[tuple[str, set[str], type[TankError]]] = [
    ("its person", EVERYTHING, NotAllowed),
    ("a master key", EVERYTHING, NotAllowed),
    ("a master key that expires later", EVERYTHING, NotAllowed),
    ("the operator", EVERYTHING, NotAllowed),
    ("an admin", EVERYTHING - {"reveal", "regenerate"}, NotAllowed),
    ("the key itself", {"get", "reveal"}, NotAllowed),
    ("a feed key", set(), NotAllowed),
    ("a reading key", set(), NotAllowed),
    ("another person", set(), NotAllowed),
    ("another's master key", set(), NotAllowed),
    ("an admin's master key", set(), NotAllowed),
    ("a stranger", set(), Unauthenticated),
    ("an inactive person", set(), Unauthenticated),
    # These manage keys, but are not shown, and cannot make or renew, what reaches further.
    ("a master key that expires before", {"list", "get", "delete"}, NotAllowed),
    ("a master key of coarse history", {"list", "get", "delete"}, NotAllowed),
]  # fmt: skip


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("who", "allowed", "error"), ALLOWED, ids=[row[0] for row in ALLOWED])
async def test_who_may_do_what_with_a_key(
    world: World, who: str, allowed: set[str], error: type[TankError], action: str
) -> None:
    async def act() -> None:
        outcome = ACTIONS[action](world, world.callers[who])
        if isinstance(outcome, Awaitable):
            await outcome

    if action in allowed:
        await act()
        return
    before = list(world.tank.directory.keys_of(world.alice.account_id))
    with pytest.raises((error, ValidationFailed)) as raised:
        await act()
    if isinstance(raised.value, ValidationFailed):  # a master key's own reach is the limit
        assert raised.value.problems == (("permissions", BEYOND),)
    assert world.tank.directory.keys_of(world.alice.account_id) == before
    assert world.tank.directory.find_key("target") == world.target


LISTED = [
    ("its person", {"target", "k"}),
    ("a master key", {"target", "k"}),
    ("a master key that expires before", {"k"}),
    ("a feed key", {"k"}),
    ("the key itself", {"target"}),
    ("another person", {"k"}),  # a key of their own
]


@pytest.mark.parametrize(("who", "labels"), LISTED, ids=[row[0] for row in LISTED])
async def test_a_list_shows_the_secrets_that_the_caller_may_use(
    world: World, who: str, labels: set[str]
) -> None:
    caller = world.callers[who]
    shown = await list_revealed_keys(world.tank, caller)
    made = "Auto-generated f device key for feed"
    assert {row.key.label for row in shown if not row.key.label.startswith(made)} == labels
    for row in shown:
        assert caller.account is not None
        assert row.key.account_id == caller.account.account_id
        assert world.tank.directory.find_key(row.secret) == row.key
    if caller.key is not None and not caller.key.is_master:
        assert [row.key for row in shown] == [caller.key]
    if who == "a master key that expires before":
        # itself alone: all other keys of alice live longer
        assert [row.key for row in shown] == [caller.key]


async def test_a_stranger_lists_no_keys(world: World) -> None:
    for who in ("a stranger", "an inactive person"):
        with pytest.raises(Unauthenticated):
            await list_revealed_keys(world.tank, world.callers[who])


async def test_a_list_may_be_limited_to_a_feed(world: World) -> None:
    owner = world.callers["its person"]
    shown = await list_revealed_keys(world.tank, owner, world.feed_id)
    assert {row.key.label for row in shown} == {
        f"Auto-generated f device key for feed {world.feed_id}",
        "k",
    }
    assert await list_revealed_keys(world.tank, owner, 999) == []
    assert await list_revealed_keys(world.tank, world.callers["a reading key"], world.feed_id) == []
    feed_key = world.callers["a feed key"]
    assert [row.key for row in await list_revealed_keys(world.tank, feed_key, world.feed_id)] == [
        feed_key.key
    ]


async def test_a_key_is_found_by_its_secret_which_no_error_repeats(world: World) -> None:
    assert key_of_secret(world.tank, "target") == world.target
    with pytest.raises(NoSuchKey) as raised:
        key_of_secret(world.tank, "wrong-secret")
    assert "wrong-secret" not in str(raised.value)


async def test_a_change_leaves_what_it_does_not_name_and_acts_at_once(world: World) -> None:
    owner = world.callers["its person"]
    changed = await update_key(world.tank, owner, world.target.key_id, KeyChange(label=" wall "))
    assert (changed.label, changed.permissions, changed.expires_us) == ("wall", (READ,), 50)
    asked = KeyChange(permissions=(Permission(("PUT", "get")),), expires_us=None)
    changed = await update_key(world.tank, owner, world.target.key_id, asked)
    assert changed.permissions == (Permission(("get", "put")),)
    assert caller_of_key(world.tank.directory, "target", 10**18).key == changed


BAD: list[tuple[str, KeyChange, str]] = [
    ("a blank label", KeyChange(label=""), "label can't be blank"),
    ("no permissions", KeyChange(permissions=()), "permissions can't be blank"),
    ("no methods", KeyChange(permissions=(Permission(()),)), "permissions_access_methods can't be blank"),
    ("a feed that is none", KeyChange(permissions=(Permission(("get",), (Resource(999),)),)), "999 is not a feed of this account"),
    ("a resource of nothing", KeyChange(permissions=(Permission(("get",), (Resource(0),)),)), "Must supply at least one of feed_id"),
    ("a datastream of no feed", KeyChange(permissions=(Permission(("get",), (Resource(0, "t"),)),)), "can't be blank if we have supplied a datastream_id"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])  # fmt: skip
async def test_bad_changes_and_drafts_are_refused(
    world: World, change: KeyChange, message: str
) -> None:
    owner = world.callers["its person"]
    with pytest.raises(ValidationFailed, match=message):
        await update_key(world.tank, owner, world.target.key_id, change)
    assert world.tank.directory.get_key(world.target.key_id) == world.target
    draft = ApiKey(
        0,
        world.alice.account_id,
        "n" if not isinstance(change.label, str) else change.label,
        (READ,) if not isinstance(change.permissions, tuple) else change.permissions,
    )
    with pytest.raises(ValidationFailed, match=message):
        await create_key(world.tank, owner, draft)


async def test_a_key_whose_other_feed_is_gone_can_still_be_renamed(world: World) -> None:
    owner = world.callers["its person"]
    other = (await create_device(world.tank, owner, DeviceChange(title="g"))).device.device_id
    both = Permission(("get",), (Resource(world.feed_id), Resource(other)))
    key, _ = await create_key(world.tank, owner, ApiKey(0, world.alice.account_id, "two", (both,)))
    await delete_device(world.tank, owner, other)
    assert (await update_key(world.tank, owner, key.key_id, KeyChange(label="one"))).label == "one"


async def test_a_renewed_key_has_its_rights_and_a_new_secret(world: World) -> None:
    master = world.callers["a master key"]
    renewed = await regenerate_key(world.tank, master, world.target.key_id)
    assert renewed == RevealedKey(world.target, renewed.secret)
    assert len(renewed.secret) == 48
    assert key_of_secret(world.tank, renewed.secret) == world.target
    with pytest.raises(Unauthenticated):
        caller_of_key(world.tank.directory, "target", 0)
    own = await regenerate_key(world.tank, master, master.key.key_id)  # type: ignore[union-attr] # a key's caller
    assert caller_of_key(world.tank.directory, own.secret, 0).key == master.key
