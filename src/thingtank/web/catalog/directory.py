"""The directory on Django's models, with a snapshot in memory that answers the doors.

A write runs in the one writer thread, then changes the snapshot in the loop's thread, then returns.
Writes follow one another, so a `change` sees the newest value. What has begun is carried through,
even when whoever asked gives up: else the database would say one thing and the snapshot another.
"""

import asyncio
import sqlite3
import sys
import threading
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import msgspec
import structlog
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    connection,
)

from thingtank.tank.errors import LimitReached, NoSuchKey, StorageFailed, UuidTaken
from thingtank.tank.interfaces import CurrentTimes, DevicePage, DeviceQuery
from thingtank.tank.keys import ApiKey, Permission
from thingtank.tank.search.clusters import Places
from thingtank.tank.things import Account, Datastream, Device, Unit, Waypoint
from thingtank.tank.tokens import DIGEST_BYTES, DeviceToken, is_among
from thingtank.tank.waypoints import WAYPOINTS_MAX, forgets_waypoints, waypoint_left
from thingtank.web.accounts.models import Account as AccountRow
from thingtank.web.catalog import models, tokens
from thingtank.web.catalog.sealing import Sealer
from thingtank.web.catalog.snapshot import Snapshot
from thingtank.web.database.connections import (
    atomic,
    close_connection,
    look_after_connection,
    reason_of,
)
from thingtank.web.database.numbers import last_number, set_last_number

log = structlog.get_logger()

Result = TypeVar("Result")
Given = ParamSpec("Given")

_Write: TypeAlias = Callable[Concatenate["DjangoDirectory", Given], Coroutine[Any, Any, Result]]

_DEVICE_COLUMNS = (
    "id", "uuid", "account_id", "title", "private", "description", "tags",
    "website", "email", "icon", "location", "created_us", "updated_us", "retention_s",
    "product_id", "device_serial",
    "located_us", "properties",
)  # fmt: skip
_KEY_COLUMNS = (
    "id", "account_id", "label", "permissions", "private_access", "expires_us", "created_us",
    "digest",
)  # fmt: skip
_LOAD_ROWS = 2000
_DIGESTS_MAX = 4096  # of secrets presented last: hardly a device writes only once


class StoredDevice(msgspec.Struct, frozen=True):
    """A device that is in the database, and not yet in the snapshot."""

    device: Device
    root_digest: bytes
    streams: list[Datastream]
    key: tuple[ApiKey, bytes] | None


def _carried_through(write: _Write[Given, Result]) -> _Write[Given, Result]:
    """Have a write end in database and snapshot alike, though its caller may be cancelled."""

    @wraps(write)
    async def run(self: "DjangoDirectory", /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        task = asyncio.create_task(write(self, *args, **kwargs))
        self._writes.add(task)  # the loop itself would let go of a task that nobody awaits
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    return run


class DjangoDirectory:
    """Implements `tank.interfaces.Directory`."""

    def __init__(self, secret: bytes) -> None:
        self._sealer = Sealer(secret)
        self._digest = lru_cache(_DIGESTS_MAX)(self._sealer.digest)
        self._snapshot = Snapshot()
        # The snapshot's own, because every write asks each of them, some several times.
        self.get_account = self._snapshot.account
        self.get_device = self._snapshot.device
        self.datastreams = self._snapshot.datastreams
        self._writer = ThreadPoolExecutor(1, "directory-writer")
        self._reader = ThreadPoolExecutor(1, "directory-reader")  # reads need not wait for writes
        self._turn = asyncio.Lock()
        self._refreshing = threading.Lock()
        self._writes: set[asyncio.Task[Any]] = set()
        self._notify_gone: Callable[[int, str | None], None] = lambda _device_id, _name: None

    def load(self) -> None:
        """Fill the snapshot from the database; blocking."""
        try:
            self.refresh_accounts()
            rows = models.Device.objects.values_list(*_DEVICE_COLUMNS).iterator(_LOAD_ROWS)
            self._snapshot.load_devices(map(_device, rows))
            self._load_tokens()
            self._load_datastreams()
            self._snapshot.index_all()
            for *row, digest in models.ApiKey.objects.values_list(*_KEY_COLUMNS).iterator(
                _LOAD_ROWS
            ):
                self._snapshot.put_key(_key(row), bytes(digest))
        finally:
            connection.close()

    def _load_tokens(self) -> None:
        put = self._snapshot.put_token_digests
        roots = models.Device.objects.values_list("id", "token_digest")
        for device_id, digest in roots.iterator(_LOAD_ROWS):
            put(device_id, bytes(digest))
        for device_id, digest in tokens.load_digests():
            put(device_id, self._snapshot.token_digests(device_id) + digest)

    def _load_datastreams(self) -> None:
        columns = ("id", "device_id", "name", "tags", "unit")
        rows = models.Datastream.objects.order_by("device_id").values_list(*columns)
        waiting: list[Datastream] = []
        for row in rows.iterator(_LOAD_ROWS):
            datastream = _datastream(row)
            if waiting and waiting[0].device_id != datastream.device_id:
                self._snapshot.load_datastreams(waiting[0].device_id, waiting)
                waiting = []
            waiting.append(datastream)
        if waiting:
            self._snapshot.load_datastreams(waiting[0].device_id, waiting)

    def refresh_accounts(self) -> None:
        """Read accounts anew, after they changed; blocking.

        Nothing else changes the snapshot's: one account put among those of an earlier reading could
        be lost to a reading that ends later, or bring an older state back.
        """
        columns = ("id", "username", "is_superuser", "is_active")
        rows = AccountRow.objects.values_list(*columns)
        with self._refreshing:  # several threads do this; what was read last must stay
            self._snapshot.accounts = {row[0]: Account(*row) for row in rows}
            self._snapshot.accounts_version += 1

    @property
    def rights_version(self) -> int:
        """Rises when an account, a device's owner or privacy, or a key changes."""
        snapshot = self._snapshot  # asked for with every packet: no call more than this one
        return snapshot.things_version + snapshot.accounts_version

    def close(self) -> None:
        """End the threads."""
        for executor in (self._reader, self._writer):
            executor.submit(close_connection)
            executor.shutdown()

    def find_account(self, login: str) -> Account | None:
        """The account of that login."""
        accounts = self._snapshot.accounts.values()
        return next((account for account in accounts if account.login == login), None)

    def find_owner(self) -> Account | None:
        """Whose the instance is: its oldest active admin; None when nobody is one."""
        accounts = self._snapshot.accounts.values()
        admins = [account for account in accounts if account.is_admin and account.is_active]
        return min(admins, key=lambda account: account.account_id, default=None)

    def find_device_by_uuid(self, uuid: str) -> Device | None:
        """The device with that uuid, in any case."""
        return self._snapshot.device_of_uuid(uuid)

    def list_devices(self, query: DeviceQuery) -> DevicePage:
        """One page of devices."""
        return self._snapshot.list_devices(query)

    def device_places(self, query: DeviceQuery) -> Places:
        """Where the devices of all pages are, in no order."""
        return self._snapshot.device_places(query)

    def devices_matching(self, matches: Callable[[Device], bool], limit: int) -> list[Device]:
        """The newest devices that fit, at most `limit`, newest first."""
        return self._snapshot.devices_matching(matches, limit)

    def count_devices(self, query: DeviceQuery) -> int:
        """How many devices there are on all pages."""
        return self._snapshot.count_devices(query)

    def follow(self, current_at_us: CurrentTimes, now_us: Callable[[], int]) -> None:
        """Say whom to ask when a datastream was last written."""
        self._snapshot.follow(current_at_us, now_us)

    def on_gone(self, notify: Callable[[int, str | None], None]) -> None:
        """Have `notify` called as soon as a device is gone, or the datastream of it named."""
        self._notify_gone = notify

    async def read_waypoints(self, device_id: int) -> Sequence[Waypoint]:
        """Where a mobile device was before, oldest first; from the database."""
        columns = ("at_us", "lat", "lon", "ele")
        rows = models.Waypoint.objects.filter(device_id=device_id).order_by("-id")

        def read() -> list[Waypoint]:
            return [Waypoint(*row) for row in rows.values_list(*columns)[:WAYPOINTS_MAX]][::-1]

        return await run_in(self._reader, read, "read")

    def has_token(self, device_id: int, token: str) -> bool:
        """Whether a device has this token. Takes the same time for any wrong one."""
        return is_among(self._snapshot.token_digests(device_id), self._digest(token))

    def count_tokens(self, device_id: int) -> int:
        """How many tokens a device has besides its root token."""
        return max(0, len(self._snapshot.token_digests(device_id)) // DIGEST_BYTES - 1)

    async def tokens_of(self, device_id: int) -> Sequence[DeviceToken]:
        """A device's tokens besides its root token, oldest first; from the database."""
        return await run_in(self._reader, partial(tokens.read_tokens, device_id), "read")

    async def insert_token(
        self, device_id: int, token: str, tag: str, created_us: int, *, tokens_max: int
    ) -> DeviceToken:
        """Give a device one more token."""
        digest = self._digest(token)

        def write() -> DeviceToken:
            if self.count_tokens(device_id) >= tokens_max:
                raise LimitReached(f"a device may have {tokens_max} tokens besides its root token")
            return tokens.store_token(device_id, digest, tag, created_us)

        return await self._change_tokens(device_id, write)

    async def replace_root_token(self, device_id: int, token: str) -> None:
        """Give a device another root token; the old one is dead when this returns."""
        write = partial(tokens.store_root_token, device_id, self._digest(token))
        await self._change_tokens(device_id, write)

    async def delete_token(self, device_id: int, token: str) -> bool:
        """Remove a token by its secret, but not the root token; answer whether there was one."""
        write = partial(tokens.delete_digest, device_id, self._digest(token))
        return await self._change_tokens(device_id, write) > 0

    async def delete_tokens(
        self, device_id: int, *, token_ids: Collection[int] | None = None, tag: str | None = None
    ) -> int:
        """Remove those of some numbers and of a tag; answer how many. None for any: all go."""
        write = partial(tokens.delete_tokens, device_id, token_ids, tag)
        return await self._change_tokens(device_id, write)

    async def _change_tokens(self, device_id: int, write: Callable[[], Result]) -> Result:
        """Write to a device's tokens; raises NoSuchDevice."""

        def write_all() -> tuple[Result, bytes]:
            self._snapshot.device(device_id)
            return write(), tokens.digests_of(device_id)

        def show(written: tuple[Result, bytes]) -> None:
            self._snapshot.put_token_digests(device_id, written[1])

        result, _ = await self.transact(write_all, show)
        return result

    def devices_with_retention(self) -> Sequence[Device]:
        """The devices whose `retention_s` is set."""
        return list(self._snapshot.retaining.values())

    def find_key(self, secret: str) -> ApiKey | None:
        """The key with that secret; found by digest, so a near miss takes no longer."""
        return self._snapshot.key_of_digest(self._digest(secret))

    def get_key(self, key_id: int) -> ApiKey:
        """Raise NoSuchKey if there is none."""
        return self._snapshot.key(key_id)

    def keys_of(self, account_id: int, feed_id: int | None = None) -> Sequence[ApiKey]:
        """All keys of an account, oldest first; with `feed_id` those that name that feed."""
        if feed_id is None:
            keys = list(self._snapshot.keys.values())
        else:
            keys = self._snapshot.keys_naming(feed_id)
        return [key for key in keys if key.account_id == account_id]

    def reveal_key(self, key_id: int) -> str:
        """The secret of a key; reads the database, so not for the loop's hot paths.

        Raises:
            NoSuchKey.
            StorageFailed: it was sealed with another secret than this instance has, for one.
        """
        self._snapshot.key(key_id)
        found = self._reader.submit(_watched, partial(self._secrets_of, [key_id]), "read").result()
        if key_id not in found:
            raise NoSuchKey(f"there is no key {key_id}")
        return found[key_id]

    async def reveal_keys(self, key_ids: Sequence[int]) -> Mapping[int, str]:
        """The secrets of many keys by id; those that are gone are left out.

        Raises:
            StorageFailed.
        """
        if not key_ids:
            return {}
        return await run_in(self._reader, partial(self._secrets_of, key_ids), "read")

    def _secrets_of(self, key_ids: Sequence[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        for start in range(0, len(key_ids), _LOAD_ROWS):
            rows = models.ApiKey.objects.filter(id__in=key_ids[start : start + _LOAD_ROWS])
            for key_id, sealed, digest in rows.values_list("id", "sealed", "digest"):
                whose = f"key {key_id}"
                found[key_id] = self._sealer.unseal(bytes(sealed), bytes(digest), whose)
        return found

    async def insert_device(
        self,
        device: Device,
        datastreams: Iterable[Datastream],
        token: str,
        key_for: Callable[[Device], tuple[ApiKey, str]] | None,
    ) -> Device:
        """Store a device with datastreams, token and first key, all or nothing."""
        drafts = list(datastreams)
        stored = await self.transact(
            lambda: self.store_device(device, drafts, token, key_for), self.show_device
        )
        return stored.device

    async def transact(self, write: Callable[[], Result], then: Callable[[Result], None]) -> Result:
        """Write to several tables at once, and show what came of it, in the turn of all writes.

        It goes on when the caller is cancelled: what is in the database and not in the snapshot
        would be unknown until the next start.

        Args:
            write: runs in the writer thread, as one transaction.
            then: runs in the loop's thread after the transaction holds, and does not wait.
        """

        async def in_turn() -> Result:
            async with self._turn:
                result = await self._write(write)
                then(result)
                return result

        task = asyncio.create_task(in_turn())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    def store_device(
        self,
        device: Device,
        drafts: Sequence[Datastream],
        token: str,
        key_for: Callable[[Device], tuple[ApiKey, str]] | None,
    ) -> StoredDevice:
        """Write a device with datastreams, token and first key; within a transaction.

        Raises:
            UuidTaken.
        """
        if self._snapshot.device_of_uuid(device.uuid) is not None:
            raise UuidTaken.of(device.uuid)
        digest = self._sealer.digest(token)
        row = models.Device.objects.create(**_device_values(device), token_digest=digest)
        stored = msgspec.structs.replace(device, device_id=row.pk)
        streams = _insert_datastreams(row.pk, drafts)
        key = self._insert_key(*key_for(stored)) if key_for is not None else None
        return StoredDevice(stored, digest, streams, key)

    def show_device(self, stored: StoredDevice) -> None:
        """Let the doors know of a device, after its transaction holds."""
        self._snapshot.put_device(stored.device)
        self._snapshot.put_token_digests(stored.device.device_id, stored.root_digest)
        if stored.streams:
            self._snapshot.put_datastreams(stored.device.device_id, stored.streams)
        if stored.key is not None:
            self._snapshot.put_key(*stored.key)

    def replace_device(self, device: Device) -> None:
        """Let the doors know of a device that was changed, after its transaction holds."""
        self._snapshot.put_device(device)

    def forget_key(self, key_id: int) -> None:
        """Let the doors know that a key is gone, after its transaction holds."""
        if key_id in self._snapshot.keys:
            self._snapshot.drop_key(key_id)

    def forget_keys_of(self, account_id: int) -> None:
        """Let the doors know that an account's keys are gone, after its transaction holds."""
        for key in self.keys_of(account_id):
            self._snapshot.drop_key(key.key_id)

    @_carried_through
    async def update_device(self, device_id: int, change: Callable[[Device], Device]) -> Device:
        """Store `change` of a device, and the place a mobile device leaves by it."""
        async with self._turn:
            before = self._snapshot.device(device_id)
            device = change(before)
            values = _device_values(device)

            def write() -> None:
                models.Device.objects.filter(id=device_id).update(**values)
                _keep_track(before, device)

            await self._write(write)
            self._snapshot.put_device(device)
        return device

    @_carried_through
    async def delete_device(
        self, device_id: int, check: Callable[[Device], None] | None = None
    ) -> None:
        """Remove a device, its datastreams, and keys that reach nothing else."""
        async with self._turn:
            device = self._snapshot.device(device_id)
            if check is not None:
                check(device)
            key_ids = self._snapshot.keys_only_for(device_id)

            def write() -> None:
                models.ApiKey.objects.filter(id__in=key_ids).delete()
                models.Device.objects.filter(id=device_id).delete()

            await self._write(write)
            for key_id in key_ids:
                self._snapshot.drop_key(key_id)
            self._snapshot.drop_device(device_id)
            self._notify_gone(device_id, None)

    @_carried_through
    async def insert_datastreams(
        self, device_id: int, datastreams: Iterable[Datastream]
    ) -> Sequence[Datastream]:
        """Store new datastreams; one whose name exists is answered as it stands."""
        drafts = {datastream.name: datastream for datastream in datastreams}
        async with self._turn:
            self._snapshot.device(device_id)
            known = self._snapshot.datastreams(device_id)
            missing = [draft for name, draft in drafts.items() if name not in known]
            if missing:
                stored = await self._write(lambda: _insert_datastreams(device_id, missing))
                self._snapshot.put_datastreams(device_id, stored)
            known = self._snapshot.datastreams(device_id)
            return [known[name] for name in drafts]

    @_carried_through
    async def update_datastream(
        self, device_id: int, name: str, change: Callable[[Datastream], Datastream]
    ) -> Datastream:
        """Store `change` of a datastream."""
        async with self._turn:
            datastream = change(self._snapshot.datastream(device_id, name))
            rows = models.Datastream.objects.filter(id=datastream.stream_id)
            values = _datastream_values(datastream)
            await self._write(lambda: rows.update(**values))
            self._snapshot.put_datastreams(device_id, [datastream])
        return datastream

    @_carried_through
    async def delete_datastream(
        self, device_id: int, name: str, check: Callable[[Datastream], None] | None = None
    ) -> Datastream:
        """Remove a datastream; return what it was."""
        async with self._turn:
            datastream = self._snapshot.datastream(device_id, name)
            if check is not None:
                check(datastream)
            rows = models.Datastream.objects.filter(id=datastream.stream_id)
            await self._write(rows.delete)
            self._snapshot.drop_datastream(device_id, name)
            self._notify_gone(device_id, name)
        return datastream

    async def missing_streams(self, stream_ids: Sequence[int]) -> Sequence[int]:
        """Those of some numbers that a datastream had and none has now; asks the database.

        Raises:
            StorageFailed.
        """

        def read() -> list[int]:
            ids = models.Datastream.objects.values_list("id", flat=True)
            newest = ids.order_by("-id").first() or 0
            known = set(ids.filter(id__in=stream_ids))
            return [number for number in stream_ids if number < newest and number not in known]

        return await self._write(read)

    async def number_streams_after(self, last: int) -> bool:
        """Have new datastreams get numbers after `last`; answer whether they would not have.

        Raises:
            StorageFailed.
        """
        meta = models.Datastream._meta
        column = meta.pk.attname

        def read_and_set() -> bool:
            if last_number(connection, meta.db_table, column) >= last:
                return False
            set_last_number(connection, meta.db_table, column, last)
            return True

        return await self._write(read_and_set)

    @_carried_through
    async def insert_key(self, key: ApiKey, secret: str) -> ApiKey:
        """Store a key, its secret sealed."""
        async with self._turn:
            stored, digest = await self._write(lambda: self._insert_key(key, secret))
            self._snapshot.put_key(stored, digest)
        return stored

    def _insert_key(self, key: ApiKey, secret: str) -> tuple[ApiKey, bytes]:
        digest = self._sealer.digest(secret)
        row = models.ApiKey.objects.create(
            **_key_values(key), digest=digest, sealed=self._sealer.seal(secret)
        )
        return msgspec.structs.replace(key, key_id=row.pk), digest

    @_carried_through
    async def update_key(self, key_id: int, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        """Store `change` of a key; its secret stays."""
        async with self._turn:
            key = change(self._snapshot.key(key_id))
            values = _key_values(key)
            await self._write(lambda: models.ApiKey.objects.filter(id=key_id).update(**values))
            self._snapshot.put_key(key, self._snapshot.digests[key_id])
        return key

    @_carried_through
    async def replace_secret(self, key_id: int, secret: str) -> ApiKey:
        """Give a key another secret; the old one is dead when this returns."""
        digest = self._sealer.digest(secret)
        values = {"digest": digest, "sealed": self._sealer.seal(secret)}
        rows = models.ApiKey.objects.filter(id=key_id)
        async with self._turn:
            key = self._snapshot.key(key_id)
            await self._write(lambda: rows.update(**values))
            self._snapshot.put_key(key, digest)
        return key

    @_carried_through
    async def delete_key(self, key_id: int, check: Callable[[ApiKey], None] | None = None) -> None:
        """Remove a key; it is dead at once."""
        async with self._turn:
            key = self._snapshot.key(key_id)
            if check is not None:
                check(key)
            await self._write(models.ApiKey.objects.filter(id=key_id).delete)
            self._snapshot.drop_key(key_id)

    async def write(self, write: Callable[[], Result]) -> Result:
        """Run a write to other tables of the catalog in the one writer thread, all or nothing.

        Raises:
            StorageFailed, and what `write` raises.
        """
        return await self._write(write)

    async def _write(self, write: Callable[[], Result]) -> Result:
        """Run a write, or a read that follows all writes, as one transaction in their thread."""

        def run() -> Result:
            with atomic():
                return write()

        return await run_in(self._writer, run, "written")


async def run_in(executor: ThreadPoolExecutor, work: Callable[[], Result], what: str) -> Result:
    """Have a thread read or write the catalog's tables.

    Args:
        what: what the directory could not be, should it fail: `read` or `written`.

    Raises:
        StorageFailed, and what `work` raises.
    """
    return await asyncio.get_running_loop().run_in_executor(executor, _watched, work, what)


def _watched(work: Callable[[], Result], what: str) -> Result:
    event = "directory_write_failed" if what == "written" else "directory_read_failed"
    try:
        look_after_connection()
        return work()
    except (OperationalError, InterfaceError) as error:
        # A full disk, for one, or a server that is away: no bug of ours, so no traceback.
        reason = reason_of(error)
        log.error(event, reason=reason)
        if connection.vendor == "sqlite":  # whose words name no place: "database or disk is full"
            raise StorageFailed(f"the directory could not be {what}: {reason}") from error
        raise StorageFailed(f"the directory could not be {what}", details=reason) from error
    except (DatabaseError, sqlite3.Error) as error:
        log.exception(event)
        raise StorageFailed(f"the directory could not be {what}; try again later") from error


def _keep_track(before: Device, after: Device) -> None:
    """Store the waypoint that a change makes, and drop the oldest above the limit."""
    rows = models.Waypoint.objects.filter(device_id=after.device_id)
    waypoint = waypoint_left(before, after)
    if waypoint is not None:
        rows.create(device_id=after.device_id, **msgspec.structs.asdict(waypoint))
        newest_ids = rows.order_by("-id").values_list("id", flat=True)
        for last_id in newest_ids[WAYPOINTS_MAX : WAYPOINTS_MAX + 1]:
            rows.filter(id__lte=last_id).delete()
    elif forgets_waypoints(before, after):
        rows.delete()


def _insert_datastreams(device_id: int, drafts: Sequence[Datastream]) -> list[Datastream]:
    rows = [
        models.Datastream.objects.create(
            device_id=device_id, name=draft.name, **_datastream_values(draft)
        )
        for draft in drafts
    ]
    return [
        msgspec.structs.replace(draft, stream_id=row.pk, device_id=device_id)
        for draft, row in zip(drafts, rows, strict=True)
    ]


def _device_values(device: Device) -> dict[str, object]:
    values: dict[str, object] = msgspec.structs.asdict(device)
    del values["device_id"]
    values["tags"] = list(device.tags)
    values["location"] = None if device.location is None else msgspec.to_builtins(device.location)
    values["properties"] = dict(device.properties)
    return values


def _device(row: tuple[object, ...]) -> Device:
    values = dict(zip(_DEVICE_COLUMNS, row, strict=True))
    values["device_id"] = values.pop("id")
    if not values["properties"]:
        del values["properties"]  # so that all devices without any share the default
    values["product_id"] = sys.intern(str(values["product_id"]))  # many devices, few products
    return msgspec.convert(values, Device, strict=True)


def _datastream_values(datastream: Datastream) -> dict[str, object]:
    unit = datastream.unit
    return {
        "tags": list(datastream.tags),
        "unit": None if unit is None else msgspec.to_builtins(unit),
    }


def _datastream(row: tuple[int, int, str, list[str], dict[str, str] | None]) -> Datastream:
    stream_id, device_id, name, tags, unit = row
    found = None if unit is None else _unit(**unit)
    return Datastream(stream_id, device_id, sys.intern(name), tuple(map(sys.intern, tags)), found)


@lru_cache(4096)
def _unit(type: str, symbol: str, label: str) -> Unit:
    """A unit; the same object for all datastreams that have it, for there are many."""
    return Unit(type, symbol, label)


def _key_values(key: ApiKey) -> dict[str, object]:
    return {
        "account_id": key.account_id,
        "label": key.label,
        "private_access": key.private_access,
        "permissions": msgspec.to_builtins(key.permissions),
        "expires_us": key.expires_us,
        "created_us": key.created_us,
    }


def _key(row: Sequence[Any]) -> ApiKey:
    key_id, account_id, label, permissions, private_access, expires_us, created_us = row
    return ApiKey(
        key_id,
        account_id,
        label,
        tuple(_shared_methods(msgspec.convert(item, Permission)) for item in permissions),
        private_access,
        expires_us,
        created_us,
    )


def _shared_methods(permission: Permission) -> Permission:
    methods = _methods(permission.access_methods)
    return msgspec.structs.replace(permission, access_methods=methods)


@lru_cache(64)
def _methods(access_methods: tuple[str, ...]) -> tuple[str, ...]:
    """The same tuple for all keys that may do the same."""
    return access_methods
