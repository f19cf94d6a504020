"""Messages a second, from counts that only grow."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from thingtank.protocols.overviews import Traffic

HISTORY_S = 180

_US_PER_S = 1_000_000


class TrafficLog:
    """How fast counts grew in each of the last seconds."""

    def __init__(self, counts: Sequence[int], now_us: int) -> None:
        """Begin with counts: of what was received, sent and, perhaps, dropped."""
        self._counts = counts
        self._taken_us = now_us
        self._rates: deque[tuple[float, list[float]]] = deque(maxlen=HISTORY_S)

    def take(self, counts: Sequence[int], now_us: int) -> None:
        """Look at the counts; once a second."""
        elapsed_s = max(now_us - self._taken_us, 1) / _US_PER_S
        grown = (new - old for new, old in zip(counts, self._counts, strict=True))
        self._rates.append((now_us / _US_PER_S, [round(each / elapsed_s, 1) for each in grown]))
        self._counts, self._taken_us = counts, now_us

    def traffic(self) -> Traffic:
        """Messages in each of the last seconds."""
        at_s = [each for each, _ in self._rates]
        columns = [list(each) for each in zip(*(rates for _, rates in self._rates), strict=True)]
        return Traffic(at_s, *(columns or ([], [])))


class Ticker:
    """Calls something again and again, in the loop."""

    def __init__(self, interval_s: float, call: Callable[[], None]) -> None:
        self._interval_s = interval_s
        self._call = call
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Call it after each interval; in the running loop."""
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._tick)

    def stop(self) -> None:
        """Call it no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        self.start()
        self._call()
