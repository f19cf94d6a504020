"""What is to happen at a time, unless it is called off: wills, the ends of sessions."""

import heapq
from collections.abc import Callable
from itertools import count


class Timer:
    """One of those things.

    Attributes:
        call: None once it has happened or was called off.
    """

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Call it off."""
        self.call = None


class Timers:
    """All of them, by when they are due."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._numbers = count()

    def call_at(self, due_us: int, call: Callable[[], None]) -> Timer:
        """Have it happen then."""
        timer = Timer(call)
        heapq.heappush(self._heap, (due_us, next(self._numbers), timer))
        self._forget_cancelled()
        return timer

    def take_due(self, now_us: int, count_max: int) -> None:
        """Do what is due; no more of it than that, as what is left is due the next time as well."""
        heap = self._heap
        for _ in range(count_max):
            if not heap or heap[0][0] > now_us:
                return
            timer = heapq.heappop(heap)[2]
            call, timer.call = timer.call, None
            if call is not None:
                call()

    def _forget_cancelled(self) -> None:
        """Bound what was called off long before it was due: now and then, for all at once."""
        heap = self._heap
        if len(heap) < 64 or len(heap) & len(heap) - 1:
            return
        self._heap = [each for each in heap if each[2].call is not None]
        heapq.heapify(self._heap)
