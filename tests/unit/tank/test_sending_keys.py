"""A device's key for sending, over the memory twin."""

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import OPERATOR, STRANGER, Caller, caller_of_key, may_reach
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.keys import create_key, delete_key, list_keys, update_key
from thingtank.tank.actions.sending_keys import ensure_sending_key, find_sending_key
from thingtank.tank.changes import DeviceChange
from thingtank.tank.errors import LimitReached, NotAllowed, Unauthenticated
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, KeyChange, Permission, Resource
from thingtank.tank.limits import Limits
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device


class World:
    """Alice with two devices."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.directory = MemoryDirectory()
        self.tank = Tank(self.directory, MemoryArchive(), limits=limits)
        self.alice = Caller(self.directory.add_account("alice"))

    async def device(self, title: str = "Roof") -> Device:
        return (await create_device(self.tank, self.alice, DeviceChange(title=title))).device


async def test_it_writes_to_its_device_and_does_nothing_else() -> None:
    world = World()
    device, other = await world.device(), await world.device("Cellar")
    made = await ensure_sending_key(world.tank, world.alice, device)
    caller = caller_of_key(world.directory, made.secret, 0)
    assert [method for method in ACCESS_METHODS if may_reach(caller, method, device)] == ["put"]
    assert not any(may_reach(caller, method, other) for method in ACCESS_METHODS)
    assert made.key.label == "Roof: sends values"


async def test_there_is_one_for_all_who_ask() -> None:
    world = World()
    device = await world.device()
    first = await ensure_sending_key(world.tank, world.alice, device)
    assert await ensure_sending_key(world.tank, world.alice, device) == first
    await delete_key(world.tank, world.alice, first.key.key_id)
    assert find_sending_key(world.tank, world.alice, device) is None
    assert await ensure_sending_key(world.tank, world.alice, device) != first


FEED_ID = 1001  # of the twin's first device
PUT = Permission(("put",))


@pytest.mark.parametrize(
    "change",
    [
        {"permissions": (Permission(("put", "get"), (Resource(FEED_ID),)),)},
        {"permissions": (Permission(("put",), (Resource(FEED_ID, "t"),)),)},
        {"permissions": (Permission(("put",), (Resource(FEED_ID),), source_ip="10.0.0.1"),)},
        {"permissions": (Permission(("put",), (Resource(FEED_ID),), referer="example.com"),)},
        {"permissions": (Permission(("put",), (Resource(FEED_ID),)),) * 2},
        {"permissions": (PUT,)},
        {"expires_us": 10**18},
        {"private_access": False},
    ],
)
async def test_a_key_of_other_rights_is_none(change: dict[str, object]) -> None:
    world = World()
    device = await world.device()
    made = await ensure_sending_key(world.tank, world.alice, device)
    await update_key(world.tank, world.alice, made.key.key_id, KeyChange(**change))  # type: ignore[arg-type] # members by name
    assert find_sending_key(world.tank, world.alice, device) is None


async def test_a_long_title_is_cut() -> None:
    world = World()
    made = await ensure_sending_key(world.tank, world.alice, await world.device("x" * 255))
    assert len(made.key.label) < 255


async def test_an_account_with_too_many_keys_is_told() -> None:
    world = World(Limits(keys_per_account_max=1))
    with pytest.raises(LimitReached):
        await ensure_sending_key(world.tank, world.alice, await world.device())


async def test_only_the_owner_and_the_operator_get_it() -> None:
    world = World()
    device = await world.device()
    admin = Caller(world.directory.add_account("root", is_admin=True))
    bob = Caller(world.directory.add_account("bob"))
    for caller, error in ((admin, NotAllowed), (bob, NotAllowed), (STRANGER, Unauthenticated)):
        with pytest.raises(error):
            await ensure_sending_key(world.tank, caller, device)
    made = await ensure_sending_key(world.tank, OPERATOR, device)
    with pytest.raises(NotAllowed):  # of one that is there already
        await ensure_sending_key(world.tank, admin, device)
    assert [key.key_id for key in list_keys(world.tank, world.alice, device.account_id, device.device_id)][-1] == made.key.key_id  # fmt: skip


async def test_a_key_cannot_grant_itself_one_that_reaches_further() -> None:
    world = World()
    device, other = await world.device(), await world.device("Cellar")
    _, secret = await create_key(
        world.tank,
        world.alice,
        ApiKey(0, device.account_id, "k", (Permission(("put",), (Resource(other.device_id),)),)),
    )
    with pytest.raises(NotAllowed):
        await ensure_sending_key(world.tank, caller_of_key(world.directory, secret, 0), device)
