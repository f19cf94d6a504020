"""The tank: everything an action needs, in one value."""

import asyncio
import time

from thingtank.tank.bus import Bus
from thingtank.tank.events import RequestServed
from thingtank.tank.interfaces import Archive, Clock, Directory
from thingtank.tank.limits import Limits
from thingtank.tank.request_log import RequestLog
from thingtank.tank.trigger_interfaces import (
    NoTriggers,
    NoTriggerService,
    Triggers,
    TriggerService,
)

BACKTESTS_AT_ONCE_MAX = 2  # each keeps a processor busy


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        return time.time_ns() // 1000


class Tank:
    """Directory, archive, bus and limits of one instance. Lives in the event loop's thread.

    Attributes:
        trigger_service: triggers at work; set by who starts them.
        backtests: turns of those who try a trigger on history.
    """

    def __init__(
        self,
        directory: Directory,
        archive: Archive,
        bus: Bus | None = None,
        clock: Clock | None = None,
        limits: Limits | None = None,
        triggers: Triggers | None = None,
    ) -> None:
        self.directory = directory
        self.archive = archive
        self.bus = bus or Bus()
        self.clock = clock or SystemClock()
        self.limits = limits or Limits()
        self.triggers: Triggers = triggers or NoTriggers()
        self.trigger_service: TriggerService = NoTriggerService()
        self.backtests = asyncio.Semaphore(BACKTESTS_AT_ONCE_MAX)
        self.request_log = RequestLog()
        self.bus.react(RequestServed, self.request_log.remember)
