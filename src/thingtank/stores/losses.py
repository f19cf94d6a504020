"""Counts what was to be kept and was not, and logs it: at once, then once in a while."""

from collections.abc import Callable
from typing import NamedTuple

import structlog

from thingtank.tank.errors import reason_of

log = structlog.get_logger()

LOG_INTERVAL_S = 60.0


class LossWords(NamedTuple):
    """The names that it is logged by.

    Attributes:
        fail: writes fail from now on.
        recover: they do no more.
        lose: so many were lost.
    """

    fail: str
    recover: str
    lose: str


class Losses:
    """What one writer lost.

    Attributes:
        count: since the start.
    """

    def __init__(self, words: LossWords, time_s: Callable[[], float]) -> None:
        self._words = words
        self._time_s = time_s
        self._logged_count = 0
        self._next_log_s = 0.0
        self._why = ""
        self._is_failing = False
        self.count = 0

    def add(self, count: int, why: str) -> None:
        """So many more are lost."""
        self.count += count
        self._why = why
        if count and self._time_s() >= self._next_log_s:
            self._log()

    def log_rest(self) -> None:
        """Log what was not logged yet, if it is time."""
        if self.count > self._logged_count and self._time_s() >= self._next_log_s:
            self._log()

    def close(self) -> None:
        """Log what is left, and what comes yet at once."""
        if self.count > self._logged_count:
            self._log()
        self._next_log_s = 0.0

    def fail(self, error: Exception) -> None:
        """The disk does not take something."""
        if not self._is_failing:
            self._is_failing = True
            log.error(self._words.fail, reason=reason_of(error))

    def recover(self) -> None:
        """The disk takes everything."""
        if self._is_failing:
            self._is_failing = False
            log.warning(self._words.recover, lost_count=self.count)

    def _log(self) -> None:
        log.error(self._words.lose, count=self.count - self._logged_count, reason=self._why)
        self._logged_count = self.count
        self._next_log_s = self._time_s() + LOG_INTERVAL_S
