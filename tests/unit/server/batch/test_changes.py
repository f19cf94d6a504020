"""Schedules as they are made, run at once and removed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import WAIT_S_MAX

from thingtank.server.batch import schedules as schedules_module
from thingtank.server.batch.changes import Alert, add_schedule, remove_schedule, run_again
from thingtank.server.batch.schedule import Schedule, due_us
from thingtank.server.batch.schedules import Schedules
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_triggers import MemoryTriggers
from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.tank.triggers import Trigger

FEED_ID = 1001  # the first of a directory in memory
URL = "https://example.com/"


class PatientTriggers(MemoryTriggers):
    """Lets others go on while one is written down, as those on disk do."""

    async def insert(self, trigger: Trigger) -> Trigger:
        stored = await super().insert(trigger)
        await asyncio.sleep(0)
        return stored


@pytest.fixture
async def tank() -> Tank:
    """With feed FEED_ID."""
    directory = MemoryDirectory()
    account_id = directory.add_account("alice").account_id
    draft = Device(0, "uuid", account_id, "Machine", created_us=0, updated_us=0)
    stored = await directory.insert_device(draft, [], "token", None)
    assert stored.device_id == FEED_ID
    return Tank(directory, MemoryArchive(), triggers=PatientTriggers(directory))


@pytest.fixture
def schedules(tmp_path: Path) -> Schedules:
    return Schedules(tmp_path)


def draft(**more: Any) -> Schedule:
    plain: dict[str, Any] = {"name": "hourly", "options": ["--job", "sequence-count"],
             "inputs": ["log.txt"], "output": "out", "folder": "/", "every_s": 3600, "done_us": 0,
             "channel": "hourly"}  # fmt: skip
    return Schedule(**{**plain, **more})


@pytest.mark.parametrize(
    ("more", "alert", "said"),
    [
        ({"name": "one two"}, Alert(), "must be 1 to 40 letters"),
        ({"name": ""}, Alert(), "must be 1 to 40 letters"),
        ({"every_s": 5}, Alert(), "must be within a minute and a year"),
        ({"keep_count": 0}, Alert(), "must be 1 at least"),
        ({}, Alert(3, URL), "is needed for alerts"),
        ({"feed_id": FEED_ID}, Alert(3), "a limit needs whom to tell"),
        ({"feed_id": FEED_ID}, Alert(None, URL), "a limit needs whom to tell"),
        ({"feed_id": FEED_ID}, Alert(3, "ftp://x"), "url"),
    ],
)
async def test_a_schedule_that_cannot_be_is_refused(
    more: dict[str, Any], alert: Alert, said: str, tank: Tank, schedules: Schedules
) -> None:
    with pytest.raises(ValidationFailed, match=said):
        await add_schedule(tank, schedules, draft(**more), alert)
    assert schedules.all() == []


@pytest.mark.parametrize("output", ["out", "./out/", "/folder/x/../out"])
async def test_two_schedules_may_not_share_an_output(
    output: str, tank: Tank, schedules: Schedules
) -> None:
    await add_schedule(tank, schedules, draft(folder="/folder"), Alert())
    other = draft(name="daily", folder="/folder", output=output)
    with pytest.raises(ValidationFailed, match="output is that of schedule hourly"):
        await add_schedule(tank, schedules, other, Alert())
    await add_schedule(tank, schedules, draft(name="daily", folder="/other"), Alert())


async def test_a_schedule_that_cannot_be_kept_leaves_no_trigger(
    tank: Tank, schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules_module, "SCHEDULES_MAX", 0)
    with pytest.raises(LimitReached):
        await add_schedule(tank, schedules, draft(feed_id=FEED_ID), Alert(3, URL))
    assert list(tank.triggers.all()) == []


async def test_a_failure_that_nobody_foresaw_leaves_no_trigger(
    tank: Tank, schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(schedules_module, "write_file", fail)
    with pytest.raises(RuntimeError, match="unforeseen"):
        await add_schedule(tank, schedules, draft(feed_id=FEED_ID), Alert(3, URL))
    assert list(tank.triggers.all()) == []


async def test_who_is_cancelled_in_the_making_of_a_trigger_leaves_none(
    tank: Tank, schedules: Schedules
) -> None:
    adding = asyncio.create_task(
        add_schedule(tank, schedules, draft(feed_id=FEED_ID), Alert(3, URL))
    )
    async with asyncio.timeout(WAIT_S_MAX):
        while not list(tank.triggers.all()):  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert (list(tank.triggers.all()), schedules.all()) == ([], [])


async def test_of_two_that_add_a_schedule_at_once_one_is_refused(
    tank: Tank, schedules: Schedules
) -> None:
    asked = (add_schedule(tank, schedules, draft(feed_id=FEED_ID), Alert(3, URL)) for _ in range(2))
    made, refused = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(made, Schedule)
    assert isinstance(refused, ValidationFailed)
    assert "hourly is taken" in str(refused)
    assert schedules.all() == [made]
    assert [trigger.trigger_id for trigger in tank.triggers.all()] == [made.trigger_id]


async def test_a_schedule_is_made_once_run_again_and_removed(
    tank: Tank, schedules: Schedules
) -> None:
    made = await add_schedule(tank, schedules, draft(), Alert())
    with pytest.raises(ValidationFailed, match="hourly is taken"):
        await add_schedule(tank, schedules, draft(), Alert())
    assert schedules.all() == [made]
    again = run_again(tank, schedules, "hourly")
    assert due_us(again) == due_us(made) - 3_600_000_000
    assert await remove_schedule(tank, schedules, "hourly") == again
    assert schedules.all() == []


async def test_an_alert_is_an_ordinary_trigger_that_goes_with_its_schedule(
    tank: Tank, schedules: Schedules
) -> None:
    made = await add_schedule(tank, schedules, draft(feed_id=FEED_ID), Alert(3, URL))
    [trigger] = tank.triggers.all()
    assert trigger.trigger_id == made.trigger_id
    assert (trigger.name, trigger.kind, trigger.threshold) == ("hourly", "gt", "3")
    await remove_schedule(tank, schedules, "hourly")
    assert list(tank.triggers.all()) == []
