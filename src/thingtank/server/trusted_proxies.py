"""Proxies whose word is taken for whom a request comes from."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

if TYPE_CHECKING:
    from thingtank.server.app import AsgiApp

_PEER = "thingtank.peer"  # in an ASGI scope: who has connected


class TrustedProxies:
    """An ASGI app around another, which is told the client that a trusted proxy names."""

    def __init__(self, app: "AsgiApp", addresses: Sequence[str]) -> None:
        """Believe proxies at these addresses and networks."""
        self._app = ProxyHeadersMiddleware(app, list(addresses))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        scope[_PEER] = scope.get("client")
        await self._app(scope, receive, send)


def is_vouched_for(scope: Mapping[str, Any]) -> bool:
    """Whether the client of an ASGI request is one that a trusted proxy has named."""
    return _PEER in scope and scope[_PEER] != scope.get("client")
