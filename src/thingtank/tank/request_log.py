"""The last requests of each device, in memory, for the workbench's request log."""

from collections import Counter, OrderedDict, deque
from typing import TypeAlias

from thingtank.tank.events import RequestServed

REQUESTS_PER_DEVICE_MAX = 50
DEVICES_MAX = 1000
BYTES_MAX = 16 * 1024 * 1024  # of all requests together
_ENTRY_BYTES = 600  # what one takes besides its bodies

_Ring: TypeAlias = deque[tuple[RequestServed, int]]  # requests, and about how many bytes each takes


class RequestLog:
    """A short ring of requests for each of the devices heard from last.

    Attributes:
        counts: requests since the start, by door and status.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()
        self._rings: OrderedDict[int, _Ring] = OrderedDict()
        self._size_bytes = 0

    def remember(self, event: RequestServed) -> None:
        """Keep a request; forget the oldest of its device, and devices not heard of for longest."""
        asked = event.asked
        self.counts[asked.door, event.status] += 1
        device_id = asked.device_id
        ring = self._rings.get(device_id)
        if ring is None:
            ring = self._rings[device_id] = deque()
        else:
            self._rings.move_to_end(device_id)
            if len(ring) == REQUESTS_PER_DEVICE_MAX:
                self._size_bytes -= ring.popleft()[1]
        size_bytes = (
            _ENTRY_BYTES + len(asked.path) + len(event.request_body) + len(event.response_body)
        )
        ring.append((event, size_bytes))
        self._size_bytes += size_bytes
        while len(self._rings) > DEVICES_MAX or self._size_bytes > BYTES_MAX:
            _, forgotten = self._rings.popitem(last=False)
            self._size_bytes -= sum(size_bytes for _, size_bytes in forgotten)

    def of_device(self, device_id: int) -> list[RequestServed]:
        """A device's requests, newest first."""
        return [event for event, _ in reversed(self._rings.get(device_id, ()))]
