"""The tank: everything an action needs, in one value."""

import time

from thingtank.tank.accounts import Accounts
from thingtank.tank.bus import Bus
from thingtank.tank.deliveries import DeliveryLog
from thingtank.tank.events import RequestServed
from thingtank.tank.interfaces import Archive, Clock, Directory
from thingtank.tank.limits import Limits
from thingtank.tank.products_interface import Products
from thingtank.tank.request_log import RequestLog


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        return time.time_ns() // 1000


class Tank:
    """Directory, archive, deliveries, bus, limits of one instance. Lives in the loop's thread."""

    def __init__(
        self,
        directory: Directory,
        archive: Archive,
        bus: Bus | None = None,
        clock: Clock | None = None,
        limits: Limits | None = None,
        deliveries: DeliveryLog | None = None,
        products: Products | None = None,
        accounts: Accounts | None = None,
    ) -> None:
        self.directory = directory
        self.archive = archive
        self.bus = bus or Bus()
        self.clock = clock or SystemClock()
        self.limits = limits or Limits()
        self.deliveries = deliveries
        self._products = products
        self._accounts = accounts
        self.request_log = RequestLog()
        self.bus.react(RequestServed, self.request_log.remember)

    @property
    def products(self) -> Products:
        """Products and their devices."""
        assert self._products is not None, "this tank was opened without products"
        return self._products

    @property
    def accounts(self) -> Accounts:
        """Accounts and their profiles."""
        assert self._accounts is not None, "this tank was opened without accounts"
        return self._accounts
