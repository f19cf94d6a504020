"""One HTTP request that has arrived, and how it is answered: what doors and servers agree on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

# Answers one request: status, headers (with a content-length), body.
Respond: TypeAlias = Callable[[int, Headers, bytes], None]


class HttpRequest:
    """One request; how it came here is nobody's concern any more.

    Attributes:
        raw_path: still percent-encoded, without the query.
        query: as sent, without the question mark.
        headers: names in lower case; of repeated ones the last.
        body: as sent, perhaps compressed.
        scheme: `http` or `https`.
        address: the peer's IP address; blank when unknown.
    """

    __slots__ = ("address", "body", "headers", "method", "query", "raw_path", "scheme")

    def __init__(
        self,
        method: str,
        raw_path: str,
        query: bytes,
        headers: Mapping[bytes, bytes],
        body: bytes,
        scheme: str,
        address: str,
    ) -> None:
        self.method = method
        self.raw_path = raw_path
        self.query = query
        self.headers = headers
        self.body = body
        self.scheme = scheme
        self.address = address

    @classmethod
    def of_scope(cls, scope: Any) -> "HttpRequest":
        """The request of an ASGI scope, its body not read yet."""
        client = scope.get("client")
        return cls(
            scope["method"],
            (scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
            scope["query_string"],
            dict(scope["headers"]),
            b"",
            scope["scheme"],
            client[0] if client else "",
        )


# Answers a request some time; raises nothing that is not a bug.
DirectApp: TypeAlias = Callable[[HttpRequest, Respond], None]
