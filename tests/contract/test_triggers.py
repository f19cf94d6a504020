"""Every store of triggers is the same thing: one suite over the memory twin and the database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_triggers import MemoryTriggers
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.datastreams import delete_datastream
from thingtank.tank.actions.devices import delete_device
from thingtank.tank.errors import NoSuchDatastream, NoSuchTrigger
from thingtank.tank.events import TriggerChanged
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Device
from thingtank.tank.trigger_interfaces import Triggers
from thingtank.tank.triggers import Armed, Trigger

SECRET = bytes(range(32))


class Opened(Protocol):
    """Triggers under test, and the directory whose datastreams they watch."""

    directory: Any
    triggers: Triggers
    account_ids: list[int]

    def reopened(self) -> Triggers: ...


class InMemory:
    def __init__(self) -> None:
        self.directory = MemoryDirectory()
        self.account_ids = [self.directory.add_account(login).account_id for login in "ab"]
        self.triggers = MemoryTriggers(self.directory)

    def reopened(self) -> Triggers:
        return self.triggers


class OnDatabase:
    def __init__(self) -> None:
        from thingtank.web.accounts.models import Account as AccountRow
        from thingtank.web.catalog import models
        from thingtank.web.catalog.directory import DjangoDirectory
        from thingtank.web.catalog.triggers import DjangoTriggers

        models.Device.objects.all().delete()
        AccountRow.objects.all().delete()
        self.account_ids = [AccountRow.objects.create_user(login).pk for login in "ab"]
        self.directory = DjangoDirectory(SECRET)
        self.directory.load()
        self.triggers = DjangoTriggers(self.directory.write)
        self.triggers.load()

    def reopened(self) -> Triggers:
        from thingtank.web.catalog.triggers import DjangoTriggers

        triggers = DjangoTriggers(self.directory.write)
        triggers.load()
        return triggers


@pytest.fixture(params=["memory", "database"])
async def opened(
    request: pytest.FixtureRequest, database: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Opened]:
    if request.param == "memory":
        yield InMemory()
        return
    from django.db import connection

    # Lets the test read Django's tables in the loop's thread.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    made = OnDatabase()
    yield made
    made.directory.close()
    connection.close()


@pytest.fixture
def triggers(opened: Opened) -> Triggers:
    return opened.triggers


@pytest.fixture
async def device_id(opened: Opened) -> int:
    return await add_device(opened, "roof")


async def add_device(opened: Opened, title: str) -> int:
    device = Device(0, f"uuid-{title}", opened.account_ids[0], title)
    datastreams = [Datastream(0, 0, "humidity"), Datastream(0, 0, "temperature")]
    stored: Device = await opened.directory.insert_device(device, datastreams, f"t-{title}", None)
    return stored.device_id


def draft(opened: Opened, device_id: int, name: str = "temperature", **fields: Any) -> Trigger:
    fields.setdefault("url", "http://example.org/hook")
    fields.setdefault("armed", Armed(1, 5, 4, "3.10"))
    return Trigger(0, opened.account_ids[0], device_id, name, "gt", "15.0", created_us=5, **fields)


async def test_a_stored_trigger_is_found_by_id_device_and_account(
    opened: Opened, triggers: Triggers, device_id: int
) -> None:
    stored = await triggers.insert(draft(opened, device_id))
    assert stored.trigger_id > 0
    assert msgspec.structs.replace(stored, trigger_id=0) == draft(opened, device_id)
    for found in (opened.triggers, opened.reopened()):
        assert found.get(stored.trigger_id) == stored
        assert list(found.all()) == [stored]
        assert list(found.of_device(device_id)) == [stored]
        assert list(found.of_account(opened.account_ids[0])) == [stored]
        assert list(found.of_account(opened.account_ids[1])) == []
        assert list(found.of_device(device_id + 1)) == []


async def test_every_field_is_kept(opened: Opened, triggers: Triggers, device_id: int) -> None:
    given = draft(
        opened, device_id, email="ann@example.org", clear_value="12.50", hold_s=60, quiet_s=7,
        is_enabled=False, armed=Armed(9, 2**52, None, None),
    )  # fmt: skip
    stored = await triggers.insert(given)
    assert opened.reopened().get(stored.trigger_id) == stored
    assert msgspec.structs.replace(stored, trigger_id=0) == given


async def test_lists_are_oldest_first_and_ids_are_never_used_again(
    opened: Opened, triggers: Triggers, device_id: int
) -> None:
    made = [await triggers.insert(draft(opened, device_id)) for _ in range(3)]
    await triggers.delete(made[2].trigger_id)
    made[2] = await triggers.insert(draft(opened, device_id))
    ids = [trigger.trigger_id for trigger in opened.reopened().of_device(device_id)]
    assert ids == sorted({trigger.trigger_id for trigger in made})
    assert made[2].trigger_id > made[1].trigger_id + 1


async def test_a_change_sees_the_newest_and_is_kept(
    opened: Opened, triggers: Triggers, device_id: int
) -> None:
    stored = await triggers.insert(draft(opened, device_id))

    def one_more(newest: Trigger) -> Trigger:
        return msgspec.structs.replace(newest, quiet_s=newest.quiet_s + 1)

    await asyncio.gather(*(triggers.update(stored.trigger_id, one_more) for _ in range(5)))
    for found in (opened.triggers, opened.reopened()):
        assert found.get(stored.trigger_id).quiet_s == stored.quiet_s + 5


async def test_what_is_not_as_it_was_seen_is_not_deleted(
    opened: Opened, triggers: Triggers, device_id: int
) -> None:
    stored = await triggers.insert(draft(opened, device_id))
    seen: list[Trigger] = []

    def refuse(newest: Trigger) -> None:
        seen.append(newest)
        raise LookupError

    with pytest.raises(LookupError):
        await triggers.delete(stored.trigger_id, refuse)
    assert (seen, triggers.get(stored.trigger_id)) == ([stored], stored)
    assert await triggers.delete(stored.trigger_id, seen.append) == stored


async def test_what_is_not_there_is_told(triggers: Triggers) -> None:
    with pytest.raises(NoSuchTrigger):
        triggers.get(10**9)
    with pytest.raises(NoSuchTrigger):
        await triggers.delete(10**9)
    with pytest.raises(NoSuchTrigger):
        await triggers.update(10**9, lambda trigger: trigger)


async def test_a_trigger_needs_its_datastream(
    opened: Opened, triggers: Triggers, device_id: int
) -> None:
    with pytest.raises(NoSuchDatastream):
        await triggers.insert(draft(opened, device_id, "pressure"))
    with pytest.raises(NoSuchDatastream):
        await triggers.insert(draft(opened, device_id + 1))
    assert list(triggers.all()) == []


async def test_triggers_go_with_their_datastream_or_device(
    opened: Opened, triggers: Triggers, device_id: int
) -> None:
    other_id = await add_device(opened, "cellar")
    wet = await triggers.insert(draft(opened, device_id, "humidity"))
    warm = await triggers.insert(draft(opened, device_id, "temperature"))
    kept = await triggers.insert(draft(opened, other_id))
    forgotten: list[Trigger] = []
    opened.directory.on_gone(lambda *gone: forgotten.extend(triggers.forget_of(*gone)))
    await opened.directory.delete_datastream(device_id, "humidity")
    assert forgotten == [wet]
    assert list(opened.reopened().all()) == [warm, kept]
    await opened.directory.delete_device(device_id)
    assert forgotten == [wet, warm]
    assert list(triggers.forget_of(device_id)) == []
    for found in (opened.triggers, opened.reopened()):
        assert list(found.all()) == [kept]


@pytest.mark.parametrize("name", ["humidity", None])
async def test_no_trigger_outlives_what_it_watches_though_whoever_deletes_it_gives_up(
    opened: Opened, triggers: Triggers, device_id: int, name: str | None
) -> None:
    await triggers.insert(draft(opened, device_id, "humidity"))
    tank = Tank(opened.directory, MemoryArchive(), triggers=triggers)
    with tank.bus.listen(TriggerChanged) as listener:
        deleting = asyncio.create_task(
            delete_device(tank, OPERATOR, device_id)
            if name is None
            else delete_datastream(tank, OPERATOR, device_id, name)
        )
        # One that is being made meanwhile; it ends in the view or is refused, never both.
        making = asyncio.create_task(triggers.insert(draft(opened, device_id, "humidity")))
        await asyncio.sleep(0)
        deleting.cancel()
        await asyncio.wait([deleting, making])
        async with asyncio.timeout(5):
            event = await listener.next()
    assert isinstance(event, TriggerChanged)
    assert event.is_deleted
    assert list(triggers.all()) == list(opened.reopened().all()) == []


async def test_when_it_fired_is_kept_through_a_change(
    opened: Opened, triggers: Triggers, device_id: int
) -> None:
    stored = await triggers.insert(draft(opened, device_id))
    triggers.note_fired(stored.trigger_id, 77)
    triggers.note_fired(stored.trigger_id + 1, 78)
    assert triggers.get(stored.trigger_id).notified_us == 77
    changed = await triggers.update(
        stored.trigger_id, lambda newest: msgspec.structs.replace(newest, url="http://b.example/")
    )
    assert changed.notified_us == 77


async def test_a_change_is_carried_through_though_its_caller_gives_up(
    opened: Opened, triggers: Triggers, device_id: int
) -> None:
    task = asyncio.create_task(triggers.insert(draft(opened, device_id)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    kept = await triggers.insert(draft(opened, device_id))  # after the first, in turn
    assert list(opened.reopened().all()) == list(triggers.all())
    assert triggers.all()[-1] == kept
