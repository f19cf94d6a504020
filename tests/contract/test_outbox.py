"""The contract of `tank.outbox.Outbox`, which the triggers' engine relies on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from tests.deliveries import NOW, S, new, outbox_in

from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.deliveries import Busy, DeliveryQuery
from thingtank.tank.errors import StorageFailed

Open = Callable[[], AbstractAsyncContextManager[SqliteOutbox]]


@pytest.fixture
def open_outbox(tmp_path: Path) -> Open:
    return lambda: outbox_in(tmp_path)


@pytest.fixture
async def outbox(open_outbox: Open) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox() as outbox:
        yield outbox


async def test_a_new_outbox_knows_no_place_and_no_state(outbox: SqliteOutbox) -> None:
    assert await outbox.place("triggers") == 0
    assert await outbox.states() == {}


async def test_what_was_recorded_is_there_after_opening_anew(open_outbox: Open) -> None:
    async with open_outbox() as outbox:
        await outbox.record("triggers", 5, {1: b"a", 2: b"\x00\xff"}, [new(1), new(2)])
        await outbox.record("sinks", 3, {}, [])
    async with open_outbox() as outbox:
        assert await outbox.place("triggers") == 5
        assert await outbox.place("sinks") == 3
        assert await outbox.states() == {1: b"a", 2: b"\x00\xff"}
        found = (await outbox.list(DeliveryQuery())).deliveries
        assert [delivery.trigger_id for delivery in found] == [2, 1]
        assert [delivery.body for delivery in found] == [new(2).body, new(1).body]


async def test_a_later_state_replaces_and_others_stay(outbox: SqliteOutbox) -> None:
    await outbox.record("triggers", 1, {1: b"old", 2: b"two"}, [])
    await outbox.record("triggers", 2, {1: b"new"}, [])
    assert await outbox.states() == {1: b"new", 2: b"two"}


async def test_a_place_never_goes_back(outbox: SqliteOutbox) -> None:
    await outbox.record("triggers", 9, {}, [])
    await outbox.record("triggers", 4, {}, [])
    assert await outbox.place("triggers") == 9


async def test_timers_record_without_moving_on_in_the_journal(outbox: SqliteOutbox) -> None:
    await outbox.record("triggers", 9, {}, [new(1)])
    await outbox.record("triggers", 9, {}, [new(1)])
    assert len((await outbox.list(DeliveryQuery())).deliveries) == 2


async def test_a_record_that_fails_leaves_nothing_of_itself(outbox: SqliteOutbox) -> None:
    await outbox.record("triggers", 1, {1: b"a"}, [])
    too_large = 2**63  # does not fit SQLite's integers
    with pytest.raises((StorageFailed, OverflowError)):
        await outbox.record("triggers", 2, {1: b"b", too_large: b"c"}, [new(1)])
    assert await outbox.place("triggers") == 1
    assert await outbox.states() == {1: b"a"}
    assert (await outbox.list(DeliveryQuery())).deliveries == []


async def test_deleted_triggers_are_forgotten_and_what_waits_is_cancelled(
    outbox: SqliteOutbox,
) -> None:
    await outbox.record("triggers", 1, {1: b"a", 2: b"b"}, [new(1), new(1), new(2)])
    await outbox.forget_triggers([1, 99], NOW + S)
    assert await outbox.states() == {2: b"b"}
    due = await outbox.due(NOW + S, 10, Busy())
    assert [delivery.trigger_id for delivery in due] == [2]
    states = [str(x.state) for x in (await outbox.list(DeliveryQuery(trigger_id=1))).deliveries]
    assert states == ["cancelled", "cancelled"]


async def test_the_same_caller_may_record_while_others_read(outbox: SqliteOutbox) -> None:
    await asyncio.gather(
        *(outbox.record("triggers", seq, {seq: b"s"}, [new(seq)]) for seq in range(1, 50)),
        *(outbox.list(DeliveryQuery(limit=10)) for _ in range(50)),
    )
    assert await outbox.place("triggers") == 49
    assert len(await outbox.states()) == 49
