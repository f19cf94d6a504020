"""The wall's stream: several devices over one connection, and nothing of what may not be seen."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import create_device, update_device
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.tank import Tank
from thingtank.web.workbench import values
from thingtank.web.workbench.wall import (
    FEEDS_MAX,
    TERMS_MAX,
    asked_feeds,
    feed_ids,
    visible,
    wall_stream,
)


@pytest.fixture
def tank(monkeypatch: pytest.MonkeyPatch) -> Tank:
    monkeypatch.setattr(values, "COALESCE_S", 0.001)
    return Tank(MemoryDirectory(), MemoryArchive())


def account(tank: Tank, login: str) -> Caller:
    assert isinstance(tank.directory, MemoryDirectory)
    return Caller(tank.directory.add_account(login))


async def device_of(tank: Tank, caller: Caller, title: str, *, private: bool = True) -> int:
    change = DeviceChange(title=title, private=private)
    return (await create_device(tank, caller, change)).device.device_id


async def write(tank: Tank, caller: Caller, device_id: int, at_us: int, value: str) -> None:
    writes = [DatastreamWrite("t", (at_us,), (value,))]
    await record_datapoints(tank, caller, device_id, writes, creates_missing=True)


async def next_of(messages: AsyncIterator[bytes], kind: str) -> Any:
    """The body of the next message of a kind."""
    async with asyncio.timeout(10):
        while True:
            lines = (await anext(messages)).decode().split("\n")
            if f"event: {kind}" in lines:
                (data,) = [line for line in lines if line.startswith("data: ")]
                return json.loads(data.removeprefix("data: "))


async def test_values_of_several_devices_come_over_one_stream(tank: Tank) -> None:
    alice = account(tank, "alice")
    first, second = [await device_of(tank, alice, title) for title in ("Roof", "Cellar")]
    await write(tank, alice, first, 1000, "1")
    messages = wall_stream(tank, alice, [first, second], asyncio.Event())
    hello = await next_of(messages, "hello")
    assert hello["channels"] == [f"{first}:t"]
    assert hello["values"][f"{first}:t"]["value"] == "1"
    await write(tank, alice, first, 2_000_000, "2")
    await write(tank, alice, second, 3_000_000, "3")
    found: dict[str, Any] = {}
    while len(found) < 2:
        found |= await next_of(messages, "values")
    assert found[f"{first}:t"]["points"] == [[2, 2]]
    assert found[f"{second}:t"]["points"] == [[3, 3]]
    await messages.aclose()


async def test_a_device_that_became_private_is_told_of_no_more(tank: Tank) -> None:
    alice, bob = account(tank, "alice"), account(tank, "bob")
    shown = await device_of(tank, alice, "Roof", private=False)
    own = await device_of(tank, bob, "Cellar")
    messages = wall_stream(tank, bob, [shown, own], asyncio.Event())
    await next_of(messages, "hello")
    await write(tank, alice, shown, 1_000_000, "1")
    assert list(await next_of(messages, "values")) == [f"{shown}:t"]
    await update_device(tank, alice, shown, DeviceChange(private=True))
    await next_of(messages, "device")
    await write(tank, alice, shown, 2_000_000, "2")
    await write(tank, bob, own, 2_000_000, "2")
    assert list(await next_of(messages, "values")) == [f"{own}:t"]
    assert [device.device_id for device in visible(tank, bob, [shown, own, 999])] == [own]
    await messages.aclose()


@pytest.mark.parametrize(
    ("texts", "ids"),
    [
        (["7"], [7]),
        (["7", "9", "7"], [7, 9]),
        (["7, 9", "x", "-1", "٣", ""], [7, 9]),
        (["9" * 19], []),
        ([",".join(map(str, range(1, 100)))], list(range(1, FEEDS_MAX + 1))),
    ],
)
def test_an_address_names_feeds(texts: list[str], ids: list[int]) -> None:
    assert feed_ids(texts) == ids


def test_an_address_with_too_many_terms_names_no_feed() -> None:
    assert asked_feeds({"query_string": b"&".join([b"feed=7"] * TERMS_MAX)}) == [7]
    assert asked_feeds({"query_string": b"&".join([b"feed=7"] * (TERMS_MAX + 1))}) == []
