"""What is said only when it is on disk, and what at once."""

from collections.abc import Callable

import pytest
from tests.unit.protocols.mqtt.brokers import QuietLink, connect, make_broker, subscribe, taken

from thingtank.protocols.mqtt.acks import WAITING_MAX
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packets import (
    Connect,
    Pingreq,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Unsubscribe,
)
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.serializer import serialize
from thingtank.stores.memory_mqtt_sessions import NullMqttSessions

KEPT = Properties(session_expiry_interval=60)
PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK = 3, 4, 5, 6, 7, 9, 11
CONNACK, PINGRESP, DISCONNECT = 2, 13, 14


class Disk(NullMqttSessions):
    """Takes nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[Callable[[Exception | None], None]] = []

    def when_kept(self, call: Callable[[Exception | None], None]) -> None:
        self._waiting.append(call)

    def sync(self, error: Exception | None = None) -> None:
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call(error)


class House:
    """A broker, its disk, a publisher, and readers whose sessions are kept and are not."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.broker: Broker = make_broker(self.disk)
        self.publisher = connect(self.broker, "publisher", 5)
        self.kept = connect(self.broker, "kept", 5, properties=KEPT)
        self.reader = connect(self.broker, "reader", 5)
        subscribe(self.reader, Subscription("for-reader", 2))
        for number, topic in enumerate(("for-kept", "for-kept-2"), 1):
            subscribe(self.kept, Subscription(topic, number))
        self.sync()
        self.drain()

    def sync(self, error: Exception | None = None) -> None:
        self.broker.settle()
        self.disk.sync(error)

    def drain(self) -> None:
        for connection in (self.publisher, self.kept, self.reader):
            taken(connection)


@pytest.fixture
async def house() -> House:
    return House()


def kinds_to(connection: Connection) -> list[int]:
    """Types of the packets that it has been sent, all shorter than 128 octets."""
    data, kinds = taken(connection), []
    while data:
        kinds.append(data[0] >> 4)
        data = data[2 + data[1] :]
    return kinds


def send(connection: Connection, *packets: object) -> None:
    for packet in packets:
        connection.receive_data(serialize(packet, 5))  # type: ignore[arg-type] # any of them


async def test_what_is_for_no_session_that_is_kept_is_acknowledged_at_once(house: House) -> None:
    send(house.publisher, Publish("for-reader", b"x", 1, packet_id=1))
    send(house.publisher, Publish("for-reader", b"x", 2, packet_id=2))
    assert kinds_to(house.publisher) == [PUBACK, PUBREC]
    send(house.publisher, Pubrel(2))
    assert kinds_to(house.publisher) == [PUBCOMP]


@pytest.mark.parametrize(("qos", "answer"), [(1, PUBACK), (2, PUBREC)])
@pytest.mark.parametrize("is_retain", [False, True], ids=["for a kept session", "to be retained"])
async def test_what_is_kept_is_acknowledged_when_it_is_on_disk(
    house: House, qos: int, answer: int, is_retain: bool
) -> None:
    topic = "for-nobody" if is_retain else "for-kept"
    send(house.publisher, Publish(topic, b"x", qos, is_retain, packet_id=1))
    assert kinds_to(house.publisher) == []
    if not is_retain:
        assert kinds_to(house.kept) == [PUBLISH]  # with QoS 1 it is sent meanwhile
    house.disk.sync()
    assert kinds_to(house.publisher) == [answer]


async def test_qos_2_goes_to_a_session_that_is_kept_when_it_is_on_disk(house: House) -> None:
    send(house.publisher, Publish("for-kept-2", b"x", 2, packet_id=1))
    assert kinds_to(house.kept) == []
    house.sync()
    assert kinds_to(house.kept) == [PUBLISH]
    send(house.kept, Pubrec(next(iter(house.broker.sessions["kept"].inflight))))
    assert kinds_to(house.kept) == []
    house.disk.sync()
    assert kinds_to(house.kept) == [PUBREL]


async def test_qos_2_of_a_session_that_is_kept_is_answered_when_it_is_on_disk(house: House) -> None:
    for packet, answer in ((Publish("t", b"x", 2, packet_id=1), PUBREC), (Pubrel(1), PUBCOMP)):
        send(house.kept, packet)
        assert kinds_to(house.kept) == []
        house.disk.sync()
        assert kinds_to(house.kept) == [answer]


async def test_subscriptions_of_a_session_that_is_kept_are_answered_when_on_disk(
    house: House,
) -> None:
    for packet, answer in (
        (Subscribe(1, (Subscription("a"),)), SUBACK),
        (Unsubscribe(2, ("a",)), UNSUBACK),
    ):
        send(house.reader, packet)
        assert kinds_to(house.reader) == [answer]
        send(house.kept, packet)
        assert kinds_to(house.kept) == []
        house.disk.sync()
        assert kinds_to(house.kept) == [answer]


async def test_coming_in_and_pings_wait_for_nothing(house: House) -> None:
    connection = Connection(house.broker, QuietLink(), "")
    send(connection, Connect(5, "new", properties=KEPT))
    assert kinds_to(connection) == [CONNACK]
    send(house.kept, Publish("t", b"x", 2, packet_id=1), Pingreq())
    assert kinds_to(house.kept) == [PINGRESP]


async def test_what_cannot_be_kept_is_not_acknowledged_and_the_connection_ends(
    house: House,
) -> None:
    send(house.publisher, Publish("for-kept", b"x", 1, packet_id=1))
    house.sync(OSError("no space"))
    assert kinds_to(house.publisher) == [DISCONNECT]
    assert house.publisher.is_closed


class Faulty:
    """Waits for the disk as a client does whose code is wrong."""

    def settle(self, error: Exception | None) -> None:
        raise ZeroDivisionError


async def test_fault_in_what_one_client_waits_for_costs_the_others_nothing(house: House) -> None:
    house.broker.awaiting.append(Faulty())
    send(house.publisher, Publish("for-kept", b"x", 1, packet_id=1))
    with pytest.raises(ZeroDivisionError):
        house.sync()
    assert kinds_to(house.publisher) == [PUBACK]


@pytest.mark.parametrize("error", [None, OSError("full")])
async def test_client_is_let_in_anew_once_its_last_session_is_gone_from_the_disk(
    house: House, error: Exception | None
) -> None:
    again = Connection(house.broker, QuietLink(), "127.0.0.1")
    send(again, Connect(5, "kept", properties=KEPT), Pingreq())
    assert kinds_to(again) == []
    assert house.kept.is_closed
    house.disk.sync(error)
    assert kinds_to(again) == ([CONNACK] if error else [CONNACK, PINGRESP])
    assert again.is_closed is (error is not None)
    assert ("kept" in house.broker.sessions) is (error is None)


async def test_no_more_answers_wait_than_there_may(house: House) -> None:
    count = 2 * WAITING_MAX + 500
    send(house.kept, *(Pubrel(1) for _ in range(count)))
    assert len(house.broker.awaiting) == WAITING_MAX
    answered = []
    for _ in range(3):
        house.sync()
        answered.append(kinds_to(house.kept).count(PUBCOMP))
    assert answered == [WAITING_MAX, WAITING_MAX, 500]
