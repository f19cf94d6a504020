"""What a device's lists let others do with it, by every list, name, content and person."""

from itertools import product
from typing import Any

import pytest
from tests.unit.tank.messaging.messaging_bench import Bench

from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import OPERATOR, STRANGER, Caller, caller_of_key
from thingtank.tank.actions.devices import delete_device
from thingtank.tank.actions.keys import create_key, delete_key
from thingtank.tank.actions.tokens import create_token, reset_token, revoke_token
from thingtank.tank.errors import NotAllowed
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource
from thingtank.tank.messaging.permissions import (
    AREAS,
    LIST_NAMES,
    Area,
    Party,
    Policy,
    check_configure,
    may,
    still_holds,
)
from thingtank.tank.things import Account, Device

ALICE, BOB, ADMIN = Account(1, "alice"), Account(2, "bob"), Account(3, "root", is_admin=True)
OLD_NAMES = {"discover": "view", "configure": "update", "receive": "read", "send": "send"}
VERSION_2 = {
    ("discover", False): ("discover", "view"),
    ("configure", False): ("configure", "update"),
    ("receive", False): ("broadcast", "sent"),
    ("send", False): ("message", "from"),
    ("discover", True): ("discover", "as"),
    ("configure", True): ("configure", "as"),
    ("receive", True): ("broadcast", "as"),
    ("send", True): ("message", "as"),
}
# Whether a list of this content names everybody, and whether it names the device called "me".
CONTENTS: dict[str, tuple[Any, bool, bool]] = {
    "nobody": ([], False, False),
    "me": (["other", "me"], False, True),
    "me in capitals": (["ME"], False, True),
    "others": (["other", "mean", "m"], False, False),
    "everybody": (["*"], True, True),
    "everybody, as a text": ("*", True, True),
    "what are no texts": ([5, None, {"uuid": "me"}], False, False),
}


def device_of(uuid: str = "target", *, private: bool = False, **properties: Any) -> Device:
    numbers = {"target": 1, "me": 2, "owner": 3}
    return Device(
        numbers[uuid], uuid, ALICE.account_id, uuid, private=private, properties=properties
    )


def party_of(uuid: str, opens_id: int = 0) -> Party:
    return Party(Caller(ALICE), device_of(uuid), opens_id)


ALWAYS = {
    "itself": party_of("target"),
    "its owner": party_of("owner"),
    "who has its token": Party(STRANGER, None, 1),
    "another with its token": party_of("me", 1),
    "the operator": Party(OPERATOR),
    "its account": Party(Caller(ALICE)),
    "an admin": Party(Caller(ADMIN)),
}
OTHERS = {"me": party_of("me"), "a stranger": Party(STRANGER)}


def lists_of(area: Area, kind: str, content: Any, *, in_name: bool) -> list[dict[str, Any]]:
    """The same list under each name that it has had."""
    suffix = ("As" if in_name else "") + kind
    lists: list[dict[str, Any]] = [{name + suffix: content} for name in {area, OLD_NAMES[area]}]
    if kind == "Whitelist" and isinstance(content, list):
        entries = [{"uuid": each} if isinstance(each, str) else each for each in content]
        if not any(isinstance(each, dict) and each.get("uuid") == "me" for each in content):
            outer, inner = VERSION_2[area, in_name]
            whitelists = {outer: {inner: entries}}
            lists.append({"meshblu": {"version": "2.0.0", "whitelists": whitelists}})
    return lists


def without_list(area: Area, *, in_name: bool, is_open: bool, private: bool) -> bool:
    if in_name or area == "configure" or private:
        return False
    return is_open if area == "send" else True


@pytest.mark.parametrize("in_name", [False, True], ids=["itself", "in its name"])
@pytest.mark.parametrize("area", AREAS)
def test_a_whitelist_lets_those_that_it_names_and_no_one_else(area: Area, in_name: bool) -> None:
    wrong = []
    for (label, (content, all_named, me_named)), is_open, private in product(
        CONTENTS.items(), (False, True), (False, True)
    ):
        for properties in lists_of(area, "Whitelist", content, in_name=in_name):
            device = device_of(private=private, owner="owner", **properties)
            policy = Policy(is_open=is_open)
            found = {
                name: may(party, area, device, policy, in_name=in_name)
                for name, party in {**ALWAYS, **OTHERS}.items()
            }
            expected = dict.fromkeys(ALWAYS, True) | {"me": me_named, "a stranger": all_named}
            if found != expected:
                wrong.append((label, properties, is_open, private, found))
    assert wrong == []


@pytest.mark.parametrize("in_name", [False, True], ids=["itself", "in its name"])
@pytest.mark.parametrize("area", AREAS)
def test_a_blacklist_keeps_out_those_that_it_names_and_all_strangers(
    area: Area, in_name: bool
) -> None:
    wrong = []
    for (label, (content, _, me_named)), is_open, private in product(
        CONTENTS.items(), (False, True), (False, True)
    ):
        for properties in lists_of(area, "Blacklist", content, in_name=in_name):
            device = device_of(private=private, owner="owner", **properties)
            usual = without_list(area, in_name=in_name, is_open=is_open, private=private)
            found = {
                name: may(party, area, device, Policy(is_open=is_open), in_name=in_name)
                for name, party in {**ALWAYS, **OTHERS}.items()
            }
            expected = dict.fromkeys(ALWAYS, True) | {
                "me": usual and not me_named,
                "a stranger": False,
            }
            if found != expected:
                wrong.append((label, properties, is_open, private, found))
    assert wrong == []


@pytest.mark.parametrize("given", ["me", "me,other", {"me": True}, 5, True])
@pytest.mark.parametrize("kind", ["Whitelist", "Blacklist"])
@pytest.mark.parametrize("area", AREAS)
def test_what_should_be_a_list_and_is_none_lets_nobody(area: Area, kind: str, given: Any) -> None:
    device = device_of(**{f"{area}{kind}": given})
    for party in OTHERS.values():
        assert not may(party, area, device, Policy(is_open=True))


@pytest.mark.parametrize("in_name", [False, True], ids=["itself", "in its name"])
@pytest.mark.parametrize("area", AREAS)
def test_without_a_list_it_depends_on_tank_and_device(area: Area, in_name: bool) -> None:
    for is_open, private in product((False, True), (False, True)):
        device = device_of(private=private, owner="owner", color="red")
        expected = without_list(area, in_name=in_name, is_open=is_open, private=private)
        for party in OTHERS.values():
            found = may(party, area, device, Policy(is_open=is_open), in_name=in_name)
            assert found is expected, (is_open, private, party)
        for party in ALWAYS.values():
            assert may(party, area, device, Policy(is_open=is_open), in_name=in_name)


@pytest.mark.parametrize("area", ["receive", "send"])
def test_who_may_not_discover_a_device_may_more_only_if_it_is_named_for_that(area: Area) -> None:
    me, policy = OTHERS["me"], Policy(is_open=True)
    for hidden in (
        {"discoverWhitelist": []},
        {"viewBlacklist": ["me"]},
        {"meshblu": {"version": "1.0"}, "discoverWhitelist": ["other"]},
    ):
        assert not may(me, area, device_of(**hidden), policy)
        assert not may(me, area, device_of(**hidden, **{f"{area}Blacklist": []}), policy)
        assert may(me, area, device_of(**hidden, **{f"{area}Whitelist": ["me"]}), policy)


@pytest.mark.parametrize("area", AREAS)
def test_a_list_for_acting_in_its_name_is_another_one(area: Area) -> None:
    device = device_of(**{f"{area}AsWhitelist": ["me"], f"{area}Blacklist": ["me"]})
    assert may(OTHERS["me"], area, device, Policy(), in_name=True)
    assert not may(OTHERS["me"], area, device, Policy())
    device = device_of(**{f"{area}Whitelist": ["me"]})
    assert not may(OTHERS["me"], area, device, Policy(), in_name=True)


@pytest.mark.parametrize("area", AREAS)
def test_a_whitelist_counts_before_a_blacklist_and_a_newer_name_before_an_older(area: Area) -> None:
    me, policy = OTHERS["me"], Policy()
    assert may(
        me, area, device_of(**{f"{area}Whitelist": ["me"], f"{area}Blacklist": ["*"]}), policy
    )
    old = OLD_NAMES[area]
    if old != area:
        both = {f"{area}Whitelist": ["me"], f"{old}Whitelist": []}
        assert may(me, area, device_of(**both), policy)
        both = {f"{area}Whitelist": [], f"{old}Whitelist": ["me"]}
        assert not may(me, area, device_of(**both), policy)
    outer, inner = VERSION_2[area, False]
    newest = {"version": "2.0.0", "whitelists": {outer: {inner: []}}}
    assert not may(me, area, device_of(meshblu=newest, **{f"{area}Whitelist": ["me"]}), policy)


@pytest.mark.parametrize("area", AREAS)
def test_version_2_without_a_list_lets_nobody_and_another_version_says_nothing(area: Area) -> None:
    for whitelists in (None, {}, [], {"discover": []}, {"discover": {"view": {}}}):
        device = device_of(meshblu={"version": "2.0.0", "whitelists": whitelists})
        assert not may(OTHERS["me"], area, device, Policy(is_open=True))
    for meshblu in ({"version": "1.0.0"}, {}, [], "2.0.0", None):
        usual = without_list(area, in_name=False, is_open=True, private=False)
        assert may(OTHERS["me"], area, device_of(meshblu=meshblu), Policy(is_open=True)) is usual


def test_an_owner_is_named_in_any_case_and_a_blank_one_is_nobody() -> None:
    assert may(party_of("owner"), "configure", device_of(owner="OWNER"), Policy())
    for owner in ("", None, 5, ["owner"], {"uuid": "owner"}):
        assert not may(party_of("owner"), "configure", device_of(owner=owner), Policy())
        assert not may(Party(STRANGER), "configure", device_of(owner=owner), Policy())


def test_another_account_reads_what_is_public_and_does_nothing_else() -> None:
    bob = Party(Caller(BOB))
    for area, private in product(AREAS, (False, True)):
        device = device_of(private=private, **{f"{area}Whitelist": ["*"]})
        expected = area in ("discover", "receive") and not private
        assert may(bob, area, device, Policy(is_open=True)) is expected


@pytest.mark.parametrize("methods", [("get",), ("put",), ACCESS_METHODS])
def test_a_key_may_what_it_permits(methods: tuple[str, ...]) -> None:
    key = ApiKey(1, ALICE.account_id, "key", (Permission(methods, (Resource(1),)),))
    party = Party(Caller(ALICE, key))
    for area in AREAS:
        needed = "get" if area in ("discover", "receive") else "put"
        assert may(party, area, device_of(), Policy()) is (needed in methods)
        assert may(party, area, device_of(), Policy(), in_name=True) is ("put" in methods)
        assert not may(party, area, device_of("me"), Policy(), in_name=True)


def test_who_may_not_configure_is_told_so_without_secrets() -> None:
    party = Party(Caller(ALICE), device_of("me"), token="s3cret")
    with pytest.raises(NotAllowed, match="me may not configure device target"):
        check_configure(party, device_of(), Policy())
    check_configure(party_of("target"), device_of(), Policy())
    assert "s3cret" not in repr(party)


def test_every_list_has_a_name() -> None:
    assert len(LIST_NAMES) == 4 * 7  # four areas, of which one was never renamed
    assert {"viewWhitelist", "sendAsBlacklist", "receiveAsWhitelist"} <= LIST_NAMES


# --- what was shown, and holds no longer ---


async def test_what_a_token_opened_is_shut_when_it_is_revoked_or_replaced() -> None:
    bench = Bench()
    device = await bench.make("lamp")
    extra = (await create_token(bench.tank, OPERATOR, device.device_id)).token
    by_root, by_extra = bench.party("lamp"), Party(STRANGER, device, token=extra)
    opened = Party(STRANGER, None, device.device_id, extra)
    assert all(still_holds(each, bench.directory) for each in (by_root, by_extra, opened))
    await revoke_token(bench.tank, OPERATOR, device.device_id, extra)
    found = [still_holds(each, bench.directory) for each in (by_root, by_extra, opened)]
    assert found == [True, False, False]
    await reset_token(bench.tank, OPERATOR, device.device_id)
    assert not still_holds(by_root, bench.directory)


async def test_a_device_that_is_gone_holds_nothing_and_a_stranger_always_holds() -> None:
    bench = Bench()
    device = await bench.make("lamp")
    certified = Party(STRANGER, device)
    assert still_holds(certified, bench.directory)
    await delete_device(bench.tank, OPERATOR, device.device_id)
    assert not still_holds(certified, bench.directory)
    assert not still_holds(bench_party(device), bench.directory)
    assert still_holds(Party(STRANGER), bench.directory)


def bench_party(device: Device) -> Party:
    return Party(STRANGER, None, device.device_id, "token")


@pytest.mark.parametrize("as_device", [True, False])
async def test_what_a_key_opened_is_shut_when_it_is_gone_changed_or_its_account_is_off(
    as_device: bool,
) -> None:
    bench = Bench()
    device = await bench.make("lamp")
    who = Caller(bench.account)
    draft = ApiKey(0, bench.account.account_id, "key", (Permission(ACCESS_METHODS),))

    async def comes() -> tuple[Party, int]:
        key, secret = await create_key(bench.tank, who, draft)
        caller = caller_of_key(bench.directory, secret, bench.clock.at_us)
        return Party(caller, device if as_device else None), key.key_id

    party, key_id = await comes()
    assert still_holds(party, bench.directory)
    await delete_key(bench.tank, who, key_id)
    assert not still_holds(party, bench.directory)
    party, key_id = await comes()
    await bench.directory.update_key(key_id, lambda key: narrowed(key))
    assert not still_holds(party, bench.directory)
    party, _ = await comes()
    off(bench.directory, bench.account)
    assert not still_holds(party, bench.directory)


def narrowed(key: ApiKey) -> ApiKey:
    return ApiKey(key.key_id, key.account_id, "key", (Permission(("get",)),))


def off(directory: MemoryDirectory, account: Account) -> None:
    directory.put_account(Account(account.account_id, account.login, is_active=False))
