"""The tank: everything an action needs, in one value."""

import asyncio
import time

from thingtank.tank.bus import Bus
from thingtank.tank.errors import Overloaded
from thingtank.tank.events import RequestServed
from thingtank.tank.interfaces import Archive, Clock, DevicePage, DeviceQuery, Directory
from thingtank.tank.limits import Limits
from thingtank.tank.request_log import RequestLog

SEARCHES_WAITING_MAX = 100


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        return time.time_ns() // 1000


class Tank:
    """Directory, archive, bus and limits of one instance. Lives in the event loop's thread."""

    def __init__(
        self,
        directory: Directory,
        archive: Archive,
        bus: Bus | None = None,
        clock: Clock | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.directory = directory
        self.archive = archive
        self.bus = bus or Bus()
        self.clock = clock or SystemClock()
        self.limits = limits or Limits()
        self.request_log = RequestLog()
        self.bus.react(RequestServed, self.request_log.remember)
        directory.follow(archive.current_at_us, self.clock.now_us)
        self._search_turn = asyncio.Lock()
        self._searches_waiting_count = 0

    async def search_devices(self, query: DeviceQuery) -> DevicePage:
        """One page of devices; the loop serves others meanwhile.

        What may take long runs in a thread, one at a time: several would share the interpreter, so
        all of them would end later and the loop would wait for each.

        Raises:
            Overloaded: SEARCHES_WAITING_MAX searches wait already.
        """
        if not query.is_long:
            return self.directory.list_devices(query)
        if self._searches_waiting_count >= SEARCHES_WAITING_MAX:
            raise Overloaded(f"{SEARCHES_WAITING_MAX} searches wait already; try again later")
        self._searches_waiting_count += 1
        try:
            async with self._search_turn:
                return await asyncio.to_thread(self.directory.list_devices, query)
        finally:
            self._searches_waiting_count -= 1
