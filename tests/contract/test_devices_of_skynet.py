"""What every directory knows of SkyNet's devices: properties, tokens, and uuids clients choose."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.directories import (
    OnDatabase,
    Opened,
    blocking_calls_allowed,
    draft,
    made,
    opened_directory,
)

from thingtank.tank.errors import LimitReached, NoSuchDevice, UuidTaken
from thingtank.tank.interfaces import DeviceQuery, Directory
from thingtank.tank.properties import NO_PROPERTIES, properties_problems
from thingtank.tank.things import Device
from thingtank.tank.tokens import DeviceToken

MANY = 1000
PROPERTIES = {
    "color": "grün",
    "n": -(2**63),
    "x": 0.1,
    "is": True,
    "none": None,
    "list": [1, [{"a": []}], "\U0001f4a1"],
    "meshblu": {"whitelists": {"discover": {"view": [{"uuid": "*"}]}}},
    "": {},
    "$set": "a.b",
}


@pytest.fixture(params=["memory", "database"])
async def opened(request: pytest.FixtureRequest, database: Path) -> AsyncIterator[Opened]:
    async with opened_directory(request.param) as made:
        yield made


@pytest.fixture
def directory(opened: Opened) -> Directory:
    found: Directory = opened.directory
    return found


async def add_token(
    directory: Directory, device: Device, token: str, tag: str = "", created_us: int = 7
) -> DeviceToken:
    return await directory.insert_token(device.device_id, token, tag, created_us, tokens_max=MANY)


# --- properties ---


async def test_properties_are_read_back_as_they_were_stored(
    opened: Opened, directory: Directory
) -> None:
    device = await made(opened, properties=PROPERTIES)
    assert directory.get_device(device.device_id).properties == PROPERTIES
    changed = await directory.update_device(
        device.device_id, lambda newest: msgspec.structs.replace(newest, properties={"a": 1})
    )
    assert directory.get_device(device.device_id) == changed
    assert dict(changed.properties) == {"a": 1}
    await directory.update_device(
        device.device_id, lambda newest: msgspec.structs.replace(newest, title="Z")
    )
    assert directory.get_device(device.device_id).properties == {"a": 1}


async def test_devices_without_properties_share_that_they_have_none(opened: Opened) -> None:
    device = await made(opened)
    assert device.properties is NO_PROPERTIES


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.text("aß.$", max_size=4), children, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(properties=st.dictionaries(st.text("abc", max_size=3), JSON, max_size=4))
def test_whatever_has_no_problems_is_the_same_after_a_restart(
    database: Path, properties: dict[str, Any]
) -> None:
    assert properties_problems(properties) == []

    async def store_and_reopen() -> None:
        with blocking_calls_allowed():
            opened = OnDatabase()
            device = await made(opened, properties=properties)
            again = opened.reopened().get_device(device.device_id)
            assert again == device
            opened.directory.close()

    asyncio.run(store_and_reopen())


# --- tokens ---


async def test_each_of_a_devices_tokens_opens_it_and_no_other(
    opened: Opened, directory: Directory
) -> None:
    device = await directory.insert_device(draft(opened, "A"), (), "root", None)
    other = await directory.insert_device(draft(opened, "B"), (), "other root", None)
    await add_token(directory, device, "one")
    await add_token(directory, device, "two")
    for token in ("root", "one", "two"):
        assert directory.has_token(device.device_id, token)
        assert not directory.has_token(other.device_id, token)
    for token in ("", "three", "One", "other root", "onetwo", "\ud800"):
        assert not directory.has_token(device.device_id, token)
    assert not directory.has_token(999_999, "root")
    assert (directory.count_tokens(device.device_id), directory.count_tokens(999_999)) == (2, 0)


async def test_tokens_are_told_without_their_secrets_oldest_first(
    opened: Opened, directory: Directory
) -> None:
    device, other = await made(opened, "A"), await made(opened, "B")
    first = await add_token(directory, device, "sesame 1", "phone", 5)
    second = await add_token(directory, device, "sesame 2", created_us=6)
    assert await directory.tokens_of(device.device_id) == [first, second]
    assert await directory.tokens_of(other.device_id) == []
    assert (first.device_id, first.tag, first.created_us) == (device.device_id, "phone", 5)
    assert first.token_id != second.token_id
    assert "sesame" not in repr(first)


async def test_a_devices_tokens_are_bounded_its_root_token_aside(
    opened: Opened, directory: Directory
) -> None:
    device = await made(opened)

    async def add(token: str) -> DeviceToken:
        return await directory.insert_token(device.device_id, token, "", 1, tokens_max=2)

    results = await asyncio.gather(*(add(f"t{k}") for k in range(5)), return_exceptions=True)
    assert sum(isinstance(result, DeviceToken) for result in results) == 2
    assert sum(isinstance(result, LimitReached) for result in results) == 3
    assert directory.count_tokens(device.device_id) == 2
    assert directory.has_token(device.device_id, "t0")
    await directory.delete_token(device.device_id, "t0")
    await add("t9")
    assert directory.has_token(device.device_id, "t9")


async def test_a_new_root_token_ends_the_old_one_and_leaves_the_others(
    opened: Opened, directory: Directory
) -> None:
    device = await directory.insert_device(draft(opened), (), "old", None)
    await add_token(directory, device, "one")
    version = directory.rights_version
    await directory.replace_root_token(device.device_id, "new")
    assert directory.rights_version > version
    found = [directory.has_token(device.device_id, token) for token in ("old", "new", "one")]
    assert found == [False, True, True]
    assert directory.count_tokens(device.device_id) == 1


async def test_a_token_is_deleted_by_its_secret(opened: Opened, directory: Directory) -> None:
    device = await directory.insert_device(draft(opened), (), "root", None)
    await add_token(directory, device, "one")
    version = directory.rights_version
    assert await directory.delete_token(device.device_id, "one")
    assert directory.rights_version > version
    assert not directory.has_token(device.device_id, "one")
    assert not await directory.delete_token(device.device_id, "one")
    assert not await directory.delete_token(device.device_id, "root")
    assert directory.has_token(device.device_id, "root")


DELETIONS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("all", {}, set()),
    ("by number", {"token_ids": ["a1", "b1"]}, {"a2", "plain"}),
    ("by tag", {"tag": "a"}, {"b1", "plain"}),
    ("without a tag", {"tag": ""}, {"a1", "a2", "b1"}),
    ("by both", {"tag": "a", "token_ids": ["a2", "b1"]}, {"a1", "b1", "plain"}),
    ("tags differ in case", {"tag": "A"}, {"a1", "a2", "b1", "plain"}),
    ("of no number", {"token_ids": []}, {"a1", "a2", "b1", "plain"}),
]


@pytest.mark.parametrize(("terms", "kept"), [row[1:] for row in DELETIONS], ids=[row[0] for row in DELETIONS])  # fmt: skip
async def test_tokens_are_deleted_by_number_and_tag(
    opened: Opened, directory: Directory, terms: dict[str, Any], kept: set[str]
) -> None:
    device = await directory.insert_device(draft(opened, "A"), (), "root", None)
    other = await made(opened, "B")
    tags = {"a1": "a", "a2": "a", "b1": "b", "plain": ""}
    tokens = {name: await add_token(directory, device, name, tag) for name, tag in tags.items()}
    await add_token(directory, other, "a1", "a")
    if "token_ids" in terms:
        terms = {**terms, "token_ids": [tokens[name].token_id for name in terms["token_ids"]]}
    count = await directory.delete_tokens(device.device_id, **terms)
    assert count == len(tokens) - len(kept)
    assert {name for name in tags if directory.has_token(device.device_id, name)} == kept
    left = await directory.tokens_of(device.device_id)
    assert left == [token for name, token in tokens.items() if name in kept]
    assert directory.has_token(device.device_id, "root")
    assert directory.has_token(other.device_id, "a1")


async def test_tokens_go_with_their_device(opened: Opened, directory: Directory) -> None:
    device = await directory.insert_device(draft(opened), (), "root", None)
    await add_token(directory, device, "one")
    await directory.delete_device(device.device_id)
    assert not directory.has_token(device.device_id, "root")
    assert not directory.has_token(device.device_id, "one")
    assert await directory.tokens_of(device.device_id) == []
    assert directory.count_tokens(device.device_id) == 0


async def test_a_device_that_is_not_there_gets_no_tokens(directory: Directory) -> None:
    for change in (
        directory.insert_token(999_999, "t", "", 1, tokens_max=MANY),
        directory.replace_root_token(999_999, "t"),
        directory.delete_token(999_999, "t"),
        directory.delete_tokens(999_999),
    ):
        with pytest.raises(NoSuchDevice):
            await change


async def test_tokens_are_there_after_a_restart_and_the_deleted_are_not(database: Path) -> None:
    with blocking_calls_allowed():
        opened = OnDatabase()
        plain = await made(opened, "Plain")
        device = await opened.directory.insert_device(draft(opened), (), "root", None)
        kept = await add_token(opened.directory, device, "kept")
        await add_token(opened.directory, device, "gone")
        await opened.directory.delete_token(device.device_id, "gone")
        await opened.directory.replace_root_token(device.device_id, "new root")
        again = opened.reopened()
        found = {
            token
            for token in ("root", "new root", "kept", "gone")
            if again.has_token(device.device_id, token)
        }
        assert found == {"new root", "kept"}
        assert await again.tokens_of(device.device_id) == [kept]
        assert again.has_token(plain.device_id, "t")
        assert again.count_tokens(plain.device_id) == 0
        opened.directory.close()


async def test_devices_from_before_there_were_properties_keep_their_token(database: Path) -> None:
    from django.core.management import call_command

    with blocking_calls_allowed():
        opened = OnDatabase()
        device = await opened.directory.insert_device(draft(opened), (), "root", None)
        try:
            call_command("migrate", "catalog", "0005", verbosity=0)
        finally:
            call_command("migrate", verbosity=0)  # and what stands on it
        again = opened.reopened()
        assert again.get_device(device.device_id) == device
        assert again.get_device(device.device_id).properties is NO_PROPERTIES
        assert again.has_token(device.device_id, "root")
        await add_token(again, device, "one")
        opened.directory.close()


def _all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_no_token_stands_in_the_database(database: Path) -> None:
    with blocking_calls_allowed():
        opened = OnDatabase()
        device = await opened.directory.insert_device(draft(opened), (), "a root token", None)
        await add_token(opened.directory, device, "another token")
        opened.directory.close()
        stored = _all_bytes(database)
        assert device.uuid.encode() in stored
        assert b"a root token" not in stored
        assert b"another token" not in stored


# --- uuids ---


async def test_a_chosen_uuid_keeps_its_spelling_and_is_found_in_any(
    opened: Opened, directory: Directory
) -> None:
    device = await made(opened, uuid="Lamp.Of:Alice@home_1-" + "x" * 43)
    assert directory.get_device(device.device_id).uuid == device.uuid
    for uuid in (device.uuid, device.uuid.lower(), device.uuid.upper()):
        assert directory.find_device_by_uuid(uuid) == device
    assert directory.find_device_by_uuid(device.uuid[:-1]) is None


@pytest.mark.parametrize("uuid", ["Lamp", "lamp", "LAMP"])
async def test_a_uuid_is_taken_in_any_case(opened: Opened, directory: Directory, uuid: str) -> None:
    device = await made(opened, "A", uuid="Lamp")
    with pytest.raises(UuidTaken, match=f"uuid {uuid} already"):
        await made(opened, "B", uuid=uuid, account_id=opened.bob.account_id)
    assert directory.find_device_by_uuid(uuid) == device
    assert directory.list_devices(DeviceQuery(everybody=True)).devices == [device]
    await directory.delete_device(device.device_id)
    assert directory.find_device_by_uuid("lamp") is None
    again = await made(opened, "B", uuid=uuid)
    assert directory.find_device_by_uuid("Lamp") == again


async def test_of_two_who_choose_a_uuid_at_once_one_has_it(
    opened: Opened, directory: Directory
) -> None:
    results = await asyncio.gather(
        *(made(opened, uuid=uuid) for uuid in ("Lamp", "lamp")), return_exceptions=True
    )
    assert [type(result) for result in results] == [Device, UuidTaken]
    assert directory.count_devices(DeviceQuery(everybody=True)) == 1


# --- matching ---


async def test_matching_devices_are_found_newest_first(
    opened: Opened, directory: Directory
) -> None:
    times = {"A": 3, "B": 1, "C": 2, "D": 3, "E": 9, "F": 4}
    stored = {}
    for title, created_us in times.items():
        color = "blue" if title == "F" else "red"
        one = msgspec.structs.replace(
            draft(opened, title, properties={"color": color}), created_us=created_us
        )
        stored[title] = await directory.insert_device(one, (), "t", None)
    await directory.delete_device(stored["E"].device_id)

    def titles(color: str, limit: int) -> list[str]:
        found = directory.devices_matching(lambda it: it.properties.get("color") == color, limit)
        return [device.title for device in found]

    assert titles("red", 10) == ["D", "A", "C", "B"]
    assert titles("red", 3) == ["D", "A", "C"]
    assert titles("blue", 10) == ["F"]
    assert titles("green", 10) == titles("red", 0) == []


async def test_no_more_devices_are_looked_at_than_are_needed(
    opened: Opened, directory: Directory
) -> None:
    for title in "ABCDE":
        await made(opened, title)
    looked_at = []

    def matches(device: Device) -> bool:
        looked_at.append(device.title)
        return device.title != "E"

    found = directory.devices_matching(matches, 2)
    assert [device.title for device in found] == ["D", "C"]
    assert looked_at == ["E", "D", "C"]
