"""The API's own pages: its root, its OpenAPI document and who reads it, its types of problems."""

import functools
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import yaml
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.response import Response

from thingtank.web.api.views import ApiView
from thingtank.web.problems import (
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    TYPES,
    TYPES_PATH,
    Problem,
    problem_response,
)
from thingtank.web.workbench.pages import address_of

URLCONF = "thingtank.web.api.urls"
_DESCRIPTION = """\
The devices of this Thing Tank, what they measured and what reacts to it.

**Who asks.** Send an API key as `Authorization: Bearer KEY` or `X-ApiKey: KEY`; or be signed in to
the workbench and send `X-CSRFToken` with what changes something. What the caller may not see does
not exist: 404.

**Lists** come in pages: `results`, and `next` and `previous`, addresses or null. Parameters that an
operation does not name are refused.

**Changes** may be made conditional by `If-Match` with the ETag that was read, and a POST is made
safe to repeat by an `Idempotency-Key`.

**Refusals** are problem details (RFC 9457), `application/problem+json`.
"""
_SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.1",
    "TITLE": "Thing Tank REST API",
    "DESCRIPTION": _DESCRIPTION,
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATION_PARAMETERS": False,
    "TAGS": [
        {"name": "devices", "description": "Things, each of which is a Xively feed as well."},
        {"name": "datastreams", "description": "The series of a device, with their newest values."},
        {"name": "datapoints", "description": "Values in time: written in bulk, read as history."},
        {"name": "triggers", "description": "What is watched, and who is told."},
        {
            "name": "deliveries",
            "description": "What triggers and hooks sent.",
        },
        {"name": "keys", "description": "API keys: who may do what."},
        {"name": "messages", "description": "From device to device, with receipts."},
        {"name": "api", "description": "What there is, and what refusals mean."},
    ],
}
_generating = threading.Lock()


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document, made once."""
    with _generating:  # drf-spectacular keeps its settings where all threads see them
        return _document()


@functools.cache
def _document() -> dict[str, Any]:
    with patched_settings(_SETTINGS):
        found: dict[str, Any] = SchemaGenerator(urlconf=URLCONF).get_schema(public=True)
    return found


@functools.cache
def _json() -> bytes:
    return msgspec.json.encode(openapi_document())


@functools.cache
def _yaml() -> bytes:
    plain = msgspec.json.decode(_json())
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100).encode()


def _read_only(view: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Make a view that anybody may read, and nobody do more with."""

    @csrf_exempt  # it would be refused as a form that went stale
    @functools.wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            detail = f"{request.method} is no method of this address"
            problem = Problem(METHOD_NOT_ALLOWED, detail, headers={"Allow": "GET, HEAD"})
            return problem_response(problem, request.path)
        return view(request)

    return answer


@_read_only
def openapi_json(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document as JSON."""
    return _public(HttpResponse(_json(), content_type="application/json"))


@_read_only
def openapi_yaml(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document as YAML."""
    return _public(HttpResponse(_yaml(), content_type="application/yaml"))


def _public(answer: HttpResponse) -> HttpResponse:
    answer["Cache-Control"] = "no-cache"
    return answer


@_read_only
def docs(request: HttpRequest) -> HttpResponse:
    """The page that shows the OpenAPI document and tries operations out."""
    return render(request, "workbench/api_docs.html")


# What the root leads to.
_NAMES = ("devices", "triggers", "deliveries", "keys", "openapi", "docs", "problems")
_ROOT = {"devices": "https://tank.example/api/devices", "docs": "https://tank.example/api/docs/"}


class RootView(ApiView):
    """`/api/`."""

    tag = "api"
    is_public = True

    @extend_schema(
        responses={
            200: {
                "type": "object",
                "additionalProperties": {"type": "string", "format": "uri"},
            }
        },
        operation_id="root",
        examples=[OpenApiExample("Addresses", _ROOT, response_only=True)],
    )
    def retrieve(self, request: Any) -> Any:
        """Tell where to begin.

        The addresses of all lists, by name. A browser is led to the interactive page.
        """
        asked: HttpRequest = request._request
        if "text/html" in asked.META.get("HTTP_ACCEPT", ""):
            return HttpResponseRedirect(reverse("api:docs"))
        return Response({name: address_of(asked, reverse(f"api:{name}")) for name in _NAMES})


_PROBLEM_TYPE = {
    "type": "object",
    "required": ["type", "status", "title", "meaning"],
    "properties": {
        "type": {"type": "string", "description": "Its address."},
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "meaning": {"type": "string", "description": "What it means and what to do."},
    },
}


_PROBLEM_EXAMPLE = OpenApiExample(
    "Not found",
    {
        "type": TYPES_PATH + NOT_FOUND.name,
        "status": NOT_FOUND.status,
        "title": NOT_FOUND.title,
        "meaning": NOT_FOUND.meaning,
    },
    response_only=True,
)


class ProblemTypesView(ApiView):
    """`/api/problems/`: what the types of problems mean."""

    tag = "api"
    is_public = True

    @extend_schema(
        responses={200: _PROBLEM_TYPE},
        operation_id="problems",
        examples=[_PROBLEM_EXAMPLE],
    )
    def list(self, request: Any) -> Response:
        """List the types of problems and what each means."""
        return Response([_type_document(kind.name) for kind in TYPES])

    @extend_schema(
        responses={200: _PROBLEM_TYPE}, operation_id="problem", examples=[_PROBLEM_EXAMPLE]
    )
    def retrieve(self, request: Any, name: str) -> Response:
        """Say what one type of problem means and what to do about it."""
        return Response(_type_document(name))


def _type_document(name: str) -> dict[str, Any]:
    kind = next((kind for kind in TYPES if kind.name == name), None)
    if kind is None:
        raise Http404(f"there is no type of problem {name[:80]}")
    return {
        "type": reverse("api:problem", args=[kind.name]),
        "status": kind.status,
        "title": kind.title,
        "meaning": kind.meaning,
    }


@csrf_exempt
def not_found(request: HttpRequest, rest: str) -> HttpResponse:
    """What is answered for all paths that nothing is at."""
    detail = "nothing is at this address; /api/ lists what there is"
    return problem_response(Problem(NOT_FOUND, detail), request.path)
