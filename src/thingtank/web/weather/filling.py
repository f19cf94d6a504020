"""Fills the weather station from feeds that are bound to it, beside the write path and behind it.

Each bound feed has a listener of its own on the bus, so feeds that are not bound cost nothing. What
it hears in FILL_EVERY_S is written at once, in the directory's writer thread. The archive keeps all
of a feed's values; the station keeps the newest READINGS_MAX of them, and after a start reads from
the archive what it has missed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

import structlog

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.bus import Listener
from thingtank.tank.datapoints import Datapoint, number_of
from thingtank.tank.errors import LimitReached, NoSuchDevice, NotAllowed, TankError, reason_of
from thingtank.tank.events import DatapointsRecorded, DeviceDeleted
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web.weather.models import BoundFeed, TemperatureData
from thingtank.web.weather.readings import at_of, at_us_of

log = structlog.get_logger()

Result = TypeVar("Result")

CHANNEL = "temperature"
FILL_EVERY_S = 1.0
RETRY_S = 10.0  # after a write that failed, as on a full disk
READINGS_MAX = 10_000  # of a feed
BATCH_MAX = 1000  # of what was heard at once; the newest
FEEDS_MAX = 10  # of an account


class Writer(Protocol):
    """Runs a write in the catalog's one writer thread, as one transaction."""

    def __call__(self, write: Callable[[], Result]) -> Awaitable[Result]:
        """Raise StorageFailed, and what `write` raises."""
        ...


class _Feed:
    """One bound feed: what is heard of it, and the task that writes it."""

    def __init__(self, bound_id: int, listener: Listener) -> None:
        self.bound_id = bound_id
        self.listener = listener
        self.heard: list[DatapointsRecorded] = []
        self.task: asyncio.Task[None] | None = None
        self.has_caught_up = False

    def take(self) -> list[DatapointsRecorded]:
        """All that was heard and is not written yet."""
        self.heard += self.listener.take_all()  # type: ignore[arg-type] # it listens to these only
        return self.heard


class StationFilling:
    """The feeds that are bound, and their readings. Owned by the loop's thread."""

    def __init__(self, tank: Tank, write: Writer) -> None:
        self._tank = tank
        self._write = write
        self._feeds: dict[int, _Feed] = {}
        self._turn = asyncio.Lock()

    @property
    def bound(self) -> Mapping[int, int]:
        """Device → its binding's id; a copy, for any thread."""
        return {device_id: feed.bound_id for device_id, feed in dict(self._feeds).items()}

    async def start(self) -> None:
        """Begin to listen to what is bound."""
        self._tank.bus.react(DeviceDeleted, self._forget)
        rows = await self._write(lambda: list(BoundFeed.objects.values_list("device_id", "id")))
        for device_id, bound_id in rows:
            self._follow(device_id, self._listen(device_id, bound_id))

    async def stop(self) -> None:
        """Write what was heard, and end."""
        feeds, self._feeds = self._feeds, {}
        for device_id, feed in feeds.items():
            await self._end(feed)
            with suppress(TankError):
                await self._fill(device_id, feed)

    async def bind(self, caller: Caller, device_id: int) -> None:
        """Have a feed fill the station from now on, and with the newest it has.

        Raises:
            NoSuchDevice, NotAllowed, LimitReached, StorageFailed.
        """
        device = self._may_change(caller, device_id)
        async with self._turn:
            if device_id in self._feeds:
                return
            if self._count_of(device.account_id) >= FEEDS_MAX:
                raise LimitReached(f"an account may have {FEEDS_MAX} feeds at the weather station")
            bound_id = await self._write(
                lambda: int(BoundFeed.objects.get_or_create(device_id=device_id)[0].pk)
            )
            feed = self._listen(device_id, bound_id)
            with suppress(TankError):  # it is tried again
                await self._catch_up(device_id, feed)
            self._follow(device_id, feed)

    async def unbind(self, caller: Caller, device_id: int) -> None:
        """Let a feed go, with what the station has of it; the feed itself keeps everything.

        Raises:
            NoSuchDevice, NotAllowed, StorageFailed.
        """
        self._may_change(caller, device_id)
        async with self._turn:
            await self._write(BoundFeed.objects.filter(device_id=device_id).delete)
            feed = self._feeds.pop(device_id, None)
            if feed is not None:
                await self._end(feed)

    def _count_of(self, account_id: int) -> int:
        """How many of an account's feeds are bound."""
        count = 0
        for device_id in self._feeds:
            with suppress(NoSuchDevice):  # it is being deleted
                count += self._tank.directory.get_device(device_id).account_id == account_id
        return count

    def _may_change(self, caller: Caller, device_id: int) -> Device:
        device = self._tank.directory.get_device(device_id)
        if not may_reach(caller, "put", device):
            raise NotAllowed(f"feed {device_id} belongs to somebody else")
        return device

    def _listen(self, device_id: int, bound_id: int) -> _Feed:
        listener = self._tank.bus.listen(DatapointsRecorded, device_id=device_id)
        feed = self._feeds[device_id] = _Feed(bound_id, listener)
        return feed

    def _follow(self, device_id: int, feed: _Feed) -> None:
        feed.task = asyncio.get_running_loop().create_task(self._run(device_id, feed))

    def _forget(self, event: DeviceDeleted) -> None:
        feed = self._feeds.pop(event.device.device_id, None)
        if feed is not None:
            feed.listener.close()
            if feed.task is not None:
                feed.task.cancel()

    async def _end(self, feed: _Feed) -> None:
        feed.listener.close()
        if feed.task is None:
            return  # it is being bound
        feed.task.cancel()
        with suppress(asyncio.CancelledError):
            await feed.task

    async def _run(self, device_id: int, feed: _Feed) -> None:
        """Write what a feed has, then what it says, until cancelled."""
        while True:
            try:
                await self._catch_up(device_id, feed)
                if not feed.heard:  # else what could not be written is still there
                    feed.heard.append(await feed.listener.next())  # type: ignore[arg-type] # as above
                await asyncio.sleep(FILL_EVERY_S)
                await self._fill(device_id, feed)
            except TankError as error:
                log.warning("weather_filling_failed", feed_id=device_id, reason=reason_of(error))
                await asyncio.sleep(RETRY_S)

    async def _catch_up(self, device_id: int, feed: _Feed) -> None:
        """Write what the archive has and the station has not; once."""
        if feed.has_caught_up:
            return
        datastream = self._tank.directory.datastreams(device_id).get(CHANNEL)
        if datastream is None:
            feed.has_caught_up = True
            return
        newest = await self._write(lambda: _newest_us(feed.bound_id))
        start_us = 0 if newest is None else newest + 1
        end_us = self._tank.clock.now_us() + 1
        found = await self._tank.archive.read(
            [datastream.stream_id], start_us, end_us, BATCH_MAX, newest_first=True
        )
        await self._store(device_id, feed, found.get(datastream.stream_id, []))
        feed.has_caught_up = True

    async def _fill(self, device_id: int, feed: _Feed) -> None:
        events = feed.take()
        count = len(events)
        if count:
            await self._store(device_id, feed, _datapoints(events))
        del feed.heard[:count]  # only now: what could not be written is tried again

    async def _store(self, device_id: int, feed: _Feed, points: Iterable[Datapoint]) -> None:
        location = self._tank.directory.get_device(device_id).location
        lat, lon = (None, None) if location is None else (location.lat, location.lon)
        newest = sorted(points, key=lambda point: point.at_us)[-BATCH_MAX:]
        rows = _rows(feed.bound_id, newest, lat, lon)
        if rows:
            await self._write(lambda: _replace(feed.bound_id, rows))


def _datapoints(events: Iterable[DatapointsRecorded]) -> Iterable[Datapoint]:
    for event in events:
        rows = event.rows
        for stream_id, at_us, value in zip(rows.stream_ids, rows.at_us, rows.values, strict=True):
            if event.names.get(stream_id) == CHANNEL:
                yield Datapoint(at_us, value)


def _rows(
    bound_id: int, points: Sequence[Datapoint], lat: float | None, lon: float | None
) -> list[TemperatureData]:
    """Readings of datapoints, one an instant; text, and times of no calendar, are left out."""
    rows: dict[int, TemperatureData] = {}
    for point in points:
        temperature = number_of(point.value)
        with suppress(OverflowError):
            if temperature is not None:
                rows[point.at_us] = TemperatureData(
                    timestamp=at_of(point.at_us),
                    temperature=temperature,
                    lat=lat,
                    lon=lon,
                    bound_feed_id=bound_id,
                )
    return list(rows.values())


def _newest_us(bound_id: int) -> int | None:
    rows = TemperatureData.objects.filter(bound_feed_id=bound_id).order_by("-timestamp")
    at = rows.values_list("timestamp", flat=True).first()
    return None if at is None else at_us_of(at)


def _replace(bound_id: int, rows: Sequence[TemperatureData]) -> None:
    """Write readings over those of the same instants, and keep the newest READINGS_MAX."""
    if not BoundFeed.objects.filter(id=bound_id).exists():
        return  # let go meanwhile
    of_feed = TemperatureData.objects.filter(bound_feed_id=bound_id)
    of_feed.filter(timestamp__in=[row.timestamp for row in rows]).delete()
    TemperatureData.objects.bulk_create(rows)
    times = of_feed.order_by("-timestamp").values_list("timestamp", flat=True)
    for oldest_kept in times[READINGS_MAX - 1 : READINGS_MAX]:
        of_feed.filter(timestamp__lt=oldest_kept).delete()


_attached: StationFilling | None = None


def attach(filling: StationFilling | None) -> None:
    """Give the pages what fills their station, or take it away."""
    global _attached
    _attached = filling


def station_filling() -> StationFilling:
    """What fills the station of this process."""
    assert _attached is not None, "the station is not filled"
    return _attached
