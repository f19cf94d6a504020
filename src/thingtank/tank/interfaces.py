"""The narrow interfaces the tank stands on: what the actions need, and several can provide."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from thingtank.tank.datapoints import Bucket, CurrentValue, Datapoint, DatapointRows
from thingtank.tank.keys import ApiKey
from thingtank.tank.things import Account, Datastream, Device


class Clock(Protocol):
    """Where now comes from."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        ...


class DeviceQuery(msgspec.Struct, frozen=True):
    """Which devices a list holds, in pages.

    Attributes:
        account_id: only this owner's and, with `with_public`, everybody's public ones; None for
            all.
        with_private: whether the owner's private ones are among them.
        text: words that must all stand in title, description, tags or datastream names; blank for
            any.
        tag: a tag of the device or of one of its datastreams; blank for any.
        user: the owner's login; blank for any.
        device_ids: only these; None for any.
        order: `created_at` is newest first, `title` alphabetical.
        page: from 1. per_page: 1 to 1000.
    """

    account_id: int | None = None
    with_public: bool = False
    with_private: bool = True
    text: str = ""
    tag: str = ""
    user: str = ""
    device_ids: frozenset[int] | None = None
    order: str = "created_at"
    page: int = 1
    per_page: int = 50


class DevicePage(msgspec.Struct, frozen=True):
    """One page of a list of devices, and how many there are in all."""

    devices: Sequence[Device]
    total_count: int


class Directory(Protocol):
    """Which accounts, devices, datastreams and keys exist.

    Reads are answered from memory, from any thread, and never wait. Writes are durable when they
    return; the snapshot
    then already says so. Writes of one directory run one after another, so a `change` function sees
    the newest value.
    """

    def get_account(self, account_id: int) -> Account:
        """Raise NoSuchAccount if there is none."""
        ...

    def find_account(self, login: str) -> Account | None:
        """The account of that login."""
        ...

    def get_device(self, device_id: int) -> Device:
        """Raise NoSuchDevice if there is none."""
        ...

    def find_device_by_uuid(self, uuid: str) -> Device | None:
        """The device with that uuid, lower case."""
        ...

    def datastreams(self, device_id: int) -> Mapping[str, Datastream]:
        """A device's datastreams by name, in order of name; not to be changed."""
        ...

    def list_devices(self, query: DeviceQuery) -> DevicePage:
        """One page of devices."""
        ...

    def count_devices(self, account_id: int) -> int:
        """How many devices an account owns; for the price of a look-up."""
        ...

    def devices_with_retention(self) -> Sequence[Device]:
        """The devices whose `retention_s` is set, without a look at the others."""
        ...

    def find_key(self, secret: str) -> ApiKey | None:
        """The key with that secret, expired or not. Takes the same time for any wrong secret."""
        ...

    def get_key(self, key_id: int) -> ApiKey:
        """Raise NoSuchKey if there is none."""
        ...

    def keys_of(self, account_id: int) -> Sequence[ApiKey]:
        """All keys of an account, oldest first."""
        ...

    def reveal_key(self, key_id: int) -> str:
        """The secret of a key, unsealed."""
        ...

    async def reveal_keys(self, key_ids: Sequence[int]) -> Mapping[int, str]:
        """The secrets of many keys by id; those that are gone are left out."""
        ...

    async def insert_device(
        self,
        device: Device,
        datastreams: Iterable[Datastream],
        token: str,
        key_for: Callable[[Device], tuple[ApiKey, str]] | None,
    ) -> Device:
        """Store a device with datastreams, token and first key (and secret), all or nothing."""
        ...

    async def update_device(self, device_id: int, change: Callable[[Device], Device]) -> Device:
        """Store `change` of a device."""
        ...

    async def delete_device(self, device_id: int) -> None:
        """Remove a device, its datastreams, and keys that reach nothing else."""
        ...

    async def insert_datastreams(
        self, device_id: int, datastreams: Iterable[Datastream]
    ) -> Sequence[Datastream]:
        """Store new datastreams; one whose name exists is answered as it stands."""
        ...

    async def update_datastream(
        self, device_id: int, name: str, change: Callable[[Datastream], Datastream]
    ) -> Datastream:
        """Store `change` of a datastream."""
        ...

    async def delete_datastream(self, device_id: int, name: str) -> Datastream:
        """Remove a datastream; return what it was."""
        ...

    async def missing_streams(self, stream_ids: Sequence[int]) -> Sequence[int]:
        """Those of some numbers that a datastream had and none has now; numbers are used once.

        A number above all that there are is not among them: where a directory was lost or an older
        one was restored, it does not know what it may have given out.
        """
        ...

    async def insert_key(self, key: ApiKey, secret: str) -> ApiKey:
        """Store a key, its secret sealed."""
        ...

    async def update_key(self, key_id: int, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        """Store `change` of a key; its secret stays."""
        ...

    async def replace_secret(self, key_id: int, secret: str) -> ApiKey:
        """Give a key another secret; the old one is dead when this returns."""
        ...

    async def delete_key(self, key_id: int) -> None:
        """Remove a key; it is dead at once."""
        ...


class Archive(Protocol):
    """Datapoints over time, and each datastream's current value.

    Times are microseconds since the epoch, UTC; ranges hold `start_us` and exclude `end_us`. One
    datastream has one
    datapoint an instant: writing the same instant again overwrites. What was acknowledged is seen
        by every later read.

    `append`, `delete` and `set_extremes` return at once with a future that is done when the change
    is synced to disk, and
    raise or resolve to Overloaded or StorageFailed when it was refused whole. They are called from
    the loop's thread.
    """

    def append(self, rows: DatapointRows) -> Awaitable[None]:
        """Write datapoints, all or nothing."""
        ...

    def delete(self, stream_ids: Sequence[int], start_us: int, end_us: int) -> Awaitable[None]:
        """Delete the datapoints of a range; a current value in it falls back to the newest left."""
        ...

    def set_extremes(
        self, stream_id: int, minimum: float | None, maximum: float | None
    ) -> Awaitable[None]:
        """Replace a datastream's minimum and maximum; None until the next number."""
        ...

    def current(self, stream_id: int) -> CurrentValue | None:
        """The current value, from memory; None when nothing was ever written."""
        ...

    def current_at_us(self, stream_id: int) -> int | None:
        """Only the current value's time, for less."""
        ...

    def stored_streams(self) -> Iterator[Sequence[int]]:
        """The datastreams that something is stored of, at most 1024 at a time; from memory.

        What is written meanwhile may be left out.
        """
        ...

    async def read(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        limit: int,
        newest_first: bool = False,
    ) -> dict[int, list[Datapoint]]:
        """The oldest (or newest) `limit` datapoints of each datastream in a range.

        Oldest first in any case. Datastreams with none in the range are left out.
        """
        ...

    async def read_last_before(
        self, stream_ids: Sequence[int], before_us: int
    ) -> dict[int, Datapoint]:
        """Each datastream's newest datapoint before an instant; those with none are left out."""
        ...

    async def read_buckets(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        interval_us: int,
        origin_us: int = 0,
        limit: int = 10_000,
    ) -> dict[int, list[Bucket]]:
        """Summaries of a range in steps of `interval_us` from `origin_us`; no empty ones.

        At most the oldest `limit` buckets of each datastream.
        """
        ...


class Tracker(Protocol):
    """Progress of long work: what a progress bar needs."""

    def __call__(self, done_count: int, total_count: int) -> None:
        """Report work done of work known."""
        ...
