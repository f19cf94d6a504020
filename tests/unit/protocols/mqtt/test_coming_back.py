"""What a client is told of its session when it comes, and what rights it has while it is away."""

from collections.abc import Callable

from tests.unit.protocols.mqtt.brokers import (
    AllRights,
    Everybody,
    QuietLink,
    connect,
    make_broker,
    subscribe,
    taken,
)

from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.keeping import Found, FoundSession, KeptSession
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.packets import Connect, Publish
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.serializer import serialize
from thingtank.stores.memory_mqtt_sessions import NullMqttSessions

LASTING = Properties(session_expiry_interval=60)


class SlowDisk(NullMqttSessions):
    """Tells that all is kept when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[Exception | None], None]] = []

    def when_kept(self, call: Callable[[Exception | None], None]) -> None:
        self.calls.append(call)

    def sync(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call(None)


async def test_a_new_session_is_told_of_when_the_end_of_the_last_one_is_on_disk() -> None:
    disk = SlowDisk()
    broker = make_broker(disk)
    first = connect(broker, "c", 5, properties=LASTING)
    first.close()
    again = Connection(broker, QuietLink(), "127.0.0.1")
    again.receive_data(serialize(Connect(5, "c", clean_start=True), 5))
    subscribed = Subscription("a", 1)
    assert taken(again) == b""
    broker.publish(Message("a", b"x", 1))  # nobody's yet
    disk.sync()
    assert taken(again).startswith(b"\x20")
    subscribe(again, subscribed)
    broker.publish(Message("a", b"y", 1))
    assert b"y" in taken(again)


async def test_nothing_comes_before_connack_when_a_session_is_to_be_kept_no_more() -> None:
    disk = SlowDisk()
    broker = make_broker(disk)
    first = connect(broker, "c", 5, properties=LASTING)
    subscribe(first, Subscription("a", 1))
    first.close()
    disk.sync()
    again = Connection(broker, QuietLink(), "127.0.0.1")
    again.receive_data(serialize(Connect(5, "c", clean_start=False), 5))
    broker.publish(Message("a", b"x", 1))
    assert taken(again) == b""
    disk.sync()
    answer = taken(again)
    assert answer.startswith(b"\x20")
    assert b"x" in answer


async def test_who_takes_over_while_connack_waits_is_the_one_who_is_in() -> None:
    disk = SlowDisk()
    broker = make_broker(disk)
    connect(broker, "c", 5, properties=LASTING).close()
    waiting = Connection(broker, QuietLink(), "127.0.0.1")
    waiting.receive_data(serialize(Connect(5, "c", clean_start=True), 5))
    taken(waiting)
    last = connect(broker, "c", 5)
    disk.sync()
    assert waiting.is_closed
    assert broker.sessions["c"].connection is last
    subscribe(last, Subscription("a", 0))
    last.receive_data(serialize(Publish("a", b"x"), 5))
    assert b"x" in taken(last)


class NothingOfA(AllRights):
    def may_receive(self, topic: str) -> bool:
        return topic != "a"


class Poorer(Everybody):
    """Whose rights are fewer than they were."""

    def rights_of_kept(self, principal: str, client_id: str) -> AllRights:
        return NothingOfA()


async def test_who_is_away_has_the_rights_that_it_has_now() -> None:
    away = KeptSession("away", "local", 5, 60, False, 0, None)
    found = Found([FoundSession(away, [Subscription("$share/g/+", 1)], [], [])], {})
    broker = make_broker()
    broker.kept_principals = Poorer()
    broker.restore(found)
    session = broker.sessions["away"]
    for topic in ("a", "b"):
        broker.publish(Message(topic, b"x", 1))
    assert session.queued_count == 1
    here = connect(broker, "here", 5)
    subscribe(here, Subscription("$share/g/+", 0))
    here.close()
