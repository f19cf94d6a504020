"""A clock that tells the time and does not jump: what the system clock said once, and counts on."""

import time

_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux's goes on in suspension


class SteadyClock:
    """Microseconds since the epoch, UTC, as far as the system clock knew when it was made."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.clock_gettime_ns(_BOOT)

    def now_us(self) -> int:
        """The time."""
        return (time.clock_gettime_ns(_BOOT) + self._offset_ns) // 1000
