"""The Xively door on a real port, over memory twins, for clients that run in this process or another."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, NamedTuple

import pytest

from thingtank.doors.xively.http import XivelyHttp
from thingtank.doors.xively.settings import XivelySettings
from thingtank.net.bounded_http import HttpLimits
from thingtank.server.http_server import HttpServer
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.keys import create_key
from thingtank.tank.changes import DeviceChange
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission
from thingtank.tank.tank import Tank

START_S_MAX = 20.0


class OpenDoor(NamedTuple):
    """Where a client goes, and with what."""

    address: str
    feed_id: int
    device_key: str
    master_key: str


@pytest.fixture
def xively_door() -> Iterator[OpenDoor]:
    ready: Future[OpenDoor] = Future()
    stop: Future[Any] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_run(ready, stop)))
    thread.start()
    try:
        yield ready.result(START_S_MAX)
    finally:
        stop.set_result(None)
        thread.join(START_S_MAX)
        assert not thread.is_alive()


async def _run(ready: Future[OpenDoor], stop: Future[Any]) -> None:
    try:
        directory = MemoryDirectory()
        alice = directory.add_account("alice")
        tank = Tank(directory, MemoryArchive())
        made = await create_device(tank, Caller(alice), DeviceChange(title="Roof station"))
        master = ApiKey(0, alice.account_id, "master", (Permission(ACCESS_METHODS),))
        _, master_key = await create_key(tank, Caller(alice), master)
        server = HttpServer(XivelyHttp(tank, XivelySettings()), "127.0.0.1", 0, HttpLimits())
        await server.start()
    except BaseException as error:
        ready.set_exception(error)
        raise
    address = f"127.0.0.1:{server.port}"
    ready.set_result(OpenDoor(address, made.device.device_id, made.api_key, master_key))
    await asyncio.wrap_future(stop)
    await server.stop()
