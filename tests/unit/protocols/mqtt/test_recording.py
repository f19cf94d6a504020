"""Messages that somebody writes down before their publishers are told: a recorder's."""

import asyncio
from collections.abc import Callable

import pytest
from tests.unit.protocols.mqtt.brokers import QuietLink, connect, make_broker, subscribe, taken

from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.intake import Recorded
from thingtank.protocols.mqtt.messages import Message, Subscription, Will
from thingtank.protocols.mqtt.packets import Publish, Pubrel
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.serializer import serialize
from thingtank.stores.memory_mqtt_sessions import MemoryMqttSessions

KEPT = Properties(session_expiry_interval=60)
PUBLISH, PUBACK, PUBREC, PUBCOMP, DISCONNECT = 3, 4, 5, 7, 14
TOPIC = "to/record"


class Recorder:
    """Wants one topic; a test says when what it was given is on disk."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.is_behind = False
        self.wanted = TOPIC
        self._waiting: list[Recorded] = []
        self._when_caught_up: list[Callable[[], None]] = []

    def wants(self, topic: str) -> bool:
        return topic == self.wanted

    def record(self, message: Message, recorded: Recorded | None) -> None:
        self.messages.append(message)
        if recorded is not None:
            self._waiting.append(recorded)

    def when_caught_up(self, call: Callable[[], None]) -> None:
        self._when_caught_up.append(call)

    def sync(self, error: Exception | None = None) -> None:
        waiting, self._waiting = self._waiting, []
        for recorded in waiting:
            recorded(error)

    def catch_up(self) -> None:
        self.is_behind = False
        for call in self._when_caught_up:
            call()

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]


class House:
    def __init__(self, keeper: MemoryMqttSessions | None = None) -> None:
        self.recorder = Recorder()
        self.broker: Broker = make_broker(keeper)
        self.broker.recorder = self.recorder
        self.publisher = connect(self.broker, "publisher", 5)
        self.reader = connect(self.broker, "reader", 5)
        subscribe(self.reader, Subscription("#", 2))


@pytest.fixture
async def house() -> House:
    return House()


def told(connection: Connection) -> list[tuple[int, bytes]]:
    """Type and body of the packets that it has been sent, all shorter than 128 octets."""
    data, found = taken(connection), []
    while data:
        found.append((data[0] >> 4, data[2 : 2 + data[1]]))
        data = data[2 + data[1] :]
    return found


def kinds(connection: Connection) -> list[int]:
    return [kind for kind, _ in told(connection)]


async def kinds_soon(connection: Connection) -> list[int]:
    """The same, when what waits for the disk of sessions, which is fast, has been told."""
    connection.broker.settle()
    await asyncio.sleep(0)
    return kinds(connection)


def send(connection: Connection, *packets: Publish | Pubrel) -> None:
    for packet in packets:
        connection.receive_data(serialize(packet, connection.version))


@pytest.mark.parametrize(("qos", "answer"), [(1, PUBACK), (2, PUBREC)])
async def test_what_is_recorded_is_acknowledged_when_it_is_on_disk_and_sent_at_once(
    house: House, qos: int, answer: int
) -> None:
    send(house.publisher, Publish(TOPIC, b"x", qos, packet_id=1))
    assert kinds(house.reader) == [PUBLISH]
    assert kinds(house.publisher) == []
    house.recorder.sync()
    assert kinds(house.publisher) == [answer]
    assert house.recorder.payloads == [b"x"]


@pytest.mark.parametrize("version", [4, 5])
async def test_acknowledgements_keep_their_order(house: House, version: int) -> None:
    publisher = connect(house.broker, "other", version)
    send(publisher, Publish(TOPIC, b"1", 1, packet_id=1), Publish("free", b"2", 1, packet_id=2))
    send(publisher, Publish(TOPIC, b"3", 1, packet_id=3))
    assert kinds(publisher) == []
    house.recorder.sync()
    assert [body[:2] for _, body in told(publisher)] == [b"\0\1", b"\0\2", b"\0\3"]
    assert house.recorder.payloads == [b"1", b"3"]


async def test_what_nobody_subscribes_to_is_taken_all_the_same(house: House) -> None:
    publisher = connect(house.broker, "other", 5)
    subscribe(house.reader, Subscription("x", 0))
    house.broker.remove_subscription(house.broker.sessions["reader"], "#")
    send(publisher, Publish(TOPIC, b"1", 1, packet_id=1))
    house.recorder.sync()
    assert told(publisher) == [(PUBACK, b"\0\1")]  # and no word of no matching subscribers
    send(publisher, Publish("nobodys", b"1", 1, packet_id=2))
    assert told(publisher) == [(PUBACK, b"\0\2\x10")]


async def test_qos_0_is_recorded_in_order_and_nobody_waits(house: House) -> None:
    send(house.publisher, *[Publish(TOPIC, b"%d" % n) for n in range(3)])
    assert house.recorder.payloads == [b"0", b"1", b"2"]
    assert house.recorder.messages[0].qos == 0


@pytest.mark.parametrize("qos", [1, 2])
async def test_what_cannot_be_recorded_is_not_acknowledged(house: House, qos: int) -> None:
    send(house.publisher, Publish(TOPIC, b"x", qos, packet_id=1))
    house.recorder.sync(OSError("no room"))
    ((kind, body),) = told(house.publisher)
    assert (kind, body[0]) == (DISCONNECT, 0x89)  # server busy: come again
    assert house.publisher.is_closed


async def test_other_topics_are_not_asked_for_and_go_the_short_way(house: House) -> None:
    send(house.publisher, Publish("free", b"x", 1, packet_id=1))
    assert kinds(house.publisher) == [PUBACK]
    assert house.recorder.messages == []
    assert house.broker.route(b"free").relays
    assert not house.broker.route(TOPIC.encode()).relays_once


async def test_a_topic_that_is_wanted_later_is_recorded_from_then_on(house: House) -> None:
    send(house.publisher, Publish("later", b"1", 1, packet_id=1))
    house.recorder.wanted = "later"
    house.broker.change_routes()
    send(house.publisher, Publish("later", b"2", 1, packet_id=2))
    assert house.recorder.payloads == [b"2"]


async def test_qos_2_that_is_sent_again_is_recorded_and_passed_on_once(house: House) -> None:
    packet = Publish(TOPIC, b"x", 2, packet_id=1)
    publisher = connect(house.broker, "kept", 5, clean_start=False, properties=KEPT)
    send(publisher, packet)
    again = connect(house.broker, "kept", 5, clean_start=False, properties=KEPT)
    send(again, packet)
    assert await kinds_soon(again) == []  # it is not known yet what becomes of it
    house.recorder.sync()
    assert await kinds_soon(again) == [PUBREC]
    assert house.recorder.payloads == [b"x"]
    assert kinds(house.reader) == [PUBLISH]
    send(again, Pubrel(1))
    assert await kinds_soon(again) == [PUBCOMP]


async def test_qos_2_that_could_not_be_recorded_is_when_it_comes_again_and_passed_on_once(
    house: House,
) -> None:
    packet = Publish(TOPIC, b"x", 2, packet_id=1)
    publisher = connect(house.broker, "kept", 5, clean_start=False, properties=KEPT)
    send(publisher, packet)
    house.recorder.sync(OSError("no room"))
    assert publisher.is_closed
    again = connect(house.broker, "kept", 5, clean_start=False, properties=KEPT)
    send(again, packet)
    assert await kinds_soon(again) == []
    house.recorder.sync()
    assert await kinds_soon(again) == [PUBREC]
    assert house.recorder.payloads == [b"x", b"x"]
    assert kinds(house.reader) == [PUBLISH]


async def test_qos_2_whose_recording_a_crash_broke_off_is_recorded_when_it_comes_again() -> None:
    keeper = MemoryMqttSessions()
    before = House(keeper)
    packet = Publish(TOPIC, b"x", 2, packet_id=7)
    publisher = connect(before.broker, "kept", 5, clean_start=False, properties=KEPT)
    send(publisher, packet)
    # The packet id is kept, the message was not recorded: as if the process had ended here.
    after = House(keeper)
    after.broker.restore(await keeper.found())
    again = connect(after.broker, "kept", 5, clean_start=False, properties=KEPT)
    send(again, packet)
    assert await kinds_soon(again) == []
    after.recorder.sync()
    assert await kinds_soon(again) == [PUBREC]
    assert after.recorder.payloads == [b"x"]
    assert kinds(after.reader) == []  # it was passed on before


async def test_wills_and_what_other_doors_publish_are_recorded(house: House) -> None:
    dying = connect(house.broker, "dying", 5)
    session = house.broker.sessions["dying"]
    session.will = Will(Message(TOPIC, b"gone", 1))
    dying.close()
    done: list[Exception | None] = []
    house.broker.publish(Message(TOPIC, b"from WAMP", 1), None, done.append)
    assert house.recorder.payloads == [b"gone", b"from WAMP"]
    house.recorder.sync()
    assert done == [None]


async def test_a_retained_message_is_recorded_when_it_is_published_and_not_when_it_is_read(
    house: House,
) -> None:
    send(house.publisher, Publish(TOPIC, b"x", 1, True, packet_id=1))
    late = connect(house.broker, "late", 5)
    subscribe(late, Subscription(TOPIC, 1))
    assert house.recorder.payloads == [b"x"]
    assert house.recorder.messages[0].is_retain


async def test_expiry_and_properties_come_with_the_message(house: House) -> None:
    properties = Properties(
        message_expiry_interval=60, content_type="text/plain", user_properties=(("a", "b"),)
    )
    send(house.publisher, Publish(TOPIC, b"x", 1, packet_id=1, properties=properties))
    (message,) = house.recorder.messages
    assert message.expires_at_us == house.broker.now_us() + 60_000_000
    assert b"text/plain" in message.properties


class CountingLink(QuietLink):
    def __init__(self) -> None:
        self.is_paused = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False


async def test_a_publisher_is_slowed_down_while_the_disk_is_behind(house: House) -> None:
    link = house.publisher.link = CountingLink()
    house.recorder.is_behind = True
    first = serialize(Publish(TOPIC, b"1", 1, packet_id=1), 5)
    house.publisher.receive_data(first + serialize(Publish(TOPIC, b"2", 1, packet_id=2), 5))
    assert link.is_paused
    assert house.recorder.payloads == [b"1"]
    house.recorder.catch_up()
    house.broker.resume()
    assert not link.is_paused
    assert house.recorder.payloads == [b"1", b"2"]
