"""A directory held wholly in memory: the twin that tests compare with, and what a trial run needs.

Nothing survives the process. Its answers are those of the directory on a database, so the same
contract tests run over both.
"""

import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from thingtank.stores.memory_tokens import MemoryTokens
from thingtank.tank.errors import (
    NoSuchAccount,
    NoSuchDatastream,
    NoSuchDevice,
    NoSuchKey,
    UuidTaken,
)
from thingtank.tank.interfaces import CurrentTimes, DevicePage, DeviceQuery
from thingtank.tank.keys import ApiKey, Permission, named_feeds
from thingtank.tank.search.clusters import Places
from thingtank.tank.search.device_index import DeviceIndex
from thingtank.tank.things import Account, Datastream, Device, Waypoint
from thingtank.tank.tokens import DeviceToken, uuid_key
from thingtank.tank.waypoints import WAYPOINTS_MAX, forgets_waypoints, waypoint_left

FIRST_DEVICE_ID = 1001  # Xively's feed ids had at least three digits; clients expect no more


class MemoryDirectory:
    """Accounts, devices, datastreams and keys in dictionaries. Implements `Directory`.

    Attributes:
        rights_version: rises when an account, a device or a key changes, or a token is gone.
    """

    def __init__(self) -> None:
        self.rights_version = 0
        self._accounts: dict[int, Account] = {}
        self._devices: dict[int, Device] = {}
        self._device_ids_by_uuid: dict[str, int] = {}
        self._tokens = MemoryTokens()
        self._datastreams: dict[int, dict[str, Datastream]] = {}
        self._waypoints: dict[int, deque[Waypoint]] = {}
        self._keys: dict[int, ApiKey] = {}
        self._secrets: dict[int, str] = {}
        self._key_ids_by_digest: dict[bytes, int] = {}
        self._account_ids = itertools.count(1)
        self._device_ids = itertools.count(FIRST_DEVICE_ID)
        self._stream_ids = itertools.count(1)
        self._key_ids = itertools.count(1)
        self._index = DeviceIndex(
            self._devices, self.datastreams, lambda: list(self._accounts.values())
        )
        self._notify_gone: Callable[[int, str | None], None] = lambda _device_id, _name: None

    def add_account(self, login: str, is_admin: bool = False, is_active: bool = True) -> Account:
        """Make an account; the database's twin of this is Django's user."""
        account = Account(next(self._account_ids), login, is_admin, is_active)
        self._accounts[account.account_id] = account
        self.rights_version += 1
        return account

    def accounts(self) -> list[Account]:
        """All accounts, oldest first."""
        return list(self._accounts.values())

    def put_account(self, account: Account) -> None:
        """Replace an account."""
        self._accounts[account.account_id] = account
        self.rights_version += 1

    async def drop_account(self, account_id: int) -> None:
        """Forget an account and its keys."""
        for key in self.keys_of(account_id):
            await self.delete_key(key.key_id)
        del self._accounts[account_id]
        self.rights_version += 1

    def get_account(self, account_id: int) -> Account:
        """Raise NoSuchAccount if there is none."""
        account = self._accounts.get(account_id)
        if account is None:
            raise NoSuchAccount(f"there is no account {account_id}")
        return account

    def find_account(self, login: str) -> Account | None:
        """The account of that login."""
        return next((found for found in self._accounts.values() if found.login == login), None)

    def get_device(self, device_id: int) -> Device:
        """Raise NoSuchDevice if there is none."""
        device = self._devices.get(device_id)
        if device is None:
            raise NoSuchDevice.of(device_id)
        return device

    def find_device_by_uuid(self, uuid: str) -> Device | None:
        """The device with that uuid, in any case."""
        device_id = self._device_ids_by_uuid.get(uuid_key(uuid))
        return None if device_id is None else self._devices[device_id]

    def datastreams(self, device_id: int) -> Mapping[str, Datastream]:
        """A device's datastreams by name, in order of name."""
        return MappingProxyType(self._datastreams.get(device_id, {}))

    def list_devices(self, query: DeviceQuery) -> DevicePage:
        """One page of devices."""
        return self._index.find(query)

    def device_places(self, query: DeviceQuery) -> Places:
        """Where the devices of all pages are, in no order."""
        return self._index.places(query)

    def devices_matching(self, matches: Callable[[Device], bool], limit: int) -> list[Device]:
        """The newest devices that fit, at most `limit`, newest first."""
        return self._index.matching(matches, limit)

    def count_devices(self, query: DeviceQuery) -> int:
        """How many devices there are on all pages."""
        return self._index.count(query)

    def follow(self, current_at_us: CurrentTimes, now_us: Callable[[], int]) -> None:
        """Say whom to ask when a datastream was last written."""
        self._index.follow(current_at_us, now_us)

    def on_gone(self, notify: Callable[[int, str | None], None]) -> None:
        """Have `notify` called as soon as a device is gone, or the datastream of it named."""
        self._notify_gone = notify

    def has_token(self, device_id: int, token: str) -> bool:
        """Whether a device has this token."""
        return self._tokens.has(device_id, token)

    def count_tokens(self, device_id: int) -> int:
        """How many tokens a device has besides its root token."""
        return len(self._tokens.of(device_id))

    async def tokens_of(self, device_id: int) -> Sequence[DeviceToken]:
        """A device's tokens besides its root token, oldest first."""
        return self._tokens.of(device_id)

    async def insert_token(
        self, device_id: int, token: str, tag: str, created_us: int, *, tokens_max: int
    ) -> DeviceToken:
        """Give a device one more token."""
        self.get_device(device_id)
        return self._tokens.insert(device_id, token, tag, created_us, tokens_max)

    async def replace_root_token(self, device_id: int, token: str) -> None:
        """Give a device another root token; the old one is dead at once."""
        self.get_device(device_id)
        self._tokens.put_root(device_id, token)
        self.rights_version += 1

    async def delete_token(self, device_id: int, token: str) -> bool:
        """Remove a token by its secret, but not the root token; answer whether there was one."""
        self.get_device(device_id)
        self.rights_version += 1
        return self._tokens.delete_secret(device_id, token) > 0

    async def delete_tokens(
        self, device_id: int, *, token_ids: Collection[int] | None = None, tag: str | None = None
    ) -> int:
        """Remove those of some numbers and of a tag; answer how many. None for any: all go."""
        self.get_device(device_id)
        self.rights_version += 1
        return self._tokens.delete(device_id, token_ids, tag)

    async def read_waypoints(self, device_id: int) -> Sequence[Waypoint]:
        """Where a mobile device was before, oldest first."""
        return list(self._waypoints.get(device_id, ()))

    def devices_with_retention(self) -> Sequence[Device]:
        """The devices whose `retention_s` is set."""
        return [device for device in self._devices.values() if device.retention_s is not None]

    def find_key(self, secret: str) -> ApiKey | None:
        """The key with that secret; found by digest, so a near miss takes no longer."""
        key_id = self._key_ids_by_digest.get(_digest(secret))
        return None if key_id is None else self._keys[key_id]

    def get_key(self, key_id: int) -> ApiKey:
        """Raise NoSuchKey if there is none."""
        key = self._keys.get(key_id)
        if key is None:
            raise NoSuchKey(f"there is no key {key_id}")
        return key

    def keys_of(self, account_id: int, feed_id: int | None = None) -> Sequence[ApiKey]:
        """All keys of an account, oldest first; with `feed_id` those that name that feed."""
        return [
            key
            for key in self._keys.values()
            if key.account_id == account_id and (feed_id is None or feed_id in named_feeds(key))
        ]

    def reveal_key(self, key_id: int) -> str:
        """The secret of a key."""
        self.get_key(key_id)
        return self._secrets[key_id]

    async def reveal_keys(self, key_ids: Sequence[int]) -> Mapping[int, str]:
        """The secrets of many keys by id; those that are gone are left out."""
        return {key_id: self._secrets[key_id] for key_id in key_ids if key_id in self._secrets}

    async def insert_device(
        self,
        device: Device,
        datastreams: Iterable[Datastream],
        token: str,
        key_for: Callable[[Device], tuple[ApiKey, str]] | None,
    ) -> Device:
        """Store a device with datastreams, token and first key."""
        if self.find_device_by_uuid(device.uuid) is not None:
            raise UuidTaken.of(device.uuid)
        stored = msgspec.structs.replace(device, device_id=next(self._device_ids))
        self._devices[stored.device_id] = stored
        self.rights_version += 1
        self._index.change(None, stored, {}, {})
        self._device_ids_by_uuid[uuid_key(stored.uuid)] = stored.device_id
        self._tokens.put_root(stored.device_id, token)
        await self.insert_datastreams(stored.device_id, datastreams)
        if key_for is not None:
            await self.insert_key(*key_for(stored))
        return stored

    async def update_device(self, device_id: int, change: Callable[[Device], Device]) -> Device:
        """Store `change` of a device, and the place a mobile device leaves by it."""
        before = self.get_device(device_id)
        device = change(before)
        self._devices[device_id] = device
        self.rights_version += 1
        streams = self._datastreams.get(device_id, {})
        self._index.change(before, device, streams, streams)
        waypoint = waypoint_left(before, device)
        if waypoint is not None:
            self._waypoints.setdefault(device_id, deque(maxlen=WAYPOINTS_MAX)).append(waypoint)
        elif forgets_waypoints(before, device):
            self._waypoints.pop(device_id, None)
        return device

    async def delete_device(
        self, device_id: int, check: Callable[[Device], None] | None = None
    ) -> None:
        """Remove a device, its datastreams, and keys that reach nothing else."""
        device = self.get_device(device_id)
        if check is not None:
            check(device)
        del self._devices[device_id]
        self.rights_version += 1
        del self._device_ids_by_uuid[uuid_key(device.uuid)]
        self._tokens.drop(device_id)
        self._index.drop(device, self._datastreams.pop(device_id, {}))
        self._waypoints.pop(device_id, None)
        for key in list(self._keys.values()):
            if all(_reaches_only(permission, device_id) for permission in key.permissions):
                await self.delete_key(key.key_id)
        self._notify_gone(device_id, None)

    async def insert_datastreams(
        self,
        device_id: int,
        datastreams: Iterable[Datastream],
        check: Callable[[Mapping[str, Datastream]], None] | None = None,
    ) -> Sequence[Datastream]:
        """Store new datastreams; one whose name exists is answered as it stands."""
        self.get_device(device_id)
        if check is not None:
            check(self.datastreams(device_id))
        known = dict(self._datastreams.get(device_id, {}))
        stored = []
        for draft in datastreams:
            if draft.name not in known:
                known[draft.name] = msgspec.structs.replace(
                    draft, stream_id=next(self._stream_ids), device_id=device_id
                )
            stored.append(known[draft.name])
        self._replace_datastreams(device_id, dict(sorted(known.items())))
        return stored

    async def update_datastream(
        self, device_id: int, name: str, change: Callable[[Datastream], Datastream]
    ) -> Datastream:
        """Store `change` of a datastream."""
        datastream = change(self._existing(device_id, name))
        self._replace_datastreams(device_id, {**self._datastreams[device_id], name: datastream})
        return datastream

    async def delete_datastream(
        self, device_id: int, name: str, check: Callable[[Datastream], None] | None = None
    ) -> Datastream:
        """Remove a datastream; return what it was."""
        datastream = self._existing(device_id, name)
        if check is not None:
            check(datastream)
        rest = {**self._datastreams[device_id]}
        del rest[name]
        self._replace_datastreams(device_id, rest)
        self._notify_gone(device_id, name)
        return datastream

    async def missing_streams(self, stream_ids: Sequence[int]) -> Sequence[int]:
        """Those of some numbers that a datastream had and none has now."""
        known = {
            datastream.stream_id
            for datastreams in self._datastreams.values()
            for datastream in datastreams.values()
        }
        newest = max(known, default=0)
        return [number for number in stream_ids if number < newest and number not in known]

    def _replace_datastreams(self, device_id: int, datastreams: dict[str, Datastream]) -> None:
        before = self._datastreams.get(device_id, {})
        self._datastreams[device_id] = datastreams
        device = self._devices[device_id]
        self._index.change(device, device, before, datastreams)

    def _existing(self, device_id: int, name: str) -> Datastream:
        datastream = self._datastreams.get(device_id, {}).get(name)
        if datastream is None:
            raise NoSuchDatastream(f"feed {device_id} has no datastream {name}")
        return datastream

    async def insert_key(self, key: ApiKey, secret: str) -> ApiKey:
        """Store a key and its secret."""
        stored = msgspec.structs.replace(key, key_id=next(self._key_ids))
        self._keys[stored.key_id] = stored
        self.rights_version += 1
        self._secrets[stored.key_id] = secret
        self._key_ids_by_digest[_digest(secret)] = stored.key_id
        return stored

    async def update_key(self, key_id: int, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        """Store `change` of a key; its secret stays."""
        key = change(self.get_key(key_id))
        self._keys[key_id] = key
        self.rights_version += 1
        return key

    async def replace_secret(
        self, key_id: int, secret: str, check: Callable[[ApiKey], None] | None = None
    ) -> ApiKey:
        """Give a key another secret; the old one is dead at once."""
        key = self.get_key(key_id)
        if check is not None:
            check(key)
        del self._key_ids_by_digest[_digest(self._secrets[key_id])]
        self._secrets[key_id] = secret
        self.rights_version += 1
        self._key_ids_by_digest[_digest(secret)] = key_id
        return key

    async def delete_key(self, key_id: int, check: Callable[[ApiKey], None] | None = None) -> None:
        """Remove a key; it is dead at once."""
        key = self.get_key(key_id)
        if check is not None:
            check(key)
        del self._keys[key_id]
        self.rights_version += 1
        del self._key_ids_by_digest[_digest(self._secrets.pop(key_id))]


def _reaches_only(permission: Permission, device_id: int) -> bool:
    return bool(permission.resources) and all(
        resource.feed_id == device_id for resource in permission.resources
    )


def _digest(secret: str) -> bytes:
    return hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=32).digest()
