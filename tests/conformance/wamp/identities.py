"""A realm with the door's own authenticator: accounts, devices and keys in memory, and clients."""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
from tests.conformance.wamp.realms import AT_US, REALM, Client, World
from tests.waiting import until

from thingtank.doors.wamp.authentication.authenticator import WampAuthenticator
from thingtank.doors.wamp.principals import Principals
from thingtank.doors.wamp.realm_settings import RealmSettings
from thingtank.protocols.wamp.authentication import TransportFacts
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.actions.devices import device_key
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission
from thingtank.tank.things import Device

LOOPBACK = TransportFacts("websocket", "127.0.0.1:50001")
ELSEWHERE = TransportFacts("websocket", "192.0.2.7:50001")
UUID = "0b1c6f4e-1c2d-4f5a-9a6b-7c8d9e0f1a2b"
DEVICE_SECRET = "device-secret-that-is-long"
KEY_SECRET = "key-secret-that-is-long"
PASSWORD = "correct horse battery"
ITERATIONS = 1000


class MemoryPasswords:
    """Hashes as Django writes them, of a dict that tests change."""

    iterations = ITERATIONS

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}
        self.checked_count = 0
        self.at_once = self.at_once_most = 0

    async def find_password_hash(self, login: str) -> str | None:
        password = self.passwords.get(login)
        return None if password is None else password_hash(password)

    async def check_password(self, login: str, password: str) -> bool:
        self.checked_count += 1
        self.at_once += 1
        self.at_once_most = max(self.at_once, self.at_once_most)
        await asyncio.sleep(0)
        self.at_once -= 1
        return self.passwords.get(login) == password


def password_hash(password: str, salt: str = "aSaltOfTwentyTwoLetter") -> str:
    derived = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), ITERATIONS)
    return f"pbkdf2_sha256${ITERATIONS}${salt}${base64.b64encode(derived).decode()}"


class House:
    """Alice with a device and a master key, and a realm whose settings a test gives."""

    def __init__(self, settings: dict[str, Any] | None = None, **realm: Any) -> None:
        described = {"name": REALM, **(settings or {}), **realm}
        self.settings = msgspec.convert(described, RealmSettings)
        self.directory = MemoryDirectory()
        self.alice = self.directory.add_account("alice")
        self.passwords = MemoryPasswords()
        self.passwords.passwords["alice"] = PASSWORD
        self.now_us = AT_US
        self.principals = Principals(self.directory, lambda: self.now_us)
        randoms = count(1)
        self.token_bytes: Callable[[int], bytes] = lambda size: next(randoms).to_bytes(size, "big")
        self.authenticator = WampAuthenticator(
            [self.settings],
            self.directory,
            self.principals,
            self.passwords,
            b"s" * 32,
            lambda: self.now_us,
            self.token_bytes,
            {"LAMP": "from-the-environment"},
        )
        self.world = World(authenticator=self.authenticator)

    @classmethod
    async def build(cls, settings: dict[str, Any] | None = None, **realm: Any) -> "House":
        house = cls(settings, **realm)
        device = Device(0, UUID, house.alice.account_id, "lamp", private=True)
        house.device = await house.directory.insert_device(
            device, (), "token", lambda stored: (device_key(stored, 0), DEVICE_SECRET)
        )
        master = ApiKey(0, house.alice.account_id, "master", (Permission(ACCESS_METHODS),))
        house.key = await house.directory.insert_key(master, KEY_SECRET)
        return house

    device: Device
    key: ApiKey

    def connect(self, facts: TransportFacts = LOOPBACK) -> Client:
        client = self.world.connect()
        client.facts = facts
        return client


async def answer_of(client: Client) -> Any:
    """The only message, which may take a while to come; the rest stays to be taken."""
    await until(lambda: client.received, "no answer")
    return client.take_one()


async def hello(client: Client, *methods: str, authid: str = "", **details: Any) -> Any:
    if authid:
        details["authid"] = authid
    client.hello(authmethods=list(methods), **details)
    return await answer_of(client)


async def authenticate(client: Client, signature: str, extra: Any = None) -> Any:
    client.send(5, signature, extra or {})
    return await answer_of(client)


def reason_of(answer: Any) -> str:
    """The reason of ABORT; `welcome` for WELCOME, `challenge` for CHALLENGE."""
    if answer[0] == 3:
        return str(answer[2]).removeprefix("wamp.error.")
    return {2: "welcome", 4: "challenge"}[answer[0]]
