"""Actions over the memory twins: check, change, announce; all or nothing."""

from collections.abc import Awaitable, Sequence

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import OPERATOR, Caller, caller_of_key
from thingtank.tank.actions.datapoints import (
    delete_datapoint,
    delete_datapoints,
    get_datapoint,
    read_history,
    record_datapoints,
    update_datapoint,
)
from thingtank.tank.actions.datastreams import delete_datastream, get_datastream
from thingtank.tank.actions.devices import (
    CreatedDevice,
    create_device,
    delete_device,
    update_device,
)
from thingtank.tank.actions.feeds import write_feed
from thingtank.tank.actions.keys import create_key, delete_key, list_keys, reveal_key
from thingtank.tank.actions.leftovers import delete_leftovers
from thingtank.tank.changes import DatastreamChange, DatastreamWrite, DeviceChange, LocationChange
from thingtank.tank.datapoints import CurrentValue, Datapoint
from thingtank.tank.errors import (
    LimitReached,
    NoSuchDatapoint,
    NoSuchDatastream,
    NoSuchDevice,
    NotAllowed,
    Overloaded,
    StorageFailed,
    Unauthenticated,
    ValidationFailed,
)
from thingtank.tank.events import DatapointsRecorded, DeviceCreated, DeviceDeleted, DeviceUpdated
from thingtank.tank.history import HistoryTerms
from thingtank.tank.keys import ApiKey, Permission, Resource
from thingtank.tank.limits import Limits
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account, Location, Unit, Waypoint

S = 1_000_000
NOW = 1_700_000_000 * S


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
def tank(directory: MemoryDirectory) -> Tank:
    limits = Limits(datapoints_per_write_max=5, datastreams_per_device_max=3)
    return Tank(directory, MemoryArchive(), clock=StoppedClock(), limits=limits)


@pytest.fixture
async def made(tank: Tank, alice: Account) -> CreatedDevice:
    return await create_device(tank, Caller(alice), DeviceChange(title="Roof"))


def written(name: str, *points: tuple[int, str]) -> DatastreamWrite:
    return DatastreamWrite(name, [NOW + at_s * S for at_s, _ in points], [v for _, v in points])


async def test_a_new_device_comes_with_a_key_of_full_rights_on_its_feed_alone(
    tank: Tank, alice: Account
) -> None:
    with tank.bus.listen(DeviceCreated) as listener:
        made = await create_device(tank, Caller(alice), DeviceChange(title="Roof", tags=("b", "A")))
        assert listener.take_all() == [DeviceCreated(made.device)]
    feed_id = made.device.device_id
    other = await create_device(tank, Caller(alice), DeviceChange(title="Cellar"))
    caller = caller_of_key(tank.directory, made.api_key, NOW)
    await write_feed(tank, caller, feed_id, None, [written("t", (0, "1"))])
    with pytest.raises(NotAllowed):
        await write_feed(tank, caller, other.device.device_id, None, [written("t", (0, "1"))])
    assert made.device.tags == ("A", "b")
    assert len(made.api_key) == 48


class FullArchive(MemoryArchive):
    """Takes no deletion any more."""

    def delete(self, stream_ids: Sequence[int], start_us: int, end_us: int) -> Awaitable[None]:
        raise StorageFailed("the journal could not be written: disk full")


async def test_what_is_gone_is_announced_though_the_archive_cannot_forget_it(
    directory: MemoryDirectory, alice: Account
) -> None:
    tank, caller = Tank(directory, FullArchive(), clock=StoppedClock()), Caller(alice)
    made = await create_device(tank, caller, DeviceChange(title="Roof"))
    feed_id = made.device.device_id
    await write_feed(tank, caller, feed_id, None, [written("t", (0, "1")), written("u", (0, "1"))])
    with tank.bus.listen(DeviceUpdated, DeviceDeleted) as listener:
        await delete_datastream(tank, caller, feed_id, "t")
        assert [type(event) for event in listener.take_all()] == [DeviceUpdated]
        await delete_device(tank, caller, feed_id)
        assert [type(event) for event in listener.take_all()] == [DeviceDeleted]


async def test_a_device_needs_a_title_and_an_owner(tank: Tank, alice: Account) -> None:
    with pytest.raises(ValidationFailed, match="title can't be blank"):
        await create_device(tank, Caller(alice), DeviceChange(title=" "))
    with pytest.raises(ValidationFailed, match="user can't be blank"):
        await create_device(tank, OPERATOR, DeviceChange(title="Roof"))


async def test_a_feed_write_makes_unknown_datastreams_and_announces(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    feed_id = made.device.device_id
    change = DatastreamChange(tags=("x",), unit=Unit(symbol="C"))
    write = DatastreamWrite("t", [NOW], ["21.50"], change)
    with tank.bus.listen(DatapointsRecorded) as listener:
        await write_feed(tank, Caller(alice), feed_id, DeviceChange(description="d"), [write])
        (event,) = listener.take_all()
    assert isinstance(event, DatapointsRecorded)
    assert (event.rows.at_us, event.rows.values) == ([NOW], ["21.50"])
    datastream = get_datastream(tank, Caller(alice), feed_id, "t")
    assert (datastream.tags, datastream.unit) == (("x",), Unit(symbol="C"))
    current = tank.archive.current(datastream.stream_id)
    assert current is not None
    assert (current.value, current.minimum, current.maximum) == ("21.50", 21.5, 21.5)
    assert tank.directory.get_device(feed_id).description == "d"


async def test_an_extreme_beside_a_value_holds_after_the_value(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    feed_id, caller = made.device.device_id, Caller(alice)
    await write_feed(tank, caller, feed_id, None, [written("t", (0, "5"))])
    write = DatastreamWrite("t", [NOW + S], ["7"], maximum=5)  # 5 already, but for this value
    await record_datapoints(tank, caller, feed_id, [write])
    current = tank.archive.current(tank.directory.datastreams(feed_id)["t"].stream_id)
    assert current == CurrentValue(NOW + S, "7", 5, 5)


REFUSED = [
    ("too many datapoints", [written("t", *((at, "1") for at in range(6)))], LimitReached),
    ("too many datastreams", [written(n, (0, "1")) for n in "abcd"], LimitReached),
    ("a bad name", [written("good", (0, "1")), written("a b", (0, "1"))], ValidationFailed),
    ("a repeated name", [written("t", (0, "1")), written("t", (1, "2"))], ValidationFailed),
    ("a value too long", [written("t", (0, "x" * 256))], ValidationFailed),
    ("a time too far ahead", [written("t", (400 * 86_400, "1"))], ValidationFailed),
    ("a bad unit", [DatastreamWrite("t", change=DatastreamChange(unit=Unit("metres")))], ValidationFailed),
]  # fmt: skip


@pytest.mark.parametrize(
    ("writes", "error"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
async def test_a_refused_write_leaves_nothing_behind(
    tank: Tank,
    alice: Account,
    made: CreatedDevice,
    writes: list[DatastreamWrite],
    error: type[Exception],
) -> None:
    feed_id = made.device.device_id
    with pytest.raises(error):
        await write_feed(tank, Caller(alice), feed_id, DeviceChange(description="new"), writes)
    assert not tank.directory.datastreams(feed_id)
    assert tank.directory.get_device(feed_id) == made.device


async def test_an_echo_of_the_current_value_is_not_recorded_again(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    feed_id = made.device.device_id
    await write_feed(tank, Caller(alice), feed_id, None, [written("t", (0, "1"))])
    with tank.bus.listen(DatapointsRecorded, DeviceUpdated) as listener:
        echo = DeviceChange(title="Roof")
        await write_feed(tank, Caller(alice), feed_id, echo, [written("t", (0, "1"))])
        assert listener.take_all() == []


async def test_a_datastream_write_does_not_create(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    with pytest.raises(NoSuchDatastream):
        await record_datapoints(
            tank, Caller(alice), made.device.device_id, [written("t", (0, "1"))]
        )


async def test_datapoints_are_read_changed_and_deleted_one_by_one(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    feed_id, caller = made.device.device_id, Caller(alice)
    await write_feed(tank, caller, feed_id, None, [written("t", (-2, "1"), (-1, "2"), (0, "3"))])
    await update_datapoint(tank, caller, feed_id, "t", Datapoint(NOW - S, "20"))
    assert await get_datapoint(tank, caller, feed_id, "t", NOW - S) == Datapoint(NOW - S, "20")
    await delete_datapoint(tank, caller, feed_id, "t", NOW)
    current = tank.archive.current(get_datastream(tank, caller, feed_id, "t").stream_id)
    assert current is not None
    assert current.value == "20"
    for missing in (
        get_datapoint(tank, caller, feed_id, "t", NOW),
        update_datapoint(tank, caller, feed_id, "t", Datapoint(NOW, "4")),
        delete_datapoint(tank, caller, feed_id, "t", NOW),
    ):
        with pytest.raises(NoSuchDatapoint):
            await missing


async def test_a_range_is_deleted_with_both_ends_and_never_without_any(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    feed_id, caller = made.device.device_id, Caller(alice)
    points = [(at_s, str(at_s)) for at_s in range(-5, 0)]
    await write_feed(tank, caller, feed_id, None, [written("t", *points)])
    with pytest.raises(ValidationFailed):
        await delete_datapoints(tank, caller, feed_id, "t", None, None)
    await delete_datapoints(tank, caller, feed_id, "t", NOW - 4 * S, NOW - 2 * S)
    left = await read_history(tank, caller, feed_id, ["t"], HistoryTerms())
    assert [point.value for point in left["t"]] == ["-5", "-1"]


HISTORY = [
    ("raw", HistoryTerms(duration_s=600), ["-600", "-300", "-10"]),
    ("limit keeps the oldest", HistoryTerms(duration_s=600, limit=2), ["-600", "-300"]),
    ("the second page", HistoryTerms(duration_s=600, limit=2, page=2), ["-10"]),
    ("with the one before", HistoryTerms(duration_s=600, find_previous=True), ["-900", "-600", "-300", "-10"]),
    ("one an interval", HistoryTerms(duration_s=600, interval_s=300), ["-600", "-300", "-10"]),
    ("an average", HistoryTerms(duration_s=600, interval_s=86_400, function="average"), ["-303.3333333333333"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "values"), [row[1:] for row in HISTORY], ids=[row[0] for row in HISTORY]
)
async def test_history_of_a_datastream(
    tank: Tank, alice: Account, made: CreatedDevice, terms: HistoryTerms, values: list[str]
) -> None:
    feed_id, caller = made.device.device_id, Caller(alice)
    points = [(at_s, str(at_s)) for at_s in (-900, -600, -300, -10)]
    await write_feed(tank, caller, feed_id, None, [written("t", *points)])
    found = await read_history(tank, caller, feed_id, None, terms)
    assert [point.value for point in found["t"]] == values


async def test_deleting_a_device_ends_its_datastreams_and_its_key(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    feed_id, caller = made.device.device_id, Caller(alice)
    await write_feed(tank, caller, feed_id, None, [written("t", (0, "1"))])
    stream_id = get_datastream(tank, caller, feed_id, "t").stream_id
    with tank.bus.listen(DeviceDeleted) as listener:
        await delete_device(tank, caller, feed_id)
        assert len(listener.take_all()) == 1
    with pytest.raises(NoSuchDevice):
        tank.directory.get_device(feed_id)
    with pytest.raises(Unauthenticated):
        caller_of_key(tank.directory, made.api_key, NOW)
    current = tank.archive.current(stream_id)
    assert current is None or current.value is None


class ClosedArchive(MemoryArchive):
    """Refuses deletions while it is told to."""

    is_closed = True

    def delete(self, stream_ids: Sequence[int], start_us: int, end_us: int) -> Awaitable[None]:
        if self.is_closed:
            raise Overloaded("the queue is full")
        return super().delete(stream_ids, start_us, end_us)


async def test_what_an_archive_would_not_delete_is_deleted_later(
    directory: MemoryDirectory, alice: Account
) -> None:
    archive, caller = ClosedArchive(), Caller(alice)
    tank = Tank(directory, archive, clock=StoppedClock())
    stream_ids = {}
    feeds = [await create_device(tank, caller, DeviceChange(title=name)) for name in "abc"]
    for feed in feeds:
        feed_id = feed.device.device_id
        await write_feed(tank, caller, feed_id, None, [written("t", (0, "1"))])
        stream_ids[feed_id] = get_datastream(tank, caller, feed_id, "t").stream_id
    first, second, kept = stream_ids
    with tank.bus.listen(DeviceDeleted, DeviceUpdated) as listener:
        await delete_device(tank, caller, first)
        await delete_datastream(tank, caller, second, "t")
        assert [type(event) for event in listener.take_all()] == [DeviceDeleted, DeviceUpdated]
    with pytest.raises(NoSuchDevice):
        tank.directory.get_device(first)
    with pytest.raises(Overloaded):
        await delete_leftovers(tank, OPERATOR)
    archive.is_closed = False
    with pytest.raises(NotAllowed):
        await delete_leftovers(tank, caller)
    assert await delete_leftovers(tank, OPERATOR) == 2
    assert [i for part in archive.stored_streams() for i in part] == [stream_ids[kept]]
    assert await delete_leftovers(tank, OPERATOR) == 0


async def test_a_datastream_that_is_made_while_leftovers_are_sought_is_kept(
    tank: Tank, alice: Account, made: CreatedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed_id, caller = made.device.device_id, Caller(alice)
    await write_feed(tank, caller, feed_id, None, [written("old", (0, "1"))])
    missing_streams = tank.directory.missing_streams

    async def busy(stream_ids: Sequence[int]) -> Sequence[int]:
        await write_feed(tank, caller, feed_id, None, [written("new", (0, "2"))])
        return await missing_streams(stream_ids)

    monkeypatch.setattr(tank.directory, "missing_streams", busy)
    assert await delete_leftovers(tank, OPERATOR) == 0
    found = await read_history(tank, caller, feed_id, None, HistoryTerms())
    assert set(found) == {"old", "new"}


async def test_deleting_a_datastream_ends_its_history(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    feed_id, caller = made.device.device_id, Caller(alice)
    await write_feed(tank, caller, feed_id, None, [written("t", (0, "1"))])
    await delete_datastream(tank, caller, feed_id, "t")
    await write_feed(tank, caller, feed_id, None, [written("t", (-1, "2"))])
    found = await read_history(tank, caller, feed_id, ["t"], HistoryTerms())
    assert [point.value for point in found["t"]] == ["2"]


async def test_a_change_of_metadata_keeps_what_it_does_not_name(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    feed_id, caller = made.device.device_id, Caller(alice)
    await update_device(tank, caller, feed_id, DeviceChange(location=Location(lat=1.5, lon=2.5)))
    device = await update_device(tank, caller, feed_id, DeviceChange(website="http://a.example"))
    assert (device.title, device.location) == ("Roof", Location(lat=1.5, lon=2.5))
    with pytest.raises(ValidationFailed, match="location_lat"):
        await update_device(tank, caller, feed_id, DeviceChange(location=Location(lat=91.0)))


async def test_members_of_a_location_are_merged_with_the_newest_one(
    tank: Tank, alice: Account, made: CreatedDevice
) -> None:
    feed_id, caller = made.device.device_id, Caller(alice)
    # Both were made before either is stored, as two requests at once are.
    changes = [DeviceChange(location=LocationChange(lat=1.5, lon=2.5)), DeviceChange(location=LocationChange(name="roof"))]  # fmt: skip
    for change in changes:
        await update_device(tank, caller, feed_id, change)
    device = await update_device(
        tank, caller, feed_id, DeviceChange(location=LocationChange(lon=3))
    )
    assert device.location == Location("roof", 1.5, 3)
    assert device.located_us == NOW
    blank = LocationChange(name="", lat=None, lon=None)
    assert (
        await update_device(tank, caller, feed_id, DeviceChange(location=blank))
    ).location is None
    with pytest.raises(ValidationFailed, match="location_lat"):
        await update_device(tank, caller, feed_id, DeviceChange(location=LocationChange(lat=91.0)))


async def test_a_mobile_device_that_moves_leaves_a_waypoint_of_when_it_came(
    tank: Tank, alice: Account
) -> None:
    caller = Caller(alice)
    place = LocationChange(lat=1.0, lon=2.0, disposition="mobile")
    made = await create_device(tank, caller, DeviceChange(title="Van", location=place))
    feed_id = made.device.device_id
    await update_device(tank, caller, feed_id, DeviceChange(location=LocationChange(name="bay")))
    assert await tank.directory.read_waypoints(feed_id) == []
    await update_device(tank, caller, feed_id, DeviceChange(location=LocationChange(lat=1.5)))
    assert await tank.directory.read_waypoints(feed_id) == [Waypoint(NOW, 1.0, 2.0)]


async def test_keys_are_made_listed_shown_and_deleted_by_their_account(
    tank: Tank, alice: Account, directory: MemoryDirectory, made: CreatedDevice
) -> None:
    feed_id, caller = made.device.device_id, Caller(alice)
    read_one = Permission(("get",), (Resource(feed_id),))
    key, secret = await create_key(tank, caller, ApiKey(0, alice.account_id, "wall", (read_one,)))
    assert reveal_key(tank, caller, key.key_id) == secret
    assert key in list_keys(tank, caller, alice.account_id, feed_id)
    bob = Caller(directory.add_account("bob"))
    with pytest.raises(NotAllowed):
        reveal_key(tank, bob, key.key_id)
    admin = Caller(directory.add_account("admin", is_admin=True))
    assert key in list_keys(tank, admin, alice.account_id, feed_id)
    with pytest.raises(NotAllowed, match="own account"):
        reveal_key(tank, admin, key.key_id)
    with pytest.raises(ValidationFailed, match="not a feed of this account"):
        await create_key(tank, bob, ApiKey(0, bob.account.account_id, "x", (read_one,)))  # type: ignore[union-attr] # just made
    await delete_key(tank, caller, key.key_id)
    with pytest.raises(Unauthenticated):
        caller_of_key(tank.directory, secret, NOW)


async def test_dead_keys_open_nothing(tank: Tank, alice: Account) -> None:
    master = ApiKey(0, alice.account_id, "old", (Permission(("get",)),), expires_us=NOW)
    _, secret = await create_key(tank, Caller(alice), master)
    with pytest.raises(Unauthenticated, match="expired"):
        caller_of_key(tank.directory, secret, NOW)
    with pytest.raises(Unauthenticated, match="not known"):
        caller_of_key(tank.directory, "wrong", NOW)
