"""Every error's answer: status and body, to programs of early 2014 and to later ones.

Source: SkyNet and Meshblu, their answers as recorded; what they had no words for is worded alike.
"""

import math
from typing import Any

from thingtank.doors.skynet.errors import NotReady, RateLimited, SkynetError, TooManyWrongTokens
from thingtank.doors.skynet.rest.replies import Reply, answer
from thingtank.doors.skynet.rest.requests import Words
from thingtank.protocols.skynet.parameters import BadParameters
from thingtank.protocols.skynet.queries import BadQuery
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

UNAUTHORIZED = {"error": "unauthorized"}


class RestRefusal(Exception):
    """What only this door refuses, with its answer.

    Attributes:
        reply: the answer, whatever the program's age.
    """

    def __init__(self, reply: Reply, text: str) -> None:
        self.reply = reply
        super().__init__(text)


Refused = TankError | SkynetError | RestRefusal | BadParameters | BadQuery

# The first row whose class fits counts: statuses to programs of early 2014, and to later ones.
ROWS: tuple[tuple[type[Exception], int, int], ...] = (
    (TooManyWrongTokens, 429, 429),
    (NotFound, 404, 404),
    (Unauthenticated, 404, 401),
    (NotAllowed, 404, 422),
    (RateLimited, 429, 429),
    (RateExceeded, 429, 429),
    (NotReady, 401, 401),
    (ValidationFailed, 400, 422),
    (UuidTaken, 500, 500),
    (LimitReached, 422, 422),
    (Unavailable, 503, 503),
    (BadParameters, 400, 400),
    (BadQuery, 422, 422),
)

# Programs of 2014 are told no more of these than what their route says.
_IN_ROUTES_WORDS = (NotFound, Unauthenticated, NotAllowed)


def refusal(
    error: Refused, words: Words, uuid: str, now_ms: int, *, is_legacy: bool, has_shown: bool
) -> Reply:
    """The answer to a request that is refused.

    Args:
        uuid: that the path names.
        has_shown: whether the request had anything by which to know its sender.
    """
    if isinstance(error, RestRefusal):
        return error.reply
    if isinstance(error, Unauthenticated) and not has_shown:
        return answer(UNAUTHORIZED, 401)
    status = _status_of(error, is_legacy=is_legacy)
    if is_legacy:
        return _with_retry(_legacy(error, status, words, uuid, now_ms), error)
    return _with_retry(_modern(error, status, words, uuid), error)


def _status_of(error: Refused, *, is_legacy: bool) -> int:
    for kind, legacy_status, modern_status in ROWS:
        if isinstance(error, kind):
            return legacy_status if is_legacy else modern_status
    raise AssertionError(f"{type(error).__name__} has no row in the table")


def legacy_error(status: int, message: str, words: Words, uuid: str, now_ms: int) -> Reply:
    """A refusal as programs of early 2014 know it."""
    told: dict[str, Any] = {"uuid": uuid} if words.shows_uuid else {}
    body: dict[str, Any] = {"error": {**told, "message": message, "code": status}}
    if words.event_code:
        body |= {"timestamp": now_ms, "eventCode": words.event_code}
    return answer(body, status)


def _legacy(error: Refused, status: int, words: Words, uuid: str, now_ms: int) -> Reply:
    message = text_of(error)
    if isinstance(error, _IN_ROUTES_WORDS) and not isinstance(error, TooManyWrongTokens):
        message = words.refusal
    elif isinstance(error, ValidationFailed) and error.problems[0][0] == "action":
        status, message = 404, "Unable to perform secondary operation"
    return legacy_error(status, message, words, uuid, now_ms)


def _modern(error: Refused, status: int, words: Words, uuid: str) -> Reply:
    if isinstance(error, NotFound):
        return _missing(words, uuid)
    if isinstance(error, Unauthenticated) and not isinstance(error, TooManyWrongTokens):
        return answer(UNAUTHORIZED, status)
    if isinstance(error, UuidTaken):
        return answer({"message": text_of(error), "code": status}, status)
    return answer({"error": text_of(error)}, status)


def _missing(words: Words, uuid: str) -> Reply:
    match words.missing:
        case "devices":
            return answer({"message": "Devices not found", "code": 404}, 404)
        case "device":
            return answer({"uuid": uuid, "message": "Device not found", "code": 404}, 404)
        case "unregister":
            return answer("invalid device to unregister", 400)
        case "error":
            return answer({"error": "Device not found"}, 404)


def text_of(error: Refused) -> str:
    """What is told of an error that has no words of its route."""
    if isinstance(error, UuidTaken):
        return "Device UUID already registered"
    text = str(error)
    first = text.partition(" ")[0]
    # What the caller has called something, such as a uuid, stays as it is.
    is_word = first.isalpha() and not isinstance(error, BadQuery)
    return text[:1].upper() + text[1:] if is_word else text


def _with_retry(reply: Reply, error: Refused) -> Reply:
    if isinstance(error, RateLimited | RateExceeded | Unavailable | TooManyWrongTokens):
        reply.retry_after_s = max(1, math.ceil(error.retry_after_s))
    return reply
