"""The directory on Django's models, with a snapshot in memory that answers the doors.

Devices and their datastreams are here; keys, tokens and how all of it is written, in files beside.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from django.db import connection

from thingtank.tank.errors import UuidTaken
from thingtank.tank.interfaces import CurrentTimes, DevicePage, DeviceQuery
from thingtank.tank.keys import ApiKey
from thingtank.tank.search.clusters import Places
from thingtank.tank.things import Account, Datastream, Device, Waypoint
from thingtank.tank.waypoints import WAYPOINTS_MAX, forgets_waypoints, waypoint_left
from thingtank.web.accounts.models import Account as AccountRow
from thingtank.web.catalog import models, tokens
from thingtank.web.catalog.directory_keys import KeyDirectory
from thingtank.web.catalog.directory_tokens import TokenDirectory
from thingtank.web.catalog.directory_work import carried_through, run_in
from thingtank.web.catalog.rows import (
    DEVICE_COLUMNS,
    KEY_COLUMNS,
    LOAD_ROWS,
    datastream_of_row,
    datastream_values,
    device_of_row,
    device_values,
    key_of_row,
)
from thingtank.web.database.numbers import last_number, set_last_number


class StoredDevice(msgspec.Struct, frozen=True):
    """A device that is in the database, and not yet in the snapshot."""

    device: Device
    root_digest: bytes
    streams: list[Datastream]
    key: tuple[ApiKey, bytes] | None


class DjangoDirectory(KeyDirectory, TokenDirectory):
    """Implements `tank.interfaces.Directory`."""

    def __init__(self, secret: bytes) -> None:
        super().__init__(secret)
        # The snapshot's own, because every write asks each of them, some several times.
        self.get_account = self._snapshot.account
        self.get_device = self._snapshot.device
        self.datastreams = self._snapshot.datastreams
        self._refreshing = threading.Lock()
        self._notify_gone: Callable[[int, str | None], None] = lambda _device_id, _name: None

    def load(self) -> None:
        """Fill the snapshot from the database; blocking."""
        try:
            self.refresh_accounts()
            rows = models.Device.objects.values_list(*DEVICE_COLUMNS).iterator(LOAD_ROWS)
            self._snapshot.load_devices(map(device_of_row, rows))
            self._load_tokens()
            self._load_datastreams()
            self._snapshot.index_all()
            for *row, digest in models.ApiKey.objects.values_list(*KEY_COLUMNS).iterator(LOAD_ROWS):
                self._snapshot.put_key(key_of_row(row), bytes(digest))
        finally:
            connection.close()

    def _load_tokens(self) -> None:
        put = self._snapshot.put_token_digests
        roots = models.Device.objects.values_list("id", "token_digest")
        for device_id, digest in roots.iterator(LOAD_ROWS):
            put(device_id, bytes(digest))
        for device_id, digest in tokens.load_digests():
            put(device_id, self._snapshot.token_digests(device_id) + digest)

    def _load_datastreams(self) -> None:
        columns = ("id", "device_id", "name", "tags", "unit")
        rows = models.Datastream.objects.order_by("device_id").values_list(*columns)
        waiting: list[Datastream] = []
        for row in rows.iterator(LOAD_ROWS):
            datastream = datastream_of_row(row)
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

    def devices_with_retention(self) -> Sequence[Device]:
        """The devices whose `retention_s` is set."""
        return list(self._snapshot.retaining.values())

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
        row = models.Device.objects.create(**device_values(device), token_digest=digest)
        stored = msgspec.structs.replace(device, device_id=row.pk)
        streams = _insert_datastreams(row.pk, drafts)
        key = self._store_key(*key_for(stored)) if key_for is not None else None
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

    @carried_through
    async def update_device(self, device_id: int, change: Callable[[Device], Device]) -> Device:
        """Store `change` of a device, and the place a mobile device leaves by it."""
        async with self._turn:
            before = self._snapshot.device(device_id)
            device = change(before)
            values = device_values(device)

            def write() -> None:
                models.Device.objects.filter(id=device_id).update(**values)
                _keep_track(before, device)

            await self._write(write)
            self._snapshot.put_device(device)
        return device

    @carried_through
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

    @carried_through
    async def insert_datastreams(
        self,
        device_id: int,
        datastreams: Iterable[Datastream],
        check: Callable[[Mapping[str, Datastream]], None] | None = None,
    ) -> Sequence[Datastream]:
        """Store new datastreams; one whose name exists is answered as it stands."""
        drafts = {datastream.name: datastream for datastream in datastreams}
        async with self._turn:
            self._snapshot.device(device_id)
            known = self._snapshot.datastreams(device_id)
            if check is not None:
                check(known)
            missing = [draft for name, draft in drafts.items() if name not in known]
            if missing:
                stored = await self._write(lambda: _insert_datastreams(device_id, missing))
                self._snapshot.put_datastreams(device_id, stored)
            known = self._snapshot.datastreams(device_id)
            return [known[name] for name in drafts]

    @carried_through
    async def update_datastream(
        self, device_id: int, name: str, change: Callable[[Datastream], Datastream]
    ) -> Datastream:
        """Store `change` of a datastream."""
        async with self._turn:
            datastream = change(self._snapshot.datastream(device_id, name))
            rows = models.Datastream.objects.filter(id=datastream.stream_id)
            values = datastream_values(datastream)
            await self._write(lambda: rows.update(**values))
            self._snapshot.put_datastreams(device_id, [datastream])
        return datastream

    @carried_through
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
            device_id=device_id, name=draft.name, **datastream_values(draft)
        )
        for draft in drafts
    ]
    return [
        msgspec.structs.replace(draft, stream_id=row.pk, device_id=device_id)
        for draft, row in zip(drafts, rows, strict=True)
    ]
