"""Gives each request for a page an id: in what is logged of it, and in its answer."""

import re
import secrets
from collections.abc import Sequence
from typing import Any

import structlog

from thingtank.server.app import AsgiApp

HEADER = b"x-request-id"
_GIVEN = re.compile(rb"[\w.-]{8,64}")  # what proxies make up; nothing that could forge a line


class RequestIds:
    """An ASGI app around another.

    The id is the one that a proxy in front has given, so that its log and this one can be laid
    side by side, or a new one.
    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        request_id = _given(scope["headers"]) or secrets.token_hex(8).encode()

        async def send_with_id(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (HEADER, request_id)]
                message = {**message, "headers": headers}
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id.decode()):
            await self._app(scope, receive, send_with_id)


def _given(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    given = next((value for name, value in headers if name == HEADER), b"")
    return given if _GIVEN.fullmatch(given) else b""
