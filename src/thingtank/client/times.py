"""Times as programs and the server say them: `datetime` with a zone here, ISO 8601 UTC there."""

import threading
import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def us_of(at: datetime) -> int:
    """Microseconds since the epoch.

    Raises:
        ValueError: the time has no zone, so that nobody can say which instant it is.
    """
    if at.tzinfo is None:
        raise ValueError(
            f"{at.isoformat()} has no time zone; use datetime.now(UTC) or .astimezone()"
        )
    return (at - EPOCH) // MICROSECOND


def datetime_of(at_us: int) -> datetime:
    """The instant, in UTC."""
    return EPOCH + timedelta(microseconds=at_us)


def text_of(at_us: int) -> str:
    """The instant as the server writes it: UTC, six digits, `Z`."""
    return datetime_of(at_us).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Stamps:
    """Times for values that come without one: now, and never the same instant twice.

    A datastream has one value an instant; two writes within a microsecond, or a clock that was set
    back a little, must not overwrite each other. Safe to use from several threads.
    """

    def __init__(self, last_us: int = 0) -> None:
        self._lock = threading.Lock()
        self._last_us = last_us

    def next_us(self) -> int:
        """The next time to use, in microseconds since the epoch."""
        with self._lock:
            self._last_us = max(time.time_ns() // 1000, self._last_us + 1)
            return self._last_us
