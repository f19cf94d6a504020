"""Graphs of a tank: what is read for them, who may see them, and when they are drawn anew."""

import asyncio
from collections.abc import Sequence

import pytest

from thingtank.doors.xively.graphs.cache import PictureCache
from thingtank.doors.xively.graphs.drawer import Drawer
from thingtank.doors.xively.graphs.graphs import POINTS_MAX, Graphs
from thingtank.doors.xively.graphs.question import GraphQuestion
from thingtank.protocols.xively.errors import MalformedQuery
from thingtank.protocols.xively.query import parse_parameters
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import STRANGER, Caller
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import create_device
from thingtank.tank.changes import DatastreamChange, DatastreamWrite, DeviceChange
from thingtank.tank.errors import (
    LimitReached,
    NoSuchDatastream,
    NoSuchDevice,
    NotAllowed,
    Unauthenticated,
    ValidationFailed,
)
from thingtank.tank.keys import ApiKey, Permission
from thingtank.tank.tank import Tank
from thingtank.tank.things import Unit

S = 1_000_000
DAY_S = 86_400
NOW = 1_700_000_000 * S


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at_us = NOW

    def now_us(self) -> int:
        return self.at_us


class Draughtsman(Drawer):
    """Remembers what it was asked; draws nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[GraphQuestion] = []

    async def draw(self, question: GraphQuestion) -> bytes:
        self.asked.append(question)
        await asyncio.sleep(0)
        return b"picture %d" % len(self.asked)


class World:
    """A tank with one feed, and graphs of it."""

    def __init__(self) -> None:
        self.clock, self.directory = Clock(), MemoryDirectory()
        self.tank = Tank(self.directory, MemoryArchive(), clock=self.clock)
        self.account = self.directory.add_account("alice")
        self.alice = Caller(self.account)
        self.drawer = Draughtsman()
        self.graphs = Graphs(self.tank, self.drawer)
        self.feed_id = 0

    async def write(self, points: Sequence[tuple[int, str]], name: str = "t") -> None:
        for start in range(0, len(points), 500):
            part = points[start : start + 500]
            write = DatastreamWrite(
                name, [at for at, _ in part], [value for _, value in part],
                DatastreamChange(unit=Unit("", "°C", "Celsius")),
            )  # fmt: skip
            await record_datapoints(
                self.tank, self.alice, self.feed_id, [write], creates_missing=True
            )

    async def png(self, query: str = "", caller: Caller | None = None, name: str = "t") -> bytes:
        parameters = parse_parameters(query.encode())
        return await self.graphs.png(caller or self.alice, self.feed_id, name, parameters)


@pytest.fixture
async def world() -> World:
    world = World()
    made = await create_device(world.tank, world.alice, DeviceChange(title="Roof", private=True))
    world.feed_id = made.device.device_id
    await world.write([(NOW - minute * 60 * S, str(minute)) for minute in range(2000)])
    return world


async def test_a_day_in_every_detail_is_shown_when_no_range_is_asked_for(world: World) -> None:
    await world.png()
    (asked,) = world.drawer.asked
    assert abs(asked.start_us - (NOW - DAY_S * S)) <= 144 * S
    assert asked.end_us - asked.start_us == DAY_S * S
    assert asked.interval_s == 60
    assert len(asked.values) in (1439, 1440, 1441)  # more than one page
    assert asked.values[-1] == "0"
    assert (asked.unit, asked.minimum, asked.maximum) == ("°C", 0.0, 1999.0)


@pytest.mark.parametrize(
    ("query", "interval_s", "count"),
    [
        ("duration=1hour", 0, 60),
        ("duration=6hours", 0, 360),
        ("duration=2days", 300, 400),
        ("start=2023-11-14T20:00:00Z&end=2023-11-14T21:00:00Z", 0, 60),
        ("duration=6hours&interval=3600", 3600, 7),
        ("duration=6hours&limit=3", 0, 360),
        ("duration=1year", 43_200, 3),
        ("start=2023-11-14T20:00:00Z", 0, 134),
        ("duration=6hours&function=average&interval=900", 900, 24),
    ],
)
async def test_the_range_and_the_interval_follow_the_parameters(
    world: World, query: str, interval_s: int, count: int
) -> None:
    await world.png(query)
    (asked,) = world.drawer.asked
    assert asked.interval_s == interval_s
    assert abs(len(asked.values) - count) <= 1


async def test_too_many_raw_values_are_thinned(world: World) -> None:
    points = [(NOW - number * S, "1") for number in range(POINTS_MAX + 2000)]
    await world.write(points, "fast")
    await world.png("duration=6hours", name="fast")
    (asked,) = world.drawer.asked
    assert asked.interval_s == 30
    assert 390 < len(asked.values) < 410


async def test_a_picture_is_drawn_once_until_something_changes(world: World) -> None:
    first = await world.png()
    assert await world.png() == first
    world.clock.at_us += S  # less than a pixel
    assert await world.png() == first
    assert await world.png("c=ff0000") != first
    await world.write([(world.clock.at_us, "5")])
    assert await world.png() != first
    world.clock.at_us += 200 * S
    await world.png()
    assert len(world.drawer.asked) == 4


async def test_who_asks_at_once_for_the_same_is_given_one_picture(world: World) -> None:
    pictures = await asyncio.gather(*[world.png() for _ in range(20)])
    assert len(set(pictures)) == 1
    assert len(world.drawer.asked) == 1


async def test_nobody_sees_by_the_cache_what_they_may_not_read(world: World) -> None:
    await world.png()
    other = world.directory.add_account("bob")
    with pytest.raises(NotAllowed):
        await world.png(caller=Caller(other))
    with pytest.raises(Unauthenticated):
        await world.png(caller=STRANGER)


async def test_a_key_for_coarse_history_gets_coarse_graphs_only(world: World) -> None:
    await world.png("duration=6hours")
    key = ApiKey(
        9, world.account.account_id, "coarse", (Permission(("get",), minimum_interval_s=900),),
        private_access=True,
    )  # fmt: skip
    coarse = Caller(world.account, key)
    with pytest.raises(NotAllowed):
        await world.png("duration=6hours", caller=coarse)
    await world.png("duration=6hours&interval=900", caller=coarse)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("c=red", MalformedQuery),
        ("w=1", MalformedQuery),
        ("duration=long", MalformedQuery),
        ("start=2023-01-01T00:00:00Z&end=2023-11-01T00:00:00Z&interval=60", LimitReached),
        ("start=2023-11-01T00:00:00Z&end=2023-10-01T00:00:00Z", ValidationFailed),
    ],
)
async def test_what_cannot_be_is_refused(world: World, query: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await world.png(query)
    assert world.drawer.asked == []


async def test_what_is_not_there_has_no_graph(world: World) -> None:
    with pytest.raises(NoSuchDatastream):
        await world.png(name="none")
    world.feed_id = 999
    with pytest.raises(NoSuchDevice):
        await world.png()


async def test_a_real_picture_comes_out(world: World) -> None:
    drawer = Drawer(draw_s_max=60.0)
    world.graphs = Graphs(world.tank, drawer)
    assert (await world.png("w=300&h=200&t=Roof")).startswith(b"\x89PNG\r\n")
    await drawer.close()


def test_the_cache_is_bounded_in_bytes_and_in_age() -> None:
    cache = PictureCache(bytes_max=100, age_s_max=60.0)
    cache.keep("a", b"a" * 40, 0.0)
    cache.keep("b", b"b" * 40, 1.0)
    assert cache.find("a", 2.0) == b"a" * 40
    cache.keep("c", b"c" * 40, 3.0)  # the one not asked for longest goes
    assert (cache.find("b", 3.0), cache.bytes_held) == (None, 80)
    cache.keep("c", b"c" * 10, 4.0)
    assert cache.bytes_held == 50
    cache.keep("large", b"l" * 101, 4.0)
    assert cache.find("large", 4.0) is None
    assert cache.find("a", 60.0) is not None
    assert cache.find("a", 61.0) is None
    assert cache.bytes_held == 10
