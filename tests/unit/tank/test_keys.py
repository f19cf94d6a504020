"""Keys: what is refused, how they are stored, and that no key grants more than its maker has."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller, caller_of_key, may_reach, may_see_secret
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.keys import create_key, regenerate_key, update_key
from thingtank.tank.changes import DeviceChange
from thingtank.tank.errors import NotAllowed, Unauthenticated, ValidationFailed
from thingtank.tank.keys import (
    ACCESS_METHODS,
    MINIMUM_INTERVAL_S_MAX,
    PERMISSIONS_MAX,
    RESOURCES_MAX,
    ApiKey,
    KeyChange,
    Permission,
    Resource,
    covers,
    kept_key,
    key_problems,
)
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account

READ = Permission(("get",))
ALL = Permission(ACCESS_METHODS)


def key_of(*permissions: Permission, **fields: Any) -> ApiKey:
    return ApiKey(
        **{"key_id": 1, "account_id": 1, "label": "k", "permissions": permissions, **fields}
    )


BAD = [
    ("no label", key_of(READ, label=" "), [("label", "can't be blank")]),
    ("a label too long", key_of(READ, label="x" * 256), [("label", "is too long (maximum is 255 characters)")]),
    ("a label with controls", key_of(READ, label="a\x00b"), [("label", "can't contain control characters")]),
    ("no permissions", key_of(), [("permissions", "can't be blank")]),
    ("no methods", key_of(Permission(())), [("permissions_access_methods", "can't be blank")]),
    ("an unknown method", key_of(Permission(("get", "patch"))), [("permissions_access_methods", "has unknown methods: patch")]),
    ("no address", key_of(Permission(("get",), source_ip="here")), [("permissions_source_ip", "is not an IP address")]),
    ("a network", key_of(Permission(("get",), source_ip="10.0.0.0/8")), [("permissions_source_ip", "is not an IP address")]),
    ("a host too long", key_of(Permission(("get",), referer="x" * 256)), [("permissions_referer", "is too long (maximum is 255 characters)")]),
    ("an interval below 0", key_of(Permission(("get",), minimum_interval_s=-1)), [("permissions_minimum_interval", f"must be between 0 and {MINIMUM_INTERVAL_S_MAX} seconds")]),
    ("an interval too long", key_of(Permission(("get",), minimum_interval_s=10**12)), [("permissions_minimum_interval", f"must be between 0 and {MINIMUM_INTERVAL_S_MAX} seconds")]),
    ("a resource of nothing", key_of(Permission(("get",), (Resource(0),))), [("", "Must supply at least one of feed_id (optionally with a datastream_id) or datastream_trigger_id")]),
    ("a datastream of no feed", key_of(Permission(("get",), (Resource(0, "t"),))), [("resources_feed_id", "can't be blank if we have supplied a datastream_id")]),
    ("a feed below 0", key_of(Permission(("get",), (Resource(-1),))), [("resources_feed_id", "is invalid")]),
    ("a datastream of no name", key_of(Permission(("get",), (Resource(7, ""),))), [("resources_datastream_id", "can't be blank")]),
    ("too many permissions", key_of(*[READ] * (PERMISSIONS_MAX + 1)), [("permissions", f"are too many (maximum is {PERMISSIONS_MAX})")]),
    ("too many resources", key_of(Permission(("get",), tuple(map(Resource, range(1, RESOURCES_MAX + 2))))), [("resources", f"are too many (maximum is {RESOURCES_MAX})")]),
    ("the same twice is told once", key_of(Permission(()), Permission(())), [("permissions_access_methods", "can't be blank")]),
]  # fmt: skip


@pytest.mark.parametrize(("key", "problems"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_key_is_told_what_is_wrong_in_xivelys_words(
    key: ApiKey, problems: list[tuple[str, str]]
) -> None:
    assert key_problems(key) == problems


def test_a_key_is_stored_in_one_form() -> None:
    permission = Permission(
        ("DELETE", " Get ", "get"),
        (Resource(7), Resource(7)),
        " 2001:DB8:0:0::1 ",
        "Dash.Example",
    )
    kept = kept_key(key_of(permission, label=" wall "))
    assert key_problems(kept) == []
    assert kept.label == "wall"
    assert kept.permissions == (
        Permission(("get", "delete"), (Resource(7),), "2001:db8::1", "dash.example"),
    )


COVERS = [
    ("the same", key_of(ALL), key_of(ALL), True),
    ("fewer methods", key_of(ALL), key_of(READ), True),
    ("more methods", key_of(READ), key_of(ALL), False),
    ("one feed of all", key_of(ALL), key_of(Permission(ACCESS_METHODS, (Resource(7),))), True),
    ("all of one feed", key_of(Permission(("get",), (Resource(7),))), key_of(READ), False),
    ("a datastream of its feed", key_of(Permission(("get",), (Resource(7),))), key_of(Permission(("get",), (Resource(7, "t"),))), True),
    ("the feed of its datastream", key_of(Permission(("get",), (Resource(7, "t"),))), key_of(Permission(("get",), (Resource(7),))), False),
    ("another feed besides", key_of(Permission(("get",), (Resource(7),))), key_of(Permission(("get",), (Resource(7), Resource(8)))), False),
    ("from its address", key_of(Permission(("get",), source_ip="10.0.0.1")), key_of(Permission(("get",), source_ip="10.0.0.1")), True),
    ("from everywhere", key_of(Permission(("get",), source_ip="10.0.0.1")), key_of(READ), False),
    ("from another page", key_of(Permission(("get",), referer="a.example")), key_of(Permission(("get",), referer="b.example")), False),
    ("from one address only", key_of(READ), key_of(Permission(("get",), source_ip="10.0.0.1")), True),
    ("finer history", key_of(Permission(("get",), minimum_interval_s=300)), key_of(READ), False),
    ("coarser history", key_of(Permission(("get",), minimum_interval_s=300)), key_of(Permission(("get",), minimum_interval_s=600)), True),
    ("an interval says nothing of writes", key_of(Permission(("put",), minimum_interval_s=300)), key_of(Permission(("put",))), True),
    ("finer by another of its permissions", key_of(Permission(ACCESS_METHODS, minimum_interval_s=300), Permission(("get",), (Resource(7),))), key_of(Permission(("get",), (Resource(7),))), True),
    ("for ever", key_of(ALL, expires_us=9), key_of(ALL), False),
    ("longer", key_of(ALL, expires_us=9), key_of(ALL, expires_us=10), False),
    ("as long", key_of(ALL, expires_us=9), key_of(ALL, expires_us=9), True),
    ("private things", key_of(ALL, private_access=False), key_of(ALL), False),
    ("public things", key_of(ALL), key_of(ALL, private_access=False), True),
    ("another account's", key_of(ALL), key_of(ALL, account_id=2), False),
]  # fmt: skip


@pytest.mark.parametrize(("holder", "key", "answer"), [row[1:] for row in COVERS], ids=[row[0] for row in COVERS])  # fmt: skip
def test_what_a_key_covers(holder: ApiKey, key: ApiKey, answer: bool) -> None:
    assert covers(holder, key) is answer


# --- the proof: whatever a key may reach, its maker may reach too ---------------------------------

FIRST, SECOND, PUBLIC, FOREIGN = 1001, 1002, 1003, 1004
DATASTREAMS = (None, "t", "u")
ADDRESSES = ("10.0.0.1", "10.0.0.2")
HOSTS = ("", "a.example", "b.example")
EXPIRIES = (None, 5, 10)
INTERVALS = (0, 300, 600)

resources = st.builds(
    Resource, st.sampled_from((FIRST, SECOND, PUBLIC, FOREIGN)), st.sampled_from(DATASTREAMS)
)
permissions = st.builds(
    Permission,
    st.lists(st.sampled_from(ACCESS_METHODS), min_size=1, max_size=4).map(tuple),
    st.lists(resources, max_size=2).map(tuple),
    st.sampled_from(("", *ADDRESSES)),
    st.sampled_from(HOSTS),
    st.sampled_from(INTERVALS),
)
# Nearly a master key, so that many of them are.
wide = st.builds(Permission, st.just(ACCESS_METHODS), minimum_interval_s=st.sampled_from(INTERVALS))
rights = st.lists(permissions | wide, min_size=1, max_size=3).map(tuple)


@st.composite
def drafts(draw: st.DrawFn) -> ApiKey:
    return ApiKey(0, 1, "k", draw(rights), draw(st.booleans()), draw(st.sampled_from(EXPIRIES)))


async def two_accounts() -> Tank:
    """Alice with two private feeds and a public one, and Bob with a public one."""
    directory = MemoryDirectory()
    alice, bob = directory.add_account("alice"), directory.add_account("bob")
    tank = Tank(directory, MemoryArchive())
    for account, private in ((alice, True), (alice, True), (alice, False), (bob, False)):
        change = DeviceChange(title="d", private=private)
        await create_device(tank, Caller(account), change)
    return tank


def finest_s(key: ApiKey, address: str, referer: str, feed_id: int, stream: str | None) -> int:
    """The finest interval of history that any one permission allows."""
    return min(
        permission.minimum_interval_s
        for permission in key.permissions
        if "get" in permission.access_methods
        and permission.source_ip in ("", address)
        and permission.referer in ("", referer)
        and (
            not permission.resources
            or Resource(feed_id) in permission.resources
            or Resource(feed_id, stream) in permission.resources
        )
    )


def excess_of(tank: Tank, maker: ApiKey, made: ApiKey) -> list[object]:
    """All that `made` may do and `maker` may not."""
    excess: list[object] = []
    account = tank.directory.get_account(1)
    for address, referer in itertools.product(ADDRESSES, HOSTS):
        mine, its = (Caller(account, key, address, referer) for key in (maker, made))
        for method, feed_id, stream in itertools.product(
            ACCESS_METHODS, (FIRST, SECOND, PUBLIC, FOREIGN), DATASTREAMS
        ):
            device = tank.directory.get_device(feed_id)
            where = (method, feed_id, stream, address, referer)
            if not may_reach(its, method, device, stream):
                continue
            if not may_reach(mine, method, device, stream):
                excess.append(where)
            elif method == "get":
                its_s = finest_s(made, address, referer, feed_id, stream)
                if its_s < finest_s(maker, address, referer, feed_id, stream):
                    excess.append((*where, its_s))
    excess += [
        at_us
        for at_us in (0, 4, 5, 9, 10, 99)
        if (made.expires_us is None or at_us < made.expires_us)
        and not (maker.expires_us is None or at_us < maker.expires_us)
    ]
    return excess


@settings(max_examples=300, deadline=None)
@given(maker=drafts(), draft=drafts(), before=drafts(), change=drafts())
async def test_no_key_that_is_made_changed_or_renewed_reaches_further_than_its_maker(
    maker: ApiKey, draft: ApiKey, before: ApiKey, change: ApiKey
) -> None:
    tank = await two_accounts()
    alice = tank.directory.get_account(1)
    own = await tank.directory.insert_key(maker, "maker")
    target = await tank.directory.insert_key(before, "before")
    known = list(tank.directory.keys_of(1))
    caller = Caller(alice, own, ADDRESSES[0])
    try:
        made, _ = await create_key(tank, caller, draft)
        assert excess_of(tank, own, made) == []
        assert own.is_master
    except (NotAllowed, ValidationFailed):
        assert tank.directory.keys_of(1) == known
    asked = KeyChange("x", change.permissions, change.private_access, change.expires_us)
    try:
        changed = await update_key(tank, caller, target.key_id, asked)
        assert excess_of(tank, own, changed) == []
    except (NotAllowed, ValidationFailed):
        assert tank.directory.get_key(target.key_id) == target
    now = tank.directory.get_key(target.key_id)
    if may_see_secret(caller, now):
        assert excess_of(tank, own, now) == []
    try:
        await regenerate_key(tank, caller, target.key_id)
        assert excess_of(tank, own, now) == []
    except NotAllowed:
        assert tank.directory.find_key("before") == now


async def test_the_proof_would_notice() -> None:
    tank = await two_accounts()
    narrow = key_of(Permission(("get",), (Resource(FIRST),), minimum_interval_s=300), expires_us=5)
    assert excess_of(tank, narrow, narrow) == []
    for wider in (
        key_of(Permission(("put",), (Resource(FIRST),)), expires_us=5),
        key_of(Permission(("get",), (Resource(SECOND),), minimum_interval_s=300), expires_us=5),
        key_of(Permission(("get",), (Resource(FIRST),)), expires_us=5),
        key_of(*narrow.permissions, expires_us=6),
    ):
        assert excess_of(tank, narrow, wider) != []


async def test_an_expired_secret_is_dead_and_a_renewed_one_is_as_old() -> None:
    tank = await two_accounts()
    alice = Caller(tank.directory.get_account(1))
    key, _ = await create_key(tank, alice, key_of(ALL, expires_us=5))
    renewed = await regenerate_key(tank, alice, key.key_id)
    assert caller_of_key(tank.directory, renewed.secret, 4).key == key
    with pytest.raises(Unauthenticated, match="expired"):
        caller_of_key(tank.directory, renewed.secret, 5)


ACCOUNT = Account(1, "alice")
ADMIN = Account(2, "root", is_admin=True)
SEEN = [
    ("its own account's person", Caller(ACCOUNT), True),
    ("itself", Caller(ACCOUNT, key_of(READ, key_id=7)), True),
    ("a master key", Caller(ACCOUNT, key_of(ALL, key_id=8)), True),
    ("a master key that expires", Caller(ACCOUNT, key_of(ALL, key_id=8, expires_us=9)), False),
    ("another key that covers it", Caller(ACCOUNT, key_of(READ, key_id=8)), False),
    ("an admin", Caller(ADMIN), False),
    ("an inactive person", Caller(Account(1, "alice", is_active=False)), False),
    ("a stranger", Caller(), False),
    ("the operator", Caller(is_operator=True), True),
]


@pytest.mark.parametrize(("caller", "answer"), [row[1:] for row in SEEN], ids=[row[0] for row in SEEN])  # fmt: skip
def test_who_may_see_a_secret(caller: Caller, answer: bool) -> None:
    assert may_see_secret(caller, key_of(READ, key_id=7)) is answer
