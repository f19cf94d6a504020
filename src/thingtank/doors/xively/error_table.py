"""Every error's answer in Xively's words: status, title and text, in one table.

Source: Xively API v2, HTTP status codes; where the service's text is unknown, the spec's guess.
"""

from thingtank.protocols.xively.errors import ErrorBody, XivelyError, one_or_list, problem_texts
from thingtank.tank.errors import (
    AlreadyActivated,
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

FORBIDDEN_TEXT = "You do not have the necessary permissions to access this resource"
RATE_STATUS_V1 = 503  # of RateExceeded in the API v1, in place of the row's

# The first row whose class fits counts.
ROWS: tuple[tuple[type[TankError], int, str], ...] = (
    (NotFound, 404, "Not found"),
    (Unauthenticated, 401, "Unauthorized"),
    (NotAllowed, 403, "Forbidden"),
    (RateExceeded, 403, "Rate limit exceeded"),
    (ValidationFailed, 422, "Unprocessable Entity"),
    (UuidTaken, 409, "Conflict"),
    (LimitReached, 422, "Limit reached"),
    (Unavailable, 503, "Service Unavailable"),
)
# Of a read or a delete, what is wrong can only be its query: terms that contradict each other, or
# a range too large.
QUERY_ROWS: tuple[tuple[type[TankError], int, str], ...] = (
    (ValidationFailed, 400, "Bad Request"),
    (LimitReached, 400, "Bad Request"),
)


def answer_of(error: TankError | XivelyError, is_query: bool = False) -> tuple[int, ErrorBody]:
    """Status and body for an error.

    Args:
        is_query: whether the request was a read or a delete.
    """
    if isinstance(error, XivelyError):
        return error.status, error.body
    for kind, status, title in (*QUERY_ROWS, *ROWS) if is_query else ROWS:
        if isinstance(error, kind):
            return status, ErrorBody(title, _text(error))
    raise AssertionError(f"{type(error).__name__} has no row in the table")


def _text(error: TankError) -> str | list[str]:
    if isinstance(error, AlreadyActivated):
        return str(error)
    if isinstance(error, NotAllowed):
        # Clients know this sentence; the request log gives the precise reason.
        return FORBIDDEN_TEXT
    if isinstance(error, Unauthenticated):
        return "You must supply a valid API key"
    if isinstance(error, ValidationFailed):
        return one_or_list(problem_texts(error.problems))
    text = str(error)
    return text[:1].upper() + text[1:]
