"""Deadlines of many sockets on one timer."""

import asyncio

import pytest

from thingtank.doors.skynet.sockets import deadlines
from thingtank.doors.skynet.sockets.deadlines import Deadlines

TICK_US = int(deadlines.TICK_S * 1_000_000)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000_000

    def now_us(self) -> int:
        return self.now


class Waiting:
    """Is due at some times, one after the other."""

    def __init__(self, *due_us: int) -> None:
        self.due_tick = 0
        self._due_us = list(due_us)
        self.seen_us: list[int] = []

    def next_due_us(self) -> int | None:
        return self._due_us[0] if self._due_us else None

    def take_due(self, now_us: int) -> None:
        self.seen_us.append(now_us)
        self._due_us.pop(0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(deadlines, "TICK_S", 0.001)  # how often it looks, not what a tick is
    return Clock()


async def until(clock: Clock, at_us: int) -> None:
    """Time passes."""
    while clock.now < at_us:
        clock.now += TICK_US // 2
        await asyncio.sleep(0.003)


async def test_each_is_looked_at_within_a_tick_of_its_time(clock: Clock) -> None:
    watch = Deadlines(clock.now_us)
    start_us = clock.now
    waiting = Waiting(start_us + 1_000_000, start_us + 3_000_000)
    watch.watch(waiting)
    await until(clock, start_us + 5_000_000)
    first_us, second_us = waiting.seen_us
    assert 0 <= first_us - (start_us + 1_000_000) <= TICK_US
    assert 0 <= second_us - (start_us + 3_000_000) <= TICK_US


async def test_what_was_due_long_ago_is_looked_at_soon(clock: Clock) -> None:
    watch = Deadlines(clock.now_us)
    watch.watch(Waiting(clock.now + 1))
    await until(clock, clock.now + 2_000_000)
    clock.now += 3_600_000_000  # nobody waits for an hour
    late = Waiting(0)
    watch.watch(late)
    await until(clock, clock.now + 2 * TICK_US)
    assert len(late.seen_us) == 1


async def test_time_may_come_nearer_or_never(clock: Clock) -> None:
    watch = Deadlines(clock.now_us)
    start_us = clock.now
    nearer, never = Waiting(start_us + 9_000_000), Waiting(start_us + 1_000_000)
    for waiting in (nearer, never):
        watch.watch(waiting)
    nearer._due_us = [start_us + 1_000_000]
    watch.watch(nearer)
    never._due_us = []
    watch.watch(never)
    await until(clock, start_us + 12_000_000)
    assert (len(nearer.seen_us), never.seen_us) == (1, [])


async def test_many_are_looked_at_in_portions(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "PORTION", 2)
    watch = Deadlines(clock.now_us)
    all_of_them = [Waiting(clock.now + 1) for _ in range(5)]
    for waiting in all_of_them:
        watch.watch(waiting)
    watch.forget(all_of_them[0])
    clock.now += 2 * TICK_US
    counts = []
    while not counts or counts[-1] < 4:
        counts.append(sum(len(waiting.seen_us) for waiting in all_of_them))
        await asyncio.sleep(0)
    assert set(counts) == {0, 2, 4}


async def test_nothing_is_looked_at_after_the_end(clock: Clock) -> None:
    watch = Deadlines(clock.now_us)
    waiting = Waiting(clock.now + 1)
    watch.watch(waiting)
    watch.stop()
    await until(clock, clock.now + 4 * TICK_US)
    assert waiting.seen_us == []
