"""Refused requests in the log: few lines, though anybody may cause as many as he likes."""

import logging
import time
from collections.abc import Callable

LINES_MAX = 20  # of one kind
PERIOD_S = 60.0


class RefusalLines(logging.Filter):
    """Keeps a refusal to one line, and of one kind to LINES_MAX a minute; the next says how many.

    Only a 500 is a bug, whose traceback is wanted each time.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic_s = monotonic_s
        self._kinds: dict[tuple[str, int], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it."""
        status: int = getattr(record, "status_code", 500)
        is_refusal = record.name == "django.request" and status < 500
        is_security = record.name.startswith("django.security.")
        if (record.name == "django.request" and status != 500) or is_security:
            record.exc_info = None
        if not (is_refusal or is_security):
            return True
        kind = self._kinds.setdefault((record.name, status), _Kind())
        left_out_count = kind.take(self._monotonic_s())
        if left_out_count:
            record.msg = f"{record.getMessage()} (and {left_out_count} more before it)"
            record.args = ()
        return left_out_count is not None


class _Kind:
    """Lines of one status: few, as there are few statuses."""

    def __init__(self) -> None:
        self._until_s = 0.0
        self._count = 0
        self._left_out_count = 0

    def take(self, now_s: float) -> int | None:
        """How many were left out since the last line; None to leave this one out too."""
        if now_s >= self._until_s:
            self._until_s, self._count = now_s + PERIOD_S, 0
        if self._count >= LINES_MAX:
            self._left_out_count += 1
            return None
        self._count += 1
        left_out_count, self._left_out_count = self._left_out_count, 0
        return left_out_count
