"""The event log of devices without a disk: forgotten with the process."""

from bisect import insort
from itertools import count

from thingtank.stores.device_event_settings import DeviceEventSettings
from thingtank.tank.device_events import (
    EVENTS_READ_MAX,
    LoggedEvent,
    StoredEvent,
    make_event_id,
)
from thingtank.tank.interfaces import Clock
from thingtank.tank.tank import SystemClock

SYSTEM_CLOCK = SystemClock()
_US_PER_S = 1_000_000


class MemoryDeviceEvents:
    """Implements `tank.device_events.DeviceEvents`."""

    def __init__(
        self,
        settings: DeviceEventSettings | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """An empty log.

        Args:
            settings: None for the defaults.
        """
        self._settings = settings or DeviceEventSettings()
        self._clock = clock
        self._numbers = count(1)
        self._lists: dict[int, list[tuple[int, int, StoredEvent]]] = {}  # oldest first
        self._devices: dict[str, tuple[int, ...]] = {}  # of events whose id was given

    @property
    def dropped_count(self) -> int:
        """None ever is."""
        return 0

    def append(self, event: LoggedEvent) -> None:
        """As `DeviceEvents` says; so are the others."""
        if event.event_id in self._devices:
            if not event.replaces:
                return
            for device_id in self._devices[event.event_id]:
                kept = self._lists.get(device_id, [])
                kept[:] = [row for row in kept if row[2].event_id != event.event_id]
        number = next(self._numbers)
        if event.event_id:
            self._devices[event.event_id] = event.device_ids
        event_id = event.event_id or make_event_id(event.at_us, number)
        stored = StoredEvent(event_id, event.at_us, event.code, event.body)
        for device_id in set(event.device_ids):
            kept = self._lists.setdefault(device_id, [])
            insort(kept, (event.at_us, number, stored), key=lambda row: row[:2])
            self._trim(kept)

    async def read(
        self, device_id: int, limit: int = 10, before: str | None = None
    ) -> list[StoredEvent]:
        kept = self._lists.get(device_id, [])
        self._trim(kept)
        found = [row[2] for row in reversed(kept)]
        if before is not None:
            ids = [event.event_id for event in found]
            found = found[ids.index(before) + 1 :] if before in ids else []
        return found[: max(0, min(limit, EVENTS_READ_MAX))]

    def forget(self, device_id: int) -> None:
        for _, _, event in self._lists.pop(device_id, []):
            self._free(event.event_id)

    async def close(self) -> None:
        """There is nothing to write."""

    def _trim(self, kept: list[tuple[int, int, StoredEvent]]) -> None:
        oldest_us = self._clock.now_us() - self._settings.keep_s * _US_PER_S
        excess = len(kept) - self._settings.events_per_device_max
        while kept and (excess > 0 or kept[0][0] < oldest_us):
            self._free(kept.pop(0)[2].event_id)
            excess -= 1

    def _free(self, event_id: str) -> None:
        """Let a given id be used again when no list shows its event any more."""
        ids = self._devices.get(event_id, ())
        lists = (self._lists.get(device_id, []) for device_id in ids)
        if not any(row[2].event_id == event_id for kept in lists for row in kept):
            self._devices.pop(event_id, None)
