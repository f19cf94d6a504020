"""Every error's answer in MQTT's words, in one table: the reason code of PUBACK and PUBREC.

What the client may try again unchanged has SERVER_BUSY, which those packets cannot carry: the
connection ends, and the client, which has no acknowledgement, keeps its message.

Source: MQTT 5, 2.4, 3.4.2.1 and 4.13.
"""

from thingtank.protocols.mqtt.reason_codes import ReasonCode, code_words
from thingtank.protocols.xively.errors import BodyTooLarge, NotAcceptable, NotRouted, XivelyError
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

# The first row whose class fits counts. The number is what the request log shows, as HTTP has it.
ROWS: tuple[tuple[type[TankError | XivelyError], ReasonCode, int], ...] = (
    (NotFound, ReasonCode.TOPIC_NAME_INVALID, 404),
    (Unauthenticated, ReasonCode.NOT_AUTHORIZED, 401),
    (NotAllowed, ReasonCode.NOT_AUTHORIZED, 403),
    (RateExceeded, ReasonCode.QUOTA_EXCEEDED, 403),
    (ValidationFailed, ReasonCode.PAYLOAD_FORMAT_INVALID, 422),
    (UuidTaken, ReasonCode.PAYLOAD_FORMAT_INVALID, 409),
    (LimitReached, ReasonCode.QUOTA_EXCEEDED, 422),
    (Unavailable, ReasonCode.SERVER_BUSY, 503),
    (NotRouted, ReasonCode.TOPIC_NAME_INVALID, 404),
    (NotAcceptable, ReasonCode.TOPIC_NAME_INVALID, 406),
    (BodyTooLarge, ReasonCode.QUOTA_EXCEEDED, 413),
    (XivelyError, ReasonCode.PAYLOAD_FORMAT_INVALID, 0),  # each has a status of its own
)
_REASONS = {
    401: ReasonCode.NOT_AUTHORIZED,
    403: ReasonCode.NOT_AUTHORIZED,
    404: ReasonCode.TOPIC_NAME_INVALID,
    406: ReasonCode.TOPIC_NAME_INVALID,
    413: ReasonCode.QUOTA_EXCEEDED,
    500: ReasonCode.UNSPECIFIED_ERROR,
    503: ReasonCode.SERVER_BUSY,
}


def answer_of(error: TankError | XivelyError) -> tuple[ReasonCode, int]:
    """The reason code of an error, and its status for the request log."""
    for kind, reason, status in ROWS:
        if isinstance(error, kind):
            return reason, error.status if isinstance(error, XivelyError) else status
    raise AssertionError(f"{type(error).__name__} has no row in the table")


def outcome_of(method: str, status: int) -> str:
    """What an answer of the HTTP API is in the request log; a state that is sent needs no words."""
    if method != "PUBLISH" and status < 400:
        return "0x00 success, and the state as a retained message"
    return code_words(reason_of(status))


def reason_of(status: int) -> ReasonCode:
    """What an answer of the HTTP API is as a reason code."""
    if status < 400:
        return ReasonCode.SUCCESS
    return _REASONS.get(status, ReasonCode.PAYLOAD_FORMAT_INVALID)
