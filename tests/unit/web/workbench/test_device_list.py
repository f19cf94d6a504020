"""The stream of the list of devices: the rows of a page, and nothing of what may not be seen."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import create_device, delete_device, update_device
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.tank import Tank
from thingtank.web.workbench import device_list, values
from thingtank.web.workbench.device_list import (
    ROWS_MAX,
    VALUE_CHARS_MAX,
    VALUES_MAX,
    AskedRows,
    NewDevices,
    list_stream,
    list_url,
)
from thingtank.web.workbench.streams import HEARTBEAT

Messages = AsyncGenerator[bytes, None]


@pytest.fixture
def tank(monkeypatch: pytest.MonkeyPatch) -> Tank:
    monkeypatch.setattr(values, "COALESCE_S", 0.001)
    return Tank(MemoryDirectory(), MemoryArchive())


@pytest.fixture
def new_devices(tank: Tank) -> NewDevices:
    return NewDevices(tank)


def account(tank: Tank, login: str) -> Caller:
    assert isinstance(tank.directory, MemoryDirectory)
    return Caller(tank.directory.add_account(login))


async def device_of(tank: Tank, caller: Caller, title: str, *, private: bool = True) -> int:
    change = DeviceChange(title=title, private=private)
    return (await create_device(tank, caller, change)).device.device_id


async def write(tank: Tank, caller: Caller, device_id: int, at_us: int, **written: str) -> None:
    writes = [DatastreamWrite(name, (at_us,), (value,)) for name, value in written.items()]
    await record_datapoints(tank, caller, device_id, writes, creates_missing=True)


def opened(
    tank: Tank, new_devices: NewDevices, caller: Caller, *ids: int, is_all: bool = False
) -> Messages:
    """The messages of a page that shows these."""
    return list_stream(tank, new_devices, caller, AskedRows(list(ids), is_all), asyncio.Event())


async def next_of(messages: Messages) -> tuple[str, Any]:
    """Kind and body of the next message."""
    async with asyncio.timeout(10):
        lines = (await anext(messages)).removeprefix(b"retry: 2000\n").decode().split("\n")
    return lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))


async def rows_of_next(messages: Messages) -> dict[str, Any]:
    """The rows of the next message that has some."""
    while True:
        kind, body = await next_of(messages)
        if kind == "rows":
            return dict(body)


def shown(row: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in row["values"]}


async def test_rows_come_whole_when_their_devices_are_written(
    tank: Tank, new_devices: NewDevices
) -> None:
    alice = account(tank, "alice")
    roof, cellar, other = [await device_of(tank, alice, name) for name in ("Roof", "Cellar", "x")]
    await write(tank, alice, roof, 5_000_000, t="1")
    messages = opened(tank, new_devices, alice, roof, cellar)
    _, hello = await next_of(messages)
    assert hello["rows"][str(roof)] == {
        "channel_count": 1,
        "at_ms": 5000,
        "values": [{"name": "t", "value": "1", "symbol": ""}],
    }
    assert hello["rows"][str(cellar)] == {"channel_count": 0, "at_ms": None, "values": []}
    await write(tank, alice, other, 6_000_000, t="7")  # on no row of this page
    await write(tank, alice, cellar, 6_000_000, h="40", long="x" * 255)
    await write(tank, alice, roof, 4_000_000, t="0", u="2")  # an older one of t, the first of u
    rows = await rows_of_next(messages)
    while len(rows) < 2:
        rows |= await rows_of_next(messages)
    assert rows.keys() == {str(roof), str(cellar)}
    assert rows[str(roof)]["channel_count"] == 2
    assert rows[str(roof)]["at_ms"] == 5000
    assert shown(rows[str(roof)]) == {"t": "1", "u": "2"}
    assert len(shown(rows[str(cellar)])["long"]) == VALUE_CHARS_MAX
    await messages.aclose()


async def test_a_row_shows_the_first_channels_that_have_a_value(
    tank: Tank, new_devices: NewDevices
) -> None:
    alice = account(tank, "alice")
    roof = await device_of(tank, alice, "Roof")
    await record_datapoints(tank, alice, roof, [DatastreamWrite("a")], creates_missing=True)
    await write(tank, alice, roof, 1, **dict.fromkeys("edcb", "1"))
    messages = opened(tank, new_devices, alice, roof)
    row = (await next_of(messages))[1]["rows"][str(roof)]
    assert row["channel_count"] == 5
    assert list(shown(row)) == ["b", "c", "d"][:VALUES_MAX]
    await messages.aclose()


async def test_nobody_is_told_of_what_is_or_has_become_anothers_only(
    tank: Tank, new_devices: NewDevices
) -> None:
    alice, bob = account(tank, "alice"), account(tank, "bob")
    hidden = await device_of(tank, alice, "Cellar")
    public = await device_of(tank, alice, "Roof", private=False)
    own = await device_of(tank, bob, "Own")
    messages = opened(tank, new_devices, bob, hidden, public, own, is_all=True)
    assert (await next_of(messages))[1]["rows"].keys() == {str(public), str(own)}
    await write(tank, alice, hidden, 1_000_000, t="1")
    await write(tank, alice, public, 1_000_000, t="1")
    assert list(await rows_of_next(messages)) == [str(public)]
    await update_device(tank, alice, public, DeviceChange(private=True))
    await write(tank, alice, public, 2_000_000, t="2")
    assert await next_of(messages) == ("changed", {})
    await write(tank, alice, hidden, 2_000_000, t="2")
    await write(tank, bob, own, 2_000_000, t="2")
    assert list(await rows_of_next(messages)) == [str(own)]
    await messages.aclose()


async def test_a_list_is_told_of_new_devices_that_belong_on_it(
    tank: Tank, new_devices: NewDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_list, "HEARTBEAT_S", 0.05)
    alice, bob = account(tank, "alice"), account(tank, "bob")
    own, wide = opened(tank, new_devices, bob), opened(tank, new_devices, bob, is_all=True)
    for messages in (own, wide):
        assert (await next_of(messages))[1]["rows"] == {}
    await device_of(tank, alice, "Hidden")
    for messages in (own, wide):
        assert await anext(messages) == HEARTBEAT
    await device_of(tank, alice, "Public", private=False)
    assert await next_of(wide) == ("changed", {})
    assert await anext(own) == HEARTBEAT
    await device_of(tank, bob, "Own")
    assert await next_of(own) == ("changed", {})
    await own.aclose()
    await wide.aclose()


async def test_a_page_is_not_fetched_more_often_than_once_in_a_while(
    tank: Tank, new_devices: NewDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_list, "CHANGED_S", 0.3)
    alice = account(tank, "alice")
    roof = await device_of(tank, alice, "Roof")
    messages = opened(tank, new_devices, alice, roof)
    await next_of(messages)
    await update_device(tank, alice, roof, DeviceChange(title="1"))
    assert await next_of(messages) == ("changed", {})  # at once
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    await update_device(tank, alice, roof, DeviceChange(title="2"))
    await write(tank, alice, roof, 1, t="1")
    assert (await next_of(messages))[0] == "rows"  # values do not wait
    await update_device(tank, alice, roof, DeviceChange(title="3"))
    assert await next_of(messages) == ("changed", {})
    assert loop.time() - start_s >= 0.25
    await delete_device(tank, alice, roof)
    assert await next_of(messages) == ("changed", {})
    await messages.aclose()


async def test_what_no_row_shows_does_not_have_the_page_fetched(
    tank: Tank, new_devices: NewDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_list, "HEARTBEAT_S", 0.05)
    alice = account(tank, "alice")
    roof = await device_of(tank, alice, "Roof")
    messages = opened(tank, new_devices, alice, roof)
    await next_of(messages)
    for change in (DeviceChange(website="http://w.example/"), DeviceChange(properties={"a": 1})):
        await update_device(tank, alice, roof, change)
        assert await anext(messages) == HEARTBEAT
    await update_device(tank, alice, roof, DeviceChange(tags=("roof",)))
    assert await next_of(messages) == ("changed", {})
    await messages.aclose()


async def test_a_tab_too_slow_for_its_events_gets_the_newest_of_all_rows(
    tank: Tank, new_devices: NewDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_list, "EVENTS_MAX", 2)
    alice = account(tank, "alice")
    roof, cellar = [await device_of(tank, alice, name) for name in ("Roof", "Cellar")]
    messages = opened(tank, new_devices, alice, roof, cellar)
    await next_of(messages)
    await write(tank, alice, cellar, 1_000_000, t="1")
    for number in range(3):  # while the tab takes its time
        await write(tank, alice, roof, 1_000_000 + number, t=str(number))
    rows = await rows_of_next(messages)
    assert shown(rows[str(cellar)]) == {"t": "1"}  # whose event was dropped
    assert shown(rows[str(roof)]) == {"t": "2"}
    assert await next_of(messages) == ("changed", {})
    await messages.aclose()


async def test_nothing_is_left_of_a_page_that_was_closed(
    tank: Tank, new_devices: NewDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = account(tank, "alice")
    roof = await device_of(tank, alice, "Roof")
    messages = opened(tank, new_devices, alice, roof)
    await next_of(messages)
    await messages.aclose()
    asked: list[object] = []
    monkeypatch.setattr("thingtank.tank.bus.Listener.offer", lambda *event: asked.append(event))
    await write(tank, alice, roof, 1, t="1")
    await device_of(tank, alice, "Cellar")
    assert asked == []


def test_an_address_names_the_rows_of_one_page() -> None:
    feeds = "&".join(f"feed={number}" for number in range(1, ROWS_MAX + 9))
    asked = AskedRows.of({"query_string": f"{feeds}&scope=all".encode()})
    assert asked == AskedRows(list(range(1, ROWS_MAX + 1)), is_all=True)
    for nonsense in (b"", b"feed=x&feed=-1&scope=", b"&".join([b"feed=7"] * 101)):
        assert AskedRows.of({"query_string": nonsense}) == AskedRows([], is_all=False)


async def test_a_page_asks_for_the_rows_that_it_shows(tank: Tank) -> None:
    alice = account(tank, "alice")
    devices = [tank.directory.get_device(await device_of(tank, alice, name)) for name in "ab"]
    for is_all in (False, True):
        query = urlsplit(list_url(devices, is_all=is_all)).query.encode()
        ids = [device.device_id for device in devices]
        assert AskedRows.of({"query_string": query}) == AskedRows(ids, is_all)
