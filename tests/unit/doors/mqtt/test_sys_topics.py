"""The broker in numbers under `$SYS`: names, values, and that only changes are published."""

import math

import pytest
from tests.unit.doors.mqtt.houses import House
from tests.unit.doors.mqtt.open_door import Client, OpenDoor

from thingtank.doors.mqtt.sys_topics import PREFIX, Load, SysTopics
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packets import Publish, Subscribe
from thingtank.protocols.mqtt.properties import Properties

S = 1_000_000


@pytest.fixture
async def opened() -> OpenDoor:
    return OpenDoor(House())


def value(opened: OpenDoor, name: str) -> str:
    message = opened.broker.retained.get(PREFIX + name, 0)
    assert message is not None, name
    return message.payload.decode()


def make(opened: OpenDoor) -> SysTopics:
    return SysTopics(opened.door, "1.2.3", lambda: opened.house.now_us)


async def test_numbers_are_those_of_the_broker(opened: OpenDoor) -> None:
    topics = make(opened)
    topics.publish()
    kept = Properties(session_expiry_interval=60)
    away, here = Client(opened, "away", properties=kept), Client(opened, "here")
    for client in (away, here):
        client.send(Subscribe(1, (Subscription("a/#", 1),)))
    away.close()
    here.send(Publish("a/b", b"x", 1, True, packet_id=1))
    opened.house.now_us += 10 * S
    topics.publish()
    expected = {
        "version": "Thing Tank 1.2.3",
        "uptime": "10 seconds",
        "clients/connected": "1",
        "clients/disconnected": "1",
        "clients/total": "2",
        "clients/maximum": "1",
        "clients/expired": "0",
        "subscriptions/count": "2",
        "publish/messages/received": "1",
        "publish/messages/sent": "1",
        "publish/messages/dropped": "0",
        "load/sockets/1min": f"{12 * (1 - math.exp(-1 / 6)):.2f}",
    }
    assert {name: value(opened, name) for name in expected} == expected
    retained_count = int(value(opened, "retained messages/count"))
    assert int(value(opened, "messages/stored")) == retained_count + 1  # what waits for `away`
    assert int(value(opened, "bytes/received")) > 50
    opened.house.now_us += 61 * S
    opened.broker.tick()
    topics.publish()
    assert value(opened, "clients/expired") == "1"


async def test_only_what_has_changed_is_published_and_never_on_disk(opened: OpenDoor) -> None:
    kept: list[object] = []
    opened.keeper.retain = kept.append  # type: ignore[method-assign] # to hear of it
    topics = make(opened)
    reader = Client(opened, "reader")
    reader.send(Subscribe(1, (Subscription(f"{PREFIX}#"),)))
    topics.publish()
    opened.flush()
    first = [packet.topic for packet in reader.packets if isinstance(packet, Publish)]
    assert len(first) == len(set(first)) > 30
    reader.packets.clear()
    opened.house.now_us += S
    topics.publish()
    opened.flush()
    again = {packet.topic for packet in reader.packets if isinstance(packet, Publish)}
    assert f"{PREFIX}uptime" in again
    assert f"{PREFIX}version" not in again
    assert f"{PREFIX}clients/total" not in again
    assert kept == []


async def test_an_interval_of_0_publishes_nothing() -> None:
    opened = OpenDoor(House(sys_interval_s=0.0))
    topics = make(opened)
    topics.start()
    topics.stop()
    assert len(opened.broker.retained) == 0


def test_a_load_comes_to_a_steady_rate_and_fades() -> None:
    load = Load()
    for second in range(10, 3610, 10):
        load.take(second * 2, 10)
    assert load.per_min[1] == pytest.approx(120)
    assert load.per_min[15] == pytest.approx(120, rel=0.02)
    load.take(7200, 60)
    assert load.per_min[1] == pytest.approx(120 / math.e)
