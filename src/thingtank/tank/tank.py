"""The tank: everything an action needs, in one value."""

import time

from thingtank.tank.bus import Bus
from thingtank.tank.events import RequestServed
from thingtank.tank.interfaces import Archive, Clock, Directory
from thingtank.tank.limits import Limits
from thingtank.tank.request_log import RequestLog
from thingtank.tank.request_rates import RequestRates


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        return time.time_ns() // 1000


class Tank:
    """Directory, archive, bus and limits of one instance, and who asks how often.

    Lives in the event loop's thread.
    """

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
        self.request_rates = RequestRates(self.limits)
        self.request_log = RequestLog()
        self.bus.react(RequestServed, self.request_log.remember)
