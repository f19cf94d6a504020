"""When a trigger would have fired over stored history, and that looking stays within bounds."""

import random
from typing import Any

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_triggers import MemoryTriggers
from thingtank.tank.access import OPERATOR, STRANGER, Caller, caller_of_key
from thingtank.tank.actions import backtest
from thingtank.tank.actions.backtest import (
    FIRINGS_MAX,
    Backtest,
    backtest_stored_trigger,
    backtest_trigger,
)
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.triggers import create_trigger
from thingtank.tank.changes import DeviceChange
from thingtank.tank.datapoints import Datapoint, DatapointRows
from thingtank.tank.errors import NoSuchDatastream, NotAllowed, Unauthenticated, ValidationFailed
from thingtank.tank.keys import ApiKey, Permission, Resource
from thingtank.tank.limits import Limits
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account, Datastream
from thingtank.tank.trigger_rules import Firing, started, step
from thingtank.tank.triggers import Armed, Trigger, TriggerChange

S = 1_000_000
NOW = 10_000 * S
GT_20 = TriggerChange(kind="gt", threshold="20")


class StoppedClock:
    def now_us(self) -> int:
        return NOW


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()


@pytest.fixture
def alice(directory: MemoryDirectory) -> Account:
    return directory.add_account("alice")


@pytest.fixture
async def tank(directory: MemoryDirectory, alice: Account) -> Tank:
    tank = Tank(
        directory, MemoryArchive(), clock=StoppedClock(), triggers=MemoryTriggers(directory)
    )
    datastreams = [Datastream(0, 0, "t")]
    await create_device(tank, Caller(alice), DeviceChange(title="Roof"), datastreams)
    return tank


async def store(tank: Tank, *values: tuple[int, str]) -> None:
    rows = ((1, Datapoint(second * S, value)) for second, value in values)
    await tank.archive.append(DatapointRows.of(rows))


async def tried(tank: Tank, draft: TriggerChange, **fields: Any) -> Backtest:
    return await backtest_trigger(tank, OPERATOR, 1001, "t", draft, **fields)


async def seconds(tank: Tank, draft: TriggerChange, **fields: Any) -> list[int]:
    return [firing.at_us // S for firing in (await tried(tank, draft, **fields)).firings]


async def test_it_fires_as_it_would_have(tank: Tank) -> None:
    await store(tank, (10, "19"), (20, "21"), (30, "22"), (40, "19"), (50, "30"))
    found = await tried(tank, GT_20)
    assert found == Backtest(
        [Firing(20 * S, 20 * S, "21"), Firing(50 * S, 50 * S, "30")], NOW, True, 5
    )
    assert await seconds(tank, TriggerChange(kind="change", quiet_s=1)) == [20, 30, 40, 50]
    assert await seconds(tank, TriggerChange(kind="frozen")) == [950]
    assert await seconds(tank, TriggerChange(kind="gt", threshold="20", hold_s=15)) == [35, 65]


async def test_what_was_true_before_the_range_does_not_become_true_in_it(tank: Tank) -> None:
    await store(tank, (10, "21"), (20, "22"), (30, "19"), (40, "23"))
    assert await seconds(tank, GT_20, start_us=15 * S) == [40]
    assert await seconds(tank, GT_20, start_us=10 * S) == [10, 40]
    assert await seconds(tank, GT_20, start_us=15 * S, end_us=40 * S - 1) == []
    frozen = TriggerChange(kind="frozen")
    assert await seconds(tank, frozen, start_us=939 * S) == [940]
    assert await seconds(tank, frozen, start_us=941 * S) == []


async def test_time_after_the_last_datapoint_counts_up_to_now(tank: Tank) -> None:
    await store(tank, (9_500, "1"))
    assert await seconds(tank, TriggerChange(kind="frozen")) == []
    assert await seconds(tank, TriggerChange(kind="frozen"), frozen_us=499 * S) == [9_999]


async def test_pages_join_without_a_seam(tank: Tank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "_PAGE_DATAPOINTS", 7)
    chance = random.Random(5)
    values = [(second, str(chance.randint(15, 25))) for second in range(1, 500)]
    await store(tank, *values)
    draft = TriggerChange(kind="gt", threshold="20", clear_value="18", hold_s=2)
    trigger = Trigger(0, 1, 1001, "t", "gt", "20", "", "", "18", 2, armed=Armed())
    state, expected = started(trigger), []
    for second, value in values:
        state, firings = step(trigger, state, second * S, Datapoint(second * S, value))
        expected += firings
    found = await tried(tank, draft, end_us=499 * S)
    assert list(found.firings) == expected
    assert len(expected) > 20
    assert (found.datapoint_count, found.is_complete) == (499, True)


async def test_a_long_history_is_looked_at_up_to_a_limit(
    tank: Tank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "_PAGE_DATAPOINTS", 7)
    tank.limits = Limits(backtest_datapoints_max=30)
    await store(tank, *((second, "21" if second % 10 == 0 else "0") for second in range(1, 100)))
    found = await tried(tank, TriggerChange(kind="gt", threshold="20"))
    assert [firing.at_us // S for firing in found.firings] == [10, 20, 30]
    assert (found.through_us, found.is_complete, found.datapoint_count) == (30 * S, False, 30)
    more = await tried(tank, GT_20, start_us=found.through_us + 1)
    assert [firing.at_us // S for firing in more.firings] == [40, 50, 60]


async def test_firings_are_told_up_to_a_limit(tank: Tank) -> None:
    count = 2 * FIRINGS_MAX + 500
    await store(tank, *((second * 2, str(second % 2)) for second in range(count)))
    found = await tried(tank, TriggerChange(kind="gt", threshold="0", quiet_s=1))
    assert len(found.firings) == FIRINGS_MAX
    assert not found.is_complete
    assert found.through_us == found.firings[-1].at_us


async def test_a_stored_trigger_is_tried_by_what_it_says(tank: Tank, alice: Account) -> None:
    draft = TriggerChange(kind="lt", threshold="5", url="http://a.example/", hold_s=3)
    trigger = await create_trigger(tank, Caller(alice), 1001, "t", draft)
    await store(tank, (1, "3"), (9, "7"))
    found = await backtest_stored_trigger(tank, Caller(alice), trigger.trigger_id)
    assert [firing.at_us for firing in found.firings] == [4 * S]


async def test_nothing_stored_fires_nothing(tank: Tank) -> None:
    assert await tried(tank, GT_20) == Backtest([], NOW, True, 0)


async def test_it_tells_values_only_to_who_may_read_them(
    tank: Tank, directory: MemoryDirectory, alice: Account
) -> None:
    with pytest.raises(Unauthenticated):
        await backtest_trigger(tank, STRANGER, 1001, "t", GT_20)
    with pytest.raises(NotAllowed):
        await backtest_trigger(tank, Caller(directory.add_account("bob")), 1001, "t", GT_20)
    coarse = Permission(("get",), (Resource(1001),), minimum_interval_s=60)
    await directory.insert_key(ApiKey(0, alice.account_id, "k", (coarse,)), "coarse")
    with pytest.raises(NotAllowed, match="every 60 s"):
        await backtest_trigger(tank, caller_of_key(directory, "coarse", NOW), 1001, "t", GT_20)


async def test_what_cannot_be_tried_is_refused(tank: Tank) -> None:
    with pytest.raises(ValidationFailed):
        await tried(tank, TriggerChange(kind="gt", threshold="warm"))
    with pytest.raises(ValidationFailed):
        await tried(tank, GT_20, start_us=5, end_us=4)
    with pytest.raises(NoSuchDatastream):
        await backtest_trigger(tank, OPERATOR, 1001, "u", GT_20)
