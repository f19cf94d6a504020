"""The last requests of each device, in memory, for the workbench's request log."""

from collections import OrderedDict, deque

from thingtank.tank.events import RequestServed

REQUESTS_PER_DEVICE_MAX = 50
DEVICES_MAX = 1000


class RequestLog:
    """A short ring of requests for each of the devices heard from last."""

    def __init__(self) -> None:
        self._rings: OrderedDict[int, deque[RequestServed]] = OrderedDict()

    def remember(self, event: RequestServed) -> None:
        """Keep a request; forget the oldest when full."""
        ring = self._rings.get(event.device_id)
        if ring is None:
            ring = self._rings[event.device_id] = deque(maxlen=REQUESTS_PER_DEVICE_MAX)
            if len(self._rings) > DEVICES_MAX:
                self._rings.popitem(last=False)
        else:
            self._rings.move_to_end(event.device_id)
        ring.append(event)

    def of_device(self, device_id: int) -> list[RequestServed]:
        """A device's requests, newest first."""
        return list(reversed(self._rings.get(device_id, ())))
