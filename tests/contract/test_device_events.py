"""Devices' events are logged alike in memory and on disk."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thingtank.stores.device_event_settings import DeviceEventSettings
from thingtank.stores.device_events import DeviceEventLog
from thingtank.stores.memory_device_events import MemoryDeviceEvents
from thingtank.tank.device_events import (
    LoggedEvent,
    StoredEvent,
    make_event_id,
    number_of_event_id,
)

NOW_US = 1_795_447_035_330_000
KEEP_S = 1000
SETTINGS = DeviceEventSettings(events_per_device_max=5, keep_s=KEEP_S)

Log = DeviceEventLog | MemoryDeviceEvents


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.us = NOW_US

    def now_us(self) -> int:
        return self.us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "disk"])
async def log(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Log]:
    log = (
        MemoryDeviceEvents(SETTINGS, clock)
        if request.param == "memory"
        else await DeviceEventLog.open(tmp_path, SETTINGS, clock, trim_interval_s=0.01)
    )
    yield log
    assert log.dropped_count == 0
    await log.close()


def event(
    after_s: int, *device_ids: int, event_id: str = "", replaces: bool = False, code: int = 300
) -> LoggedEvent:
    return LoggedEvent(
        NOW_US + after_s * 1_000_000, code, device_ids, b'{"a":%d}' % after_s, event_id, replaces
    )


async def shown(log: Log, device_id: int, **words: Any) -> list[int]:
    """What the bodies of a device's events say, in order."""
    found = await log.read(device_id, **words)
    return [int(re.findall(rb"-?\d+", each.body)[0]) for each in found]


async def test_device_without_events_has_none(log: Log) -> None:
    assert await log.read(1) == []


async def test_event_is_read_as_it_was_logged(log: Log) -> None:
    log.append(LoggedEvent(NOW_US, 401, (1,), b'{"color":"red"}'))
    (found,) = await log.read(1)
    assert found == StoredEvent(found.event_id, NOW_US, 401, b'{"color":"red"}')
    assert re.fullmatch("[0-9a-f]{24}", found.event_id)
    assert int(found.event_id[:8], 16) == NOW_US // 1_000_000


async def test_newest_come_first(log: Log) -> None:
    for after_s in (1, 3, 2):
        log.append(event(after_s, 1))
    assert await shown(log, 1) == [3, 2, 1]
    assert await shown(log, 1, limit=2) == [3, 2]
    assert await shown(log, 1, limit=0) == []


async def test_of_one_instant_the_last_comes_first(log: Log) -> None:
    for number in range(4):
        log.append(LoggedEvent(NOW_US, 300, (1,), b"%d" % number))
    assert await shown(log, 1) == [3, 2, 1, 0]
    ids = [each.event_id for each in await log.read(1)]
    assert ids == sorted(ids, reverse=True)


async def test_each_device_sees_its_own(log: Log) -> None:
    log.append(event(1, 1, 2))
    log.append(event(2, 2, 3, 3))
    log.append(event(3))
    assert [await shown(log, each) for each in (1, 2, 3, 4)] == [[1], [2, 1], [2], []]


async def test_list_is_paged(log: Log) -> None:
    for after_s in range(5):
        log.append(event(after_s, 1))
    first = await log.read(1, 2)
    assert await shown(log, 1, limit=2, before=first[-1].event_id) == [2, 1]
    last = await log.read(1, 100)
    assert await shown(log, 1, before=last[-1].event_id) == []


@pytest.mark.parametrize("before", ["", "nothing", "0" * 24, "f" * 24, "𝄞"])
async def test_nothing_comes_before_an_event_that_nobody_knows(log: Log, before: str) -> None:
    log.append(event(1, 1))
    assert await log.read(1, before=before) == []


async def test_events_of_others_are_no_place_in_a_list(log: Log) -> None:
    log.append(event(1, 1))
    log.append(event(2, 2, event_id="b"))
    log.append(event(3, 2))
    for other in await log.read(2):
        assert await log.read(1, before=other.event_id) == []


async def test_event_takes_the_place_of_the_one_with_its_id(log: Log) -> None:
    log.append(event(1, 1, event_id="6b0458fb16ac510d4c000001", code=400))
    log.append(event(2, 1))
    log.append(event(3, 1, event_id="6b0458fb16ac510d4c000001", replaces=True, code=500))
    found = await log.read(1)
    assert [each.code for each in found] == [500, 300]
    assert found[0].event_id == "6b0458fb16ac510d4c000001"
    assert await shown(log, 1, before="6b0458fb16ac510d4c000001") == [2]


@pytest.mark.parametrize("is_read_between", [False, True])
async def test_replaced_event_leaves_lists_that_do_not_show_the_new_one(
    log: Log, is_read_between: bool
) -> None:
    log.append(event(1, 1, 2, event_id="a", replaces=True))
    if is_read_between:
        assert await shown(log, 2) == [1]
    log.append(event(2, 1, event_id="a", replaces=True))
    log.append(event(3, 1, event_id="a", replaces=True))
    assert await shown(log, 1) == [3]
    assert await shown(log, 2) == []


@pytest.mark.parametrize("is_read_between", [False, True])
async def test_event_whose_id_is_taken_is_left_out(log: Log, is_read_between: bool) -> None:
    log.append(event(1, 1, event_id="a"))
    if is_read_between:
        await log.read(1)
    log.append(event(2, 1, 2, event_id="a"))
    assert await shown(log, 1) == [1]
    assert await shown(log, 2) == []


async def test_only_so_many_are_kept(log: Log) -> None:
    for after_s in range(12):
        log.append(event(after_s, 1, 2) if after_s % 3 == 0 else event(after_s, 1))
    assert await shown(log, 1, limit=100) == [11, 10, 9, 8, 7]
    assert await shown(log, 2, limit=100) == [9, 6, 3, 0]


async def test_late_event_that_there_is_no_room_for_is_not_shown(log: Log) -> None:
    for after_s in (10, 11, 12, 13, 14, 1):
        log.append(event(after_s, 1))
    assert await shown(log, 1) == [14, 13, 12, 11, 10]


async def test_old_events_go(log: Log, clock: Clock) -> None:
    for after_s in range(3):
        log.append(event(after_s, 1))
    clock.us = NOW_US + (KEEP_S + 1) * 1_000_000
    assert await shown(log, 1) == [2, 1]


async def test_forgotten_device_has_no_events_and_others_keep_theirs(log: Log) -> None:
    log.append(event(1, 1, 2))
    await log.read(1)
    log.append(event(2, 1, 2))
    log.forget(1)
    log.append(event(3, 1))
    assert await shown(log, 1) == [3]
    assert await shown(log, 2) == [2, 1]
    log.forget(1)
    log.forget(3)
    assert await shown(log, 1) == []


def steps(*event_ids: str) -> st.SearchStrategy[list[LoggedEvent | int | str]]:
    events = st.builds(
        event,
        st.integers(0, 20),
        st.integers(1, 2),
        st.integers(2, 3),
        event_id=st.sampled_from(event_ids),
        replaces=st.just(True),
    )
    return st.lists(st.one_of(events, st.integers(1, 3), st.just("read")), max_size=40)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    # What was replaced makes room again for what was too much, as long as that is not trimmed.
    case=st.one_of(
        st.tuples(steps(""), st.just(5)), st.tuples(steps("", "", "a", "b"), st.just(100))
    ),
    limit=st.integers(1, 6),
)
async def test_disk_and_memory_agree(
    tmp_path_factory: pytest.TempPathFactory,
    case: tuple[list[LoggedEvent | int | str], int],
    limit: int,
) -> None:
    steps, events_max = case
    wanted = DeviceEventSettings(events_per_device_max=events_max, keep_s=KEEP_S)
    clock = Clock()
    disk = await DeviceEventLog.open(
        tmp_path_factory.mktemp("log"), wanted, clock, trim_interval_s=0.001
    )
    memory = MemoryDeviceEvents(wanted, clock)
    for step in steps:
        for log in (disk, memory):
            if isinstance(step, LoggedEvent):
                log.append(step)
            elif isinstance(step, int):
                log.forget(step)
            else:
                await log.read(1)
    for device_id in (1, 2, 3):
        before = None
        for _ in range(8):
            found = await memory.read(device_id, limit, before)
            assert [
                (each.at_us, each.body, len(each.event_id))
                for each in await disk.read(device_id, limit, before)
            ] == [(each.at_us, each.body, len(each.event_id)) for each in found]
            if not found:
                break
            before = found[-1].event_id
    await disk.close()


@given(st.integers(0, 2**32 * 1_000_000 - 1), st.integers(0, 2**63 - 1))
def test_made_ids_hold_their_number_and_rise(at_us: int, number: int) -> None:
    event_id = make_event_id(at_us, number)
    assert number_of_event_id(event_id) == number
    assert event_id >= make_event_id(at_us, max(0, number - 1))
    assert event_id >= make_event_id(max(0, at_us - 1_000_000), number)
