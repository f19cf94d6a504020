"""The web port's one ASGI app: who answers which path."""

from typing import Any, Protocol

from thingtank.protocols.xively.paths import parse_path
from thingtank.server.monitoring.app import PATHS as MONITORING_PATHS

XIVELY_PATHS = ("/v2/", "/v1/")
BULK_PATH = "/api/datapoints"  # of the REST API; many values at once are not Django's to write
_LEGACY_PATHS = ("/api", "/feeds/")


class AsgiApp(Protocol):
    """What every part of the web port is."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        ...


class WebApp:
    """Sends `/v2` and `/v1` to the Xively door, what operators ask to `monitoring`, the rest on."""

    def __init__(
        self,
        xively: AsgiApp,
        pages: AsgiApp,
        static: AsgiApp,
        live: AsgiApp,
        exports: AsgiApp,
        bulk: AsgiApp,
        monitoring: AsgiApp,
    ) -> None:
        self._xively = xively
        self._pages = pages
        self._static = static
        self._live = live
        self._exports = exports
        self._bulk = bulk
        self._monitoring = monitoring

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        path: str = scope["path"]
        if path.startswith(XIVELY_PATHS) or _is_legacy(path):
            await self._xively(scope, receive, send)
        elif path in MONITORING_PATHS:
            await self._monitoring(scope, receive, send)
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
