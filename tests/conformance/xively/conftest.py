"""The Xively door over memory twins, reached both ways that requests come: ASGI, and whole."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.direct_requests import DirectTransport

from thingtank.doors.xively.http import XivelyHttp
from thingtank.doors.xively.settings import XivelySettings
from thingtank.stores.memory_accounts import MemoryAccounts
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_products import MemoryProducts
from thingtank.stores.memory_triggers import MemoryTriggers
from thingtank.tank.access import Caller
from thingtank.tank.actions.devices import CreatedDevice, create_device
from thingtank.tank.actions.keys import create_key
from thingtank.tank.changes import DeviceChange
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account

NOW_US = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z


class StoppedClock:
    def now_us(self) -> int:
        return NOW_US


def on_the_wire(app: Any) -> Any:
    """`app` with header names as plain bytes, as a client receives them from a real server."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        async def send_plain(message: Any) -> None:
            if "headers" in message:
                plain = [(bytes(name), value) for name, value in message["headers"]]
                message = {**message, "headers": plain}
            await send(message)

        await app(scope, receive, send_plain)

    return call


class Xively:
    """A tank with two accounts and one feed, and a client of it.

    Attributes:
        feed: path of alice's private feed.
        public: path of bob's public feed.
        keys: name → secret: alice's master, the feed's own, a read-only one, bob's master,
            one that only writes, one for history by the hour, an expired one.
    """

    def __init__(
        self,
        way: str = "asgi",
        directory: MemoryDirectory | None = None,
        archive: MemoryArchive | None = None,
    ) -> None:
        self.directory = directory or MemoryDirectory()
        self.tank = Tank(
            self.directory,
            archive or MemoryArchive(),
            clock=StoppedClock(),
            triggers=MemoryTriggers(self.directory),
            products=MemoryProducts(self.directory),
            accounts=MemoryAccounts(self.directory),
        )
        self.alice = self.directory.add_account("alice")
        self.bob = self.directory.add_account("bob")
        self.keys: dict[str, str] = {}
        door = XivelyHttp(self.tank, XivelySettings())
        self.client = httpx.AsyncClient(
            transport=DirectTransport(door.answer)
            if way == "direct"
            else httpx.ASGITransport(on_the_wire(door)),
            base_url="http://tank.test",
        )

    async def fill(self) -> None:
        self.made = await self._device(self.alice, "Roof station", private=True)
        self.feed = f"/v2/feeds/{self.made.device.device_id}"
        other = await self._device(self.bob, "Open station", private=False)
        self.public = f"/v2/feeds/{other.device.device_id}"
        hidden = await self._device(self.bob, "Hidden station", private=True)
        self.foreign = f"/v2/feeds/{hidden.device.device_id}"
        self.keys["device"] = self.made.api_key
        everything = Permission(ACCESS_METHODS)
        one_feed = (Resource(self.made.device.device_id),)
        await self._key("master", self.alice, everything)
        await self._key("bob", self.bob, everything)
        await self._key("read", self.alice, Permission(("get",), one_feed))
        await self._key("write", self.alice, Permission(("put",)))
        await self._key("coarse", self.alice, Permission(("get",), minimum_interval_s=3600))
        await self._key("expired", self.alice, everything, expires_us=NOW_US - 1)

    async def _device(self, owner: Account, title: str, private: bool) -> CreatedDevice:
        draft = DeviceChange(title=title, private=private)
        return await create_device(self.tank, Caller(owner), draft)

    async def _key(
        self, name: str, owner: Account, permission: Permission, expires_us: int | None = None
    ) -> None:
        draft = ApiKey(0, owner.account_id, name, (permission,), expires_us=expires_us)
        _, self.keys[name] = await create_key(self.tank, Caller(owner), draft)

    async def ask(
        self, method: str, path: str, key: str = "device", **request: object
    ) -> httpx.Response:
        """Send one request with a key named in `keys`."""
        headers = {"X-ApiKey": self.keys[key]} if key else {}
        headers.update(request.pop("headers", {}))  # type: ignore[call-overload] # httpx checks it
        return await self.client.request(method, path, headers=headers, **request)  # type: ignore[arg-type] # httpx checks it


@pytest.fixture(params=["asgi", "direct"])
async def xively(request: pytest.FixtureRequest) -> AsyncIterator[Xively]:
    made = Xively(request.param)
    await made.fill()
    async with made.client:
        yield made
