"""What clients on sockets and over MQTT are told when something is refused: codes and words.

A device that somebody may not know of is refused as one that does not exist. Whoever is too early
is told when to try again, as `retryAfter` in seconds.
"""

from typing import Any, NamedTuple

from thingtank.doors.skynet.errors import NotReady, RateLimited, SkynetError, TooManyWrongTokens
from thingtank.tank.errors import (
    LimitReached,
    NotAllowed,
    NotFound,
    RateExceeded,
    TankError,
    Unauthenticated,
    Unavailable,
    UuidTaken,
    ValidationFailed,
)

DEVICE_NOT_FOUND = "Device not found"
UNAUTHORIZED = "unauthorized"


class Refusal(NamedTuple):
    """A code as HTTP has it, and words.

    Attributes:
        retry_after_s: when the same may succeed; None when that is not a matter of time.
    """

    code: int
    message: str
    retry_after_s: float | None = None

    def error(self, message: str = "") -> dict[str, Any]:
        """The error member of an answer.

        Args:
            message: other words.
        """
        shown: dict[str, Any] = {"message": message or self.message, "code": self.code}
        if self.retry_after_s is not None:
            shown["retryAfter"] = round(self.retry_after_s, 3)
        return shown


# The first row whose class fits counts; blank words are the error's own.
ROWS: tuple[tuple[type[TankError | SkynetError], int, str], ...] = (
    (TooManyWrongTokens, 429, ""),
    (NotReady, 401, UNAUTHORIZED),
    (RateLimited, 429, "Rate Limit Exceeded"),
    (NotFound, 404, DEVICE_NOT_FOUND),
    (Unauthenticated, 401, UNAUTHORIZED),
    (NotAllowed, 401, UNAUTHORIZED),
    (RateExceeded, 429, "Rate Limit Exceeded"),
    (ValidationFailed, 422, ""),
    (UuidTaken, 409, "Device UUID already registered"),
    (LimitReached, 422, ""),
    (Unavailable, 503, ""),
)
INTERNAL = Refusal(500, "an error of the server's own")


def refusal_of(error: TankError | SkynetError) -> Refusal:
    """How an error is told."""
    for kind, code, words in ROWS:
        if isinstance(error, kind):
            return Refusal(code, words or str(error), getattr(error, "retry_after_s", None))
    raise AssertionError(f"{type(error).__name__} has no row in the table")
