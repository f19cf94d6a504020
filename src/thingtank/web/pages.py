"""Django's pages as an ASGI app, of which no stranger can have more than a share."""

import asyncio
from typing import Any

from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application
from starlette.responses import PlainTextResponse, Response

from thingtank.web.django_settings import UPLOAD_BYTES_MAX
from thingtank.web.problems import (
    API_PREFIX,
    OVERLOADED,
    TOO_LARGE,
    Problem,
    problem_body,
    problem_headers,
)

# Each page that is being made has a thread and a connection to the database.
PAGES_AT_ONCE_MAX = 16
STRANGERS_PAGES_AT_ONCE_MAX = 10  # of them, so that strangers leave some to who is signed in
# Programs of the REST API, which have no session, are counted with the strangers.
PUBLIC_PATHS = ("/directory", "/feeds/", "/weather", "/station", API_PREFIX)
API_BODY_BYTES_MAX = 1_000_000
BODY_BYTES_MAX = UPLOAD_BYTES_MAX + 1_000_000  # so that a form can say that a file is too large
TURN_S_MAX = 20.0  # longer, and people have pressed reload
_BUSY = "Too many pages are being made at the moment. Try again in a few seconds.\n"


def asgi_app() -> Any:
    """Django as an ASGI app that makes a bounded number of pages at a time."""
    pages = bounded(limited(get_asgi_application(), BODY_BYTES_MAX), PAGES_AT_ONCE_MAX, TURN_S_MAX)
    return with_strangers_share(pages, STRANGERS_PAGES_AT_ONCE_MAX, TURN_S_MAX)


def with_strangers_share(pages: Any, at_once_max: int, turn_s_max: float) -> Any:
    """An ASGI app that lets public pages for strangers take only so many of all turns."""
    strangers_pages = bounded(pages, at_once_max, turn_s_max)
    cookie = django_settings.SESSION_COOKIE_NAME.encode()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        is_public = scope["path"].startswith(PUBLIC_PATHS)
        has_session = any(name == b"cookie" and cookie in text for name, text in scope["headers"])
        app = strangers_pages if is_public and not has_session else pages
        await app(scope, receive, send)

    return answer


def limited(app: Any, body_bytes_max: int) -> Any:
    """An ASGI app that takes no larger bodies; Django would put them on the disk first."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        is_api = scope["path"].startswith(API_PREFIX)
        allowed = min(body_bytes_max, API_BODY_BYTES_MAX) if is_api else body_bytes_max
        if int(declared) > allowed:
            words = f"The request is too large; at most {allowed} bytes are read.\n"
            await _refusal(scope, Problem(TOO_LARGE, words.strip()), words)(scope, receive, send)
            return
        read_bytes = 0

        async def counted() -> Any:
            nonlocal read_bytes
            message = await receive()
            read_bytes += len(message.get("body", b""))
            # Only who hides the length comes this far, and gets no answer.
            return {"type": "http.disconnect"} if read_bytes > allowed else message

        await app(scope, counted, send)

    return answer


def bounded(app: Any, at_once_max: int, turn_s_max: float) -> Any:
    """An ASGI app that answers 503 to who has waited too long for a turn."""
    turns = asyncio.Semaphore(at_once_max)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        try:
            async with asyncio.timeout(turn_s_max):
                await turns.acquire()
        except TimeoutError:
            problem = Problem(OVERLOADED, _BUSY.strip(), retry_after_s=5)
            await _refusal(scope, problem, _BUSY)(scope, receive, send)
            return
        try:
            await app(scope, receive, send)
        finally:
            turns.release()

    return answer


def _refusal(scope: Any, problem: Problem, words: str) -> Response:
    """Words for people, or problem details for programs of the REST API."""
    headers, status = problem_headers(problem), problem.type.status
    if scope["path"].startswith(API_PREFIX):
        return Response(problem_body(problem, scope["path"]), status, headers)
    retry_after = {"retry-after": headers["Retry-After"]} if "Retry-After" in headers else None
    return PlainTextResponse(words, status, retry_after)
