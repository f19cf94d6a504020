"""What PUBACK and PUBREC say when something is refused, beside what the client itself is told.

Source: MQTT 5, 2.4 and 3.4.2.1.
"""

from typing import NamedTuple

from thingtank.doors.skynet import refusals
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


class Refusal(NamedTuple):
    """A reason code, and what the client is told."""

    reason: ReasonCode
    told: refusals.Refusal


# The first row whose class fits counts.
ROWS: tuple[tuple[type[TankError | SkynetError], ReasonCode], ...] = (
    (NotReady, ReasonCode.NOT_AUTHORIZED),
    (RateLimited, ReasonCode.QUOTA_EXCEEDED),
    (NotFound, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR),
    (Unauthenticated, ReasonCode.NOT_AUTHORIZED),
    (NotAllowed, ReasonCode.NOT_AUTHORIZED),
    (RateExceeded, ReasonCode.QUOTA_EXCEEDED),
    (ValidationFailed, ReasonCode.PAYLOAD_FORMAT_INVALID),
    (UuidTaken, ReasonCode.PAYLOAD_FORMAT_INVALID),
    (LimitReached, ReasonCode.QUOTA_EXCEEDED),
    (Unavailable, ReasonCode.SERVER_BUSY),
)
INTERNAL = Refusal(ReasonCode.UNSPECIFIED_ERROR, refusals.INTERNAL)
NOT_A_DEVICE = Refusal(ReasonCode.NOT_AUTHORIZED, refusals.refusal_of(NotReady()))


def refusal_of(error: TankError | SkynetError) -> Refusal:
    """How an error is told."""
    for kind, reason in ROWS:
        if isinstance(error, kind):
            return Refusal(reason, refusals.refusal_of(error))
    raise AssertionError(f"{type(error).__name__} has no row in the table")
