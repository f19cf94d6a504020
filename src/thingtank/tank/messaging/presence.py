"""Which devices are connected now, by whatever door.

Changes come in the loop's thread; searches look at a device's visit from others.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from msgspec import Struct

from thingtank.tank.things import Device

KEPT_MAX = 200_000  # devices that are away and whose last visit is remembered


class Connection(Struct, eq=False):
    """One connection of a device.

    Attributes:
        protocol: `websocket`, `mqtt`, `http` or what else people know it by.
        socket_id: of the wire, as SkyNet shows it; blank for none.
        address: of the peer.
    """

    protocol: str
    socket_id: str = ""
    address: str = ""
    is_secure: bool = False


class Visit(Struct):
    """When a device came and went.

    Attributes:
        connections: that are open, oldest first; another tuple with every change.
        claimed_online: what the device has said of itself; None for nothing since it came or went.
        online_since_us, last_online_us: since the epoch; None for never.
    """

    connections: tuple[Connection, ...] = ()
    claimed_online: bool | None = None
    online_since_us: int | None = None
    last_online_us: int | None = None

    @property
    def newest(self) -> Connection | None:
        """The connection that was opened last, of those that are open."""
        connections = self.connections
        return connections[-1] if connections else None

    @property
    def is_online(self) -> bool:
        """Whether it is there."""
        if self.claimed_online is not None:
            return self.claimed_online
        return bool(self.connections)


class Presence:
    """All devices that are there, or were."""

    def __init__(
        self, now_us: Callable[[], int], changed: Callable[[Device, bool, Connection | None], None]
    ) -> None:
        """Nobody is there yet.

        Args:
            changed: called with a device, whether it is there now, and the connection that made
                the difference.
        """
        self._now_us = now_us
        self._changed = changed
        self._visits: dict[int, Visit] = {}

    def visit(self, device_id: int) -> Visit | None:
        """What is known of a device; None when it was never there."""
        return self._visits.get(device_id)

    def is_online(self, device_id: int) -> bool:
        """Whether a device is there."""
        visit = self._visits.get(device_id)
        return visit is not None and visit.is_online

    def newest_online(self, looked_at_max: int) -> Iterator[int]:
        """The devices that are there, who came last first.

        Args:
            looked_at_max: of so many that are remembered.
        """
        for device_id in islice(reversed(self._visits), looked_at_max):
            if self._visits[device_id].is_online:
                yield device_id

    def connect(self, device: Device, connection: Connection) -> None:
        """A device has come by one connection (more)."""
        visit = self._newest_visit(device)
        was_online = visit.is_online
        visit.connections = (*visit.connections, connection)
        visit.claimed_online = None
        self._forget_oldest()
        if not was_online:
            visit.online_since_us = self._now_us()
            self._changed(device, True, connection)

    def disconnect(self, device: Device, connection: Connection) -> None:
        """One of its connections has ended; one that is not known is fine."""
        visit = self._visits.get(device.device_id)
        if visit is None or connection not in visit.connections:
            return
        was_online = visit.is_online
        visit.connections = tuple(each for each in visit.connections if each is not connection)
        if not visit.connections:
            visit.claimed_online = None
        if was_online and not visit.is_online:
            visit.last_online_us = self._now_us()
            self._changed(device, False, connection)

    def claim(self, device: Device, *, is_online: bool) -> None:
        """A device says of itself that it is there, or not, until it comes or goes."""
        visit = self._newest_visit(device)
        was_online = visit.is_online
        visit.claimed_online = is_online
        self._forget_oldest()
        if was_online != is_online:
            if is_online:
                visit.online_since_us = self._now_us()
            else:
                visit.last_online_us = self._now_us()
            self._changed(device, is_online, None)

    def forget(self, device_id: int) -> None:
        """A device is gone for good."""
        self._visits.pop(device_id, None)

    def _newest_visit(self, device: Device) -> Visit:
        """The device's visit, which is now the last to be forgotten."""
        visit = self._visits.pop(device.device_id, None) or Visit()
        self._visits[device.device_id] = visit
        return visit

    def _forget_oldest(self) -> None:
        """Forget one that is away, if there are too many."""
        if len(self._visits) <= KEPT_MAX:
            return
        for device_id, visit in self._visits.items():
            if not visit.is_online:
                del self._visits[device_id]
                return
