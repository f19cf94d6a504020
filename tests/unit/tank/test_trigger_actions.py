"""Actions on triggers over the memory twins: who may do what, what is announced, what is refused."""

from typing import Any

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_triggers import MemoryTriggers
from thingtank.tank.access import OPERATOR, STRANGER, Caller, caller_of_key
from thingtank.tank.actions import triggers as actions
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.datastreams import delete_datastream
from thingtank.tank.actions.devices import CreatedDevice, create_device, delete_device
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.errors import (
    LimitReached,
    NoSuchDevice,
    NoSuchTrigger,
    NotAllowed,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
)
from thingtank.tank.events import TriggerChanged
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource
from thingtank.tank.limits import Limits
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account, Datastream
from thingtank.tank.trigger_interfaces import NoTriggerService
from thingtank.tank.triggers import Armed, Trigger, TriggerChange

S = 1_000_000
NOW = 1_700_000_000 * S
DRAFT = TriggerChange(kind="gt", threshold="20", url="http://example.org/hook")


class StoppedClock:
    now = NOW

    def now_us(self) -> int:
        return self.now


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()


@pytest.fixture
def alice(directory: MemoryDirectory) -> Account:
    return directory.add_account("alice")


@pytest.fixture
def bob(directory: MemoryDirectory) -> Account:
    return directory.add_account("bob")


@pytest.fixture
def tank(directory: MemoryDirectory) -> Tank:
    limits = Limits(triggers_per_device_max=3, triggers_per_account_max=5)
    return Tank(
        directory, MemoryArchive(), clock=StoppedClock(), limits=limits,
        triggers=MemoryTriggers(directory),
    )  # fmt: skip


@pytest.fixture
async def made(tank: Tank, alice: Account) -> CreatedDevice:
    return await make_device(tank, alice, "Roof")


async def make_device(tank: Tank, owner: Account, title: str, **fields: Any) -> CreatedDevice:
    datastreams = [Datastream(0, 0, "humidity"), Datastream(0, 0, "temperature")]
    draft = DeviceChange(title=title, **fields)
    return await create_device(tank, Caller(owner), draft, datastreams)


async def make(tank: Tank, caller: Caller, made: CreatedDevice, **fields: Any) -> Trigger:
    draft = TriggerChange(**{"kind": "gt", "threshold": "20", "url": "http://a.example/", **fields})
    return await actions.create_trigger(tank, caller, made.device.device_id, "temperature", draft)


async def key_of(tank: Tank, made: CreatedDevice, *methods: str, name: str | None = None) -> Caller:
    resource = Resource(made.device.device_id, name)
    key = ApiKey(0, made.device.account_id, "k", (Permission(methods, (resource,)),))
    secret = "secret" + "".join(methods) + str(name)
    await tank.directory.insert_key(key, secret)
    return caller_of_key(tank.directory, secret, NOW)


OFF = "email is not sent by this server: its setting email.host is not set"


async def test_where_no_email_is_sent_a_new_address_is_refused_and_an_old_one_stays(
    tank: Tank, made: CreatedDevice
) -> None:
    old = await make(tank, OPERATOR, made, email="a@example.org")
    tank.sends_email = False
    with pytest.raises(ValidationFailed, match=OFF):
        await make(tank, OPERATOR, made, email="a@example.org")
    number = old.trigger_id
    with pytest.raises(ValidationFailed, match=OFF):
        await actions.update_trigger(tank, OPERATOR, number, TriggerChange(email="b@example.org"))
    for change in (
        TriggerChange(threshold="30"),
        TriggerChange(email="a@example.org", is_enabled=False),
        TriggerChange(is_enabled=True),
    ):
        kept = await actions.update_trigger(tank, OPERATOR, number, change)
        assert kept.email == "a@example.org"
    gone = await actions.update_trigger(tank, OPERATOR, number, TriggerChange(email=""))
    assert gone.email == ""
    with pytest.raises(ValidationFailed, match=OFF):
        await actions.update_trigger(tank, OPERATOR, number, TriggerChange(email="a@example.org"))


async def test_a_device_key_makes_reads_changes_and_deletes_triggers_on_its_feed(
    tank: Tank, made: CreatedDevice
) -> None:
    caller = caller_of_key(tank.directory, made.api_key, NOW)
    with tank.bus.listen(TriggerChanged) as listener:
        trigger = await make(tank, caller, made)
        assert listener.take_all() == [TriggerChanged(trigger)]
        assert actions.get_trigger(tank, caller, trigger.trigger_id) == trigger
        assert actions.list_triggers(tank, caller) == [trigger]
        assert actions.list_triggers(tank, caller, made.device.device_id) == [trigger]
        changed = await actions.update_trigger(
            tank, caller, trigger.trigger_id, TriggerChange(url="http://b.example/")
        )
        assert listener.take_all() == [TriggerChanged(changed)]
        await actions.delete_trigger(tank, caller, trigger.trigger_id)
        assert listener.take_all() == [TriggerChanged(changed, is_deleted=True)]
    with pytest.raises(NoSuchTrigger):
        actions.get_trigger(tank, caller, trigger.trigger_id)


async def test_a_trigger_belongs_to_the_feeds_owner_whoever_makes_it(
    tank: Tank, made: CreatedDevice, alice: Account, directory: MemoryDirectory
) -> None:
    admin = Caller(directory.add_account("root", is_admin=True))
    for caller in (admin, OPERATOR):
        assert (await make(tank, caller, made)).account_id == alice.account_id
    assert len(actions.list_triggers(tank, OPERATOR)) == 2
    assert len(actions.list_triggers(tank, Caller(alice))) == 2
    assert actions.list_triggers(tank, admin) == []
    assert len(actions.list_triggers(tank, admin, made.device.device_id)) == 2


@pytest.mark.parametrize("methods", [*ACCESS_METHODS, "put delete", "put post", "get put"])
async def test_making_needs_get_and_post(tank: Tank, made: CreatedDevice, methods: str) -> None:
    with pytest.raises(NotAllowed):
        await make(tank, await key_of(tank, made, *methods.split()), made)
    await make(tank, await key_of(tank, made, "get", "post"), made)


async def test_a_key_of_one_datastream_reaches_its_triggers_alone(
    tank: Tank, made: CreatedDevice, alice: Account
) -> None:
    wet = await key_of(tank, made, *ACCESS_METHODS, name="humidity")
    warm = await key_of(tank, made, *ACCESS_METHODS, name="temperature")
    with pytest.raises(NotAllowed):
        await make(tank, wet, made)
    trigger = await make(tank, warm, made)
    with pytest.raises(NotAllowed):
        actions.get_trigger(tank, wet, trigger.trigger_id)
    assert actions.list_triggers(tank, wet) == []
    assert actions.list_triggers(tank, warm) == [trigger]


async def test_who_only_reads_a_feed_does_not_learn_where_its_triggers_send_to(
    tank: Tank, made: CreatedDevice
) -> None:
    trigger = await make(tank, OPERATOR, made)
    reader = await key_of(tank, made, "get")
    assert actions.list_triggers(tank, reader, made.device.device_id) == []
    with pytest.raises(NotAllowed):
        actions.get_trigger(tank, reader, trigger.trigger_id)
    with pytest.raises(NotAllowed):
        await actions.test_trigger(tank, reader, trigger.trigger_id)


@pytest.mark.parametrize("private", [True, False])
async def test_nobody_makes_sees_or_changes_triggers_on_anothers_feed(
    tank: Tank, alice: Account, bob: Account, private: bool
) -> None:
    made = await make_device(tank, alice, "Roof", private=private)
    trigger = await make(tank, Caller(alice), made)
    stranger = Caller(bob)
    with pytest.raises(NotAllowed):
        await make(tank, stranger, made)
    with pytest.raises(NotAllowed):
        actions.get_trigger(tank, stranger, trigger.trigger_id)
    with pytest.raises(NotAllowed):
        await actions.update_trigger(tank, stranger, trigger.trigger_id, TriggerChange(quiet_s=9))
    with pytest.raises(NotAllowed):
        await actions.delete_trigger(tank, stranger, trigger.trigger_id)
    with pytest.raises(Unauthenticated):
        actions.get_trigger(tank, STRANGER, trigger.trigger_id)
    with pytest.raises(Unauthenticated):
        actions.list_triggers(tank, STRANGER)
    assert actions.list_triggers(tank, stranger) == []
    if private:
        with pytest.raises(NotAllowed):
            actions.list_triggers(tank, stranger, made.device.device_id)
    else:
        assert actions.list_triggers(tank, stranger, made.device.device_id) == []


@pytest.mark.parametrize(
    ("device_id", "name", "problem"),
    [
        (None, "temperature", ("environment_id", "can't be blank")),
        (999, "temperature", ("environment_id", "is not a feed")),
        (1001, "", ("stream_id", "can't be blank")),
        (1001, "pressure", ("stream_id", "is not a datastream of this feed")),
    ],
)
async def test_a_trigger_on_nothing_is_refused_as_content(
    tank: Tank, made: CreatedDevice, device_id: int | None, name: str, problem: tuple[str, str]
) -> None:
    with pytest.raises(ValidationFailed) as caught:
        await actions.create_trigger(tank, OPERATOR, device_id, name, DRAFT)
    assert caught.value.problems == (problem,)


async def test_bad_content_is_refused_and_changes_nothing(tank: Tank, made: CreatedDevice) -> None:
    trigger = await make(tank, OPERATOR, made)
    with pytest.raises(ValidationFailed):
        await make(tank, OPERATOR, made, kind="above")
    with pytest.raises(ValidationFailed):
        await make(tank, OPERATOR, made, threshold="warm")
    with pytest.raises(ValidationFailed):
        await actions.update_trigger(tank, OPERATOR, trigger.trigger_id, TriggerChange(url=""))
    assert tank.triggers.all() == [trigger]


async def test_a_threshold_that_says_nothing_is_not_kept(tank: Tank, made: CreatedDevice) -> None:
    assert (await make(tank, OPERATOR, made, kind="frozen", threshold="15.0")).threshold == ""


async def test_a_feed_and_an_account_have_so_many_triggers_at_most(
    tank: Tank, made: CreatedDevice, alice: Account
) -> None:
    for _ in range(3):
        await make(tank, OPERATOR, made)
    with pytest.raises(LimitReached, match="a feed may have 3 triggers"):
        await make(tank, OPERATOR, made)
    other = await make_device(tank, alice, "Cellar")
    for _ in range(2):
        await make(tank, OPERATOR, other)
    with pytest.raises(LimitReached, match="an account may have 5 triggers"):
        await make(tank, OPERATOR, other)


async def test_a_trigger_knows_the_value_it_was_armed_with(tank: Tank, made: CreatedDevice) -> None:
    trigger = await make(tank, OPERATOR, made)
    assert trigger.armed == Armed(1, NOW, None, None)
    write = DatastreamWrite("temperature", (NOW - 1,), ("21.0",))
    await record_datapoints(tank, OPERATOR, made.device.device_id, [write])
    for change, armed in [
        (TriggerChange(url="http://c.example/"), Armed(1, NOW, None, None)),
        (TriggerChange(threshold="30"), Armed(2, NOW, NOW - 1, "21.0")),
        (TriggerChange(is_enabled=False), Armed(2, NOW, NOW - 1, "21.0")),
        (TriggerChange(is_enabled=True), Armed(3, NOW, NOW - 1, "21.0")),
    ]:
        trigger = await actions.update_trigger(tank, OPERATOR, trigger.trigger_id, change)
        assert trigger.armed == armed


async def test_a_change_that_changes_nothing_is_not_announced(
    tank: Tank, made: CreatedDevice
) -> None:
    trigger = await make(tank, OPERATOR, made)
    with tank.bus.listen(TriggerChanged) as listener:
        assert await actions.enable_trigger(tank, OPERATOR, trigger.trigger_id) == trigger
        assert listener.take_all() == []
        disabled = await actions.enable_trigger(tank, OPERATOR, trigger.trigger_id, False)
        assert not disabled.is_enabled
        assert listener.take_all() == [TriggerChanged(disabled)]


async def test_triggers_go_with_their_datastream_and_device(
    tank: Tank, made: CreatedDevice
) -> None:
    device_id = made.device.device_id
    warm = await make(tank, OPERATOR, made)
    wet = await actions.create_trigger(tank, OPERATOR, device_id, "humidity", DRAFT)
    with tank.bus.listen(TriggerChanged) as listener:
        await delete_datastream(tank, OPERATOR, device_id, "humidity")
        assert listener.take_all() == [TriggerChanged(wet, is_deleted=True)]
        await delete_device(tank, OPERATOR, device_id)
        assert listener.take_all() == [TriggerChanged(warm, is_deleted=True)]
    with pytest.raises(NoSuchDevice):
        actions.list_triggers(tank, OPERATOR, device_id)
    assert tank.triggers.all() == []


async def test_long_lists_come_in_pages(tank: Tank, made: CreatedDevice) -> None:
    triggers = [await make(tank, OPERATOR, made) for _ in range(3)]
    assert actions.list_triggers(tank, OPERATOR, page=1, per_page=2) == triggers[:2]
    assert actions.list_triggers(tank, OPERATOR, page=2, per_page=2) == triggers[2:]
    assert actions.list_triggers(tank, OPERATOR, page=0, per_page=-3) == triggers[:1]


async def test_a_test_is_given_to_the_triggers_at_work(tank: Tank, made: CreatedDevice) -> None:
    trigger = await make(tank, OPERATOR, made)
    with pytest.raises(Unavailable):
        await actions.test_trigger(tank, OPERATOR, trigger.trigger_id)
    tested: list[Trigger] = []

    class Service(NoTriggerService):
        async def fire_test(self, trigger: Trigger) -> None:
            tested.append(trigger)

    tank.trigger_service = Service()
    await actions.test_trigger(tank, OPERATOR, trigger.trigger_id)
    assert tested == [trigger]


async def test_a_tank_without_triggers_says_so(directory: MemoryDirectory, alice: Account) -> None:
    tank = Tank(directory, MemoryArchive())
    made = await make_device(tank, alice, "Roof")
    with pytest.raises(Unavailable):
        await make(tank, OPERATOR, made)
    assert list(actions.list_triggers(tank, OPERATOR)) == []
    await delete_device(tank, OPERATOR, made.device.device_id)
