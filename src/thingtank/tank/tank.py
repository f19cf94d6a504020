"""The tank: everything an action needs, in one value."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from thingtank.tank.accounts import Accounts
from thingtank.tank.bus import Bus
from thingtank.tank.deliveries import DeliveryLog
from thingtank.tank.device_events import DeviceEvents
from thingtank.tank.errors import Overloaded
from thingtank.tank.events import TriggerChanged
from thingtank.tank.interfaces import Archive, Clock, DevicePage, DeviceQuery, Directory
from thingtank.tank.kept_messages import KeptMessages
from thingtank.tank.limits import Limits
from thingtank.tank.messaging.hub import Messaging
from thingtank.tank.messaging.permissions import CLOSED, Policy
from thingtank.tank.products_interface import Products
from thingtank.tank.request_log import RequestLog
from thingtank.tank.request_rates import RequestRates
from thingtank.tank.things import Device
from thingtank.tank.trigger_interfaces import (
    NoTriggers,
    NoTriggerService,
    Triggers,
    TriggerService,
)

Found = TypeVar("Found")

BACKTESTS_AT_ONCE_MAX = 2  # each keeps a processor busy
SEARCHES_WAITING_MAX = 100


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        return time.time_ns() // 1000


class Tank:
    """Directory, archive, bus and what else an instance has. Lives in the event loop's thread.

    Attributes:
        deliveries: what waits to be delivered, and what became of the rest.
        sends_email: whether there is a mail server that e-mail leaves by.
        trigger_service: triggers at work; set by who starts them.
        backtests: turns of those who try a trigger on history.
        request_rates: who asks how often.
        request_log: what was asked of devices; doors tell it.
        messaging: messages between devices, and which of them are there.
    """

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
        triggers: Triggers | None = None,
        sends_email: bool = True,
        policy: Policy = CLOSED,
        device_events: DeviceEvents | None = None,
        kept_messages: KeptMessages | None = None,
    ) -> None:
        self.directory = directory
        self.archive = archive
        self.bus = bus or Bus()
        self.clock = clock or SystemClock()
        self.limits = limits or Limits()
        self.deliveries = deliveries
        self._products = products
        self._accounts = accounts
        self.sends_email = sends_email
        self.triggers: Triggers = triggers or NoTriggers()
        self.trigger_service: TriggerService = NoTriggerService()
        self.backtests = asyncio.Semaphore(BACKTESTS_AT_ONCE_MAX)
        self.request_rates = RequestRates(self.limits)
        self.request_log = RequestLog(self.bus, directory)
        self.messaging = Messaging(
            self.bus, directory, self.clock, policy, device_events, kept_messages
        )
        directory.follow(archive.current_at_us, self.clock.now_us)
        directory.on_gone(self._forget_triggers)
        self._search_turn = asyncio.Lock()
        self._searches_waiting_count = 0

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

    def _forget_triggers(self, device_id: int, name: str | None) -> None:
        for trigger in self.triggers.forget_of(device_id, name):
            self.bus.publish(TriggerChanged(trigger, is_deleted=True))

    async def search_devices(self, query: DeviceQuery) -> DevicePage:
        """One page of devices; the loop serves others meanwhile.

        What may take long runs in a thread, one at a time: several would share the interpreter, so
        all of them would end later and the loop would wait for each.

        Raises:
            Overloaded: SEARCHES_WAITING_MAX searches wait already.
        """
        if not query.is_long:
            return self.directory.list_devices(query)
        return await self._in_turn(partial(self.directory.list_devices, query))

    async def find_devices(self, matches: Callable[[Device], bool], limit: int) -> list[Device]:
        """The newest devices that fit, at most `limit`, newest first; the loop serves others.

        Args:
            matches: is called in a thread, for one device after the other; it must not take long.

        Raises:
            Overloaded: SEARCHES_WAITING_MAX searches wait already.
        """
        return await self._in_turn(partial(self.directory.devices_matching, matches, limit))

    async def _in_turn(self, search: Callable[[], Found]) -> Found:
        if self._searches_waiting_count >= SEARCHES_WAITING_MAX:
            raise Overloaded(f"{SEARCHES_WAITING_MAX} searches wait already; try again later")
        self._searches_waiting_count += 1
        try:
            async with self._search_turn:
                return await asyncio.to_thread(search)
        finally:
            self._searches_waiting_count -= 1
