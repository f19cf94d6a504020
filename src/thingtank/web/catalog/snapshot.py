"""The directory in memory: what doors ask, answered at once.

Changed in the event loop's thread only, but for the accounts, which the directory replaces as a
whole from the thread that changed them; read from any. Containers that readers hold are replaced,
never changed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from thingtank.tank.errors import NoSuchAccount, NoSuchDatastream, NoSuchDevice, NoSuchKey
from thingtank.tank.interfaces import CurrentTimes, DevicePage, DeviceQuery
from thingtank.tank.keys import ApiKey, named_feeds
from thingtank.tank.search.clusters import Places
from thingtank.tank.search.device_index import DeviceIndex
from thingtank.tank.things import Account, Datastream, Device
from thingtank.tank.tokens import uuid_key

_NO_DATASTREAMS: Mapping[str, Datastream] = MappingProxyType({})


class Snapshot:
    """Accounts, devices with their tokens, datastreams and keys by their ids.

    Attributes:
        retaining: the devices whose `retention_s` is set.
        accounts_version: rises after `accounts` has been replaced.
        things_version: rises with all else that rights depend on; another thread's.
    """

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.accounts_version = 0
        self.things_version = 0
        self.devices: dict[int, Device] = {}
        self.retaining: dict[int, Device] = {}
        self.keys: dict[int, ApiKey] = {}
        self.digests: dict[int, bytes] = {}
        self._device_ids_by_uuid: dict[str, int] = {}
        self._token_digests: dict[int, bytes] = {}
        self._datastreams: dict[int, dict[str, Datastream]] = {}
        self._key_ids_by_digest: dict[bytes, int] = {}
        self._key_ids_by_feed: dict[int, tuple[int, ...]] = {}  # of keys that name it; ascending
        self._index = DeviceIndex(
            self.devices, self.datastreams, lambda: list(self.accounts.values())
        )

    def load_devices(self, devices: Iterable[Device]) -> None:
        """Take over the first devices; `index_all` must follow."""
        for device in devices:
            self._put_device(device)

    def load_datastreams(self, device_id: int, datastreams: Sequence[Datastream]) -> None:
        """Take over the first datastreams of one device; `index_all` must follow."""
        self._datastreams[device_id] = {one.name: one for one in sorted(datastreams, key=_name)}

    def index_all(self) -> None:
        """Make what was loaded findable, all at once, which is quicker than one by one."""
        self._index.load()

    def put_device(self, device: Device) -> None:
        """Add or replace a device."""
        before = self.devices.get(device.device_id)
        self._put_device(device)
        streams = self.datastreams(device.device_id)
        self._index.change(before, device, streams, streams)

    def _put_device(self, device: Device) -> None:
        before = self.devices.get(device.device_id)
        if before is None or _owner_of(before) != _owner_of(device):
            self.things_version += 1
        self.devices[device.device_id] = device
        self._device_ids_by_uuid[uuid_key(device.uuid)] = device.device_id
        if device.retention_s is None:
            self.retaining.pop(device.device_id, None)
        else:
            self.retaining[device.device_id] = device

    def drop_device(self, device_id: int) -> None:
        """Forget a device and its datastreams."""
        self.things_version += 1
        device = self.devices.pop(device_id)
        self.retaining.pop(device_id, None)
        self._token_digests.pop(device_id, None)
        del self._device_ids_by_uuid[uuid_key(device.uuid)]
        self._index.drop(device, self._datastreams.pop(device_id, {}))

    def token_digests(self, device_id: int) -> bytes:
        """Digests of a device's tokens, the root token's first, one behind the other."""
        return self._token_digests.get(device_id, b"")

    def put_token_digests(self, device_id: int, digests: bytes) -> None:
        """Replace the digests of a device's tokens."""
        if not digests.startswith(self.token_digests(device_id)):
            self.things_version += 1  # one of them is gone
        self._token_digests[device_id] = digests

    def put_datastreams(self, device_id: int, datastreams: Sequence[Datastream]) -> None:
        """Add or replace datastreams of one device."""
        known = dict(self._datastreams.get(device_id, {}))
        known.update((datastream.name, datastream) for datastream in datastreams)
        self._replace_datastreams(device_id, dict(sorted(known.items())))

    def drop_datastream(self, device_id: int, name: str) -> None:
        """Forget a datastream."""
        rest = self._datastreams[device_id]
        rest = {key: value for key, value in rest.items() if key != name}
        self._replace_datastreams(device_id, rest)

    def _replace_datastreams(self, device_id: int, datastreams: dict[str, Datastream]) -> None:
        before = self.datastreams(device_id)
        self._datastreams[device_id] = datastreams
        device = self.devices[device_id]
        self._index.change(device, device, before, datastreams)

    def put_key(self, key: ApiKey, digest: bytes) -> None:
        """Add or replace a key; another digest replaces the one before."""
        self.things_version += 1
        before = self.digests.get(key.key_id)
        if before is not None and before != digest:
            del self._key_ids_by_digest[before]
        self._change_feeds(key.key_id, self.keys.get(key.key_id), key)
        self.keys[key.key_id] = key
        self.digests[key.key_id] = digest
        self._key_ids_by_digest[digest] = key.key_id

    def drop_key(self, key_id: int) -> None:
        """Forget a key."""
        self.things_version += 1
        self._change_feeds(key_id, self.keys.pop(key_id), None)
        del self._key_ids_by_digest[self.digests.pop(key_id)]

    def _change_feeds(self, key_id: int, before: ApiKey | None, after: ApiKey | None) -> None:
        old, new = (named_feeds(key) if key else frozenset() for key in (before, after))
        for feed_id in old - new:
            rest = tuple(one for one in self._key_ids_by_feed[feed_id] if one != key_id)
            if rest:
                self._key_ids_by_feed[feed_id] = rest
            else:
                del self._key_ids_by_feed[feed_id]
        for feed_id in new - old:
            known = self._key_ids_by_feed.get(feed_id, ())
            self._key_ids_by_feed[feed_id] = tuple(sorted((*known, key_id)))

    def keys_naming(self, feed_id: int) -> list[ApiKey]:
        """Keys of any account that name a feed, oldest first; from any thread."""
        ids = self._key_ids_by_feed.get(feed_id, ())
        return [key for key_id in ids if (key := self.keys.get(key_id)) is not None]

    def account(self, account_id: int) -> Account:
        """Raise NoSuchAccount if there is none."""
        account = self.accounts.get(account_id)
        if account is None:
            raise NoSuchAccount(f"there is no account {account_id}")
        return account

    def device(self, device_id: int) -> Device:
        """Raise NoSuchDevice if there is none."""
        device = self.devices.get(device_id)
        if device is None:
            raise NoSuchDevice.of(device_id)
        return device

    def device_of_uuid(self, uuid: str) -> Device | None:
        """The device with that uuid, in any case."""
        device_id = self._device_ids_by_uuid.get(uuid_key(uuid))
        return None if device_id is None else self.devices.get(device_id)

    def datastreams(self, device_id: int) -> Mapping[str, Datastream]:
        """A device's datastreams by name, in order of name."""
        return self._datastreams.get(device_id, _NO_DATASTREAMS)

    def datastream(self, device_id: int, name: str) -> Datastream:
        """Raise NoSuchDatastream if there is none."""
        datastream = self.datastreams(device_id).get(name)
        if datastream is None:
            raise NoSuchDatastream(f"feed {device_id} has no datastream {name}")
        return datastream

    def key(self, key_id: int) -> ApiKey:
        """Raise NoSuchKey if there is none."""
        key = self.keys.get(key_id)
        if key is None:
            raise NoSuchKey(f"there is no key {key_id}")
        return key

    def key_of_digest(self, digest: bytes) -> ApiKey | None:
        """The key whose secret has that digest."""
        key_id = self._key_ids_by_digest.get(digest)
        return None if key_id is None else self.keys.get(key_id)

    def keys_only_for(self, device_id: int) -> list[int]:
        """Ids of keys that reach this device and nothing else."""
        return [
            key.key_id
            for key in self.keys_naming(device_id)
            if all(
                permission.resources
                and all(resource.feed_id == device_id for resource in permission.resources)
                for permission in key.permissions
            )
        ]

    def list_devices(self, query: DeviceQuery) -> DevicePage:
        """One page of devices."""
        return self._index.find(query)

    def device_places(self, query: DeviceQuery) -> Places:
        """Where the devices of all pages are, in no order."""
        return self._index.places(query)

    def devices_matching(self, matches: Callable[[Device], bool], limit: int) -> list[Device]:
        """The newest devices that fit."""
        return self._index.matching(matches, limit)

    def count_devices(self, query: DeviceQuery) -> int:
        """How many devices there are on all pages."""
        return self._index.count(query)

    def follow(self, current_at_us: CurrentTimes, now_us: Callable[[], int]) -> None:
        """Say whom to ask when a datastream was last written."""
        self._index.follow(current_at_us, now_us)


def _name(datastream: Datastream) -> str:
    return datastream.name


def _owner_of(device: Device) -> tuple[int, bool, str]:
    """What of a device rights depend on."""
    return device.account_id, device.private, device.uuid
