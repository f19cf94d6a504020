"""Every error's answer in WAMP's words: an ERROR's URI and what stands in it, in one table.

`wamp.error.unavailable` is for none of them: it has a dealer ask another callee.

Source: WAMP, URIs; what is missing there is of the tank: `tank.error.…`.
"""

from typing import Any

import msgspec

from thingtank.protocols.wamp.answers import LIMIT_REACHED, NOT_AUTHORIZED
from thingtank.protocols.wamp.meta_calls import INVALID_ARGUMENT
from thingtank.protocols.xively.errors import Unprocessable, XivelyError
from thingtank.tank.errors import (
    AlreadyActivated,
    LimitReached,
    NoSuchAccount,
    NoSuchDatapoint,
    NoSuchDatastream,
    NoSuchDelivery,
    NoSuchDevice,
    NoSuchKey,
    NoSuchProduct,
    NoSuchProductDevice,
    NoSuchTrigger,
    NotAllowed,
    NotFound,
    Overloaded,
    RateExceeded,
    StorageFailed,
    TankError,
    Unauthenticated,
    Unavailable,
    UuidTaken,
    ValidationFailed,
)

# The first row whose class fits counts. The number is what the request log shows, as HTTP has it.
ROWS: tuple[tuple[type[TankError], str, int], ...] = (
    (NoSuchAccount, "tank.error.no_such_user", 404),
    (NoSuchDevice, "tank.error.no_such_feed", 404),
    (NoSuchDatastream, "tank.error.no_such_datastream", 404),
    (NoSuchDatapoint, "tank.error.no_such_datapoint", 404),
    (NoSuchKey, "tank.error.no_such_key", 404),
    (NoSuchDelivery, "tank.error.no_such_delivery", 404),
    (NoSuchProduct, "tank.error.no_such_product", 404),
    (NoSuchProductDevice, "tank.error.no_such_device", 404),
    (NoSuchTrigger, "tank.error.no_such_trigger", 404),
    (NotFound, "tank.error.not_found", 404),
    (Unauthenticated, "wamp.error.authentication_required", 401),
    (AlreadyActivated, "tank.error.already_activated", 403),
    (NotAllowed, NOT_AUTHORIZED, 403),
    (RateExceeded, "tank.error.rate_exceeded", 429),
    (ValidationFailed, INVALID_ARGUMENT, 422),
    (UuidTaken, "tank.error.uuid_taken", 409),
    (LimitReached, LIMIT_REACHED, 422),
    (Overloaded, "tank.error.overloaded", 503),
    (StorageFailed, "tank.error.storage_failed", 503),
    (Unavailable, "tank.error.unavailable", 503),
)


class ErrorAnswer(msgspec.Struct, frozen=True):
    """What an ERROR holds.

    Attributes:
        text: for people; its only positional argument.
        kwargs: `problems`, a list of (field, message); or `retry_after_s`.
        status: for the request log.
    """

    uri: str
    text: str
    kwargs: dict[str, Any]
    status: int


def answer_of(error: TankError | XivelyError) -> ErrorAnswer:
    """The answer for an error."""
    if isinstance(error, XivelyError):
        problems = error.problems if isinstance(error, Unprocessable) else (("", str(error)),)
        return ErrorAnswer(INVALID_ARGUMENT, str(error), _problems(problems), error.status)
    for kind, uri, status in ROWS:
        if isinstance(error, kind):
            return ErrorAnswer(uri, str(error).strip(), _more(error), status)
    raise AssertionError(f"{type(error).__name__} has no row in the table")


def _more(error: TankError) -> dict[str, Any]:
    if isinstance(error, ValidationFailed):
        return _problems(error.problems)
    if isinstance(error, RateExceeded | Unavailable):
        return {"retry_after_s": error.retry_after_s}
    return {}


def _problems(problems: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {"problems": [list(problem) for problem in problems]}
