"""The REST API over memory twins, reached both ways that requests come: ASGI, and whole."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from tests.direct_requests import DirectTransport

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.parties import Parties
from thingtank.doors.skynet.rates import Rates
from thingtank.doors.skynet.rest.rest import SkynetRest
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.net.identity.principals import Callers
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_device_events import MemoryDeviceEvents
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_kept_messages import MemoryKeptMessages
from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.keys import create_key
from thingtank.tank.changes import DeviceChange
from thingtank.tank.events import RequestServed
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission
from thingtank.tank.messaging.permissions import Party, Policy
from thingtank.tank.messaging.switchboard import Delivery
from thingtank.tank.tank import Tank

NOW_US = 1_394_280_000_000_000  # 2014-03-08T12:00:00Z
NO_LIMITS = SkynetSettings(rate_messages_s=0, rate_data_s=0, rate_queries_s=0)


class SteppingClock:
    """A millisecond later each time it is looked at."""

    def __init__(self) -> None:
        self.at_us = NOW_US

    def now_us(self) -> int:
        self.at_us += 1000
        return self.at_us


class Ear:
    """Hears deliveries."""

    def __init__(self) -> None:
        self.heard: list[Delivery] = []

    def deliver(self, delivery: Delivery) -> None:
        self.heard.append(delivery)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [each.message.content for each in self.heard if each.message is not None]


class SkyNet:
    """A tank, its REST API, and somebody with curl.

    Attributes:
        key: an API key of the account that owns what strangers register.
    """

    def __init__(
        self,
        way: str = "direct",
        *,
        is_open: bool = True,
        settings: SkynetSettings = NO_LIMITS,
    ) -> None:
        self.clock = SteppingClock()
        self.directory = MemoryDirectory()
        self.events = MemoryDeviceEvents(clock=self.clock)
        self.kept = MemoryKeptMessages()
        self.tank = Tank(
            self.directory,
            MemoryArchive(),
            clock=self.clock,
            policy=Policy(is_open=is_open),
            device_events=self.events,
            kept_messages=self.kept,
        )
        self.account = self.directory.add_account("alice")
        callers = Callers(self.directory, self.clock.now_us)
        parties = Parties(self.directory, callers, self.clock.now_us)
        self.door = SkynetDoor(
            settings,
            self.tank,
            parties,
            Rates(settings),
            self.account.account_id,
            self.clock.now_us,
        )
        self.rest = SkynetRest(self.door)
        self.served: list[RequestServed] = []
        self.tank.bus.react(RequestServed, self.served.append)
        transport = (
            DirectTransport(self.rest.answer) if way == "direct" else httpx.ASGITransport(self.rest)
        )
        self.client = httpx.AsyncClient(
            transport=transport, base_url="http://localhost:3000", headers={"User-Agent": "curl"}
        )

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send one request; `form` as curl's `-d`, `auth` as uuid and token."""
        headers: dict[str, str] = dict(request.pop("headers", {}))
        form = request.pop("form", None)
        if form is not None:
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            request["content"] = form
        auth = request.pop("auth", None)
        if auth is not None:
            headers |= {"meshblu_auth_uuid": auth[0], "meshblu_auth_token": auth[1]}
        return await self.client.request(method, path, headers=headers, **request)

    async def made(self, **properties: Any) -> tuple[str, str]:
        """A device made by the operator: uuid and token."""
        private = properties.pop("private", not self.door.is_open)
        created = await create_device(
            self.tank,
            OPERATOR,
            DeviceChange(
                title=properties.pop("name", "lamp"), private=private, properties=properties
            ),
            account_id=self.account.account_id,
        )
        return created.device.uuid, created.token

    async def key(self) -> str:
        draft = ApiKey(0, self.account.account_id, "all", (Permission(ACCESS_METHODS),), True)
        return (await create_key(self.tank, Caller(self.account), draft))[1]

    def hear(self, uuid: str, *kinds: Any) -> Ear:
        """Listen as the device itself."""
        device = self.directory.find_device_by_uuid(uuid)
        assert device is not None
        ear = Ear()
        party = Party(Caller(), device)
        self.tank.messaging.switchboard.add(ear, party, device, kinds or ("received",))
        return ear

    def properties(self, uuid: str) -> Mapping[str, Any]:
        device = self.directory.find_device_by_uuid(uuid)
        assert device is not None
        return device.properties


@pytest.fixture(params=["direct", "asgi"])
async def skynet(request: pytest.FixtureRequest) -> AsyncIterator[SkyNet]:
    """Open, as in 2014."""
    made = SkyNet(request.param)
    async with made.client:
        yield made


@pytest.fixture
async def closed() -> AsyncIterator[SkyNet]:
    """Nobody is let in who does not show who it is."""
    made = SkyNet(is_open=False)
    async with made.client:
        yield made
