"""Who may do what, as a table: each row is one caller, one device, one method and the answer."""

import pytest

from thingtank.tank.access import (
    OPERATOR,
    STRANGER,
    Caller,
    check_create,
    check_manage,
    check_reach,
    check_resolution,
    listing_of,
    may_reach,
)
from thingtank.tank.errors import NotAllowed, Unauthenticated
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource
from thingtank.tank.search.device_index import DeviceIndex
from thingtank.tank.things import Account, Device

ALICE = Account(1, "alice")
BOB = Account(2, "bob")
ADMIN = Account(3, "root", is_admin=True)
GONE = Account(4, "gone", is_active=False)

PRIVATE = Device(7, "u-7", account_id=1, title="private")
PUBLIC = Device(8, "u-8", account_id=1, title="public", private=False)


def key_of(
    account: Account,
    *resources: Resource,
    methods: tuple[str, ...] = ACCESS_METHODS,
    private_access: bool = True,
    address: str = "",
    source_ip: str = "",
    minimum_interval_s: int = 0,
) -> Caller:
    permission = Permission(methods, resources, source_ip, minimum_interval_s=minimum_interval_s)
    key = ApiKey(1, account.account_id, "a key", (permission,), private_access)
    return Caller(account, key, address)


ROWS = [
    # caller, method, device, datastream, allowed
    ("operator writes anything", OPERATOR, "put", PRIVATE, None, True),
    ("stranger reads private", STRANGER, "get", PRIVATE, None, False),
    ("stranger reads public", STRANGER, "get", PUBLIC, None, False),
    ("owner deletes", Caller(ALICE), "delete", PRIVATE, None, True),
    ("other person reads private", Caller(BOB), "get", PRIVATE, None, False),
    ("other person reads public", Caller(BOB), "get", PUBLIC, None, True),
    ("other person writes public", Caller(BOB), "put", PUBLIC, None, False),
    ("admin writes private", Caller(ADMIN), "put", PRIVATE, None, True),
    ("inactive account", Caller(GONE), "get", PUBLIC, None, False),
    ("master key writes", key_of(ALICE), "put", PRIVATE, None, True),
    ("master key of another reads private", key_of(BOB), "get", PRIVATE, None, False),
    ("master key of another reads public", key_of(BOB), "get", PUBLIC, None, True),
    ("master key of another writes public", key_of(BOB), "put", PUBLIC, None, False),
    ("admin's key is not above others' keys", key_of(ADMIN), "put", PRIVATE, None, False),
    ("key without private access", key_of(ALICE, private_access=False), "get", PRIVATE, None, False),
    ("the same on a public feed", key_of(ALICE, private_access=False), "get", PUBLIC, None, True),
    ("read-only key writes", key_of(ALICE, methods=("get",)), "put", PRIVATE, None, False),
    ("feed key on its feed", key_of(ALICE, Resource(7)), "put", PRIVATE, None, True),
    ("feed key on a datastream of it", key_of(ALICE, Resource(7)), "put", PRIVATE, "t", True),
    ("feed key on another feed", key_of(ALICE, Resource(7)), "put", PUBLIC, None, False),
    ("datastream key on it", key_of(ALICE, Resource(7, "t")), "put", PRIVATE, "t", True),
    ("datastream key on its sibling", key_of(ALICE, Resource(7, "t")), "put", PRIVATE, "u", False),
    ("datastream key on the feed", key_of(ALICE, Resource(7, "t")), "get", PRIVATE, None, False),
    ("key from its address", key_of(ALICE, source_ip="10.0.0.1", address="10.0.0.1"), "get", PRIVATE, None, True),
    ("key from elsewhere", key_of(ALICE, source_ip="10.0.0.1", address="10.0.0.2"), "get", PRIVATE, None, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("caller", "method", "device", "datastream", "allowed"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_reach(
    caller: Caller, method: str, device: Device, datastream: str | None, allowed: bool
) -> None:
    assert may_reach(caller, method, device, datastream) is allowed


def test_any_one_of_several_permissions_suffices() -> None:
    read_all = Permission(("get",))
    write_one = Permission(("put",), (Resource(7),))
    caller = Caller(ALICE, ApiKey(1, 1, "two", (read_all, write_one)))
    assert may_reach(caller, "put", PRIVATE)
    assert may_reach(caller, "get", PUBLIC)
    assert not may_reach(caller, "put", PUBLIC)


def test_referer_must_be_the_permissions_host() -> None:
    permission = Permission(("get",), referer="dash.example")
    key = ApiKey(1, 1, "page", (permission,))
    assert may_reach(Caller(ALICE, key, referer="dash.example"), "get", PRIVATE)
    assert not may_reach(Caller(ALICE, key, referer="www.dash.example"), "get", PRIVATE)


def test_a_refusal_names_the_missing_right() -> None:
    with pytest.raises(NotAllowed, match=r"key “a key” lacks put on feed 7$"):
        check_reach(key_of(ALICE, methods=("get",)), "put", PRIVATE)
    with pytest.raises(
        NotAllowed, match="account bob lacks get on feed 7 datastream t, which is another account's"
    ):
        check_reach(Caller(BOB), "get", PRIVATE, "t")
    # Feed 7's owner reads it in the request log, and bob's label is not hers to read.
    with pytest.raises(
        NotAllowed, match=r"^a key of account bob lacks put on feed 7, which is ano"
    ):
        check_reach(key_of(BOB), "put", PRIVATE)
    with pytest.raises(Unauthenticated):
        check_reach(STRANGER, "get", PUBLIC)


def test_only_an_unrestricted_post_makes_devices() -> None:
    assert check_create(key_of(ALICE)) == ALICE
    assert check_create(OPERATOR) is None
    for caller in (key_of(ALICE, Resource(7)), key_of(ALICE, methods=("get", "put"))):
        with pytest.raises(NotAllowed):
            check_create(caller)
    for nobody in (STRANGER, Caller(GONE)):
        with pytest.raises(Unauthenticated):
            check_create(nobody)


def test_keys_are_managed_by_their_account_a_master_key_or_an_admin() -> None:
    for allowed in (Caller(ALICE), key_of(ALICE), Caller(ADMIN), OPERATOR):
        check_manage(allowed, 1)
    for refused in (Caller(BOB), key_of(BOB), key_of(ALICE, Resource(7)), key_of(ADMIN)):
        with pytest.raises(NotAllowed):
            check_manage(refused, 1)


def test_minimum_interval_bounds_the_resolution_of_history() -> None:
    caller = key_of(ALICE, minimum_interval_s=300)
    check_resolution(caller, 300, PRIVATE)
    with pytest.raises(NotAllowed, match="every 300 s"):
        check_resolution(caller, 60, PRIVATE)
    check_resolution(Caller(ALICE), 0, PRIVATE)


def test_minimum_interval_bounds_a_key_of_one_datastream_too() -> None:
    caller = key_of(ALICE, Resource(7, "t"), minimum_interval_s=3600)
    check_resolution(caller, 3600, PRIVATE, "t")
    with pytest.raises(NotAllowed, match="every 3600 s"):
        check_resolution(caller, 0, PRIVATE, "t")


DEVICES = [
    PRIVATE,
    PUBLIC,
    Device(9, "u-9", account_id=2, title="another's, private"),
    Device(10, "u-10", account_id=2, title="another's, public", private=False),
]
LISTERS = {
    "a person": Caller(ALICE),
    "a stranger where public is keyless": Caller(reads_public=True),
    "a master key": key_of(ALICE),
    "a key without private access": key_of(ALICE, private_access=False),
    "a key that only writes": key_of(ALICE, methods=("put",)),
    "a key bound to another address": key_of(ALICE, address="9.9.9.9", source_ip="10.1.1.1"),
    "a key bound to this address": key_of(ALICE, address="10.1.1.1", source_ip="10.1.1.1"),
    "a key of a feed": key_of(ALICE, Resource(7)),
    "a key of a feed of another's": key_of(ALICE, Resource(10), Resource(9)),
    "a key of a datastream": key_of(ALICE, Resource(7, "t")),
    "a person who is gone": Caller(GONE),
    "a stranger": STRANGER,
}


@pytest.mark.parametrize("caller", LISTERS.values(), ids=LISTERS)
def test_a_list_holds_what_may_be_read(caller: Caller) -> None:
    readable = [device for device in DEVICES if may_reach(caller, "get", device)]
    try:
        listing = listing_of(caller)
    except (NotAllowed, Unauthenticated):
        assert readable == []
        return
    query = DeviceQuery(
        account_id=listing.account_id,
        with_public=True,
        with_private=listing.account_id is not None,
        device_ids=listing.device_ids,
        order="title",
    )
    index = DeviceIndex({d.device_id: d for d in DEVICES}, lambda _: {}, lambda: [ALICE, BOB])
    index.load()
    page = index.find(query)
    assert {device.device_id for device in page.devices} == {d.device_id for d in readable}
