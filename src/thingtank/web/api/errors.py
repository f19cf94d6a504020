"""What Django and REST framework refuse, as problem details; for the tank's, see `problems`."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions

from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.web.failures import why_refused
from thingtank.web.problems import (
    BAD_PARAMETER,
    BAD_REQUEST,
    ERRORS_MAX,
    MALFORMED,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    NOT_ALLOWED,
    NOT_FOUND,
    RATE_EXCEEDED,
    TOO_LARGE,
    UNAUTHENTICATED,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION_FAILED,
    ItemError,
    Problem,
    ProblemType,
)

# REST framework's words for these have names of Python's types.
_WORDS = {"not_a_list": "Expected an array.", "not_a_dict": "Expected an object."}

WHOLE = "non_field_errors"  # REST framework's name for what is wrong with all of a body

# The first row whose class fits counts.
ROWS: tuple[tuple[type[Exception], ProblemType], ...] = (
    (exceptions.ParseError, MALFORMED),
    (exceptions.NotAuthenticated, UNAUTHENTICATED),
    (exceptions.AuthenticationFailed, UNAUTHENTICATED),
    (exceptions.PermissionDenied, NOT_ALLOWED),
    (DjangoDenied, NOT_ALLOWED),
    (exceptions.NotFound, NOT_FOUND),
    (Http404, NOT_FOUND),
    (exceptions.MethodNotAllowed, METHOD_NOT_ALLOWED),
    (exceptions.NotAcceptable, NOT_ACCEPTABLE),
    (exceptions.UnsupportedMediaType, UNSUPPORTED_MEDIA_TYPE),
    (exceptions.Throttled, RATE_EXCEEDED),
    (RequestDataTooBig, TOO_LARGE),
    (SuspiciousOperation, BAD_REQUEST),
)


def framework_problem(error: Exception) -> Problem | None:
    """The refusal that an error of Django or REST framework is; None for a bug."""
    if isinstance(error, exceptions.ValidationError):
        errors = list(item_errors(error.detail))[:ERRORS_MAX]
        detail = "; ".join(f"{each.pointer or 'the body'}: {each.detail}" for each in errors)
        return Problem(VALIDATION_FAILED, detail, errors)
    kind = next((kind for row, kind in ROWS if isinstance(error, row)), None)
    if kind is None:
        return None
    if isinstance(error, exceptions.APIException):
        return Problem(kind, str(error.detail))
    return Problem(kind, why_refused(error))


def query_problem(error: ValidationFailed | LimitReached) -> Problem:
    """What is wrong with a request that has no body: it can only be the query."""
    if isinstance(error, LimitReached):
        return Problem(BAD_PARAMETER, str(error))
    errors = [ItemError(message, parameter=field) for field, message in error.problems]
    return Problem(BAD_PARAMETER, str(error), errors)


def item_errors(detail: Any, pointer: str = "") -> Iterator[ItemError]:
    """REST framework's tree of errors as a list, each with a pointer into the body."""
    if isinstance(detail, dict):
        for name, below in detail.items():
            step = "" if name == WHOLE else f"/{_escaped(str(name))}"
            yield from item_errors(below, pointer + step)
    elif isinstance(detail, list):
        for index, below in enumerate(detail):
            is_text = isinstance(below, str)
            yield from item_errors(below, pointer if is_text else f"{pointer}/{index}")
    else:
        yield ItemError(_WORDS.get(getattr(detail, "code", ""), str(detail)), pointer)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")[:80]
