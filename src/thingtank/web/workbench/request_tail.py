"""Requests as they are answered, for pages that show them. Lives in the loop's thread."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from thingtank.tank.events import RequestServed
from thingtank.tank.request_log import Wants
from thingtank.tank.tank import Tank

HEARD_MAX = 100  # that wait for one page


class Hearing:
    """What one page hears."""

    def __init__(self, wants: Wants) -> None:
        self._wants = wants
        self._waiting: deque[RequestServed] = deque(maxlen=HEARD_MAX)
        self._untaken_count = 0

    @property
    def is_waiting(self) -> bool:
        """Whether anything came since the last time."""
        return self._untaken_count > 0

    def offer(self, served: RequestServed) -> None:
        """Take a request if it is wanted."""
        if self._wants(served):
            self._untaken_count += 1
            self._waiting.append(served)

    def take(self, count_max: int) -> tuple[list[RequestServed], int]:
        """The newest that came since the last time, oldest first, and how many are left out."""
        taken = list(self._waiting)[-count_max:]
        skipped_count = self._untaken_count - len(taken)
        self._waiting.clear()
        self._untaken_count = 0
        return taken, skipped_count


class RequestTail:
    """Hands requests on to pages; as long as nobody looks it costs next to nothing."""

    def __init__(self, tank: Tank) -> None:
        self._hearings: list[Hearing] = []
        tank.bus.react(RequestServed, self._take)

    @contextmanager
    def hear(self, wants: Wants) -> Iterator[Hearing]:
        """What is answered until the end of the block."""
        hearing = Hearing(wants)
        self._hearings.append(hearing)
        try:
            yield hearing
        finally:
            self._hearings.remove(hearing)

    def _take(self, served: RequestServed) -> None:
        for hearing in self._hearings:
            hearing.offer(served)
