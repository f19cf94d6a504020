"""Current values write by write: as each write left them, though the archive has all of them."""

import asyncio

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import caller_of_key
from thingtank.tank.actions.devices import create_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, CurrentValue, DatapointRows
from thingtank.tank.events import DatapointsRecorded
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream
from thingtank.tank.told_values import Current, ToldValues

SECRET = "a-secret-of-some-length"
Row = tuple[str, int, str]  # datastream, time, value


class World:
    """A feed with datastreams `a` and `b`, of which `a` has the value "first" at 100."""

    def __init__(self, directory: MemoryDirectory, feed_id: int) -> None:
        self.directory, self.archive, self.feed_id = directory, MemoryArchive(), feed_id
        self.told = ToldValues(directory, self.archive)

    @property
    def known(self) -> dict[str, int]:
        return {name: s.stream_id for name, s in self.directory.datastreams(self.feed_id).items()}

    def store(self, *rows: Row) -> DatapointsRecorded:
        """Write what is to be announced later."""
        stream_ids = [self.known[name] for name, _, _ in rows]
        columns = DatapointRows(stream_ids, [at for _, at, _ in rows], [v for _, _, v in rows])
        self.archive.append(columns)
        names = {stream_id: name for stream_id, (name, _, _) in zip(stream_ids, rows, strict=True)}
        return DatapointsRecorded(self.feed_id, names, columns)

    def shown(self, current: Current, name: str = "a") -> tuple[int | None, str | None] | None:
        found = current(self.known[name])
        return None if found is None else (found.at_us, found.value)

    def delete(self, name: str, start_us: int, end_us: int = AT_US_MAX + 1) -> None:
        self.archive.delete([self.known[name]], start_us, end_us)


@pytest.fixture
async def world() -> World:
    directory = MemoryDirectory()
    alice = directory.add_account("alice")
    key = ApiKey(0, alice.account_id, "k", (Permission(ACCESS_METHODS),))
    await directory.insert_key(key, SECRET)
    owner = caller_of_key(directory, SECRET, 0)
    made = await create_device(Tank(directory, MemoryArchive()), owner, DeviceChange(title="Roof"))
    feed_id = made.device.device_id
    await directory.insert_datastreams(feed_id, [Datastream(0, 0, "a"), Datastream(0, 0, "b")])
    world = World(directory, feed_id)
    world.store(("a", 100, "first"))
    world.told.follow(feed_id)
    return world


async def a_burst_is_over() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_each_write_of_a_burst_shows_its_own_value(world: World) -> None:
    events = [world.store(("a", 101 + n, f"v{n}")) for n in range(5)]
    shown = [world.shown(world.told.after(event)) for event in events]
    assert shown == [(101 + n, f"v{n}") for n in range(5)]


async def test_the_same_instant_written_again_shows_each_value(world: World) -> None:
    events = [world.store(("a", 101, value)) for value in ("x", "y", "z")]
    shown = [world.shown(world.told.after(event)) for event in events]
    assert shown == [(101, "x"), (101, "y"), (101, "z")]


async def test_of_many_rows_the_newest_shows(world: World) -> None:
    event = world.store(("a", 103, "new"), ("a", 99, "old"), ("a", 102, "middle"))
    world.store(("a", 104, "behind"))
    assert world.shown(world.told.after(event)) == (103, "new")


async def test_what_is_older_than_the_current_value_shows_that(world: World) -> None:
    events = [world.store(("a", at, str(at))) for at in (50, 101, 60, 102)]
    shown = [world.shown(world.told.after(event)) for event in events]
    assert shown == [(100, "first"), (101, "101"), (101, "101"), (102, "102")]


async def test_other_datastreams_are_as_they_were_at_that_write(world: World) -> None:
    events = [world.store((name, 101, "x")) for name in "ab"]
    shown = []
    for event in events:
        current = world.told.after(event)
        shown.append((world.shown(current, "a"), world.shown(current, "b")))
    assert shown == [((101, "x"), None), ((101, "x"), (101, "x"))]


async def test_extremes_are_those_of_the_archive(world: World) -> None:
    events = [world.store(("a", 101, "7")), world.store(("a", 102, "9"))]
    current = world.told.after(events[0])
    assert current(world.known["a"]) == CurrentValue(101, "7", 7.0, 9.0)


async def test_a_deletion_is_never_shown_over(world: World) -> None:
    world.told.after(world.store(("a", 200, "deleted soon")))
    world.delete("a", 150)
    assert world.shown(world.told.after(world.store(("b", 1, "x")))) == (100, "first")
    assert world.shown(world.told.after(world.store(("a", 90, "older")))) == (100, "first")
    events = [world.store(("a", at, str(at))) for at in (101, 102)]
    assert [world.shown(world.told.after(event)) for event in events] == [
        (101, "101"),
        (102, "102"),
    ]
    world.delete("a", AT_US_MIN)
    assert world.shown(world.told.after(world.store(("b", 2, "x")))) is None


async def test_what_was_deleted_before_its_announcement_is_not_shown(world: World) -> None:
    event = world.store(("a", 101, "x"))
    world.delete("a", 101)
    assert world.shown(world.told.after(event)) == (100, "first")


async def test_a_write_that_is_never_announced_shows_a_burst_later(world: World) -> None:
    world.store(("a", 101, "given up"))
    assert world.shown(world.told.after(world.store(("b", 1, "x")))) == (100, "first")
    await a_burst_is_over()
    assert world.shown(world.told.after(world.store(("b", 2, "x")))) == (101, "given up")
    event = world.store(("a", 100, "older"))
    assert world.shown(world.told.after(event)) == (101, "given up")


async def test_a_burst_that_goes_on_in_the_next_turn_is_told_to_its_end(world: World) -> None:
    events = [world.store(("a", 101 + n, str(n))) for n in range(3)]
    shown = []
    for event in events[:2]:
        shown.append(world.shown(world.told.after(event)))
        await asyncio.sleep(0)
    assert shown == [(101, "0"), (102, "1")]


async def test_a_datastream_made_later_begins_with_its_first_value(world: World) -> None:
    await world.directory.insert_datastreams(world.feed_id, [Datastream(0, 0, "c")])
    events = [world.store(("c", at, str(at))) for at in (50, 51)]
    shown = [world.shown(world.told.after(event), "c") for event in events]
    assert shown == [(50, "50"), (51, "51")]


async def test_datastreams_that_come_and_go_leave_nothing(world: World) -> None:
    for number in range(10):
        await world.directory.insert_datastreams(world.feed_id, [Datastream(0, 0, "c")])
        world.told.after(world.store(("c", number, "x")))
        await world.directory.delete_datastream(world.feed_id, "c")
    assert len(world.told._of_feed[world.feed_id]) <= 3
    world.told.leave(world.feed_id)
    assert not world.told._of_feed
