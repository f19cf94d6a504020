"""What is published to a device's own topic is in the request log, up to what can be read."""

import asyncio

import pytest
from tests.unit.doors.mqtt.houses import UUID, House
from tests.unit.doors.mqtt.open_door import Client, OpenDoor

from thingtank.doors.mqtt.request_log import witness as witness_module
from thingtank.doors.mqtt.request_log.witness import MqttWitness
from thingtank.net.identity.principals import DevicePrincipal
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packets import Publish, Subscribe
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.tank.events import RequestServed
from thingtank.tank.request_log import REQUESTS_PER_DEVICE_MAX
from thingtank.tank.tank import Tank


class Watched:
    """A device that publishes, somebody who listens, and the device's log."""

    def __init__(self, opened: OpenDoor, tank: Tank) -> None:
        self.tank = tank
        self.device = Client(opened, UUID, f"device:{UUID}", DevicePrincipal(UUID), version=4)
        self.listener = Client(opened, "listener", f"device:{UUID}", DevicePrincipal(UUID))
        self.listener.send(Subscribe(1, (Subscription(f"{UUID}/#", qos=2),)))

    @classmethod
    async def build(cls) -> "Watched":
        house = await House.build()
        opened = OpenDoor(house)
        tank = Tank(house.directory, MemoryArchive())
        opened.broker.witness = MqttWitness(tank, house.access)
        return cls(opened, tank)

    def publish(self, count: int, qos: int = 0) -> None:
        for number in range(1, count + 1):
            packet = Publish(f"{UUID}/state", b"on", qos=qos, packet_id=number if qos else 0)
            self.device.send(packet)

    @property
    def heard_count(self) -> int:
        return sum(isinstance(each, Publish) for each in self.listener.packets)

    @property
    def entries(self) -> list[RequestServed]:
        device = self.tank.directory.find_device_by_uuid(UUID)
        assert device is not None
        found = self.tank.request_log.of_device(device.device_id)
        return [each for each in found if each.asked.method == "PUBLISH"]


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_each_message_is_an_entry(qos: int) -> None:
    watched = await Watched.build()
    watched.publish(3, qos)
    assert watched.heard_count == 3
    assert [(each.status, each.request_body) for each in watched.entries] == [(200, b"on")] * 3
    assert watched.entries[0].asked.path == f"{UUID}/state"


async def test_of_very_many_some_are_entries_and_after_a_while_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(witness_module, "REST_S", 0)
    monkeypatch.setattr(witness_module, "NOTED_PER_SECOND_MAX", 10)
    watched = await Watched.build()
    moment_us = watched.tank.clock.now_us()
    monkeypatch.setattr(watched.tank.clock, "now_us", lambda: moment_us)
    watched.publish(30)
    assert watched.heard_count == 30
    assert len(watched.entries) == 10
    moment_us += 1_000_000
    await asyncio.sleep(0.01)  # the topic has rested
    watched.publish(1)
    assert len(watched.entries) == 11


async def test_a_device_has_no_more_entries_a_second_than_its_log_keeps() -> None:
    watched = await Watched.build()
    watched.publish(REQUESTS_PER_DEVICE_MAX + 30)
    assert watched.heard_count == REQUESTS_PER_DEVICE_MAX + 30
    assert REQUESTS_PER_DEVICE_MAX - 2 <= len(watched.entries) <= REQUESTS_PER_DEVICE_MAX
