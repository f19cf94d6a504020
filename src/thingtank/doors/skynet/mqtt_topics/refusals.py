"""What clients are told when something is refused: one table of reason codes, codes and words.

A device that somebody may not know of is refused as one that does not exist.

Source: MQTT 5, 2.4 and 3.4.2.1.
"""

from typing import Any, NamedTuple

from thingtank.doors.skynet.errors import NotReady, RateLimited, SkynetError
from thingtank.protocols.mqtt.reason_codes import ReasonCode
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

_UNAUTHORIZED = "unauthorized"


class Refusal(NamedTuple):
    """A reason code for PUBACK, a code as HTTP has it, and words.

    Attributes:
        retry_after_s: when the same may succeed; None when that is not a matter of time.
    """

    reason: ReasonCode
    code: int
    message: str
    retry_after_s: float | None = None

    def shown(self) -> dict[str, Any]:
        """As clients see it."""
        shown: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.retry_after_s is not None:
            shown["retryAfter"] = round(self.retry_after_s, 3)
        return shown


# The first row whose class fits counts; blank words are the error's own.
ROWS: tuple[tuple[type[TankError | SkynetError], ReasonCode, int, str], ...] = (
    (NotReady, ReasonCode.NOT_AUTHORIZED, 401, _UNAUTHORIZED),
    (RateLimited, ReasonCode.QUOTA_EXCEEDED, 429, ""),
    (NotFound, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, 404, "Device not found"),
    (Unauthenticated, ReasonCode.NOT_AUTHORIZED, 401, _UNAUTHORIZED),
    (NotAllowed, ReasonCode.NOT_AUTHORIZED, 401, _UNAUTHORIZED),
    (RateExceeded, ReasonCode.QUOTA_EXCEEDED, 429, ""),
    (ValidationFailed, ReasonCode.PAYLOAD_FORMAT_INVALID, 422, ""),
    (UuidTaken, ReasonCode.PAYLOAD_FORMAT_INVALID, 409, "Device UUID already registered"),
    (LimitReached, ReasonCode.QUOTA_EXCEEDED, 422, ""),
    (Unavailable, ReasonCode.SERVER_BUSY, 503, ""),
)
INTERNAL = Refusal(ReasonCode.UNSPECIFIED_ERROR, 500, "an error of the server's own; see its log")
NOT_A_DEVICE = Refusal(ReasonCode.NOT_AUTHORIZED, 401, _UNAUTHORIZED)


def refusal_of(error: TankError | SkynetError) -> Refusal:
    """How an error is told."""
    for kind, reason, code, words in ROWS:
        if isinstance(error, kind):
            retry_after_s = getattr(error, "retry_after_s", None)
            return Refusal(reason, code, words or str(error), retry_after_s)
    raise AssertionError(f"{type(error).__name__} has no row in the table")
