"""A count of durations by size, at the price of a look into a short tuple."""

from bisect import bisect_left
from itertools import accumulate


class Histogram:
    """Durations that were added since the start.

    Attributes:
        total_s: of all together.
    """

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        """Count none yet.

        Args:
            bounds_s: rising; a duration counts to the first that it does not pass.
        """
        self._bounds_s = bounds_s
        self._counts = [0] * (len(bounds_s) + 1)
        self.total_s = 0.0

    @property
    def count(self) -> int:
        """How many were added."""
        return sum(self._counts)

    def add(self, duration_s: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds_s, duration_s)] += 1
        self.total_s += duration_s

    def buckets(self) -> list[tuple[str, float]]:
        """How many took at most so long, by the bound as text; the last is `+Inf`."""
        names = [*map(str, self._bounds_s), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))
