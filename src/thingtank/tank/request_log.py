"""The request log: what was asked of each device through every door, the last of it, in memory.

Doors tell it what they answered; it keeps that and announces it. What the owner's own programs ask,
and what others do who only name the device (with a wrong key, with a key of their own), are kept
apart and bounded apart, so that no stranger can push out the owner's entries, of one device or of
all; and of strangers no more is kept in a second than somebody could read.
"""

import heapq
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple, TypeAlias

from thingtank.tank.access import Caller
from thingtank.tank.bus import Bus
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.events import REFUSED, Asked, RequestServed
from thingtank.tank.interfaces import Directory

REQUESTS_PER_DEVICE_MAX = 50
OTHERS_PER_DEVICE_MAX = 20
DEVICES_MAX = 1000
BYTES_MAX = 12 * 1024 * 1024  # of all requests together
OTHERS_BYTES_MAX = 4 * 1024 * 1024
OTHERS_PER_SECOND_MAX = 10  # of one device
BODY_BYTES_MAX = 2048  # of a request, and of an answer
PATH_CHARS_MAX = 1024
LOOKED_AT_MAX = 5000  # entries, to find the newest that somebody wants
BLOT = "…"  # in place of a secret

SERVERS_OWN = "an error of the server's own; see its log"
"""The reason where none can be told."""

DOORS = {
    "xively_http": "HTTP",
    "xively_tcp": "TCP socket",
    "xively_websocket": "WebSocket",
    "mqtt": "MQTT",
    "wamp": "WAMP",
    "skynet_http": "SkyNet HTTP",
    "skynet_socketio": "SkyNet socket.io",
    "skynet_websocket": "SkyNet WebSocket",
    "skynet_mqtt": "SkyNet MQTT",
    "api": "REST API",
}
"""Doors by the names that entries have, with names for people."""

_ENTRY_BYTES = 600  # what one takes besides its bodies
_SECOND_US = 1_000_000

Wants: TypeAlias = Callable[[RequestServed], bool]
WantsDevice: TypeAlias = Callable[[int], bool]


class _Kept(NamedTuple):
    """A request, about how many bytes it takes, and how many of these what was asked."""

    event: RequestServed
    size_bytes: int
    asked_bytes: int


_Ring: TypeAlias = deque[_Kept]


class Rings:
    """A short ring of requests for each of the devices heard from last."""

    def __init__(self, per_device_max: int, bytes_max: int) -> None:
        self._per_device_max = per_device_max
        self._bytes_max = bytes_max
        self._rings: OrderedDict[int, _Ring] = OrderedDict()
        self._size_bytes = 0

    def add(self, event: RequestServed) -> None:
        """Keep a request; forget the oldest of its device, and devices not heard of for longest."""
        asked, asked_bytes = event.asked, 0
        device_id = asked.device_id
        ring = self._rings.get(device_id)
        if ring is None:
            ring = self._rings[device_id] = deque()
        else:
            self._rings.move_to_end(device_id)
            last = ring[-1]
            if last.event.asked is asked:
                asked_bytes = last.asked_bytes
            if len(ring) == self._per_device_max:
                self._size_bytes -= ring.popleft().size_bytes
        asked_bytes = asked_bytes or _size(asked)
        size_bytes = _ENTRY_BYTES + asked_bytes + len(event.reason)
        size_bytes += len(event.request_body) + len(event.response_body)
        ring.append(_Kept(event, size_bytes, asked_bytes))
        self._size_bytes += size_bytes
        while len(self._rings) > DEVICES_MAX or self._size_bytes > self._bytes_max:
            _, forgotten = self._rings.popitem(last=False)
            self._size_bytes -= sum(kept.size_bytes for kept in forgotten)

    def is_crowded(self, device_id: int, now_us: int) -> bool:
        """Whether OTHERS_PER_SECOND_MAX requests of a device were added within the last second."""
        ring = self._rings.get(device_id)
        if ring is None or len(ring) < OTHERS_PER_SECOND_MAX:
            return False
        return abs(now_us - ring[-OTHERS_PER_SECOND_MAX].event.at_us) < _SECOND_US

    def is_flooded(self, device_id: int, now_us: int) -> bool:
        """Whether a whole ring of a device's requests was added within the last second."""
        ring = self._rings.get(device_id)
        if ring is None or len(ring) < self._per_device_max:
            return False
        return abs(now_us - ring[0].event.at_us) < _SECOND_US

    def of_device(self, device_id: int) -> Iterator[RequestServed]:
        """A device's requests, newest first."""
        return (kept.event for kept in reversed(self._rings.get(device_id, ())))

    def device_ids(self) -> list[int]:
        """Those heard from last, the newest first."""
        return list(reversed(self._rings))


class RequestLog:
    """Keeps and announces requests. Owned by the event loop's thread.

    Attributes:
        counts: requests since the start, by door and status.
    """

    def __init__(self, bus: Bus, directory: Directory) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()
        self._bus = bus
        self._directory = directory
        self._own = Rings(REQUESTS_PER_DEVICE_MAX, BYTES_MAX)
        self._others = Rings(OTHERS_PER_DEVICE_MAX, OTHERS_BYTES_MAX)

    def note(self, event: RequestServed) -> None:
        """Keep a request that was answered, and announce it.

        What is refused and names no device that there is is nobody's to see, and is dropped; so is
        what strangers ask too often.
        """
        try:
            account_id = self._directory.get_device(event.asked.device_id).account_id
        except NoSuchDevice:
            if event.is_refused or event.caller is None or event.caller.account is None:
                return
            account_id = event.caller.account.account_id  # it has just deleted its own
        self.counts[event.asked.door, event.status] += 1
        if _is_of(event.caller, account_id):
            self._own.add(event)
        elif self._others.is_crowded(event.asked.device_id, event.at_us):
            return
        else:
            self._others.add(event)
        self._bus.publish(event)

    def skips(self, door: str, status: int, device_id: int, now_us: int) -> bool:
        """Whether a request need not be noted, and is only counted: nobody could follow that many.

        For doors whose messages are so quick that to note each would take a good part of the time.
        What is refused is to be noted always.
        """
        if status >= REFUSED or not self._own.is_flooded(device_id, now_us):
            return False
        self.counts[door, status] += 1
        return True

    def of_device(self, device_id: int) -> list[RequestServed]:
        """A device's requests, newest first."""
        both = self._own.of_device(device_id), self._others.of_device(device_id)
        return list(heapq.merge(*both, key=_newest))

    def newest(
        self, wants_device: WantsDevice, wants: Wants, count_max: int
    ) -> list[RequestServed]:
        """The newest of all devices' that somebody wants, newest first.

        Args:
            wants_device: whether anything of a device, by its id, is wanted.
            wants: whether one of its requests is. Of very many only LOOKED_AT_MAX are looked at.
        """
        rings = [
            rings.of_device(device_id)
            for rings in (self._own, self._others)
            for device_id in rings.device_ids()
            if wants_device(device_id)
        ]
        looked_at = islice(heapq.merge(*rings, key=_newest), LOOKED_AT_MAX)
        return list(islice(filter(wants, looked_at), count_max))


def _newest(event: RequestServed) -> int:
    return -event.at_us


def _is_of(caller: Caller | None, account_id: int) -> bool:
    """Whether somebody acts for the account that owns a device, or for the instance."""
    if caller is None:
        return False
    account = caller.account
    return caller.is_operator or (account is not None and account.account_id == account_id)


def _size(asked: Asked) -> int:
    return len(asked.path) + sum(len(name) + len(value) for name, value in asked.fields)
