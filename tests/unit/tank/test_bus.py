"""The bus gives events to whoever listens, and never grows for one who does not read."""

import asyncio

import pytest

from thingtank.tank.bus import Bus
from thingtank.tank.events import DeviceCreated, DeviceDeleted, DeviceUpdated
from thingtank.tank.things import Device


def device(device_id: int) -> Device:
    return Device(device_id, f"u-{device_id}", 1, "thing")


async def test_a_listener_hears_its_kinds_of_its_device_only() -> None:
    bus = Bus()
    with bus.listen(DeviceUpdated, device_id=1) as listener:
        bus.publish(DeviceUpdated(device(2)))
        bus.publish(DeviceCreated(device(1)))
        bus.publish(DeviceUpdated(device(1)))
        assert await listener.next() == DeviceUpdated(device(1))
        assert listener.take_all() == []


async def test_a_waiting_listener_wakes() -> None:
    bus = Bus()
    with bus.listen(DeviceCreated) as listener:
        waiting = asyncio.create_task(listener.next())
        await asyncio.sleep(0)
        bus.publish(DeviceCreated(device(3)))
        assert await asyncio.wait_for(waiting, 1) == DeviceCreated(device(3))


async def test_a_full_queue_drops_the_oldest_and_counts() -> None:
    bus = Bus()
    with bus.listen(DeviceDeleted, events_max=2) as listener:
        for device_id in range(5):
            bus.publish(DeviceDeleted(device(device_id)))
        assert listener.dropped_count == 3
        assert listener.take_all() == [DeviceDeleted(device(3)), DeviceDeleted(device(4))]


async def test_a_closed_listener_hears_nothing_and_leaves_nothing_behind() -> None:
    bus = Bus()
    first, second = bus.listen(DeviceCreated, device_id=1), bus.listen(DeviceCreated, device_id=1)
    first.close()
    bus.publish(DeviceCreated(device(1)))
    assert (first.take_all(), len(second.take_all())) == ([], 1)
    second.close()
    bus.publish(DeviceCreated(device(1)))
    assert second.take_all() == []


@pytest.mark.parametrize("kinds", [(DeviceCreated,), (DeviceCreated, DeviceUpdated)])
async def test_an_event_reaches_every_listener(kinds: tuple[type, ...]) -> None:
    bus = Bus()
    listeners = [bus.listen(*kinds), bus.listen(*kinds, device_id=1)]
    bus.publish(DeviceCreated(device(1)))
    assert [len(listener.take_all()) for listener in listeners] == [1, 1]


def test_a_reaction_comes_at_once_to_events_of_its_kind_only() -> None:
    bus, seen = Bus(), []
    bus.react(DeviceCreated, seen.append)
    bus.publish(DeviceCreated(device(1)))
    bus.publish(DeviceUpdated(device(2)))
    assert seen == [DeviceCreated(device(1))]
