"""A device's stream tells what its triggers do, to those who may change the device."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import msgspec
import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_triggers import MemoryTriggers
from thingtank.tank.access import Caller
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import CreatedDevice, create_device
from thingtank.tank.actions.triggers import create_trigger
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.deliveries import DeliveryLog, OpenCount
from thingtank.tank.errors import StorageFailed
from thingtank.tank.events import DatapointsRecorded, TriggerFired
from thingtank.tank.tank import Tank
from thingtank.tank.trigger_interfaces import NoTriggerService
from thingtank.tank.trigger_rules import Firing, TriggerState
from thingtank.tank.triggers import Kind, Trigger, TriggerChange
from thingtank.web.workbench import live, live_triggers, values
from thingtank.web.workbench.trigger_panels import state_of


class Service(NoTriggerService):
    """Triggers at work whose state a test sets."""

    def __init__(self) -> None:
        self.state: TriggerState | None = TriggerState(1)

    def state_of(self, trigger_id: int) -> TriggerState | None:
        return self.state


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "COALESCE_S", 0.001)
    monkeypatch.setattr(live_triggers, "LOOK_AFTER_S", 0.01)
    monkeypatch.setattr(live_triggers, "LOOK_AGAIN_S", 0.02)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def tank(service: Service) -> Tank:
    directory = MemoryDirectory()
    tank = Tank(directory, MemoryArchive(), triggers=MemoryTriggers(directory))
    tank.trigger_service = service
    return tank


@pytest.fixture
def alice(tank: Tank) -> Caller:
    assert isinstance(tank.directory, MemoryDirectory)
    return Caller(tank.directory.add_account("alice"))


@pytest.fixture
async def made(tank: Tank, alice: Caller) -> CreatedDevice:
    made = await create_device(tank, alice, DeviceChange(title="Roof", private=False))
    write = [DatastreamWrite("t")]
    await record_datapoints(tank, alice, made.device.device_id, write, creates_missing=True)
    return made


@pytest.fixture
async def trigger(tank: Tank, alice: Caller, made: CreatedDevice) -> Trigger:
    draft = TriggerChange(kind="gt", threshold="20", url="http://r.example/")
    return await create_trigger(tank, alice, made.device.device_id, "t", draft)


async def next_of(messages: AsyncIterator[bytes], event: str) -> Any:
    """The body of the next message of that name."""
    async with asyncio.timeout(10):
        async for text in messages:
            lines = text.removeprefix(b"retry: 2000\n").decode().split("\n")
            if lines[0] == f"event: {event}":
                return msgspec.json.decode(lines[1].removeprefix("data: "))
    raise AssertionError("the stream ended")


def a_value(trigger: Trigger) -> DatapointsRecorded:
    return DatapointsRecorded(trigger.device_id, {1: "t"}, DatapointRows.of([]))


async def test_the_stream_begins_with_all_and_goes_on_with_changes(
    tank: Tank, alice: Caller, trigger: Trigger, service: Service
) -> None:
    messages = live.stream(tank, alice, trigger.device_id, asyncio.Event())
    hello = await next_of(messages, "hello")
    armed = {"state": "armed", "label": "Armed", "fired_ms": None, "due_ms": None, "waiting": 0, "dead": 0}  # fmt: skip
    assert hello["triggers"] == {str(trigger.trigger_id): armed}
    service.state = TriggerState(1, is_active=True)
    tank.bus.publish(a_value(trigger))
    changed = await next_of(messages, "triggers")
    assert changed[str(trigger.trigger_id)]["label"] == "Condition true"
    await messages.aclose()


async def test_what_waits_to_fire_is_looked_at_again_by_itself(
    tank: Tank, alice: Caller, trigger: Trigger, service: Service
) -> None:
    messages = live.stream(tank, alice, trigger.device_id, asyncio.Event())
    await next_of(messages, "hello")
    service.state = TriggerState(1, is_active=True, due_us=5_000_000)
    tank.bus.publish(a_value(trigger))
    pending = (await next_of(messages, "triggers"))[str(trigger.trigger_id)]
    assert (pending["state"], pending["due_ms"]) == ("pending", 5000)
    service.state = TriggerState(1)
    after = (await next_of(messages, "triggers"))[str(trigger.trigger_id)]
    assert after["state"] == "armed"
    await messages.aclose()


async def test_a_firing_is_told_at_once_and_the_oldest_of_too_many_is_not(
    tank: Tank, alice: Caller, trigger: Trigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_triggers, "FIRED_MAX", 2)
    messages = live.stream(tank, alice, trigger.device_id, asyncio.Event())
    await next_of(messages, "hello")
    for second in range(3):
        tank.bus.publish(TriggerFired(trigger, Firing(second * 1_000_000, None, "31")))
    rows = await next_of(messages, "fired")
    assert [row["at_ms"] for row in rows] == [1000, 2000]
    assert (rows[0]["id"], rows[0]["name"], rows[0]["value"]) == (trigger.trigger_id, "t", "31")
    await messages.aclose()


class FailingLog:
    """Deliveries on a disk that may be full; no other question is asked."""

    def __init__(self) -> None:
        self.is_full = True

    async def open_counts(self, device_id: int) -> Mapping[int, OpenCount]:
        if self.is_full:
            raise StorageFailed("the disk is full")
        return {}


async def test_values_go_on_while_the_outbox_cannot_be_read_and_triggers_come_after_it(
    tank: Tank, alice: Caller, trigger: Trigger
) -> None:
    outbox = FailingLog()
    tank.deliveries = cast("DeliveryLog", outbox)
    messages = live.stream(tank, alice, trigger.device_id, asyncio.Event())
    assert (await next_of(messages, "hello"))["triggers"] == {}
    rows = DatapointRows([1], [1_000_000], ["21"])
    tank.bus.publish(DatapointsRecorded(trigger.device_id, {1: "t"}, rows))
    assert (await next_of(messages, "values"))["t"]["value"] == "21"
    outbox.is_full = False
    told = await next_of(messages, "triggers")
    assert told[str(trigger.trigger_id)]["state"] == "armed"
    await messages.aclose()


async def test_who_may_only_look_hears_nothing_of_triggers(
    tank: Tank, trigger: Trigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.05)
    assert isinstance(tank.directory, MemoryDirectory)
    bob = Caller(tank.directory.add_account("bob"))
    messages = live.stream(tank, bob, trigger.device_id, asyncio.Event())
    hello = await next_of(messages, "hello")
    assert hello["triggers"] == {}
    tank.bus.publish(TriggerFired(trigger, Firing(1_000_000, None, "31")))
    assert await anext(messages) == b": still here\n\n"
    await messages.aclose()


STATES = [
    ("gt", True, TriggerState(1), "armed"),
    ("gt", True, TriggerState(1, is_active=True), "true"),
    ("gt", True, TriggerState(1, is_active=True, due_us=5), "pending"),
    ("change", True, TriggerState(1, due_us=5), "pending"),
    ("frozen", True, TriggerState(1, due_us=5), "armed"),
    ("frozen", True, TriggerState(1, is_active=True), "frozen"),
    ("gt", True, None, "resting"),
    ("gt", False, TriggerState(1, is_active=True), "disabled"),
]


@pytest.mark.parametrize(("kind", "is_enabled", "remembered", "state"), STATES)
def test_a_trigger_has_one_state(
    kind: Kind, is_enabled: bool, remembered: TriggerState | None, state: str
) -> None:
    trigger = Trigger(1, 1, 7, "t", kind, is_enabled=is_enabled)
    assert state_of(trigger, remembered) == state
