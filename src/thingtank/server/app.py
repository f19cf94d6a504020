"""The web port's one ASGI app: who answers which path."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from thingtank.protocols.xively.paths import parse_path

XIVELY_PATHS = ("/v2/", "/v1/")
BULK_PATH = "/api/datapoints"  # of the REST API; many values at once are not Django's to write
_LEGACY_PATHS = ("/api", "/feeds/")
_FAILING = "the archive or the outbox cannot use its files; what comes waits, and the log says why"


class AsgiApp(Protocol):
    """What every part of the web port is."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        ...


class WebApp:
    """Sends `/v2` and `/v1` to the Xively door, `/healthz` to itself, the rest to the web layer.

    `/healthz` is 200 while all is well, and 503 while `is_failing`. Why is in the log: strangers
    may read this answer, and errors name paths.
    """

    def __init__(
        self,
        xively: AsgiApp,
        pages: AsgiApp,
        static: AsgiApp,
        live: AsgiApp,
        exports: AsgiApp,
        bulk: AsgiApp,
        is_failing: Callable[[], bool],
    ) -> None:
        self._xively = xively
        self._pages = pages
        self._static = static
        self._live = live
        self._exports = exports
        self._bulk = bulk
        self._is_failing = is_failing

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        path: str = scope["path"]
        if path.startswith(XIVELY_PATHS) or _is_legacy(path):
            await self._xively(scope, receive, send)
        elif path == "/healthz":
            await _answer_health(send, self._is_failing())
        elif path.startswith("/static/"):
            await self._static(scope, receive, send)
        elif path.startswith("/live/"):
            await self._live(scope, receive, send)
        elif path.startswith("/export/"):
            await self._exports(scope, receive, send)
        elif path == BULK_PATH and scope["method"] == "POST":
            await self._bulk(scope, receive, send)
        else:
            await self._pages(scope, receive, send)


def _is_legacy(path: str) -> bool:
    """Whether it is one of Xively's oldest paths, which stand among the pages' (`/api/504.csv`)."""
    return path.startswith(_LEGACY_PATHS) and parse_path(path).version == 1


async def _answer_health(send: Any, is_failing: bool) -> None:
    body = {"status": "failing", "reason": _FAILING} if is_failing else {"status": "ok"}
    content = msgspec.json.encode(body)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    status = 503 if is_failing else 200
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
