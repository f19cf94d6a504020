"""How operations are described in the OpenAPI document, by drf-spectacular.

An action's docstring is the operation's summary (its first line) and description; parameters come
from the view; what every operation may answer besides is added here.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from thingtank.tank.things import TEXT_CHARS_MAX
from thingtank.web.api.fields import CONTROLS, ApiSerializer, Text, Texts
from thingtank.web.api.parameters import Parameter
from thingtank.web.problems import CONTENT_TYPE, TYPES, TYPES_PATH

_BODIES = ("POST", "PUT", "PATCH")
_IDEMPOTENCY = (
    "Makes a retry safe: the same request with the same key is done once, and answered again with"
    " `Idempotency-Replayed: true`. Any text of up to 255 visible characters, such as a UUID."
)
_KEY = r'^("[\x21\x23-\x7e]{1,255}"|[\x21\x23-\x7e]{1,255})$'
_IF_MATCH = "Do it only if the object is still at this ETag; else 412."
_IF_NONE_MATCH = "Answer 304 without a body if the object is at this ETag."


class ErrorSerializer(ApiSerializer):
    """What is wrong with one part of a request."""

    detail = serializers.CharField(help_text="What is wrong.")
    pointer = serializers.CharField(
        required=False, help_text="Where in the body, a JSON pointer; blank for all of it."
    )
    parameter = serializers.CharField(
        required=False, help_text="Which parameter of the query, in place of a pointer."
    )


class ProblemSerializer(ApiSerializer):
    """Why a request was refused (RFC 9457)."""

    type = serializers.CharField(help_text="The address of a page that says what it means.")
    title = serializers.CharField(help_text="The same for all problems of a type.")
    status = serializers.IntegerField(help_text="The status, as in the answer's first line.")
    detail = serializers.CharField(help_text="What is wrong this time, and often what to do.")
    instance = serializers.CharField(help_text="The path that was asked for.")
    errors = ErrorSerializer(many=True, required=False)  # type: ignore[assignment] # a field


_ERRORS = {
    400: "A parameter is not known or cannot be read, or the body is not JSON.",
    401: "No valid API key, and nobody is signed in.",
    403: "The key or account lacks the right that the detail names, or the CSRF check failed.",
    404: "There is no such thing, or the caller may not see it.",
    406: "Only JSON is answered.",
    409: "It is there already, or a request with this Idempotency-Key runs.",
    412: "The object has changed since its ETag was read.",
    413: "The body is too large.",
    415: "The body's Content-Type is not taken.",
    422: "The content breaks rules; `errors` points at each.",
    429: "Too many requests; Retry-After says when to come back.",
    503: "Not just now; Retry-After says when to come back.",
}


class ApiSchema(AutoSchema):
    """Describes an operation of an `ApiView`."""

    def get_summary(self) -> str | None:
        """The docstring's first line."""
        return super().get_summary() or self._doc().partition("\n")[0].rstrip(".") or None

    def get_description(self) -> str:  # type: ignore[override] # as drf-spectacular does
        """The rest of the docstring, or all of it where there is no rest."""
        first, _, rest = self._doc().partition("\n")
        return rest.strip() or first

    def _doc(self) -> str:
        action = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        return inspect.cleandoc(getattr(action, "__doc__", None) or "")

    def get_tags(self) -> list[str]:
        """The view's own."""
        tag = getattr(self.view, "tag", None)
        return [tag] if tag else super().get_tags()

    def get_auth(self) -> list[Any]:
        """None where strangers may ask."""
        return [{}] if getattr(self.view, "is_public", False) else super().get_auth()

    def get_override_parameters(self) -> list[Any]:
        """The query's parameters, and the headers that go with the method."""
        return [*super().get_override_parameters(), *self._query(), *self._headers()]

    def _query(self) -> Iterator[OpenApiParameter]:
        parameters: Sequence[Parameter] = getattr(self.view, "parameters", {}).get(
            getattr(self.view, "action", None), ()
        )
        for each in parameters:
            yield OpenApiParameter(
                each.name, each.schema, description=each.description, required=each.is_required
            )

    def _headers(self) -> Iterator[OpenApiParameter]:
        if self.method == "POST" and getattr(self.view, "is_idempotent", False):
            yield _header("Idempotency-Key", _IDEMPOTENCY, {"pattern": _KEY})
        if self._is_conditional():
            if self.method == "GET":
                yield _header("If-None-Match", _IF_NONE_MATCH)
            else:
                yield _header("If-Match", _IF_MATCH)

    def _is_conditional(self) -> bool:
        tagged: Sequence[str] = getattr(self.view, "tagged", ())
        return getattr(self.view, "action", None) in tagged

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        if self._is_conditional() and self.method == "GET":
            bodies["304"] = {"description": "The client has this state already."}
        if self._is_conditional() and self.method in ("PUT", "PATCH"):
            bodies["204"] = {"description": "Done, by a key that may not read it."}
        for status in self._error_statuses():
            if str(status) not in bodies:
                answer = OpenApiResponse(
                    ProblemSerializer, description=_ERRORS[status], examples=_examples(status)
                )
                bodies[str(status)] = self._get_response_for_code(  # type: ignore[no-untyped-call] # has no types
                    answer, str(status), [CONTENT_TYPE], direction
                )
        return bodies

    def _error_statuses(self) -> Iterator[int]:
        yield from (400, 406, 429, 503)
        if not getattr(self.view, "is_public", False):
            yield from (401, 403)
        if "{" in self.path:
            yield 404
        if self.method in _BODIES:
            yield from (413, 415, 422)
        if self.method == "POST":
            yield 409
        if self._is_conditional():
            yield 412

    def _get_request_body(self, direction: Any = "request") -> Any:
        body = super()._get_request_body(direction)  # type: ignore[no-untyped-call] # has no types
        if body is not None and self.method == "POST":
            body["required"] = True
        return body

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call] # has no types
        if direction == "request":
            schema["additionalProperties"] = False
            for name, field in serializer.fields.items():
                if isinstance(field, Text) and not field.read_only:
                    schema["properties"][name]["pattern"] = _pattern_of(field)
                elif isinstance(field, Texts):
                    schema["properties"][name]["items"]["pattern"] = _pattern_of(field.child)
        return schema


def _examples(status: int) -> list[OpenApiExample]:
    """A refusal of each type with this status."""
    return [
        OpenApiExample(
            kind.title,
            {
                "type": TYPES_PATH + kind.name,
                "title": kind.title,
                "status": status,
                "detail": kind.meaning,
                "instance": "/api/devices",
            },
            response_only=True,
        )
        for kind in TYPES
        if kind.status == status
    ]


def _pattern_of(field: Text) -> str:
    """Text without control characters; with something to see in it, where it may not be blank."""
    some = "" if field.allow_blank else rf"[^{CONTROLS}\s][^{CONTROLS}]*"
    return f"^[^{CONTROLS}]*{some}$"


def _header(name: str, description: str, more: dict[str, Any] | None = None) -> OpenApiParameter:
    schema = {"type": "string", **(more or {})}
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=description)


class ValueField(OpenApiSerializerFieldExtension):
    """Text, a number, or true or false."""

    target_class = "thingtank.web.api.fields.Value"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Any:
        """As JSON schema."""
        return {"type": ["string", "number", "boolean"], "maxLength": TEXT_CHARS_MAX}


class ReadValueField(OpenApiSerializerFieldExtension):
    """A number, text or null."""

    target_class = "thingtank.web.api.fields.ReadValue"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Any:
        """As JSON schema."""
        return {"type": ["number", "string"]}  # and null, as of any field that allows it


class InstantField(OpenApiSerializerFieldExtension):
    """A time."""

    target_class = "thingtank.web.api.fields.Instant"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Any:
        """As JSON schema."""
        return {"type": "string", "format": "date-time"}


class KeyScheme(OpenApiAuthenticationExtension):
    """An API key, which may stand in either of two headers."""

    target_class = "thingtank.web.api.authentication.KeyAuthentication"
    name = ["bearerKey", "headerKey"]  # noqa: RUF012 - as drf-spectacular declares it

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """One of the two is enough."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> list[Any]:
        """How each is sent."""
        words = "An API key; Keys in the workbench makes one."
        return [
            {"type": "http", "scheme": "bearer", "description": words},
            {"type": "apiKey", "in": "header", "name": "X-ApiKey", "description": words},
        ]


class SessionKeyScheme(SessionScheme):
    """A browser's session."""

    target_class = "thingtank.web.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """The session's cookie."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The session of the workbench; what changes something needs the CSRF"
            f" token of the cookie {settings.CSRF_COOKIE_NAME} as `X-CSRFToken` too.",
        }
