"""The event log of devices on disk; implements `tank.device_events.DeviceEvents`.

```
log = await DeviceEventLog.open(folder, settings)
... serve; then, when nothing happens any more:
await log.close()
```

Nobody waits for the log: events gather for LINGER_S, and those that the disk does not take are
lost, counted, and logged about.
"""

import asyncio
from functools import partial
from pathlib import Path

from thingtank.stores.device_event_file import DeviceEventFile, Forget, Item
from thingtank.stores.device_event_settings import DeviceEventSettings
from thingtank.stores.group_commit import GroupCommit
from thingtank.stores.losses import Losses, LossWords
from thingtank.stores.worker import Worker
from thingtank.tank.device_events import LoggedEvent, StoredEvent
from thingtank.tank.errors import StorageFailed
from thingtank.tank.interfaces import Clock
from thingtank.tank.tank import SystemClock

LINGER_S = 0.05
LINGER_EVENTS_MAX = 5_000
TRIM_INTERVAL_S = 5.0
SYSTEM_CLOCK = SystemClock()

_US_PER_S = 1_000_000
_EVENT_BYTES = 300  # about what an event takes in memory beside its body
_LISTED_BYTES = 100  # and for each list it is in
_WORDS = LossWords(
    "device_event_writes_fail", "device_event_writes_recovered", "device_events_lost"
)
_FULL = "too many others wait for the disk"
_FAILED = "the disk is full, or fails"
_CLOSED = "the server stops"


class DeviceEventLog:
    """Owns the file and its thread; used from the loop's thread."""

    def __init__(
        self,
        file: DeviceEventFile,
        settings: DeviceEventSettings,
        clock: Clock,
        linger_s: float,
        trim_interval_s: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._file = file
        self._settings = settings
        self._clock = clock
        self._trim_interval_s = trim_interval_s
        self._worker = Worker("device-events")
        self._commits: GroupCommit[Item, None] = GroupCommit(
            self._worker,
            file.commit,
            self._committed,
            linger_s=linger_s,
            linger_items_max=LINGER_EVENTS_MAX,
        )
        self._losses = Losses(_WORDS, self._loop.time)
        self._unforgotten: list[Forget] = []  # as the disk did not take it
        self._is_trimming = False
        self._is_closed = False
        self._timer = self._loop.call_later(trim_interval_s, self._tick)

    @classmethod
    async def open(
        cls,
        folder: Path,
        settings: DeviceEventSettings,
        clock: Clock = SYSTEM_CLOCK,
        *,
        linger_s: float = LINGER_S,
        trim_interval_s: float = TRIM_INTERVAL_S,
    ) -> "DeviceEventLog":
        """Open the file of a data folder, made when missing.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else.
        """
        events_max = settings.events_per_device_max
        file = await asyncio.to_thread(DeviceEventFile.open, folder, events_max)
        return cls(file, settings, clock, linger_s, trim_interval_s)

    @property
    def dropped_count(self) -> int:
        """As `DeviceEvents` says; so are the others."""
        return self._losses.count

    def append(self, event: LoggedEvent) -> None:
        commits, settings = self._commits, self._settings
        size_bytes = _EVENT_BYTES + len(event.body) + _LISTED_BYTES * len(event.device_ids)
        if (
            self._is_closed
            or commits.waiting_count >= settings.pending_events_max
            or commits.waiting_bytes + size_bytes > settings.pending_bytes_max
        ):
            self._losses.add(1, _CLOSED if self._is_closed else _FULL)
        elif event.device_ids:
            commits.add(event, size_bytes)

    async def read(
        self, device_id: int, limit: int = 10, before: str | None = None
    ) -> list[StoredEvent]:
        await self._commits.settled()
        if self._is_closed:
            raise StorageFailed("the log of device events is closed", details=_CLOSED)
        work = partial(self._file.read, device_id, limit, before, self._oldest_us())
        return await self._worker.run(work)

    def forget(self, device_id: int) -> None:
        if not self._is_closed:
            self._commits.add(Forget(device_id))

    async def copy_to(self, folder: Path) -> None:
        """Write what is on disk to a file of the same name in another folder.

        Raises:
            sqlite3.Error, OSError: it could not be written.
        """
        await self._worker.run(partial(self._file.copy_to, folder))

    async def close(self) -> None:
        """Write what there is; drop what comes from now on; close the file."""
        if self._is_closed:
            return
        self._forget_again()
        self._is_closed = True
        self._timer.cancel()
        await self._commits.settled()
        self._losses.close()
        await self._worker.stop()
        self._file.close()

    def _committed(self, items: list[Item], result: Exception | None) -> None:
        if result is None:
            self._losses.recover()
            return
        self._losses.fail(result)
        self._losses.add(sum(isinstance(each, LoggedEvent) for each in items), _FAILED)
        self._unforgotten += [each for each in items if isinstance(each, Forget)]

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._trim_interval_s, self._tick)
        self._losses.log_rest()
        self._forget_again()
        if not self._is_trimming:
            self._trim()

    def _forget_again(self) -> None:
        unforgotten, self._unforgotten = self._unforgotten, []
        for each in unforgotten:
            self._commits.add(each)

    def _trim(self) -> None:
        self._is_trimming = True
        self._worker.submit(partial(self._file.trim, self._oldest_us()), self._trimmed)

    def _trimmed(self, result: bool | Exception) -> None:
        self._is_trimming = False
        if isinstance(result, Exception):
            self._losses.fail(result)
        elif not result and not self._is_closed:
            self._trim()

    def _oldest_us(self) -> int:
        return self._clock.now_us() - self._settings.keep_s * _US_PER_S
