"""Tokens are made, replaced and revoked by who may update the device; each change is announced."""

import string
from collections.abc import Callable

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import OPERATOR, Caller, caller_of_key
from thingtank.tank.actions.devices import (
    CreatedDevice,
    create_device,
    delete_device,
    update_device,
)
from thingtank.tank.actions.tokens import (
    create_token,
    list_tokens,
    reset_token,
    revoke_token,
    revoke_tokens,
)
from thingtank.tank.changes import DeviceChange
from thingtank.tank.errors import (
    LimitReached,
    NoSuchDevice,
    NotAllowed,
    Unauthenticated,
    UuidTaken,
    ValidationFailed,
)
from thingtank.tank.events import DeviceCreated, DeviceUpdated
from thingtank.tank.keys import ApiKey, Permission, Resource
from thingtank.tank.limits import Limits
from thingtank.tank.properties import NO_PROPERTIES
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account, Device

NOW = 1_700_000_000_000_000


class StoppedClock:
    def now_us(self) -> int:
        return NOW


@pytest.fixture
def tank() -> Tank:
    return Tank(
        MemoryDirectory(),
        MemoryArchive(),
        clock=StoppedClock(),
        limits=Limits(tokens_per_device_max=2),
    )


@pytest.fixture
def alice(tank: Tank) -> Account:
    directory = tank.directory
    assert isinstance(directory, MemoryDirectory)
    directory.add_account("bob")
    return directory.add_account("alice")


@pytest.fixture
async def made(tank: Tank, alice: Account) -> CreatedDevice:
    return await create_device(tank, Caller(alice), DeviceChange(title="Roof"))


async def test_a_new_token_opens_the_device_beside_the_others(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    device_id = made.device.device_id
    with tank.bus.listen(DeviceUpdated) as listener:
        created = await create_token(tank, Caller(alice), device_id, "phone")
        assert listener.take_all() == [DeviceUpdated(made.device, is_record=False)]
    assert len(created.token) == 40
    assert set(created.token) <= set(string.hexdigits.lower())
    assert created.token not in repr(created)
    assert (created.device_token.tag, created.device_token.created_us) == ("phone", NOW)
    for token in (made.token, created.token):
        assert tank.directory.has_token(device_id, token)
    assert await list_tokens(tank, Caller(alice), device_id) == [created.device_token]


async def test_a_device_may_have_so_many_tokens_and_none_gives_way(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    device_id = made.device.device_id
    first = await create_token(tank, Caller(alice), device_id)
    await create_token(tank, Caller(alice), device_id)
    with tank.bus.listen(DeviceUpdated) as listener:
        with pytest.raises(LimitReached, match="2 tokens"):
            await create_token(tank, Caller(alice), device_id)
        assert listener.take_all() == []
    assert tank.directory.has_token(device_id, first.token)


@pytest.mark.parametrize("tag", ["t" * 256, "a\0b"])
async def test_a_tag_is_a_text_like_others(
    tank: Tank, alice: Account, made: CreatedDevice, tag: str
) -> None:
    with pytest.raises(ValidationFailed, match="tag"):
        await create_token(tank, Caller(alice), made.device.device_id, tag)


async def test_a_reset_replaces_the_root_token(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    device_id = made.device.device_id
    other = await create_token(tank, Caller(alice), device_id)
    with tank.bus.listen(DeviceUpdated) as listener:
        token = await reset_token(tank, Caller(alice), device_id)
        assert listener.take_all() == [DeviceUpdated(made.device, is_record=False)]
    assert len(token) == 40
    found = [tank.directory.has_token(device_id, t) for t in (made.token, token, other.token)]
    assert found == [False, True, True]


async def test_a_revoked_token_opens_nothing_and_only_what_changed_is_announced(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    device_id, caller = made.device.device_id, Caller(alice)
    one = await create_token(tank, caller, device_id, "a")
    two = await create_token(tank, caller, device_id, "b")
    with tank.bus.listen(DeviceUpdated) as listener:
        assert not await revoke_token(tank, caller, device_id, made.token)
        assert not await revoke_token(tank, caller, device_id, "unknown")
        assert await revoke_tokens(tank, caller, device_id, tag="c") == 0
        assert listener.take_all() == []
        assert await revoke_token(tank, caller, device_id, one.token)
        assert await revoke_tokens(tank, caller, device_id, tag="b") == 1
        assert listener.take_all() == [DeviceUpdated(made.device, is_record=False)] * 2
    for token in (one.token, two.token):
        assert not tank.directory.has_token(device_id, token)
    assert tank.directory.has_token(device_id, made.token)


async def test_only_who_may_update_the_device_has_to_do_with_its_tokens(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    device_id = made.device.device_id
    bob = tank.directory.find_account("bob")
    reads = ApiKey(0, alice.account_id, "r", (Permission(("get",), (Resource(device_id),)),))
    await tank.directory.insert_key(reads, "reading")
    reader = caller_of_key(tank.directory, "reading", NOW)
    refused = [(Caller(bob), NotAllowed), (reader, NotAllowed), (Caller(None), Unauthenticated)]
    for caller, error in refused:
        for asked in (
            create_token(tank, caller, device_id),
            list_tokens(tank, caller, device_id),
            reset_token(tank, caller, device_id),
            revoke_token(tank, caller, device_id, made.token),
            revoke_tokens(tank, caller, device_id),
        ):
            with pytest.raises(error):
                await asked
    assert tank.directory.has_token(device_id, made.token)
    assert tank.directory.count_tokens(device_id) == 0
    own = caller_of_key(tank.directory, made.api_key, NOW)
    for caller in (own, OPERATOR):
        await create_token(tank, caller, device_id)


async def test_a_device_that_is_gone_has_no_tokens(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    await delete_device(tank, Caller(alice), made.device.device_id)
    with pytest.raises(NoSuchDevice):
        await create_token(tank, Caller(alice), made.device.device_id)


# --- what a client chooses for a device ---


async def test_a_client_may_choose_uuid_and_token(tank: Tank, alice: Account) -> None:
    draft = DeviceChange(title="Lamp", properties={"color": "red"})
    with tank.bus.listen(DeviceCreated) as listener:
        made = await create_device(tank, Caller(alice), draft, uuid="My.Lamp", token="mytoken")
        assert listener.take_all() == [DeviceCreated(made.device)]
    assert (made.device.uuid, made.token) == ("My.Lamp", "mytoken")
    assert tank.directory.has_token(made.device.device_id, "mytoken")
    assert tank.directory.find_device_by_uuid("my.lamp") == made.device
    assert made.device.properties == {"color": "red"}
    with tank.bus.listen(DeviceCreated) as listener:
        with pytest.raises(UuidTaken):
            await create_device(tank, Caller(alice), draft, uuid="MY.LAMP")
        assert listener.take_all() == []


@pytest.mark.parametrize(
    ("chosen", "problems"),
    [
        ({"uuid": "a b"}, ["uuid"]),
        ({"uuid": ""}, ["uuid"]),
        ({"token": ""}, ["token"]),
        ({"token": "t" * 256}, ["token"]),
        ({"uuid": "x" * 65, "token": ""}, ["uuid", "token"]),
    ],
)
async def test_not_everything_may_be_chosen(
    tank: Tank, alice: Account, chosen: dict[str, str], problems: list[str]
) -> None:
    with pytest.raises(ValidationFailed) as raised:
        await create_device(tank, Caller(alice), DeviceChange(title="Lamp"), **chosen)  # type: ignore[arg-type] # two texts
    assert [field for field, _ in raised.value.problems] == problems


async def test_properties_are_replaced_as_a_whole_or_stay(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    device_id = made.device.device_id

    async def change(change: DeviceChange) -> dict[str, object]:
        return dict((await update_device(tank, Caller(alice), device_id, change)).properties)

    assert await change(DeviceChange(properties={"a": 1, "b": {"c": 2}})) == {"a": 1, "b": {"c": 2}}
    assert await change(DeviceChange(title="Z")) == {"a": 1, "b": {"c": 2}}
    assert await change(DeviceChange(properties={"b": 3})) == {"b": 3}
    with pytest.raises(ValidationFailed, match="properties can't contain NaN"):
        await change(DeviceChange(properties={"b": float("nan")}))
    assert tank.directory.get_device(device_id).properties == {"b": 3}
    await change(DeviceChange(properties={}))
    assert tank.directory.get_device(device_id).properties is NO_PROPERTIES


async def test_an_update_that_was_overtaken_keeps_what_the_other_changed(
    tank: Tank, alice: Account, made: CreatedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    device_id = made.device.device_id
    update = tank.directory.update_device

    async def overtaken(device_id: int, change: Callable[[Device], Device]) -> Device:
        monkeypatch.setattr(tank.directory, "update_device", update)
        await update_device(tank, Caller(alice), device_id, DeviceChange(properties={"a": 1}))
        return await update(device_id, change)

    monkeypatch.setattr(tank.directory, "update_device", overtaken)
    device = await update_device(tank, Caller(alice), device_id, DeviceChange(title="Z"))
    assert (device.title, device.properties) == ("Z", {"a": 1})


async def test_a_search_by_properties_runs_beside_the_loop(tank: Tank, alice: Account) -> None:
    for number in range(5):
        draft = DeviceChange(title=f"Lamp {number}", properties={"n": number % 2})
        await create_device(tank, Caller(alice), draft)
    found = await tank.find_devices(lambda device: device.properties.get("n") == 0, 2)
    assert [device.title for device in found] == ["Lamp 4", "Lamp 2"]
