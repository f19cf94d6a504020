"""What is answered under `/api/` when a request is refused: problem details, in one table.

Here and not in `web.api`, because some requests are refused before Django REST framework is loaded.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse

from thingtank.tank.errors import (
    LimitReached,
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
from thingtank.web.database.connections import reason_of

log = structlog.get_logger()

API_PREFIX = "/api/"
CONTENT_TYPE = "application/problem+json"
TYPES_PATH = "/api/problems/"
RETRY_AFTER_S = 30  # of a database that cannot be written
ERRORS_MAX = 100  # of one answer


class ProblemType(msgspec.Struct, frozen=True):
    """A kind of refusal.

    Attributes:
        name: its type is the address TYPES_PATH + name, where this is read.
        meaning: what it means and what to do, a sentence or two.
    """

    name: str
    status: int
    title: str
    meaning: str


class ItemError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one part of a request.

    Attributes:
        pointer: where in the body, a JSON pointer (RFC 6901); blank for all of it.
        parameter: which parameter of the query, in place of a pointer.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(msgspec.Struct, frozen=True):
    """A refusal.

    Attributes:
        headers: more of the answer, such as Allow.
    """

    type: ProblemType
    detail: str = ""
    errors: Sequence[ItemError] = ()
    retry_after_s: int | None = None
    headers: Mapping[str, str] = {}


class ProblemRaised(Exception):
    """A refusal that the API itself finds, and not the tank."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def _type(name: str, status: int, title: str, meaning: str) -> ProblemType:
    return ProblemType(name, status, title, meaning)


BAD_REQUEST = _type(
    "bad-request",
    400,
    "Bad request",
    "The request cannot be read as it is: see its Host header, its query and its form.",
)
BAD_PARAMETER = _type(
    "bad-parameter",
    400,
    "Bad parameter",
    "A parameter of the query is not known or cannot be read; `errors` says which, and what may"
    " stand there.",
)
MALFORMED = _type(
    "malformed-body", 400, "Malformed body", "The body is not well-formed JSON. Send JSON in UTF-8."
)
UNAUTHENTICATED = _type(
    "unauthenticated",
    401,
    "Not authenticated",
    "Send an API key that is valid as `Authorization: Bearer KEY`, or sign in.",
)
NOT_ALLOWED = _type(
    "not-allowed",
    403,
    "Not allowed",
    "The key or account is known and lacks the right that the detail names.",
)
CSRF_FAILED = _type(
    "csrf-failed",
    403,
    "CSRF check failed",
    "A request by session that changes something needs the CSRF cookie's value as `X-CSRFToken`.",
)
NOT_FOUND = _type(
    "not-found",
    404,
    "Not found",
    "There is no such thing, or the caller may not see it, which look the same.",
)
METHOD_NOT_ALLOWED = _type(
    "method-not-allowed", 405, "Method not allowed", "The header Allow names the methods there are."
)
NOT_ACCEPTABLE = _type(
    "not-acceptable", 406, "Not acceptable", "Answers are JSON: accept `application/json`."
)
CONFLICT = _type(
    "conflict", 409, "Conflict", "Something with this name is there already; choose another."
)
IN_PROGRESS = _type(
    "request-in-progress",
    409,
    "Request in progress",
    "A request with this Idempotency-Key is being answered. Ask again in a moment.",
)
PRECONDITION_FAILED = _type(
    "precondition-failed",
    412,
    "Precondition failed",
    "It has changed since it was read. Read it again, and send the change with its new ETag.",
)
TOO_LARGE = _type("too-large", 413, "Too large", "The body is too large. Send it in parts.")
UNSUPPORTED_MEDIA_TYPE = _type(
    "unsupported-media-type",
    415,
    "Unsupported media type",
    "Send `Content-Type: application/json`, or what the operation's description names.",
)
VALIDATION_FAILED = _type(
    "validation-failed",
    422,
    "Validation failed",
    "The content breaks rules. `errors` has a pointer into the body and what is wrong for each.",
)
LIMIT_REACHED = _type(
    "limit-reached",
    422,
    "Limit reached",
    "More is asked for than a limit allows; the detail gives the limit.",
)
KEY_REUSED = _type(
    "idempotency-key-reused",
    422,
    "Idempotency-Key used before",
    "This Idempotency-Key came with another request before. Make a new key for each request.",
)
RATE_EXCEEDED = _type(
    "rate-exceeded",
    429,
    "Too many requests",
    "Requests come more often than allowed. Wait as long as Retry-After says.",
)
INTERNAL = _type(
    "internal-error",
    500,
    "Internal error",
    "The server failed. The failure is in its log; nothing can be said about what was done.",
)
OVERLOADED = _type(
    "overloaded", 503, "Overloaded", "A queue is full. Try again after as long as Retry-After says."
)
STORAGE_FAILED = _type(
    "storage-failed",
    503,
    "Storage failed",
    "The server cannot write to its disk or database. Nothing of the request was kept.",
)
UNAVAILABLE = _type(
    "unavailable", 503, "Unavailable", "Not just now. Try again after as long as Retry-After says."
)

TYPES: tuple[ProblemType, ...] = (
    BAD_REQUEST,
    BAD_PARAMETER,
    MALFORMED,
    UNAUTHENTICATED,
    NOT_ALLOWED,
    CSRF_FAILED,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    CONFLICT,
    IN_PROGRESS,
    PRECONDITION_FAILED,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION_FAILED,
    LIMIT_REACHED,
    KEY_REUSED,
    RATE_EXCEEDED,
    INTERNAL,
    OVERLOADED,
    STORAGE_FAILED,
    UNAVAILABLE,
)

# The first row whose class fits counts.
ROWS: tuple[tuple[type[TankError], ProblemType], ...] = (
    (NotFound, NOT_FOUND),
    (Unauthenticated, UNAUTHENTICATED),
    (NotAllowed, NOT_ALLOWED),
    (RateExceeded, RATE_EXCEEDED),
    (ValidationFailed, VALIDATION_FAILED),
    (UuidTaken, CONFLICT),
    (LimitReached, LIMIT_REACHED),
    (Overloaded, OVERLOADED),
    (StorageFailed, STORAGE_FAILED),
    (Unavailable, UNAVAILABLE),
)


def problem_of(error: Exception, pointers: Mapping[str, str] | None = None) -> Problem | None:
    """The refusal that an error of the tank, or a database that cannot be reached, is.

    Args:
        pointers: where the fields that a ValidationFailed names stand in the body; those not named
            stand at `/field`.

    Returns:
        None for an error that is a bug.
    """
    if isinstance(error, ProblemRaised):
        return error.problem
    if isinstance(error, OperationalError | InterfaceError):
        log.error("api_request_failed", reason=reason_of(error))
        detail = "the database cannot be used just now"
        return Problem(STORAGE_FAILED, detail, retry_after_s=RETRY_AFTER_S)
    if not isinstance(error, TankError):
        return None
    kind = next(kind for row, kind in ROWS if isinstance(error, row))
    if isinstance(error, ValidationFailed):
        detail = "; ".join(
            f"{_name_of(field, pointers or {})} {message}".strip()
            for field, message in error.problems
        )
        return Problem(kind, detail, _item_errors(error, pointers or {}))
    if isinstance(error, RateExceeded | Unavailable):
        return Problem(kind, str(error), retry_after_s=error.retry_after_s)
    return Problem(kind, str(error))


def _name_of(field: str, pointers: Mapping[str, str]) -> str:
    """What the body calls what the tank's rules call otherwise, as Xively does."""
    return pointers[field].strip("/").replace("/", ".") if field in pointers else field


def _item_errors(error: ValidationFailed, pointers: Mapping[str, str]) -> list[ItemError]:
    return [
        ItemError(message, pointers.get(field, f"/{field}" if field else ""))
        for field, message in error.problems[:ERRORS_MAX]
    ]


def problem_body(problem: Problem, instance: str) -> bytes:
    """A refusal's JSON.

    Args:
        instance: the path that was asked for.
    """
    kind = problem.type
    body: dict[str, Any] = {
        "type": TYPES_PATH + kind.name,
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail or kind.meaning,
        "instance": instance,
    }
    if problem.errors:
        body["errors"] = list(problem.errors)
    return msgspec.json.encode(body)


def problem_headers(problem: Problem) -> dict[str, str]:
    """The headers that a refusal is sent with."""
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **problem.headers,
    }
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, problem.retry_after_s))
    if problem.type is UNAUTHENTICATED:
        headers["WWW-Authenticate"] = 'Bearer realm="Thing Tank"'
    return headers


def problem_response(problem: Problem, path: str) -> HttpResponse:
    """A refusal as Django answers it."""
    body = problem_body(problem, path)
    return HttpResponse(body, status=problem.type.status, headers=problem_headers(problem))
