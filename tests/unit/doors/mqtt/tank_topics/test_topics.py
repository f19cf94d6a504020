"""Messages to the tank's topics: when they are acknowledged, kept and refused; who hears of them."""

import asyncio
from typing import Any

import pytest
from tests.unit.doors.mqtt.houses import (
    MASTER_SECRET,
    NOW_US,
    OTHER_DEVICE_SECRET,
    READER_SECRET,
    USER_PASSWORD,
    UUID,
    House,
)
from tests.waiting import WAIT_S_MAX

from thingtank.documents.feeds import Bodies
from thingtank.doors.mqtt.access.tank_topic import tank_topic_of
from thingtank.doors.mqtt.tank_topics import context as context_module
from thingtank.doors.mqtt.tank_topics import updates as updates_module
from thingtank.doors.mqtt.tank_topics.context import MESSAGE_BYTES, TopicContext
from thingtank.doors.mqtt.tank_topics.owner import TankTopics
from thingtank.doors.mqtt.tank_topics.taken import CLIENT_ID, TakenMessages
from thingtank.doors.xively.http import XivelyHttp
from thingtank.doors.xively.settings import XivelySettings
from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.keeping import Found
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.protocols.mqtt.retained import Retained
from thingtank.protocols.mqtt.session import Session
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_mqtt_sessions import MemoryMqttSessions
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.errors import Overloaded, StorageFailed
from thingtank.tank.events import DatapointsRecorded
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream

SUCCESS, BUSY = ReasonCode.SUCCESS, ReasonCode.SERVER_BUSY


class HeldArchive(MemoryArchive):
    """Commits when it is told to.

    Attributes:
        refusal: raised in place of taking anything.
    """

    def __init__(self) -> None:
        super().__init__()
        self.outstanding: list[tuple[DatapointRows, asyncio.Future[None]]] = []
        self.refusal: Exception | None = None

    def append(self, rows: DatapointRows) -> asyncio.Future[None]:
        if self.refusal is not None:
            raise self.refusal
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.outstanding.append((rows, future))
        return future

    async def asked(self) -> None:
        """Until something is to be committed."""
        for _ in range(100):
            if self.outstanding:
                return
            await asyncio.sleep(0)
        raise AssertionError("nothing was written")

    async def settle(self, error: Exception | None = None) -> None:
        for rows, future in self.outstanding:
            if error is None:
                super().append(rows)
                future.set_result(None)
            else:
                future.set_exception(error)
        self.outstanding.clear()
        await asyncio.sleep(0)


class HeldSessions(MemoryMqttSessions):
    """Has things on disk when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []

    def when_kept(self, call: Any) -> None:
        self.calls.append(call)

    def settle(self, error: Exception | None = None) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call(error)


class Clock:
    """Goes on by a microsecond whenever somebody looks."""

    def __init__(self) -> None:
        self.us = NOW_US

    def now_us(self) -> int:
        self.us += 1
        return self.us


class World:
    """A house with a broker, whose archive and file of sessions are held."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.archive, self.sessions = HeldArchive(), HeldSessions()
        self.tank = Tank(house.directory, self.archive, clock=Clock())
        self.broker = Broker(
            self.sessions, None, Bounds(), Retained(10, 10_000), lambda: NOW_US, lambda: "auto"
        )
        self.broker.kept_principals = house.access
        self.feed = house.device.device_id
        self.made: list[Any] = []
        self.topics = self.new_topics()
        self.topics.start()
        self.done: list[ReasonCode] = []

    def new_topics(self) -> TankTopics:
        http = XivelyHttp(self.tank, XivelySettings(), "http://tank.example", door="mqtt")
        taken = TakenMessages(self.broker)
        self.context = TopicContext(self.tank, self.house.access, http, taken)
        world = self

        class CountedBodies(Bodies):
            def feed(self, *args: Any, **more: Any) -> Any:
                world.made.append(args)
                return super().feed(*args, **more)

        bodies = CountedBodies(self.tank, "http://tank.example", None, 900)
        topics = self.broker.owner = TankTopics(self.context, self.broker, bodies)
        return topics

    @classmethod
    async def build(cls) -> "World":
        house = await House.build(
            users=[{"name": "lamp", "password": USER_PASSWORD, "account": "alice"}]
        )
        await house.directory.insert_datastreams(house.device.device_id, [Datastream(0, 0, "t")])
        return cls(house)

    def session(self, rights: Any, *, is_persistent: bool = False, name: str = "c") -> Session:
        session = Session(self.broker, name, "key:1", rights)
        session.expiry_interval_s = 100 if is_persistent else 0
        return session

    def take(self, session: Session, topic: str, payload: str, qos: int = 1) -> None:
        topic = topic.format(feed=self.feed)
        intake = self.topics.find_intake(topic)
        assert intake is not None
        intake.take(session, Message(topic, payload.encode(), qos), self.done.append)

    async def stored(self) -> list[tuple[int, str]]:
        stream = self.tank.directory.datastreams(self.feed)["t"].stream_id
        found = await self.archive.read([stream], 0, 2**62, 100)
        return [(point.at_us, point.value) for point in found.get(stream, [])]


@pytest.fixture
async def world() -> World:
    return await World.build()


PLAIN = {
    "/v2/feeds/{feed}.csv": "t,21.5",
    "/v2/feeds/{feed}.json": '{"datastreams": [{"id": "t", "current_value": "21.5"}]}',
    "/v2/feeds/{feed}/datastreams/t.csv": "21.5",
    "/v2/feeds/{feed}/datastreams/t.json": '{"current_value": "21.5"}',
    "/v1/feeds/{feed}/datastreams/t.csv": "21.5",
}


@pytest.mark.parametrize("topic", PLAIN)
async def test_a_plain_value_is_acknowledged_after_the_commit_and_needs_no_task(
    world: World, topic: str
) -> None:
    session = world.session(await world.house.rights("master"))
    tasks = asyncio.all_tasks()
    world.take(session, topic, PLAIN[topic])
    assert asyncio.all_tasks() == tasks
    assert (len(world.archive.outstanding), world.done) == (1, [])
    await world.archive.settle()
    assert world.done == [SUCCESS]
    assert [value for _, value in await world.stored()] == ["21.5"]


async def test_what_makes_datastreams_is_acknowledged_after_the_commit_too(world: World) -> None:
    session = world.session(await world.house.rights("master"))
    world.take(session, "/v2/feeds/{feed}.csv", "new,1")
    await world.archive.asked()
    assert (world.done, world.context.waiting_bytes) == ([], MESSAGE_BYTES + len("new,1"))
    await world.archive.settle()
    await asyncio.sleep(0)
    assert (world.done, world.context.waiting_bytes) == ([SUCCESS], 0)


@pytest.mark.parametrize("error", [Overloaded("full"), StorageFailed("the disk is full")])
@pytest.mark.parametrize("payload", ["t,1", "new,1"])
async def test_what_may_be_taken_later_is_not_acknowledged(
    world: World, error: Exception, payload: str
) -> None:
    session = world.session(await world.house.rights("master"))
    world.take(session, "/v2/feeds/{feed}.csv", payload)
    await world.archive.asked()
    await world.archive.settle(error)
    await asyncio.sleep(0)
    world.archive.refusal = error
    world.take(session, "/v2/feeds/{feed}.csv", "t,1")
    assert world.done == [BUSY, BUSY]


async def test_messages_that_wait_are_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_module, "WAITING_BYTES_MAX", 3 * MESSAGE_BYTES)
    session = world.session(await world.house.rights("master"))
    for number in range(5):
        world.take(session, "/v2/feeds/{feed}.csv", f"new{number},1")
    assert world.done == [BUSY, BUSY]


# --- QoS 2 of sessions that are kept ---


@pytest.mark.parametrize("payload", ["t,1", "t,1\nnew,2"])
async def test_a_qos_2_message_is_on_disk_itself_before_it_is_recorded(
    world: World, payload: str
) -> None:
    session = world.session(await world.house.rights("master"), is_persistent=True)
    world.take(session, MASTER_SECRET + "/v2/feeds/{feed}.csv", payload, 2)
    came_at_us = world.tank.clock.now_us()
    world.broker.settle()
    assert not world.archive.outstanding
    world.sessions.settle()
    await world.archive.asked()
    (found,) = (await world.sessions.found()).sessions
    assert (found.session.client_id, len(found.deliveries), world.done) == (CLIENT_ID, 1, [])
    assert MASTER_SECRET not in found.deliveries[0].message.topic
    await world.archive.settle()
    await asyncio.sleep(0)
    assert world.done == [SUCCESS]
    ((at_us, value),) = await world.stored()
    assert (value, at_us < came_at_us) == ("1", True)
    (found,) = (await world.sessions.found()).sessions
    assert (list(found.deliveries), world.context.waiting_bytes) == ([], 0)


async def test_a_message_that_cannot_be_kept_is_not_recorded(world: World) -> None:
    session = world.session(await world.house.rights("master"), is_persistent=True)
    world.take(session, "/v2/feeds/{feed}.csv", "t,1", 2)
    world.broker.settle()
    world.sessions.settle(StorageFailed("the disk is full"))
    assert (world.done, world.archive.outstanding) == ([BUSY], [])
    (found,) = (await world.sessions.found()).sessions
    assert list(found.deliveries) == []


@pytest.mark.parametrize("is_recorded", [False, True])
async def test_what_a_start_finds_is_recorded_at_the_instant_at_which_it_came(
    world: World, is_recorded: bool
) -> None:
    session = world.session(await world.house.rights("master"), is_persistent=True)
    world.take(session, "/v2/feeds/{feed}.csv", "t,1", 2)
    world.broker.settle()
    left = await world.sessions.found()
    if is_recorded:
        world.sessions.settle()
        await world.archive.settle()
    before = await world.stored()
    restoring = asyncio.ensure_future(world.new_topics().restore(left))
    while not restoring.done():
        await world.archive.settle()
    others = await restoring
    assert others.sessions == []
    after = await world.stored()
    assert [value for _, value in after] == ["1"]
    assert not is_recorded or after == before
    assert await kept_count(world) == 0


async def test_what_cannot_be_recorded_any_more_is_given_up_and_else_tried_again(
    world: World,
) -> None:
    session = world.session(await world.house.rights("master"), is_persistent=True)
    world.take(session, "/v2/feeds/{feed}.csv", "t,1", 2)
    world.broker.settle()
    left = await world.sessions.found()
    world.archive.refusal = StorageFailed("the disk is full")
    await world.new_topics().restore(left)
    assert await kept_count(world) == 1
    await world.house.directory.delete_device(world.feed)
    await world.new_topics().restore(left)
    assert await kept_count(world) == 0


async def kept_count(world: World) -> int:
    found: Found = await world.sessions.found()
    return sum(len(each.deliveries) for each in found.sessions)


# --- wills of clients that have not come back since a restart ---


@pytest.mark.parametrize(
    ("principal", "topic", "reason"),
    [
        ("key:{master}", "/v2/feeds/{feed}.csv", SUCCESS),
        ("key:{reader}", "/v2/feeds/{feed}.csv", ReasonCode.NOT_AUTHORIZED),
        ("key:999", "/v2/feeds/{feed}.csv", ReasonCode.NOT_AUTHORIZED),
        ("account:{alice}", "/v2/feeds/{feed}.csv", SUCCESS),
        ("account:{bob}", "/v2/feeds/{feed}.csv", ReasonCode.NOT_AUTHORIZED),
        (f"device:{UUID}", "/v2/feeds/{feed}.csv", SUCCESS),
        ("user:lamp", "/v2/feeds/{feed}.csv", SUCCESS),
        ("user:gone", "/v2/feeds/{feed}.csv", ReasonCode.NOT_AUTHORIZED),
        ("anonymous", "/v2/feeds/{feed}.csv", ReasonCode.NOT_AUTHORIZED),
        ("anonymous", MASTER_SECRET + "/v2/feeds/{feed}.csv", SUCCESS),
        ("account:{alice}", READER_SECRET + "/v2/feeds/{feed}.csv", ReasonCode.NOT_AUTHORIZED),
        ("key:{master}", OTHER_DEVICE_SECRET + "/v2/feeds/{feed}.csv", ReasonCode.NOT_AUTHORIZED),
    ],
)
async def test_a_kept_will_has_the_rights_of_whose_it_is(
    world: World, principal: str, topic: str, reason: ReasonCode
) -> None:
    house = world.house
    names = {name: key.key_id for name, key in house.keys.items()}
    names |= {"alice": house.alice.account_id, "bob": house.bob.account_id}
    session = Session(world.broker, "c", principal.format(**names), None)
    world.take(session, topic, "t,gone")
    await world.archive.settle()
    assert world.done == [reason]


# --- updates ---


def recorded(world: World, value: str = "1") -> DatapointsRecorded:
    stream = world.tank.directory.datastreams(world.feed)["t"].stream_id
    rows = DatapointRows([stream], [NOW_US], [value])
    return DatapointsRecorded(world.feed, {stream: "t"}, rows)


class Hearing(Session):
    """A session that says what it is given."""

    def __init__(self, broker: Broker, name: str, rights: Any) -> None:
        super().__init__(broker, name, "key:1", rights)
        self.heard: list[bytes] = []

    def deliver(self, outgoing: Any, qos: int, is_retain: bool, identifiers: Any) -> bool:
        self.heard.append(outgoing.message.payload)
        return False


async def test_nothing_is_made_for_nobody(world: World) -> None:
    world.tank.bus.publish(recorded(world))
    session = Hearing(world.broker, "a", await world.house.rights("master"))
    subscribe(world, session, f"/v2/feeds/{world.house.other.device_id}.json")
    world.made.clear()
    world.tank.bus.publish(recorded(world))
    assert world.made == []


def subscribe(world: World, session: Session, topic: str) -> Subscription:
    subscription = Subscription(topic, 1)
    session.subscriptions[topic] = subscription
    world.topics.subscribed(session, subscription)
    return subscription


async def states_are_told(sessions: list[Hearing]) -> None:
    """Wait for what each is sent when it has subscribed, and forget it."""
    async with asyncio.timeout(WAIT_S_MAX):
        while not all(session.heard for session in sessions):  # noqa: ASYNC110 # they only note it
            await asyncio.sleep(0)
    for session in sessions:
        session.heard.clear()


async def test_an_update_is_made_once_for_all_and_handed_out_in_turns(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates_module, "DELIVERIES_PER_TURN", 4)
    rights = await world.house.rights("master")
    sessions = [Hearing(world.broker, f"c{number}", rights) for number in range(10)]
    for number, session in enumerate(sessions):
        subscribe(world, session, f"{'/' * (number % 2)}v2/feeds/{world.feed}.json")
    await states_are_told(sessions)
    world.made.clear()
    world.tank.bus.publish(recorded(world))
    assert len(world.made) == 1
    counts = []
    for _ in range(4):
        counts.append(sum(len(session.heard) for session in sessions))
        await asyncio.sleep(0)
    assert counts == [0, 4, 8, 10]


async def test_updates_that_wait_are_bounded_and_those_lost_are_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates_module, "UPDATES_MAX", 3)
    session = Hearing(world.broker, "c", await world.house.rights("master"))
    subscribe(world, session, f"/v2/feeds/{world.feed}.csv")
    await states_are_told([session])
    for number in range(5):
        world.archive._values.clear()
        MemoryArchive.append(world.archive, recorded(world, str(number)).rows)
        world.tank.bus.publish(recorded(world, str(number)))
    await asyncio.sleep(0)
    assert [payload[-1:] for payload in session.heard] == [b"2", b"3", b"4"]
    assert world.broker.dropped_count == 2


async def test_after_a_start_sessions_that_are_kept_are_told_of_updates(world: World) -> None:
    session = Hearing(world.broker, "c", None)
    topic = f"/v2/feeds/{world.feed}.csv"
    session.subscriptions[topic] = Subscription(topic, 1)
    world.broker.sessions["c"] = session
    world.new_topics().start()
    world.tank.bus.publish(recorded(world))
    await asyncio.sleep(0)
    assert len(session.heard) == 1


async def test_a_feed_that_is_gone_has_no_updates(world: World) -> None:
    session = Hearing(world.broker, "c", await world.house.rights("master"))
    subscription = subscribe(world, session, f"/v2/feeds/{world.feed}.csv")
    event = recorded(world)
    world.tank.bus.publish(event)
    world.topics.unsubscribed(session, subscription)
    session.heard.clear()
    await asyncio.sleep(0)
    subscribe(world, session, f"/v2/feeds/{world.feed}.csv")
    session.heard.clear()
    await world.house.directory.delete_device(world.feed)
    world.tank.bus.publish(event)
    await asyncio.sleep(0)
    assert session.heard == []


# --- names ---


@pytest.mark.parametrize(
    ("topic", "datastream"),
    [
        ("/v2/feeds/7/datastreams/a%2Bb.csv", "a+b"),
        ("v2/feeds/7/datastreams/my.temp.json", "my.temp"),
        ("/v2/feeds/7.csv", ""),
    ],
)
def test_a_datastreams_name_is_decoded(topic: str, datastream: str) -> None:
    read = tank_topic_of(topic)
    assert read is not None
    assert read.datastream == datastream


@pytest.mark.parametrize("topic", ["KEY/v2/feeds/7.csv", "/KEY/v2/feeds/7.csv"])
def test_a_key_may_stand_in_front(topic: str) -> None:
    read = tank_topic_of(topic)
    assert read is not None
    assert (read.key, read.path) == ("KEY", "/v2/feeds/7.csv")


@pytest.mark.parametrize(
    "topic", ["a/b/v2/feeds/7.csv", "/a/b/v2/feeds/7.csv", "//v2/x", "/a/v2/x"]
)
def test_other_topics_are_the_users_own(topic: str) -> None:
    assert tank_topic_of(topic) is None
