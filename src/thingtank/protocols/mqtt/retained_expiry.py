"""When what is retained expires.

A heap in which each topic has a place at a time not after its own: a message that replaces another
and expires later leaves the place, which is moved when its time has come. So a topic that is
published to again and again does not fill the heap.
"""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush

SLACK = 1024


class Expiry:
    """Which topics' messages may have expired."""

    def __init__(self, expires_at_us: Callable[[str], int]) -> None:
        """Start empty.

        Args:
            expires_at_us: of a topic's message; 0 for never, and when there is none.
        """
        self._expires_at_us = expires_at_us
        self._heap: list[tuple[int, str]] = []
        self._places: dict[str, int] = {}  # of which the heap may have more that do not count
        self._expiring_count = 0

    @property
    def next_us(self) -> int | None:
        """When the first may have expired; None for never."""
        return self._heap[0][0] if self._heap else None

    def change(self, topic: str, before_us: int, expires_at_us: int) -> None:
        """Say that a topic's message has changed: when it expired before, and does now."""
        self._expiring_count += (expires_at_us > 0) - (before_us > 0)
        if expires_at_us and not 0 < self._places.get(topic, 0) <= expires_at_us:
            self._places[topic] = expires_at_us
            heappush(self._heap, (expires_at_us, topic))
        if len(self._heap) > 2 * self._expiring_count + SLACK:
            self._rebuild()

    def due(self, now_us: int, count_max: int) -> Iterator[str]:
        """Topics whose messages have expired, each to be removed at once.

        Args:
            count_max: how many places to look at.
        """
        for _ in range(count_max):
            if not self._heap or self._heap[0][0] > now_us:
                return
            place_us, topic = heappop(self._heap)
            if self._places.get(topic) != place_us:
                continue
            del self._places[topic]
            expires_at_us = self._expires_at_us(topic)
            if expires_at_us > now_us:
                self._places[topic] = expires_at_us
                heappush(self._heap, (expires_at_us, topic))
            elif expires_at_us:
                yield topic

    def _rebuild(self) -> None:
        times = {topic: self._expires_at_us(topic) for topic in self._places}
        self._places = {topic: time_us for topic, time_us in times.items() if time_us}
        self._heap = [(time_us, topic) for topic, time_us in self._places.items()]
        heapify(self._heap)
