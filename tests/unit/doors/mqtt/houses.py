"""A tank in memory for the MQTT door: who lives there, and how each comes in."""

import asyncio
import base64
import datetime
import hashlib
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from thingtank.doors.mqtt.access.rights import MqttAccess, Rights
from thingtank.doors.mqtt.authentication.attempt import ConnectAttempt
from thingtank.doors.mqtt.authentication.authenticator import MqttAuthenticator
from thingtank.doors.mqtt.authentication.principal import Principal
from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.net.identity.principals import Callers
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.actions.devices import device_key
from thingtank.tank.errors import StorageFailed
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource
from thingtank.tank.things import Device

NOW_US = 1_700_000_000_000_000
HERE = "127.0.0.1"
ELSEWHERE = "192.0.2.7"
UUID = "0b1c6f4e-1c2d-4f5a-9a6b-7c8d9e0f1a2b"
OTHER_UUID = "11111111-2222-4333-8444-555555555555"
NO_UUID = "99999999-2222-4333-8444-555555555555"
DEVICE_SECRET = "device-secret-that-is-long"
OTHER_DEVICE_SECRET = "another-device-secret-that-is-long"
MASTER_SECRET = "master-secret-that-is-long"
READER_SECRET = "reader-secret-that-is-long"
STREAM_SECRET = "stream-secret-that-is-long"
EXPIRING_SECRET = "expiring-secret-that-is-long"
PASSWORD = "correct horse battery"
USER_PASSWORD = "user password"
LAMP = {"name": "lamp", "password": USER_PASSWORD}
ITERATIONS = 1000
SALT = "aSaltOfTwentyTwoLetter"


class MemoryPasswords:
    """Passwords of a dict that tests change."""

    iterations = ITERATIONS

    def __init__(self) -> None:
        self.passwords = {"alice": PASSWORD, "root": PASSWORD, "gone": PASSWORD}
        self.checked: list[str] = []
        self.is_broken = False
        self.gate: asyncio.Event | None = None

    async def find_password_hash(self, login: str) -> str | None:
        if self.is_broken:
            raise StorageFailed("the disk is full")
        password = self.passwords.get(login)
        if password is None:
            return None
        derived = hashlib.pbkdf2_hmac("sha256", password.encode(), SALT.encode(), ITERATIONS)
        return f"pbkdf2_sha256${ITERATIONS}${SALT}${base64.b64encode(derived).decode()}"

    async def check_password(self, login: str, password: str) -> bool:
        self.checked.append(login)
        if self.is_broken:
            raise StorageFailed("the disk is full")
        if self.gate is not None:
            await self.gate.wait()
        return self.passwords.get(login) == password


class House:
    """Alice with two devices and keys, Bob with none, Root an admin, Gone switched off."""

    def __init__(self, **settings: Any) -> None:
        self.settings = msgspec.convert(settings, MqttSettings)
        self.directory = MemoryDirectory()
        self.alice = self.directory.add_account("alice")
        self.bob = self.directory.add_account("bob")
        self.root = self.directory.add_account("root", is_admin=True)
        self.gone = self.directory.add_account("gone", is_active=False)
        self.passwords = MemoryPasswords()
        self.now_us = NOW_US
        randoms = count(1)
        self.token_bytes: Callable[[int], bytes] = lambda size: next(randoms).to_bytes(size, "big")
        callers = Callers(self.directory, lambda: self.now_us)
        self.access = MqttAccess(self.settings, self.directory, callers, lambda: self.now_us)
        self.authenticator = MqttAuthenticator(
            self.settings,
            self.access,
            self.passwords,
            b"s" * 32,
            lambda: self.now_us,
            self.token_bytes,
            {"GATE_PASSWORD": USER_PASSWORD},
        )

    device: Device
    other: Device
    keys: dict[str, ApiKey]

    @classmethod
    async def build(cls, **settings: Any) -> "House":
        house = cls(**settings)
        house.device = await house.add_device(UUID, DEVICE_SECRET)
        house.other = await house.add_device(OTHER_UUID, OTHER_DEVICE_SECRET)
        feed = house.device.device_id
        house.keys = {}
        for label, secret, permission, expires_us in (
            ("master", MASTER_SECRET, Permission(ACCESS_METHODS), None),
            ("reader", READER_SECRET, Permission(("get",), (Resource(feed),)), None),
            ("stream", STREAM_SECRET, Permission(("get", "put"), (Resource(feed, "t"),)), None),
            ("expiring", EXPIRING_SECRET, Permission(ACCESS_METHODS), NOW_US + 60_000_000),
        ):
            key = ApiKey(0, house.alice.account_id, label, (permission,), expires_us=expires_us)
            house.keys[label] = await house.directory.insert_key(key, secret)
        return house

    async def add_device(self, uuid: str, secret: str, *, private: bool = True) -> Device:
        device = Device(0, uuid, self.alice.account_id, "a thing", private=private)
        return await self.directory.insert_device(
            device, (), "token", lambda stored: (device_key(stored, 0), secret)
        )

    async def come(
        self,
        user_name: str | None = None,
        password: str | bytes | None = None,
        client_id: str = "c1",
        peer: str = ELSEWHERE,
        **more: Any,
    ) -> Principal:
        secret = password.encode() if isinstance(password, str) else password
        attempt = ConnectAttempt(client_id, user_name, secret, peer, **more)
        return await self.authenticator.authenticate(attempt)

    async def rights(self, who: str) -> Rights:
        """Of somebody by a short name."""
        return self.access.rights_of(await self.come(*WHO[who][:2], **WHO[who][2]))


WHO: dict[str, tuple[Any, Any, dict[str, str]]] = {
    "local": (None, None, {"peer": HERE}),
    "alice": ("alice", PASSWORD, {}),
    "root": ("root", PASSWORD, {}),
    "lamp": ("lamp", USER_PASSWORD, {}),
    "device": (UUID, DEVICE_SECRET, {}),
    "other device": (OTHER_UUID, OTHER_DEVICE_SECRET, {}),
    "master": (MASTER_SECRET, None, {}),
    "reader": (READER_SECRET, None, {}),
    "stream": (STREAM_SECRET, None, {}),
}


def certificate(subject: str) -> bytes:
    """One in DER."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name.from_rfc4514_string(subject)
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    return builder.sign(key, None).public_bytes(Encoding.DER)
