"""What pages answer when the database cannot be written: 503 that says why, not a bug's 500."""

import sys
from collections.abc import Iterator

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestDataTooBig, TooManyFieldsSent
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

from thingtank.web.problems import (
    API_PREFIX,
    BAD_REQUEST,
    INTERNAL,
    RETRY_AFTER_S,
    STORAGE_FAILED,
    Problem,
    ProblemType,
    problem_response,
)

log = structlog.get_logger()

# What a database says, in lower case → what a page says of the server.
_REASONS = {
    "disk is full": "its disk is full",
    "readonly database": "its disk is read-only",
    "disk i/o error": "its disk cannot be written",
    "unable to open database file": "its disk cannot be written",
    "database is locked": "it is busy",
    # What PostgreSQL and MySQL say.
    "deadlock": "it is busy",
    "lock wait timeout": "it is busy",
    "too many connections": "its database has too many connections",
    "too many clients": "its database has too many connections",
    "no space left": "its database's disk is full",
    "is full": "its database's disk is full",
    # What `server_lock` says.
    "another thing tank has taken": "another Thing Tank has taken its database; its log says more",
}


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer to a page that broke, as Django's `handler500`."""
    if request.path.startswith(API_PREFIX):
        return _api_failure(request, sys.exc_info()[1], INTERNAL)
    return _unavailable(request, sys.exc_info()[1]) or defaults.server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer to a request that is refused, as Django's `handler400`."""
    if request.path.startswith(API_PREFIX):
        return _api_failure(request, exception, BAD_REQUEST)
    if isinstance(exception, RequestDataTooBig):
        limit = f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,}"
        return render(request, "413.html", {"limit": limit}, status=413)
    # A session that could not be stored is told from one that has ended by its cause only.
    return _unavailable(request, exception) or defaults.bad_request(request, exception)


def not_allowed(request: HttpRequest, refusal: HttpResponse) -> HttpResponse:
    """Answer in words to a method that a path does not have, such as a visit to a button's."""
    response = render(request, "405.html", status=405)
    response["Allow"] = refusal["Allow"]
    return response


def _api_failure(
    request: HttpRequest, error: BaseException | None, kind: ProblemType
) -> HttpResponse:
    """Answer to a request of the REST API that did not come to its views, or not back."""
    reason = next(filter(None, map(_reason, _chain(error))), None)
    if reason is None:
        detail = next(filter(None, map(why_refused, _chain(error))), "")
        return problem_response(Problem(kind, detail), request.path)
    log.error("page_failed", path=request.path, reason=reason)
    problem = Problem(STORAGE_FAILED, f"the database: {reason}", retry_after_s=RETRY_AFTER_S)
    return problem_response(problem, request.path)


def _unavailable(request: HttpRequest, error: BaseException | None) -> HttpResponse | None:
    reason = next(filter(None, map(_reason, _chain(error))), None)
    if reason is None:
        return None
    log.error("page_failed", path=request.path, reason=reason)
    response = render(request, "503.html", {"reason": reason}, status=503)
    response["Retry-After"] = str(RETRY_AFTER_S)
    response["Cache-Control"] = "no-store"
    return response


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those it came of."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def why_refused(error: BaseException) -> str:
    """Of what Django refuses before a view is asked; blank for what is not known."""
    if isinstance(error, DisallowedHost):
        return (
            "the Host header names no host of this server; its setting web.allowed_hosts has them"
        )
    if isinstance(error, TooManyFieldsSent):
        return f"there are more than {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS} parameters"
    return ""


def _reason(error: BaseException) -> str | None:
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    told = str(error).lower()
    found = next((words for said, words in _REASONS.items() if said in told), None)
    if found is None and connection.vendor != "sqlite":
        return "its database does not answer"  # these errors are of servers and ways to them
    return found
