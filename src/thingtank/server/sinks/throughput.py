"""How much was delivered lately."""

from collections import deque

_WINDOW_S = 60


class Throughput:
    """What was delivered within the last minute. `now_s` is any clock that only goes forward."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, int]] = deque(maxlen=_WINDOW_S)

    def add(self, count: int, now_s: float) -> None:
        """Count some that were delivered."""
        second = int(now_s)
        if self._seconds and self._seconds[-1][0] == second:
            count += self._seconds.pop()[1]
        self._seconds.append((second, count))

    def per_minute(self, now_s: float) -> int:
        """How many there were."""
        return sum(count for second, count in self._seconds if second > now_s - _WINDOW_S)
