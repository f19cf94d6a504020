"""The narrow interfaces the tank stands on: what the actions need, and several can provide."""

from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, Literal, Protocol

import msgspec
from msgspec import UnsetType

from thingtank.tank.datapoints import Bucket, CurrentValue, Datapoint, DatapointRows
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.keys import ApiKey
from thingtank.tank.search.clusters import Places
from thingtank.tank.things import Account, Datastream, Device, Waypoint
from thingtank.tank.tokens import DeviceToken

SEARCH_CHARS_MAX = 255
PAGE_MAX = 1_000_000
PER_PAGE_MAX = 1000
LIVE_S = 15 * 60  # Xively calls a feed live while its newest value is younger

CurrentTimes = Callable[[int], int | None]  # stream_id → the time of its current value
Status = Literal["all", "live", "frozen"]
Order = Literal["created_at", "updated_at", "retrieved_at", "relevance", "title"]


class Mark(msgspec.Struct, frozen=True):
    """Where a device stands in an order, so that a list can go on from there.

    Attributes:
        key: what the order compares first: a time, a score, or a title without regard to case.
    """

    key: int | str
    device_id: int


class Clock(Protocol):
    """Where now comes from."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        ...


class DeviceQuery(msgspec.Struct, frozen=True):
    """Which devices a list holds, in pages. Unless it says whose, it holds none.

    Attributes:
        account_id: this owner's.
        with_public: everybody's public ones as well.
        everybody: all there are, whoever owns them; for operators.
        with_private: whether private ones are among the owner's (or everybody's).
        text: words that must all stand in title, description, tags, datastream names or the owner's
            login, whole or as beginnings of two letters or more; where nothing fits, a letter of a
            longer word may be wrong. Blank for any; signs alone match nothing.
        tag: a tag of the device or of one of its datastreams, in any case; blank for any.
        units: label or symbol of a datastream's unit, in any case; blank for any.
        user: the owner's login; blank for any.
        device_ids: only these; None for any.
        status: `live` when a datastream has a value younger than `live_s`, else `frozen`.
        updated_since_us: only devices whose metadata changed then or later; None for any.
        product_id: only devices that were made from this product; blank for any.
        lat, lon: degrees, both or neither; only devices at most `distance_m` from there.
        order: `created_at`, `updated_at` (metadata last changed) and `retrieved_at` (metadata or
            values last changed) newest first; `relevance` best first, without text as
            `created_at`; `title` alphabetical.
        is_reversed: the order the other way round.
        after: only devices that come after this place in the order, which need not be taken any
            more; pages by it neither repeat nor leave out a device when others come and go.
        page: from 1 to PAGE_MAX. per_page: 1 to PER_PAGE_MAX.

    Raises:
        ValidationFailed: a member is out of its bounds.
    """

    account_id: int | None = None
    with_public: bool = False
    with_private: bool = True
    everybody: bool = False
    text: str = ""
    tag: str = ""
    units: str = ""
    user: str = ""
    device_ids: frozenset[int] | None = None
    status: Status = "all"
    live_s: int = LIVE_S
    lat: float | None = None
    lon: float | None = None
    distance_m: float = 0
    updated_since_us: int | None = None
    product_id: str = ""
    order: Order = "created_at"
    is_reversed: bool = False
    after: Mark | None = None
    page: int = 1
    per_page: int = 50

    def __post_init__(self) -> None:
        """Check the bounds."""
        problems = [
            (field, f"is too long (maximum is {SEARCH_CHARS_MAX} characters)")
            for field in ("text", "tag", "units", "user", "product_id")
            if len(getattr(self, field)) > SEARCH_CHARS_MAX
        ]
        if not 1 <= self.page <= PAGE_MAX:
            problems.append(("page", f"must be between 1 and {PAGE_MAX}"))
        if not 1 <= self.per_page <= PER_PAGE_MAX:
            problems.append(("per_page", f"must be between 1 and {PER_PAGE_MAX}"))
        if (self.lat is None) != (self.lon is None):
            problems.append(("lat", "and lon must be given together"))
        if self.lat is not None and not -90 <= self.lat <= 90:
            problems.append(("lat", "must be between -90 and 90"))
        if self.lon is not None and not -180 <= self.lon <= 180:
            problems.append(("lon", "must be between -180 and 180"))
        if not self.distance_m >= 0:
            problems.append(("distance", "must not be negative"))
        if self.after is not None and isinstance(self.after.key, str) != (self.order == "title"):
            problems.append(("after", "is no place in this order"))
        if problems:
            raise ValidationFailed(problems)

    @property
    def is_long(self) -> bool:
        """Whether answering may take longer than the event loop should wait."""
        return bool(self.text) or self.status != "all" or self.order == "retrieved_at"


class DevicePage(msgspec.Struct, frozen=True):
    """One page of a list of devices.

    Attributes:
        total_count: how many there are on all pages.
        relevances: how well each device fits the text, up to 1; 0 where none was asked for.
        marks: where each device stands in the order.
        is_full: whether `per_page` were found: one that went meanwhile is counted, and not shown.
    """

    devices: Sequence[Device]
    total_count: int
    relevances: Sequence[float]
    marks: Sequence[Mark]
    is_full: bool


class Directory(Protocol):
    """Which accounts, devices, datastreams and keys exist.

    Reads are answered from memory, from any thread, and never wait. Writes are durable when they
    return; the snapshot
    then already says so. Writes of one directory run one after another, so a `change` function sees
    the newest value.
    """

    @property
    def rights_version(self) -> int:
        """Rises when an account, a device's owner or privacy, or a key changes, or a token is gone.

        While it stays, so does all that `tank.access` answers, but for keys that expire.
        """
        ...

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
        """The device with that uuid, in any case."""
        ...

    def datastreams(self, device_id: int) -> Mapping[str, Datastream]:
        """A device's datastreams by name, in order of name; not to be changed."""
        ...

    def list_devices(self, query: DeviceQuery) -> DevicePage:
        """One page of devices. The event loop asks `Tank.search_devices`, which never blocks it."""
        ...

    def count_devices(self, query: DeviceQuery) -> int:
        """How many devices there are on all pages."""
        ...

    def device_places(self, query: DeviceQuery) -> Places:
        """Where the devices of all pages are, in no order; those without a place are left out."""
        ...

    def devices_matching(self, matches: Callable[[Device], bool], limit: int) -> list[Device]:
        """The newest devices that fit, at most `limit`, newest first.

        Looks at one after the other until it has enough, so it may take long; the event loop asks
        `Tank.find_devices`, which never blocks it.

        Args:
            matches: called in the thread that asks.
        """
        ...

    def follow(self, current_at_us: CurrentTimes, now_us: Callable[[], int]) -> None:
        """Say whom to ask when a datastream was last written; before, nothing ever was."""
        ...

    def on_gone(self, notify: Callable[[int, str | None], None]) -> None:
        """Have `notify` called as soon as a device is gone, or the datastream of it that is named.

        It is called in the loop within the change, also when whoever asked for it gave up waiting.
        """
        ...

    async def read_waypoints(self, device_id: int) -> Sequence[Waypoint]:
        """Where a mobile device was before, oldest first; at most WAYPOINTS_MAX, the newest."""
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

    def keys_of(self, account_id: int, feed_id: int | None = None) -> Sequence[ApiKey]:
        """All keys of an account, oldest first; with `feed_id` those that name that feed."""
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
        """Store a device with datastreams, token and first key (and secret), all or nothing.

        Raises:
            UuidTaken: another device has its uuid, or one that differs in case only.
        """
        ...

    def has_token(self, device_id: int, token: str) -> bool:
        """Whether a device has this token. Takes the same time for any wrong one."""
        ...

    def count_tokens(self, device_id: int) -> int:
        """How many tokens a device has besides its root token."""
        ...

    async def tokens_of(self, device_id: int) -> Sequence[DeviceToken]:
        """A device's tokens besides its root token, oldest first."""
        ...

    async def insert_token(
        self, device_id: int, token: str, tag: str, created_us: int, *, tokens_max: int
    ) -> DeviceToken:
        """Give a device one more token.

        Raises:
            NoSuchDevice.
            LimitReached: it would have more than `tokens_max`, its root token aside.
        """
        ...

    async def replace_root_token(self, device_id: int, token: str) -> None:
        """Give a device another root token; the old one is dead when this returns."""
        ...

    async def delete_token(self, device_id: int, token: str) -> bool:
        """Remove a token by its secret, but not the root token; answer whether there was one."""
        ...

    async def delete_tokens(
        self, device_id: int, *, token_ids: Collection[int] | None = None, tag: str | None = None
    ) -> int:
        """Remove those of some numbers and of a tag; answer how many. None for any: all go.

        The root token stays.
        """
        ...

    async def update_device(self, device_id: int, change: Callable[[Device], Device]) -> Device:
        """Store `change` of a device, and the place a mobile device leaves by it."""
        ...

    async def delete_device(
        self, device_id: int, check: Callable[[Device], None] | None = None
    ) -> None:
        """Remove a device, its datastreams, and keys that reach nothing else.

        Args:
            check: is given the newest state within the turn of all writes; nothing is removed when
                it raises.
        """
        ...

    async def insert_datastreams(
        self,
        device_id: int,
        datastreams: Iterable[Datastream],
        check: Callable[[Mapping[str, Datastream]], None] | None = None,
    ) -> Sequence[Datastream]:
        """Store new datastreams; one whose name exists is answered as it stands.

        Args:
            check: is given those there are within the turn of all writes; nothing is stored when it
                raises.
        """
        ...

    async def update_datastream(
        self, device_id: int, name: str, change: Callable[[Datastream], Datastream]
    ) -> Datastream:
        """Store `change` of a datastream."""
        ...

    async def delete_datastream(
        self, device_id: int, name: str, check: Callable[[Datastream], None] | None = None
    ) -> Datastream:
        """Remove a datastream; return what it was.

        Args:
            check: as of `delete_device`.
        """
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

    async def replace_secret(
        self, key_id: int, secret: str, check: Callable[[ApiKey], None] | None = None
    ) -> ApiKey:
        """Give a key another secret; the old one is dead when this returns.

        Args:
            check: as of `delete_key`.
        """
        ...

    async def delete_key(self, key_id: int, check: Callable[[ApiKey], None] | None = None) -> None:
        """Remove a key; it is dead at once.

        Args:
            check: is given the newest state within the turn of all writes; nothing is removed when
                it raises.
        """
        ...


class Pending(Awaitable[None], Protocol):
    """What an `asyncio.Future` is to who waits for it, or wants to be called."""

    def add_done_callback(self, callback: Callable[[Any], object], /) -> None:
        """Have `callback` called with this, from the loop, once it is done."""
        ...

    def exception(self) -> BaseException | None:
        """Why it was refused; None when it was not."""
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

    def append(self, rows: DatapointRows) -> Pending:
        """Write datapoints, all or nothing."""
        ...

    def delete(self, stream_ids: Sequence[int], start_us: int, end_us: int) -> Awaitable[None]:
        """Delete the datapoints of a range; a current value in it falls back to the newest left."""
        ...

    def set_extremes(
        self,
        stream_id: int,
        minimum: float | UnsetType | None,
        maximum: float | UnsetType | None,
    ) -> Awaitable[None]:
        """Replace a datastream's minimum and maximum; None until the next number, UNSET leaves.

        What is left is what all changes before this one make of it, also those on their way.
        """
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
        *,
        is_as_written: bool = True,
    ) -> dict[int, list[Bucket]]:
        """Summaries of a range in steps of `interval_us` from `origin_us`; no empty ones.

        At most the oldest `limit` buckets of each datastream.

        Args:
            is_as_written: whether the first and last value of a bucket are to be the very texts
                that came, such as `21.50`. A number may do for who draws, and is read faster.
        """
        ...
