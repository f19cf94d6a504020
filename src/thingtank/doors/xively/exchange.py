"""One request and what became of it, from its first header to its line in the request log."""

from collections.abc import Mapping
from typing import Any

from thingtank.protocols.xively.paths import XivelyPath


class Exchange:
    """What is known of a request before it is authenticated, and of its refusal.

    Attributes:
        scope: ASGI's.
        headers: names in lower case.
        raw_path: still percent-encoded, without the query.
        path: what it names; None until parsed, or when nothing is there.
        callback: the JSONP function asked for, or blank.
        body: as far as it was read, decompressed.
        reason: why it was refused, blank when it was not.
    """

    __slots__ = (
        "address",
        "body",
        "callback",
        "headers",
        "method",
        "path",
        "raw_path",
        "reason",
        "scope",
    )

    def __init__(self, scope: Any) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.raw_path: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        client = scope.get("client")
        self.address: str = client[0] if client else ""
        self.path: XivelyPath | None = None
        self.callback = ""
        self.body = b""
        self.reason = ""
