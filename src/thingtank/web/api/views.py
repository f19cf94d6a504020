"""What every operation of the API does: who asks, how often, with which parameters; and refusals.

A view has an action for each method, named as REST framework names them. It reads the tank's
directory from memory, runs the tank's actions, and answers with `Response`. A resource is added as
`resources/devices.py` shows.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlencode

import structlog
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from rest_framework.exceptions import NotAuthenticated
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from thingtank.tank.access import Caller
from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.tank.request_log import SERVERS_OWN
from thingtank.tank.request_rates import Allowance
from thingtank.web import tank_access
from thingtank.web.api.admission import Admitted, allowance_headers, count_stranger
from thingtank.web.api.authentication import KeyAuthentication, SessionAuthentication
from thingtank.web.api.conditions import Conditions, conditions_of
from thingtank.web.api.errors import framework_problem, query_problem
from thingtank.web.api.fields import ApiSerializer
from thingtank.web.api.formats import JsonParser, JsonRenderer
from thingtank.web.api.idempotency import Answer, answers, parse_key
from thingtank.web.api.paging import Cursor, Page, cursor_text
from thingtank.web.api.parameters import Parameter, Terms, read_parameters
from thingtank.web.api.request_log import keep_body, note
from thingtank.web.problems import (
    BAD_REQUEST,
    INTERNAL,
    Problem,
    ProblemRaised,
    problem_of,
    problem_response,
)
from thingtank.web.workbench.pages import address_of

log = structlog.get_logger()

_REPLAYED = ("Location", "ETag", "Content-Type")
_CHANGES = ("POST", "PUT", "PATCH")


class _Replayed(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__("answered before")
        self.answer = answer


class AcceptOnly(DefaultContentNegotiation):
    """REST framework's, without its parameter `format`, which is refused as any that is unknown."""

    def filter_renderers(self, renderers: Any, format: str) -> Any:
        """All of them."""
        return renderers


class ApiView(ViewSet):
    """Base of all views.

    Attributes:
        parameters: by action, the parameters of the query that it takes.
        pointers: where the fields that the tank's ValidationFailed names stand in the body, if not
            at `/field`.
        tagged: actions on an object with an ETag, which look at the request's conditions.
        is_public: strangers may ask as well; they are counted by address.
        is_idempotent: POST takes an Idempotency-Key.
        caller: who asks.
        terms: the query's parameters by name, defaults included.
        conditions: what the request says of the state it is for.
    """

    authentication_classes = (KeyAuthentication, SessionAuthentication)
    permission_classes = ()
    throttle_classes = ()
    parser_classes = (JsonParser,)
    renderer_classes = (JsonRenderer,)
    content_negotiation_class = AcceptOnly
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]  # noqa: RUF012 - as Django declares it
    metadata_class = None

    parameters: ClassVar[Mapping[str, Sequence[Parameter]]] = {}
    pointers: ClassVar[Mapping[str, str]] = {}
    tagged: ClassVar[Sequence[str]] = ()
    is_public: ClassVar[bool] = False
    is_idempotent: ClassVar[bool] = True

    caller: Caller
    terms: Terms
    conditions: Conditions
    _allowance: Allowance | None = None
    _once: tuple[Any, bytes] | None = None
    _reason: str = ""
    _started_ns: int = 0

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Find out who asks for what, before the action runs."""
        self._started_ns = time.perf_counter_ns()
        if "HTTP_IDEMPOTENCY_KEY" in request._request.META:
            # Kept from now on: the check of a session's token looks for it in the body, and reads
            # that away.
            _ = request._request.body
        super().initial(request, *args, **kwargs)
        self._admit(request)
        asked: HttpRequest = request._request
        if asked.method in _CHANGES:
            keep_body(asked)
        self.conditions = conditions_of(asked)
        if self.action is not None:  # else the method is not allowed here
            self._check_conditions(asked)
            self.terms = read_parameters(asked.GET, self.parameters.get(self.action, ()))
            self._begin_once(asked)

    def _admit(self, request: Any) -> None:
        admitted: Admitted | None = request.auth
        if admitted is not None:
            self.caller, self._allowance = admitted.caller, admitted.allowance
            return
        address = request._request.META.get("REMOTE_ADDR") or ""
        self._allowance = tank_access.run(count_stranger(tank_access.tank(), address))
        if not self.is_public:
            raise NotAuthenticated("an API key or a sign-in is needed")
        self.caller = Caller(address=address)

    def _check_conditions(self, asked: HttpRequest) -> None:
        """Refuse what was to be done on a condition only, where no condition is looked at."""
        is_change = asked.method not in ("GET", "HEAD")
        if is_change and self.conditions.if_match is not None and self.action not in self.tagged:
            detail = "If-Match is not looked at here; nothing was done"
            raise ProblemRaised(Problem(BAD_REQUEST, detail))

    def _begin_once(self, asked: HttpRequest) -> None:
        header = asked.META.get("HTTP_IDEMPOTENCY_KEY")
        if header is None or asked.method != "POST" or not self.is_idempotent:
            return
        caller = self.caller
        who = (
            ("key", caller.key.key_id)
            if caller.key is not None
            else ("account", caller.account.account_id if caller.account else 0)
        )
        name = (who, asked.path, parse_key(header))
        said = (asked.META.get("QUERY_STRING", ""), asked.META.get("CONTENT_TYPE", ""))
        fingerprint = hashlib.blake2b(repr(said).encode() + asked.body, digest_size=16).digest()
        answer = answers.begin(name, fingerprint)
        if answer is not None:
            raise _Replayed(answer)
        self._once = name, fingerprint

    # --- what actions use ------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """The API's address, without a slash at the end."""
        return address_of(self.request._request, reverse("api:root")).rstrip("/")

    def read_body(self, shape: type[ApiSerializer], *, partial: bool = False) -> dict[str, Any]:
        """The members of the body that may be written, checked for their types.

        Args:
            partial: members may be left out, as in PATCH.

        Raises:
            rest_framework.exceptions.ValidationError, ParseError, UnsupportedMediaType.
        """
        serializer = shape(data=self.request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        found: dict[str, Any] = serializer.validated_data
        return found

    def answer_one(self, document: Mapping[str, Any], etag: str) -> Response:
        """An object that is read: 304 where the client has this state already, else all of it."""
        self.conditions.check(etag)
        if self.conditions.is_unchanged(etag):
            return Response(None, HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
        return Response(document, headers={"ETag": etag, "Cache-Control": "private, no-cache"})

    def answer_created(self, document: Mapping[str, Any], etag: str = "") -> Response:
        """An object that was made, with its address."""
        headers = {"Location": str(document["url"])}
        if etag:
            headers["ETag"] = etag
        return Response(document, HTTPStatus.CREATED, headers=headers)

    def answer_changed(self, document: Mapping[str, Any], etag: str, *, may_read: bool) -> Response:
        """An object that was changed; 204 for a key that may only write it."""
        if not may_read:
            return Response(None, HTTPStatus.NO_CONTENT)
        return Response(document, headers={"ETag": etag})

    def answer_page(self, page: Page[Any], documents: Sequence[Any]) -> Response:
        """A page of a list, with the addresses of its neighbours, in its body and a header."""
        links = _page_links(self.request._request, page)
        said = [f'<{url}>; rel="{name[:4]}"' for name, url in links.items() if url is not None]
        headers = {"Link": ", ".join(said)} if said else {}
        return Response({**links, "results": list(documents)}, headers=headers)

    # --- the ends --------------------------------------------------------------------------------

    def handle_exception(self, exc: Exception) -> Any:
        """Answer a refusal as problem details; what is a bug is logged and told nothing of."""
        if isinstance(exc, _Replayed):
            return _replay(exc.answer)
        has_body = self.request.method in _CHANGES
        if isinstance(exc, ValidationFailed | LimitReached) and not has_body:
            problem: Problem | None = query_problem(exc)
        else:
            problem = problem_of(exc, self.pointers) or framework_problem(exc)
        if problem is None:
            log.exception("api_request_failed", method=self.request.method)
            self._reason = SERVERS_OWN
            problem = Problem(INTERNAL)
        else:
            self._reason = problem.detail or problem.type.meaning
        return problem_response(problem, self.request.path)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Say of what the answer depends, and how much may still be asked."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(answer, ["Accept", "Authorization", "X-ApiKey", "Cookie"])
        answer.headers.setdefault("Cache-Control", "private, no-store")
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        if self._allowance is not None:
            for name, text in allowance_headers(self._allowance).items():
                answer.headers[name] = text
        if self._once is not None:
            self._end_once(answer)
        if "device" in self.kwargs:
            self._note_soon(request, answer)
        return answer

    def _note_soon(self, request: Any, answer: Any) -> None:
        """Tell the request log, once the answer has its content."""
        asked, device_name = request._request, str(self.kwargs["device"])
        caller, reason = getattr(self, "caller", None), self._reason
        started_ns = self._started_ns or time.perf_counter_ns()

        def tell(done: Any) -> None:
            note(asked, device_name, caller, done, reason, started_ns)

        if hasattr(answer, "add_post_render_callback"):
            answer.add_post_render_callback(tell)
        else:
            tell(answer)

    def _end_once(self, answer: Any) -> None:
        assert self._once is not None, "asked by who calls"
        name, fingerprint = self._once
        self._once = None
        if not 200 <= answer.status_code < 300:
            answers.give_up(name)
            return
        if hasattr(answer, "render"):
            answer.render()
        kept = tuple((each, answer.headers[each]) for each in _REPLAYED if each in answer.headers)
        answers.finish(name, fingerprint, Answer(answer.status_code, kept, answer.content))


def _replay(answer: Answer) -> HttpResponse:
    headers = {**dict(answer.headers), "Idempotency-Replayed": "true"}
    return HttpResponse(answer.body, status=answer.status, headers=headers)


def _page_links(request: HttpRequest, page: Page[Any]) -> dict[str, str | None]:
    """The addresses of a page's neighbours."""

    def link(cursor: Cursor | None) -> str | None:
        if cursor is None:
            return None
        terms = {name: request.GET[name] for name in request.GET if name != "cursor"}
        query = urlencode({**terms, "cursor": cursor_text(cursor)})
        return address_of(request, f"{request.path}?{query}")

    return {"next": link(page.next), "previous": link(page.previous)}
