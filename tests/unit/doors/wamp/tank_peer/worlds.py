"""A tank in memory that is a peer of a realm, and clients who are somebody by their authid."""

import asyncio
from typing import Any

from tests.conformance.wamp.realms import ALL_ROLES, Client, World
from tests.waiting import until

from thingtank.doors.wamp.authorization.authorizer import RealmAuthorizer
from thingtank.doors.wamp.realm_settings import RealmSettings
from thingtank.doors.wamp.tank_peer.peer import TankPeer
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.router import Realm
from thingtank.stores.memory_accounts import MemoryAccounts
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_products import MemoryProducts
from thingtank.stores.memory_triggers import MemoryTriggers
from thingtank.tank.access import OPERATOR, Caller, caller_of_key
from thingtank.tank.actions.devices import create_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.interfaces import Archive
from thingtank.tank.keys import ApiKey, Permission, Resource
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Device

NOW = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z
AT = "2023-11-14T22:13:20.000000Z"
ADDRESS = "192.0.2.7"
FEATURES = {**ALL_ROLES, "caller": {"call_canceling", "progressive_call_results"}}


class SettableClock:
    now = NOW

    def now_us(self) -> int:
        return self.now


class Answer:
    """What came of a call: its result, or its error."""

    def __init__(self, message: list[Any], progress: list[Any]) -> None:
        self.is_error = message[0] == 8
        payload = message[5:] if self.is_error else message[3:]
        self.error = message[4] if self.is_error else ""
        self.args: list[Any] = payload[0] if payload else []
        self.kwargs: dict[str, Any] = payload[1] if len(payload) > 1 else {}
        self.progress = progress

    @property
    def value(self) -> Any:
        assert not self.is_error, (self.error, self.args)
        assert len(self.args) <= 1
        return self.args[0] if self.args else None


class TankWorld:
    """Alice owns feed `roof` with two datastreams; Bob owns nothing; Root is an admin.

    An authid is a login, `stranger`, `operator`, or `key:` and a secret.
    """

    def __init__(self, archive: Archive | None = None, **options: Any) -> None:
        self.directory = MemoryDirectory()
        self.clock = SettableClock()
        self.tank = Tank(
            self.directory,
            archive or MemoryArchive(),
            clock=self.clock,
            accounts=MemoryAccounts(self.directory),
            products=MemoryProducts(self.directory),
            triggers=MemoryTriggers(self.directory),
            **options,
        )
        self.alice = self.directory.add_account("alice")
        self.bob = self.directory.add_account("bob")
        self.root = self.directory.add_account("root", is_admin=True)
        self.reads_public = True
        self.peer = TankPeer(self.tank, self.caller_of, "http://tank.example")
        self.world = self.open_realm()
        self.peer.start()

    def open_realm(self) -> World:
        """One more realm that the tank is in, with its usual roles."""
        world = World()
        loop, clock = asyncio.get_running_loop(), self.clock
        settings = RealmSettings(world.realm.name)
        RealmAuthorizer(settings, self.peer.decide, loop, clock.now_us).attach(world.realm)
        self.peer.attach(world.realm)
        return world

    @property
    def realm(self) -> Realm:
        return self.world.realm

    def caller_of(self, peer: Peer) -> Caller:
        authid = peer.authid
        if authid == "stranger":
            return Caller(address=ADDRESS, reads_public=self.reads_public)
        if authid == "operator":
            return OPERATOR
        if authid.startswith("key:"):
            return caller_of_key(self.directory, authid[4:], self.clock.now_us(), ADDRESS)
        account = self.directory.find_account(authid)
        if account is None:
            raise Unauthenticated("the account is gone")
        return Caller(account, address=ADDRESS)

    async def make_device(
        self, title: str = "Roof", *, private: bool = True, names: tuple[str, ...] | None = None
    ) -> Device:
        names = names or ("humidity", "temperature")
        datastreams = [Datastream(0, 0, name) for name in names]
        draft = DeviceChange(title=title, private=private)
        return (await create_device(self.tank, Caller(self.alice), draft, datastreams)).device

    async def make_key(self, secret: str, *methods: str, resource: Resource | None = None) -> int:
        resources = (resource,) if resource else ()
        key = ApiKey(0, self.alice.account_id, "k", (Permission(methods, resources),))
        return (await self.directory.insert_key(key, secret)).key_id

    def join(self, authid: str, serializer: str = "json") -> "TankClient":
        return TankClient(self.world.join(serializer, FEATURES, authid=authid))


class TankClient:
    """A client that calls, and waits for what comes."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send_call(self, procedure: str, *args: Any, **kwargs: Any) -> int:
        return self.client.ask(48, procedure, list(args), kwargs)

    async def call(self, procedure: str, *args: Any, **kwargs: Any) -> Answer:
        return await self.answer_to(self.send_call(procedure, *args, **kwargs))

    async def call_with_progress(self, procedure: str, *args: Any, **kwargs: Any) -> Answer:
        asked = self.client.ask(48, procedure, list(args), kwargs, receive_progress=True)
        return await self.answer_to(asked)

    async def answer_to(self, request_id: int) -> Answer:
        progress: list[Any] = []

        def answer() -> Answer | None:
            for message in self.client.take():
                assert message[:2] == [50, request_id] or message[:3] == [8, 48, request_id]
                if message[0] != 50 or not message[2].get("progress"):
                    return Answer(message, progress)
                progress.append(message[3][0])
            return None

        for _ in range(20):  # most take only some turns of the loop
            if found := answer():
                return found
            await asyncio.sleep(0)
        return await until(answer, "no answer")

    async def value_of(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        return (await self.call(procedure, *args, **kwargs)).value

    async def error_of(self, procedure: str, *args: Any, **kwargs: Any) -> str:
        answer = await self.call(procedure, *args, **kwargs)
        assert answer.is_error, answer.args
        return answer.error

    def subscribe(self, topic: str, match: str = "exact") -> bool:
        """Whether it was allowed to."""
        self.client.ask(32, topic, match=match)
        # A pattern for everything hears of the router's own events as well.
        (answer,) = (message for message in self.client.take() if message[0] != 36)
        if answer[0] == 8:
            assert answer[4] == "wamp.error.not_authorized"
        return bool(answer[0] == 33)

    async def heard(self) -> list[Any]:
        """What came meanwhile: (args, kwargs) of events, a reason where a subscription ended."""
        await settle()
        found: list[Any] = []
        for message in self.client.take():
            if message[0] == 36:
                payload = [*message[4:], [], {}]
                found.append((payload[0], message[5] if len(message) > 5 else {}))
            else:
                assert message[:2] == [35, 0], message
                found.append(message[2]["reason"])
        return found


async def settle() -> None:
    """Let all that waits for a turn of the loop have it."""
    for _ in range(20):
        await asyncio.sleep(0)
