"""A device's stream tells a slow tab that it missed something, and then once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller
from thingtank.tank.actions.devices import CreatedDevice, create_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.events import DeviceUpdated, MessageSent, PresenceChanged
from thingtank.tank.messaging.messages import Message
from thingtank.tank.tank import Tank
from thingtank.web.workbench import live, values


@pytest.fixture
def tank() -> Tank:
    return Tank(MemoryDirectory(), MemoryArchive())


@pytest.fixture
def caller(tank: Tank) -> Caller:
    assert isinstance(tank.directory, MemoryDirectory)
    return Caller(tank.directory.add_account("alice"))


@pytest.fixture
async def made(tank: Tank, caller: Caller) -> CreatedDevice:
    return await create_device(tank, caller, DeviceChange(title="Roof"))


async def names_of_next(messages: AsyncIterator[bytes], count: int) -> list[str]:
    """The event names of the next messages."""
    async with asyncio.timeout(10):
        return [(await anext(messages)).split(b"\n")[0].decode() for _ in range(count)]


async def test_a_tab_too_slow_for_its_events_is_told_to_reload_once(
    tank: Tank, caller: Caller, made: CreatedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EVENTS_MAX", 3)
    monkeypatch.setattr(values, "COALESCE_S", 0.001)
    stopping = asyncio.Event()
    messages = live.stream(tank, caller, made.device.device_id, stopping)
    assert (await anext(messages)).startswith(b"retry: ")
    for _ in range(5):  # while the tab takes its time with what was sent last
        tank.bus.publish(DeviceUpdated(made.device))
    assert await names_of_next(messages, 2) == ["event: reload", "event: device"]
    tank.bus.publish(DeviceUpdated(made.device))
    assert await names_of_next(messages, 1) == ["event: device"]
    await messages.aclose()


async def test_a_tab_is_told_of_news_in_the_log_a_while_after_and_once(
    tank: Tank, caller: Caller, made: CreatedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "COALESCE_S", 0.001)
    monkeypatch.setattr(live, "LOG_S", 0.05)
    device, stopping = made.device, asyncio.Event()
    messages = live.stream(tank, caller, device.device_id, stopping)
    await anext(messages)
    for number in range(5):
        message = Message("", 0, 0, {"devices": device.uuid, "payload": number})
        tank.bus.publish(MessageSent(device, message))
    assert await names_of_next(messages, 1) == ["event: noted"]
    tank.bus.publish(PresenceChanged(device, True))
    assert await names_of_next(messages, 2) == ["event: device", "event: noted"]
    tank.bus.publish(DeviceUpdated(device))
    assert await names_of_next(messages, 1) == ["event: device"]
    await messages.aclose()
